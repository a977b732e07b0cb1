/*
 * Failures that come again and again: each is said once, with its reason; those after it are counted. The count is told
 * once a minute while there are more, and when there have been none for a while, with how long it went on.
 *
 * Any thread. Nothing is locked while the callback runs.
 */
#ifndef CPI_REPEATS_H
#define CPI_REPEATS_H

#include "base/log.h"

#include <pthread.h>

enum cpi_repeat_kind {
    CPI_REPEAT_PAYLOAD,   /* a notification, a message or a row names what cannot be an id */
    CPI_REPEAT_LISTING,   /* so does a listing */
    CPI_REPEAT_PARKED,    /* an id fails by itself, and is set aside */
    CPI_REPEAT_DOUBLED,   /* a fetch function gives several documents for an id */
    CPI_REPEAT_FORGOTTEN, /* ids that fail are too many to be kept */
    CPI_REPEAT_OVERFLOW,  /* there are more ids than max_pending */
    CPI_REPEAT_CROWD,     /* of which those of a session that announces thousands are dropped */
    CPI_REPEAT_STEP,      /* a step of a resync fails for an entity */
    CPI_REPEAT_BLIND,     /* a row does not tell which document it belonged to */
    CPI_REPEAT_FOREIGN,   /* nor does one in another encoding */
    CPI_REPEAT_STALE,     /* the auditor finds a key that is wrong */
    CPI_REPEAT_AUDIT,     /* the auditor fails */
    CPI_REPEAT_HELD_UP,   /* a commit that waits holds up notifications */
    CPI_REPEAT_LISTENER,  /* the listener's session is lost */
    CPI_REPEAT_STRANGER,  /* another role holds the lease's lock */
    CPI_REPEAT_ENDING,    /* another's session is ended */
    CPI_REPEAT_KINDS
};

/* Of servers that the workers use. */
enum cpi_away { CPI_AWAY_POSTGRES, CPI_AWAY_REDIS, CPI_AWAY_OTHER, CPI_AWAYS };

enum { CPI_REPEATS_MAX = 32, CPI_REPEAT_REASON_BYTES = 120 };

struct cpi_repeat {
    enum cpi_repeat_kind kind;
    const char *entity; /* NULL: of none */
    char reason[CPI_REPEAT_REASON_BYTES];
    int64_t first_ms;
    int64_t last_ms;
    int64_t told_ms;
    uint64_t count; /* 0: the place is free */
    uint64_t untold;
};

/* Many workers notice one outage. */
struct cpi_away_state {
    uint64_t workers; /* that are affected, a bit for each */
    uint64_t tries;
    int64_t since_ms;
    bool refused; /* somebody has to do something about it, which has been said */
};

struct cpi_repeats {
    pthread_mutex_t mutex; /* over all below */
    struct cpi_repeat items[CPI_REPEATS_MAX];
    struct cpi_away_state away[CPI_AWAYS];
    int64_t failing_ms; /* since when ids fail; 0: none does */
};

void cpi_repeats_init(struct cpi_repeats *repeats);
void cpi_repeats_fini(struct cpi_repeats *repeats);

/* Says it or counts it. Those of one kind, entity and reason (NULL: whatever the reason) are the same failure; the
 * entity's name has to outlive the log. */
void cpi_log_repeated(const struct cpi_log *log, enum cpi_repeat_kind kind, const char *reason, cp_level level,
                      const struct cpi_log_about *about, const char *format, ...) __attribute__((format(printf, 6, 7)));

/* The reason of the kind's newest failure; "": none is known. */
void cpi_repeats_reason(const struct cpi_log *log, enum cpi_repeat_kind kind, char reason[CPI_REPEAT_REASON_BYTES]);

/* Tells what is due by now; call it every few seconds. failing: how many ids are set aside. */
void cpi_repeats_tick(const struct cpi_log *log, int64_t now_ms, uint64_t failing);

/* Tells what has not been told. */
void cpi_repeats_finish(const struct cpi_log *log);

/* A worker (below 64) waits for a server, since `why`. Said for the first one, and once more where somebody has to do
 * something about it; else at debug. */
void cpi_log_away(const struct cpi_log *log, unsigned worker, const char *host, const cp_error *why);

/* And works again: said by the last one. */
void cpi_log_back(const struct cpi_log *log, unsigned worker);

/* An outage of a thread's own: zero is none. */
struct cpi_outage {
    int64_t since_ms;
    uint64_t tries;
};

/* True: it is news. */
bool cpi_outage_note(struct cpi_outage *outage);

/* Says that it is over, if there was one: "WHAT after 1.2 s (3 tries)". */
void cpi_outage_end(struct cpi_outage *outage, const struct cpi_log *log, const char *host, const char *what);

#endif
