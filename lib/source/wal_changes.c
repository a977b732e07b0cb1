#include "source/wal_changes.h"

#include "base/error.h"
#include "source/wal_rows.h"
#include "source/wal_transactions.h"

/* ---- messages ---- */

/* Whether a message that begins or ends something may come now. */
static bool is_in_turn(const struct cpi_wal_changes *changes, enum cpi_pgoutput_kind kind)
{
    switch (kind) {
    case CPI_PGOUTPUT_COMMIT:
        return changes->current != NULL && !cpi_wal_is_in_part(changes);
    case CPI_PGOUTPUT_STREAM_STOP:
        return cpi_wal_is_in_part(changes);
    case CPI_PGOUTPUT_BEGIN:
    case CPI_PGOUTPUT_STREAM_START:
    case CPI_PGOUTPUT_STREAM_COMMIT:
    case CPI_PGOUTPUT_STREAM_ABORT:
        return changes->current == NULL;
    default:
        return true;
    }
}

static cp_code take_end(struct cpi_wal_changes *changes, const struct cpi_pgoutput *message, cp_error *err)
{
    switch (message->kind) {
    case CPI_PGOUTPUT_BEGIN:
        return cpi_wal_begin(changes, message->begin.xid, err);
    case CPI_PGOUTPUT_STREAM_START:
        return cpi_wal_start_part(changes, message->stream.xid, err);
    case CPI_PGOUTPUT_STREAM_COMMIT:
        return cpi_wal_commit_parts(changes, message->commit.xid, message->commit.end_lsn, err);
    case CPI_PGOUTPUT_STREAM_ABORT:
        cpi_wal_abort_parts(changes, message->stream.xid, message->stream.subxid);
        break;
    case CPI_PGOUTPUT_COMMIT:
        cpi_wal_commit(changes, message->commit.end_lsn);
        break;
    default: /* STREAM_STOP */
        changes->current = NULL;
        break;
    }
    return CP_OK;
}

static cp_code take_decoded(struct cpi_wal_changes *changes, const struct cpi_pgoutput *message, cp_error *err)
{
    if (!is_in_turn(changes, message->kind)) {
        return cpi_error(err, CP_ERR_POSTGRES, true, "pgoutput: transactions begin or end out of turn");
    }
    switch (message->kind) {
    case CPI_PGOUTPUT_BEGIN:
    case CPI_PGOUTPUT_COMMIT:
    case CPI_PGOUTPUT_STREAM_START:
    case CPI_PGOUTPUT_STREAM_STOP:
    case CPI_PGOUTPUT_STREAM_COMMIT:
    case CPI_PGOUTPUT_STREAM_ABORT:
        return take_end(changes, message, err);
    case CPI_PGOUTPUT_RELATION:
        changes->relid = 0;
        changes->route_count = 0;
        return cpi_wal_tables_learn(&changes->tables, message) ? CP_OK : cpi_error_memory(err);
    case CPI_PGOUTPUT_INSERT:
    case CPI_PGOUTPUT_UPDATE:
    case CPI_PGOUTPUT_DELETE:
        cpi_wal_take_rows(changes, message);
        break;
    case CPI_PGOUTPUT_TRUNCATE:
        cpi_wal_take_truncate(changes, message);
        break;
    case CPI_PGOUTPUT_MESSAGE:
        cpi_wal_take_message(changes, message);
        break;
    case CPI_PGOUTPUT_UNKNOWN:
    case CPI_PGOUTPUT_ORIGIN:
    case CPI_PGOUTPUT_TYPE:
        break;
    }
    return CP_OK;
}

/* ---- the public part ---- */

cp_code cpi_wal_changes_take(struct cpi_wal_changes *changes, const void *data, size_t size,
                             struct cpi_arrivals *arrivals, cp_error *err)
{
    struct cpi_pgoutput message;
    changes->arrivals = arrivals;
    cp_code code = cpi_pgoutput_decode(data, size, cpi_wal_is_in_part(changes), &message, err);
    code = code == CP_OK ? take_decoded(changes, &message, err) : code;
    if (code == CP_OK && changes->has_outgrown && cpi_wal_is_in_part(changes)) {
        return cpi_error(err, CP_ERR_POSTGRES, true,
                         "replication: open transactions have changed more than max_pending documents: from now on "
                         "they are read once they are committed");
    }
    return code;
}

void cpi_wal_changes_keepalive(struct cpi_wal_changes *changes, uint64_t end_lsn)
{
    if (changes->first == NULL && end_lsn > changes->position) {
        changes->position = end_lsn;
    }
}

void cpi_wal_changes_begin(struct cpi_wal_changes *changes, uint64_t position)
{
    cpi_wal_forget(changes);
    cpi_snapshot_fini(&changes->snapshot);
    changes->position = position;
    changes->relid = 0;
    changes->route_count = 0;
}

void cpi_wal_changes_fini(struct cpi_wal_changes *changes)
{
    cpi_wal_forget(changes);
    cpi_snapshot_fini(&changes->snapshot);
    cpi_wal_tables_fini(&changes->tables);
}
