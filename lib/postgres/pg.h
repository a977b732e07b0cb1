/*
 * A Postgres connection of one thread: made, used with deadlines, lost and made again.
 *
 * Whatever fails sets pg->failure, beside the code and message in err: it says what the caller can do about it.
 */
#ifndef CPI_PG_H
#define CPI_PG_H

#include "base/log.h"
#include "base/stats.h"
#include "postgres/rows.h"

/* The number of a type in Postgres' catalog. */
typedef unsigned int cpi_oid;

enum cpi_failure {
    CPI_FAILURE_NONE,
    CPI_FAILURE_CONNECTION, /* lost, given up, or no longer fit for use (demoted, plans out of date). It is closed; open
                               it again after a while */
    CPI_FAILURE_STATEMENT,  /* the statement failed by itself, say because a function raised an error. The connection
                               is still open, and other statements work */
    CPI_FAILURE_MEMORY,     /* none was left on our side. The connection is as it was; the same call may work later */
    CPI_FAILURE_REFUSED,    /* open only: the server was reached but must not or will not serve us: a standby, too old,
                               a password missing, a right missing. Closed. A wrong password counts as CONNECTION,
                               since libpq does not say why a server hangs up */
    CPI_FAILURE_SINK        /* reader.h only: whoever the documents were for wants no more of them */
};

struct cpi_pg {
    struct pg_conn *connection; /* libpq's PGconn, by its tag; NULL: closed. Only this room and source/ use it */
    const char *conninfo;       /* may hold a password: never logged */
    const char *password_file;  /* read at each open; "" or NULL: none */
    const struct cpi_log *log;  /* for notices of the server */
    struct cpi_stats *stats;    /* where it is counted while it is open; NULL: nowhere */
    bool is_counted;            /* it has been */
    unsigned socket;            /* its note there */
    bool replicates;            /* a walsender's session: it takes no statement with parameters, and is not set up */
    const char *role;           /* for application_name: "cachepusher worker" */
    bool proven;                /* has run a prepared statement since it was opened */
    enum cpi_failure failure;   /* why the last call that failed did */
    int cancel_fd;              /* readable: give up whatever is waited for */
    int connect_timeout_ms;
    int statement_timeout_ms; /* 0: none. Enforced by the server, and here with a margin in case it is gone */
    /* Called often during a wait, unless NULL. It only answers a question: false means that the connection is known to
     * be dead and has to be given up. */
    bool (*watch)(void *context);
    void *watch_context;
    int64_t watched_ms;   /* when it was called last */
    unsigned turn;        /* grows when a host does not answer: the next try begins with another one */
    int64_t streaming_ms; /* when the statement under way was sent whose rows are taken one by one */
};

/* One parameter of a statement, in binary format unless type is 0. */
struct cpi_pg_parameter {
    cpi_oid type; /* 0: text, the type is inferred */
    const char *value;
    size_t length; /* of a binary value */
};

/* Connects and makes the session ours: UTF-8, no JIT (it compiles for longer than our statements run), no timeouts but
 * our own, read committed, refused where row-level security would filter. Refuses a server in recovery: what a standby
 * holds is not what was committed. The same role may be connected any number of times. */
cp_code cpi_pg_open(struct cpi_pg *pg, cp_error *err);

/* Notes that memory ran out for something that was to be done with the connection. Returns CP_ERR_SYSTEM. */
cp_code cpi_pg_no_memory(struct cpi_pg *pg, cp_error *err);

/* Closes a connection whose server has answered with something that the statement cannot have. */
enum cpi_failure cpi_pg_strange(struct cpi_pg *pg, cp_error *err);

bool cpi_pg_is_open(const struct cpi_pg *pg);
void cpi_pg_close(struct cpi_pg *pg);

/* The socket of an open connection, to wait for it along with others. It may be another one after each call. */
int cpi_pg_fd(const struct cpi_pg *pg);

/* Prepares a statement; name "" is the unnamed one. */
cp_code cpi_pg_prepare(struct cpi_pg *pg, const char *name, const char *sql, cp_error *err);

/* The type of a column of a prepared statement's result. */
cp_code cpi_pg_column_type(struct cpi_pg *pg, const char *name, int column, cpi_oid *type, cp_error *err);

/* What a prepared statement takes and returns. */
struct cpi_pg_shape {
    int parameters;
    int columns;
    cpi_oid type;      /* of the first column */
    cpi_oid parameter; /* the first one's type */
};
cp_code cpi_pg_describe(struct cpi_pg *pg, const char *name, struct cpi_pg_shape *shape, cp_error *err);

/* Runs a statement: sql itself, or the prepared one of that name. Results come in binary format if so asked. NULL on
 * failure; the caller clears the result otherwise. */
struct cpi_rows *cpi_pg_query(struct cpi_pg *pg, const char *sql, const struct cpi_pg_parameter *parameters, int count,
                              bool binary, cp_error *err);
struct cpi_rows *cpi_pg_execute(struct cpi_pg *pg, const char *name, const struct cpi_pg_parameter *parameters,
                                int count, bool binary, cp_error *err);

/* Runs a prepared statement whose rows are taken one by one, as they arrive, in binary format. Then next, until it
 * fails or *rows is NULL: the statement has succeeded and there are no more. Each row is the caller's to free. Nothing
 * else can be run in between; to give up, close the connection.
 *
 * While bytes come in, the wait goes on beyond the timeout, up to ten times as long; the server's own timeout holds all
 * the same. */
cp_code cpi_pg_stream(struct cpi_pg *pg, const char *name, const struct cpi_pg_parameter *parameters, int count,
                      cp_error *err);
cp_code cpi_pg_stream_next(struct cpi_pg *pg, struct cpi_rows **rows, cp_error *err);

#endif
