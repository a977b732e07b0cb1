#include "source/wal_stream.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/pulse.h"

#include <libpq-fe.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    STATUS_EVERY_MS = 2000, /* wal_sender_timeout is a minute unless somebody wants it sooner */
    /* A server says nothing while it goes through a large transaction of other tables, for minutes; one that is gone is
     * noticed by the ordinary session, which has to answer, or by TCP. */
    SILENT_MS = 600000,
    COMMAND_MS = 10000,
    PUBLICATION_BYTES = 2 * CPI_SLOT_BYTES + 3 /* with quotes, each of its own doubled */
};

/* 2000-01-01 in seconds of Unix: where Postgres' clock begins. */
#define POSTGRES_EPOCH_S INT64_C(946684800)

static cp_code stream_lost(struct cpi_wal_stream *stream, cp_error *err)
{
    cpi_error(err, CP_ERR_POSTGRES, true, "replication: %s", PQerrorMessage(stream->pg.connection));
    cpi_wal_stream_close(stream);
    return CP_ERR_POSTGRES;
}

/* ---- before it streams ---- */

static cp_code stream_wait(struct cpi_wal_stream *stream, int64_t until_ms, cp_error *err)
{
    struct pollfd fds[] = {{.fd = PQsocket(stream->pg.connection), .events = POLLIN},
                           {.fd = stream->pg.cancel_fd, .events = POLLIN}};
    int left_ms = cpi_left_ms(until_ms);
    cpi_pulse_waits(CP_WAIT_POSTGRES);
    int ready = left_ms > 0 ? poll(fds, 2, cpi_pulse_slice(left_ms)) : 0;
    cpi_pulse_waits(CP_WAIT_NONE);
    if ((ready < 0 && errno == EINTR) || (ready == 0 && left_ms > CPI_PULSE_EVERY_MS)) {
        return CP_OK;
    }
    if (ready > 0 && fds[1].revents == 0) {
        return PQconsumeInput(stream->pg.connection) != 0 ? CP_OK : stream_lost(stream, err);
    }
    cpi_error(err, CP_ERR_POSTGRES, true,
              ready > 0 ? "replication: given up, stopping" : "replication: no answer in time");
    cpi_wal_stream_close(stream);
    return CP_ERR_POSTGRES;
}

/* The slot was invalidated or dropped; or the publication was made after changes that are in the slot, which Postgres
 * cannot decode any more (up to 17). */
static bool says_gone(const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    return state != NULL && (strcmp(state, "55000") == 0 || strcmp(state, "42704") == 0);
}

/* Runs a command of the replication protocol. NULL on failure. */
static PGresult *stream_command(struct cpi_wal_stream *stream, const char *command, ExecStatusType wanted,
                                cp_error *err)
{
    int64_t until_ms = cpi_now_ms() + COMMAND_MS;
    if (PQsendQuery(stream->pg.connection, command) == 0 || PQflush(stream->pg.connection) < 0) {
        stream_lost(stream, err);
        return NULL;
    }
    while (PQisBusy(stream->pg.connection) != 0) {
        if (stream_wait(stream, until_ms, err) != CP_OK) {
            return NULL;
        }
    }
    PGresult *result = PQgetResult(stream->pg.connection);
    if (PQresultStatus(result) == wanted) {
        return result;
    }
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    cpi_error(err, CP_ERR_POSTGRES, true, "replication: %s",
              message != NULL ? message : "not the answer that this command has");
    PQclear(result);
    cpi_wal_stream_close(stream);
    return NULL;
}

/* Ends a command that streams nothing. */
static bool is_ended(struct cpi_wal_stream *stream, cp_error *err)
{
    int64_t until_ms = cpi_now_ms() + COMMAND_MS;
    PGresult *more;
    do {
        while (PQisBusy(stream->pg.connection) != 0) {
            if (stream_wait(stream, until_ms, err) != CP_OK) {
                return false;
            }
        }
        more = PQgetResult(stream->pg.connection);
        PQclear(more);
    } while (more != NULL);
    return true;
}

static bool identify(struct cpi_wal_stream *stream, cp_error *err)
{
    PGresult *result = stream_command(stream, "IDENTIFY_SYSTEM", PGRES_TUPLES_OK, err);
    if (result == NULL) {
        return false;
    }
    bool complete = PQntuples(result) == 1 && PQnfields(result) >= 3;
    if (complete) {
        snprintf(stream->system, sizeof stream->system, "%.24s/%.16s", PQgetvalue(result, 0, 0),
                 PQgetvalue(result, 0, 1));
        complete = cpi_lsn_parse(PQgetvalue(result, 0, 2), &stream->end_lsn);
    }
    PQclear(result);
    if (!complete) {
        cpi_error(err, CP_ERR_POSTGRES, true, "replication: the server does not say which it is");
        cpi_wal_stream_close(stream);
    }
    return complete && is_ended(stream, err);
}

/* Whatever is in any column of a published table is sent as it is stored: one text that has no equivalent in UTF-8, or
 * is none, would end the stream for ever, in a document or not. Numbers and what else is ASCII are the same in each
 * encoding that a server may have. */
static bool set_encoding(struct cpi_wal_stream *stream, cp_error *err)
{
    const char *encoding = PQparameterStatus(stream->pg.connection, "server_encoding");
    if (encoding == NULL || strcmp(encoding, "UTF8") == 0) {
        return true;
    }
    char command[96];
    snprintf(command, sizeof command, "SET client_encoding TO '%.48s'", encoding);
    stream->is_foreign = strcmp(encoding, "SQL_ASCII") != 0;
    PGresult *result = stream_command(stream, command, PGRES_COMMAND_OK, err);
    PQclear(result);
    return result != NULL && is_ended(stream, err);
}

static bool is_ascii(const char *text)
{
    while (*text != '\0' && (unsigned char)*text < 0x80) {
        text++;
    }
    return *text == '\0';
}

/* The publication's name in the server's encoding, as an identifier. Asked for while the client's is UTF-8, and only if
 * need be: the role's defaults may make this session wait for others' transactions. */
static bool name_publication(struct cpi_wal_stream *stream, const char *publication, char name[PUBLICATION_BYTES],
                             cp_error *err)
{
    char command[2 * PUBLICATION_BYTES + 128];
    char *quoted = PQescapeIdentifier(stream->pg.connection, publication, strlen(publication));
    char *literal = quoted != NULL ? PQescapeLiteral(stream->pg.connection, quoted, strlen(quoted)) : NULL;
    bool is_same = literal != NULL && is_ascii(publication) && strlen(quoted) < PUBLICATION_BYTES;
    if (is_same) {
        snprintf(name, PUBLICATION_BYTES, "%s", quoted);
    }
    PQfreemem(quoted);
    if (literal == NULL) {
        stream_lost(stream, err);
        return false;
    }
    if (is_same) {
        PQfreemem(literal);
        return true;
    }
    snprintf(command, sizeof command,
             "select pg_catalog.encode(pg_catalog.convert_to(%s, pg_catalog.getdatabaseencoding()), 'escape')",
             literal);
    PQfreemem(literal);
    PGresult *result = stream_command(stream, command, PGRES_TUPLES_OK, err);
    if (result == NULL) {
        return false;
    }
    size_t length = 0;
    const char *text = PQntuples(result) == 1 ? PQgetvalue(result, 0, 0) : "";
    unsigned char *bytes = PQunescapeBytea((const unsigned char *)text, &length);
    bool fits = bytes != NULL && length > 0 && length < PUBLICATION_BYTES;
    if (fits) {
        memcpy(name, bytes, length);
        name[length] = '\0';
    } else {
        cpi_error(err, CP_ERR_POSTGRES, true, "replication: the publication's name cannot be read");
        cpi_wal_stream_close(stream);
    }
    PQfreemem(bytes);
    PQclear(result);
    return fits && is_ended(stream, err);
}

static bool start(struct cpi_wal_stream *stream, const char *slot, const char *publication, bool early, cp_error *err)
{
    char command[512];
    char *literal = PQescapeLiteral(stream->pg.connection, publication, strlen(publication));
    bool escaped = literal != NULL;
    if (escaped) {
        snprintf(
            command, sizeof command,
            "START_REPLICATION SLOT \"%s\" LOGICAL 0/0 (proto_version '%s', publication_names %s, messages 'true')",
            slot, early ? "2', streaming 'on" : "1", literal);
    }
    PQfreemem(literal);
    if (!escaped) {
        stream_lost(stream, err);
        return false;
    }
    PGresult *result = stream_command(stream, command, PGRES_COPY_BOTH, err);
    PQclear(result);
    return result != NULL;
}

cp_code cpi_wal_stream_open(struct cpi_wal_stream *stream, const char *slot, const char *publication, bool early,
                            cp_error *err)
{
    char name[PUBLICATION_BYTES];
    stream->is_gone = false;
    stream->is_stuck = false;
    stream->is_foreign = false;
    stream->received = 0;
    stream->has_unsent = false;
    cp_code code = cpi_pg_open(&stream->pg, err);
    if (code != CP_OK) {
        return code;
    }
    if (!name_publication(stream, publication, name, err) || !set_encoding(stream, err) || !identify(stream, err) ||
        !start(stream, slot, name, early, err)) {
        return CP_ERR_POSTGRES;
    }
    stream->heard_ms = cpi_now_ms();
    stream->status_at_ms = stream->heard_ms + STATUS_EVERY_MS;
    return CP_OK;
}

void cpi_wal_stream_close(struct cpi_wal_stream *stream)
{
    cpi_pg_close(&stream->pg);
}

int cpi_wal_stream_pid(const struct cpi_wal_stream *stream)
{
    return PQbackendPID(stream->pg.connection);
}

/* ---- while it streams ---- */

cp_code cpi_wal_stream_receive(struct cpi_wal_stream *stream, cp_error *err)
{
    return PQconsumeInput(stream->pg.connection) != 0 ? CP_OK : stream_lost(stream, err);
}

/* Whether the server has met with something in its log that it may meet again at every try; rather than with a shutdown
 * or a cancelled statement, want of memory or disk, a connection, or a right. */
static bool says_stuck(const PGresult *result)
{
    static const char *const passing[] = {"57", "53", "08", "28", "42501"};
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    for (size_t i = 0; state != NULL && i < sizeof passing / sizeof *passing; i++) {
        if (strncmp(state, passing[i], strlen(passing[i])) == 0) {
            return false;
        }
    }
    return state != NULL;
}

/* It has ended: by an error of the server, or because that is shutting down. */
static cp_code stream_ended(struct cpi_wal_stream *stream, cp_error *err)
{
    PGresult *result = PQgetResult(stream->pg.connection);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    stream->is_gone = says_gone(result);
    stream->is_stuck = !stream->is_gone && says_stuck(result);
    cpi_error(err, CP_ERR_POSTGRES, true, "replication: %s", message != NULL ? message : "the server has ended it");
    PQclear(result);
    cpi_wal_stream_close(stream);
    return CP_ERR_POSTGRES;
}

cp_code cpi_wal_stream_next(struct cpi_wal_stream *stream, struct cpi_frame *frame, void **bytes, cp_error *err)
{
    char *data = NULL;
    *frame = (struct cpi_frame){.kind = CPI_FRAME_UNKNOWN};
    *bytes = NULL;
    int length = PQgetCopyData(stream->pg.connection, &data, 1);
    if (length == 0) {
        return CP_OK;
    }
    if (length < 0) {
        return length == -1 ? stream_ended(stream, err) : stream_lost(stream, err);
    }
    *bytes = data;
    stream->heard_ms = cpi_now_ms();
    cp_code code = cpi_frame_decode(data, (size_t)length, frame, err);
    uint64_t position = frame->kind == CPI_FRAME_KEEPALIVE ? frame->end_lsn : frame->start_lsn;
    stream->received = position > stream->received ? position : stream->received;
    if (frame->kind == CPI_FRAME_KEEPALIVE && frame->reply_requested) {
        stream->status_at_ms = 0;
    }
    return code;
}

void cpi_wal_stream_free(void *bytes)
{
    PQfreemem(bytes);
}

static int64_t postgres_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return ((int64_t)now.tv_sec - POSTGRES_EPOCH_S) * 1000000 + now.tv_nsec / 1000;
}

static cp_code send_status(struct cpi_wal_stream *stream, uint64_t flushed, bool reply_requested, cp_error *err)
{
    uint8_t bytes[CPI_STANDBY_STATUS_BYTES];
    struct cpi_standby_status status = {
        .written = stream->received, .flushed = flushed, .time = postgres_now_us(), .reply_requested = reply_requested};
    cpi_standby_status_encode(&status, bytes);
    return PQputCopyData(stream->pg.connection, (const char *)bytes, sizeof bytes) >= 0 ? CP_OK
                                                                                        : stream_lost(stream, err);
}

static cp_code stream_flush(struct cpi_wal_stream *stream, cp_error *err)
{
    int left = PQflush(stream->pg.connection);
    stream->has_unsent = left > 0;
    return left >= 0 ? CP_OK : stream_lost(stream, err);
}

cp_code cpi_wal_stream_beat(struct cpi_wal_stream *stream, bool is_read, cp_error *err)
{
    int64_t now_ms = cpi_now_ms();
    stream->heard_ms = is_read ? stream->heard_ms : now_ms;
    if (now_ms - stream->heard_ms > SILENT_MS) {
        cpi_error(err, CP_ERR_POSTGRES, true, "replication: nothing was heard for %d s", SILENT_MS / 1000);
        cpi_wal_stream_close(stream);
        return CP_ERR_POSTGRES;
    }
    cp_code code = CP_OK;
    if (now_ms >= stream->status_at_ms) {
        stream->status_at_ms = now_ms + STATUS_EVERY_MS;
        code = send_status(stream, 0, now_ms - stream->heard_ms >= STATUS_EVERY_MS, err);
        code = code == CP_OK ? stream_flush(stream, err) : code;
    } else if (stream->has_unsent) {
        code = stream_flush(stream, err);
    }
    return code;
}

int cpi_wal_stream_due_ms(const struct cpi_wal_stream *stream)
{
    enum { UNSENT_LOOK_MS = 5 };
    return stream->has_unsent ? UNSENT_LOOK_MS : cpi_left_ms(stream->status_at_ms);
}

cp_code cpi_wal_stream_confirm(struct cpi_wal_stream *stream, uint64_t position, cp_error *err)
{
    cp_code code = send_status(stream, position, false, err);
    code = code == CP_OK ? send_status(stream, 0, false, err) : code;
    return code == CP_OK ? stream_flush(stream, err) : code;
}
