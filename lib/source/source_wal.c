#include "source/source_wal.h"

#include "base/clock.h"
#include "base/error.h"
#include "lease/admission.h"
#include "source/slot_keeper.h"
#include "source/wal_session.h"
#include "source/wal_stream.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
    STATEMENT_MS = 30000,
    CROWD_TOGETHER = 4096,     /* rows */
    CROWD_GATHER_MS = 50,      /* at most, for as many */
    CROWD_PAUSE_MS = 5,        /* in which none comes: they are slow to come, and taken as they do */
    ROOM_LOOK_MS = 5,          /* whether the lanes have room again */
    REST_AFTER_MS = 5000,      /* without any room, the stream is left */
    OFFER_IDLE_MS = 5000,      /* positions that move on without any change of ours */
    LOOK_AT_REQUESTS_MS = 1000 /* whether anything is owed any more */
};

struct wal {
    struct cpi_source source; /* first: the two are cast into each other */
    const struct cpi_env *env;
    struct cpi_checkpoint *checkpoint;
    char publication[CPI_SLOT_BYTES];
    int epoll_fd; /* readable when either connection is */
    struct cpi_wal_session session;
    struct cpi_wal_stream stream;
    struct cpi_wal_changes changes;
    bool paused;       /* the stream is not being read */
    bool rests;        /* it has been paused for so long that it was closed */
    int64_t paused_ms; /* since when it has been paused */
    bool has_more;     /* libpq holds some of it, whatever the socket says */
    bool missed;       /* something, perhaps, although the slot goes on */
    struct cpi_slot_keeper keeper;
    struct cpi_events failing; /* ids of the checkpoint, to be read again */

    uint64_t quiet;      /* what cpi_requests_owe_nothing() said of the checkpoint that is complete */
    bool has_resumed;    /* just now: what it says next is said of that one */
    uint64_t offered;    /* the last position given to the listener */
    int64_t offer_at_ms; /* when one may be given that nothing of ours has moved */
    uint64_t confirmed;  /* told to the slot */
    uint64_t changed_to; /* the end of the last transaction that brought something */
    uint64_t began_at;   /* where the slot stood when the stream began */
};

static struct wal *wal_of(struct cpi_source *source)
{
    return (struct wal *)source;
}

/* ---- opening ---- */

static bool watch_fd(struct wal *wal, int fd, bool is_stream, int operation)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    event.events = is_stream && wal->paused ? 0 : EPOLLIN;
    return epoll_ctl(wal->epoll_fd, operation, fd, &event) == 0;
}

static cp_code watch_both(struct wal *wal, cp_error *err)
{
    wal->paused = false;
    wal->rests = false;
    close(wal->epoll_fd);
    wal->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (wal->epoll_fd < 0 || !watch_fd(wal, cpi_pg_fd(&wal->session.pg), false, EPOLL_CTL_ADD) ||
        !watch_fd(wal, cpi_pg_fd(&wal->stream.pg), true, EPOLL_CTL_ADD)) {
        return cpi_error(err, CP_ERR_SYSTEM, true, "epoll: %s", strerror(errno));
    }
    return CP_OK;
}

/* Both connections have to lead to one server, whatever the address does: its slot says who streams. */
static cp_code start_streaming(struct wal *wal, struct cpi_wal_slot *slot, cp_error *err)
{
    cp_code code =
        cpi_wal_stream_open(&wal->stream, wal->keeper.name, wal->publication, !wal->changes.has_outgrown, err);
    if (code !=
        CP_OK) { /* of a slot that is lost the other session knows; what this one leads to may be another server */
        return code;
    }
    uint64_t confirmed = slot->confirmed;
    code = cpi_wal_slot_read(&wal->session.pg, wal->keeper.name, wal->keeper.reader, slot, err);
    slot->confirmed = confirmed;
    if (code == CP_OK && slot->active_pid != cpi_wal_stream_pid(&wal->stream)) {
        return cpi_error(err, CP_ERR_POSTGRES, true,
                         slot->is_active ? "replication: the stream leads to another server than ordinary statements do"
                                         : "replication: the stream has ended as soon as it began");
    }
    return code;
}

static void begin_anew(struct wal *wal, uint64_t position)
{
    cpi_wal_changes_begin(&wal->changes, position);
    wal->changes.is_foreign = wal->stream.is_foreign;
    wal->began_at = position;
    wal->has_more = false;
    wal->offered = 0;
    wal->changed_to = 0;
    wal->offer_at_ms = 0;
    wal->confirmed = 0;
}

static cp_code begin_checkpoint(struct wal *wal, const struct cpi_wal_slot *slot, const char **why, cp_error *err)
{
    struct cpi_checkpoint_stream stream = {.system = wal->stream.system,
                                           .slot = wal->keeper.name,
                                           .published = wal->session.digest,
                                           .since = wal->session.since,
                                           .confirmed = slot->confirmed,
                                           .end_lsn = wal->stream.end_lsn};
    cpi_events_truncate(&wal->failing, 0, wal->env->config->entities);
    return cpi_checkpoint_begin(wal->checkpoint, &stream, &wal->failing, why, err);
}

static cp_code open_all(struct wal *wal, bool *resumed, cp_error *err)
{
    struct cpi_wal_slot slot;
    bool made = false;
    const char *why = NULL;
    cp_code code = cpi_pg_open(&wal->session.pg, err);
    code = code == CP_OK ? cpi_wal_session_know_tables(&wal->session, err) : code;
    code = code == CP_OK ? cpi_slot_keeper_have(&wal->keeper, &wal->session.pg, &slot, &made, err) : code;
    code = code == CP_OK ? start_streaming(wal, &slot, err) : code;
    code = code == CP_OK ? cpi_wal_session_begin(&wal->session, err) : code;
    code = code == CP_OK ? cpi_lease_confirm(wal->env->lease, &wal->session.pg, err) : code;
    code = code == CP_OK ? begin_checkpoint(wal, &slot, &why, err) : code;
    code = code == CP_OK ? watch_both(wal, err) : code;
    if (code == CP_OK) {
        begin_anew(wal, slot.confirmed);
        why = made ? "the slot has just been made" : wal->missed ? "changes may have been missed" : why;
        *resumed = why == NULL;
        wal->missed = false;
        wal->has_resumed = *resumed;
        cpi_log(&wal->env->log, CP_LOG_INFO, "replication: %s slot \"%s\"%s%s",
                *resumed ? "resumed: going on with" : "reading", wal->keeper.name,
                *resumed ? "" : ", and not resuming: ", *resumed ? "" : why);
    }
    return code;
}

/* What has been kept back comes again: a standby need not hold it. */
static void wal_close(struct cpi_source *source)
{
    struct wal *wal = wal_of(source);
    cpi_checkpoint_end(wal->checkpoint);
    cpi_wal_changes_begin(&wal->changes, 0);
    cpi_wal_stream_close(&wal->stream);
    cpi_pg_close(&wal->session.pg);
}

static cp_code wal_open(struct cpi_source *source, bool *resumed, cp_error *err)
{
    struct wal *wal = wal_of(source);
    cp_code code = open_all(wal, resumed, err);
    if (code != CP_OK) {
        wal_close(source);
        return code;
    }
    return CP_OK;
}

/* ---- the stream ---- */

static cp_code take_frame(struct wal *wal, const struct cpi_frame *frame, struct cpi_arrivals *arrivals, cp_error *err)
{
    if (frame->kind == CPI_FRAME_KEEPALIVE) {
        cpi_wal_changes_keepalive(&wal->changes, frame->end_lsn);
        return CP_OK;
    }
    wal->session.has_come = true;
    wal->changed_to = frame->start_lsn > wal->changed_to ? frame->start_lsn : wal->changed_to; /* parts go back */
    return cpi_wal_changes_take(&wal->changes, frame->data, frame->length, arrivals, err);
}

/* Nothing that comes could go on, or be kept until it is seen. */
static bool is_full(const struct wal *wal, const struct cpi_arrivals *arrivals)
{
    return arrivals->events.count >= arrivals->room || cpi_wal_changes_are_full(&wal->changes);
}

/* Takes what libpq holds. *any: there was something. */
static cp_code take_frames(struct wal *wal, struct cpi_arrivals *arrivals, bool *any, cp_error *err)
{
    struct cpi_frame frame = {.kind = CPI_FRAME_UNKNOWN};
    void *bytes = NULL;
    cp_code code = CP_OK;
    *any = false;
    do {
        code = cpi_wal_stream_next(&wal->stream, &frame, &bytes, err);
        wal->has_more = bytes != NULL;
        *any = *any || bytes != NULL;
        if (code == CP_OK && bytes != NULL && frame.kind != CPI_FRAME_UNKNOWN) {
            code = take_frame(wal, &frame, arrivals, err);
        }
        cpi_wal_stream_free(bytes);
    } while (code == CP_OK && wal->has_more && !is_full(wal, arrivals));
    return code;
}

static bool more_comes(const struct wal *wal, int64_t until_ms)
{
    struct pollfd stream = {.fd = cpi_pg_fd(&wal->stream.pg), .events = POLLIN};
    int left_ms = cpi_left_ms(until_ms);
    return left_ms > 0 && poll(&stream, 1, left_ms < CROWD_PAUSE_MS ? left_ms : CROWD_PAUSE_MS) == 1;
}

/* Of a large transaction some thousand rows are taken together, so that workers find whole batches: Postgres sends one
 * at a time, and workers that took each as it comes would read them by the handful. Nothing else is behind them in the
 * stream but what was committed later. */
static cp_code read_stream(struct wal *wal, struct cpi_arrivals *arrivals, cp_error *err)
{
    size_t most = arrivals->room < CROWD_TOGETHER ? arrivals->room : CROWD_TOGETHER;
    int64_t until_ms = cpi_now_ms() + CROWD_GATHER_MS;
    bool any = false;
    bool gathers = false;
    cp_code code = CP_OK;
    do {
        code = cpi_wal_stream_receive(&wal->stream, err);
        code = code == CP_OK ? take_frames(wal, arrivals, &any, err) : code;
        gathers = code == CP_OK && cpi_wal_changes_in_crowd(&wal->changes) && arrivals->events.count < most;
    } while (gathers && (any || more_comes(wal, until_ms)));
    return code;
}

/* While the lanes are full, or what has come cannot be seen yet, Postgres keeps what there is to come. */
static void pause_stream(struct wal *wal, bool pause)
{
    if (wal->paused != pause) {
        wal->paused = pause;
        wal->paused_ms = cpi_now_ms();
        bool changed = watch_fd(wal, cpi_pg_fd(&wal->stream.pg), true, EPOLL_CTL_MOD);
        wal->paused = changed ? pause : !pause; /* else the next read tries again */
    }
}

/* A walsender that cannot send is not ended by Postgres either, which may want to: it would wait with its last words
 * for somebody to read them, and a checkpoint that is to remove the log that the slot needs (max_slot_wal_keep_size)
 * waits for it. So a stream that cannot be read for long is left. The slot keeps what there is to come. */
static void rest(struct wal *wal)
{
    if (wal->paused && !wal->rests && cpi_now_ms() - wal->paused_ms >= REST_AFTER_MS) {
        cpi_log(&wal->env->log, CP_LOG_INFO,
                "replication: nothing more can be taken until something settles: leaving slot \"%s\" until then",
                wal->keeper.name);
        cpi_wal_stream_close(&wal->stream);
        wal->rests = true;
    }
}

static cp_code confirm_written(struct wal *wal, cp_error *err)
{
    uint64_t written = cpi_checkpoint_written(wal->checkpoint);
    if (written <= wal->confirmed) {
        return CP_OK;
    }
    wal->confirmed = written;
    return cpi_wal_stream_confirm(&wal->stream, written, err);
}

/* What there is to do with the stream. */
static cp_code work_on_stream(struct wal *wal, struct cpi_arrivals *arrivals, cp_error *err)
{
    bool waits = arrivals->room == 0 || cpi_wal_changes_are_full(&wal->changes);
    if (wal->rests) {
        return waits ? CP_OK
                     : cpi_error(err, CP_ERR_POSTGRES, true, "replication: there is room again for what has changed");
    }
    pause_stream(wal, waits);
    cp_code code = waits ? CP_OK : read_stream(wal, arrivals, err);
    code = code == CP_OK ? confirm_written(wal, err) : code;
    code = code == CP_OK ? cpi_wal_stream_beat(&wal->stream, !wal->paused, err) : code;
    if (code == CP_OK) {
        rest(wal);
    }
    return code;
}

/* ---- positions ---- */

/* One that our changes have moved at once; others, of an idle database, now and then, as well as one that has been
 * confirmed while something was owed. */
static void offer_position(struct wal *wal, struct cpi_arrivals *arrivals)
{
    uint64_t position = wal->changes.position;
    uint64_t quiet = cpi_requests_owe_nothing(wal->env->requests);
    int64_t now_ms = cpi_now_ms();
    wal->quiet = wal->has_resumed ? quiet : wal->quiet;
    wal->has_resumed = false;
    bool is_ours = position > wal->offered && wal->offered < wal->changed_to;
    if (is_ours || now_ms >= wal->offer_at_ms) {
        bool repeats = quiet != 0 && !cpi_checkpoint_is_complete(wal->checkpoint);
        arrivals->position = position > wal->offered || repeats ? position : 0;
        wal->offered = arrivals->position != 0 ? position : wal->offered;
        wal->offer_at_ms = now_ms + (repeats ? LOOK_AT_REQUESTS_MS : OFFER_IDLE_MS);
    }
    if ((quiet == 0 || quiet != wal->quiet) && cpi_checkpoint_is_complete(wal->checkpoint)) {
        cpi_checkpoint_put(wal->checkpoint, 0, false);
        wal->offer_at_ms = now_ms + LOOK_AT_REQUESTS_MS;
    }
}

/* ---- the interface ---- */

/* Those that failed when the checkpoint was written come as if they had just changed. Without memory it is next time.
 */
static void bring_failing(struct wal *wal, struct cpi_arrivals *arrivals)
{
    while (wal->failing.count > 0 && cpi_events_add(&arrivals->events, &wal->failing.items[wal->failing.count - 1])) {
        wal->failing.count--;
    }
}

static cp_code wal_read(struct cpi_source *source, struct cpi_arrivals *arrivals, cp_error *err)
{
    struct wal *wal = wal_of(source);
    bring_failing(wal, arrivals);
    cpi_wal_changes_hand_on(&wal->changes, arrivals);
    cp_code code = work_on_stream(wal, arrivals, err);
    code = code == CP_OK ? cpi_wal_session_read(&wal->session, arrivals, err) : code;
    if (arrivals->barrier != 0 && arrivals->barrier != wal->session.barrier) {
        arrivals->barrier = 0; /* not ours, or one that nobody waits for any more */
    }
    wal->session.barrier = arrivals->barrier != 0 ? 0 : wal->session.barrier;
    wal->keeper.remake = wal->keeper.remake || wal->session.is_gone || wal->stream.is_gone;
    wal->missed = wal->missed || wal->session.has_changed;
    if (wal->stream.is_stuck) {
        cpi_slot_keeper_note_stuck(&wal->keeper, wal->began_at > wal->confirmed ? wal->began_at : wal->confirmed);
    }
    if (code != CP_OK) {
        wal_close(source);
        return code;
    }
    if (wal->failing.count ==
        0) { /* else one that is to be read again would be neither before the position nor in it */
        offer_position(wal, arrivals);
    }
    cpi_stats_heard(wal->env->stats, wal->rests ? cpi_now_ms() : wal->stream.heard_ms);
    return CP_OK;
}

static int wal_fd(const struct cpi_source *source)
{
    return ((const struct wal *)source)->epoll_fd;
}

static int sooner_of(int a_ms, int b_ms)
{
    return a_ms < b_ms ? a_ms : b_ms;
}

static int wal_due_ms(const struct cpi_source *source)
{
    const struct wal *wal = (const struct wal *)source;
    if ((wal->has_more || cpi_wal_changes_have_more(&wal->changes)) && !wal->paused) {
        return 0;
    }
    int due_ms = wal->rests ? ROOM_LOOK_MS : cpi_wal_stream_due_ms(&wal->stream);
    due_ms = sooner_of(due_ms, wal->paused ? ROOM_LOOK_MS : STATEMENT_MS);
    due_ms = sooner_of(due_ms, cpi_left_ms(wal->offer_at_ms));
    return sooner_of(due_ms, cpi_wal_session_due_ms(&wal->session));
}

static void wal_barrier(struct cpi_source *source, int64_t number)
{
    cpi_wal_session_barrier(&wal_of(source)->session, number);
}

static void wal_confirm(struct cpi_source *source, uint64_t position, bool complete)
{
    struct wal *wal = wal_of(source);
    wal->quiet = complete ? cpi_requests_owe_nothing(wal->env->requests) : wal->quiet;
    cpi_checkpoint_put(wal->checkpoint, position, complete);
}

static void wal_destroy(struct cpi_source *source)
{
    struct wal *wal = wal_of(source);
    wal_close(source);
    cpi_wal_changes_fini(&wal->changes);
    cpi_events_fini(&wal->failing, wal->env->config->entities);
    cpi_wal_session_fini(&wal->session);
    if (wal->epoll_fd >= 0) {
        close(wal->epoll_fd);
    }
    free(wal);
}

struct cpi_source *cpi_source_wal_create(const struct cpi_env *env, struct cpi_checkpoint *checkpoint)
{
    static const struct cpi_source_ops ops = {.open = wal_open,
                                              .read = wal_read,
                                              .fd = wal_fd,
                                              .due_ms = wal_due_ms,
                                              .barrier = wal_barrier,
                                              .confirm = wal_confirm,
                                              .close = wal_close,
                                              .destroy = wal_destroy};
    struct wal *wal = calloc(1, sizeof *wal);
    if (wal == NULL) {
        return NULL;
    }
    wal->source.ops = &ops;
    wal->env = env;
    wal->checkpoint = checkpoint;
    wal->epoll_fd = -1;
    cpi_slot_keeper_init(&wal->keeper, env);
    wal->changes.env = env;
    wal->session.env = env;
    wal->session.changes = &wal->changes;
    wal->session.slot = wal->keeper.name;
    wal->session.publication = wal->publication;
    cpi_config_publication(env->config, wal->publication);
    wal->session.pg = cpi_env_pg(env, "cachepusher listener", env->stop->drain_fd, STATEMENT_MS);
    wal->stream.pg = cpi_env_pg(env, wal->keeper.reader, env->stop->drain_fd, 0);
    wal->stream.pg.replicates = true;
    return &wal->source;
}
