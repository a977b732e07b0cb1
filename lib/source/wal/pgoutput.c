#include "source/wal/pgoutput.h"

#include "base/error.h"

static struct cpi_wal_value read_value(struct cpi_wal_cursor *cursor)
{
    struct cpi_wal_value value = {.kind = CPI_WAL_VALUE_NULL};
    uint8_t kind = cpi_wal_cursor_u8(cursor);
    switch (kind) {
    case CPI_WAL_VALUE_NULL:
    case CPI_WAL_VALUE_UNCHANGED:
        value.kind = (enum cpi_wal_value_kind)kind;
        break;
    case CPI_WAL_VALUE_TEXT:
    case CPI_WAL_VALUE_BINARY:
        value.kind = (enum cpi_wal_value_kind)kind;
        value.length = cpi_wal_cursor_u32(cursor);
        value.bytes = (const char *)cpi_wal_cursor_bytes(cursor, value.length);
        break;
    default:
        cpi_wal_cursor_fail(cursor, "a value is of no known kind");
    }
    return value;
}

static struct cpi_column read_column(struct cpi_wal_cursor *cursor)
{
    struct cpi_column column;
    column.in_identity = (cpi_wal_cursor_u8(cursor) & 1) != 0;
    column.name = cpi_wal_cursor_string(cursor);
    column.type = cpi_wal_cursor_u32(cursor);
    column.typmod = (int32_t)cpi_wal_cursor_u32(cursor);
    return column;
}

bool cpi_pgoutput_value(struct cpi_items *row, struct cpi_wal_value *value)
{
    if (row->count == 0) {
        return false;
    }
    row->count--;
    *value = read_value(&row->cursor);
    return row->cursor.problem == NULL;
}

bool cpi_pgoutput_column(struct cpi_items *columns, struct cpi_column *column)
{
    if (columns->count == 0) {
        return false;
    }
    columns->count--;
    *column = read_column(&columns->cursor);
    return columns->cursor.problem == NULL;
}

bool cpi_pgoutput_relid(struct cpi_items *relids, uint32_t *relid)
{
    if (relids->count == 0) {
        return false;
    }
    relids->count--;
    *relid = cpi_wal_cursor_u32(&relids->cursor);
    return relids->cursor.problem == NULL;
}

/* Remembers where the row begins, and goes to its end. A count that is too large ends at the first missing byte. */
static struct cpi_items skip_row(struct cpi_wal_cursor *cursor)
{
    uint32_t count = cpi_wal_cursor_u16(cursor);
    struct cpi_items row = {.cursor = *cursor, .count = count};
    for (uint32_t i = 0; i < count && cursor->problem == NULL; i++) {
        read_value(cursor);
    }
    return row;
}

static void expect_new_row(struct cpi_wal_cursor *cursor, uint8_t tag)
{
    if (tag != 'N') {
        cpi_wal_cursor_fail(cursor, "there is no new row");
    }
}

static void read_begin(struct cpi_wal_cursor *cursor, struct cpi_pgoutput *message)
{
    message->begin.final_lsn = cpi_wal_cursor_u64(cursor);
    message->begin.time = (int64_t)cpi_wal_cursor_u64(cursor);
    message->begin.xid = cpi_wal_cursor_u32(cursor);
}

static void read_commit(struct cpi_wal_cursor *cursor, struct cpi_pgoutput *message)
{
    cpi_wal_cursor_u8(cursor); /* flags, none of which is in use */
    message->commit.lsn = cpi_wal_cursor_u64(cursor);
    message->commit.end_lsn = cpi_wal_cursor_u64(cursor);
    message->commit.time = (int64_t)cpi_wal_cursor_u64(cursor);
}

static void read_origin(struct cpi_wal_cursor *cursor, struct cpi_pgoutput *message)
{
    message->origin.lsn = cpi_wal_cursor_u64(cursor);
    message->origin.name = cpi_wal_cursor_string(cursor);
}

/* Postgres sends an empty name for pg_catalog. */
static const char *read_schema(struct cpi_wal_cursor *cursor)
{
    const char *schema = cpi_wal_cursor_string(cursor);
    return schema[0] == '\0' ? "pg_catalog" : schema;
}

static void read_relation(struct cpi_wal_cursor *cursor, struct cpi_pgoutput *message)
{
    message->relation.relid = cpi_wal_cursor_u32(cursor);
    message->relation.schema = read_schema(cursor);
    message->relation.name = cpi_wal_cursor_string(cursor);
    message->relation.identity = (char)cpi_wal_cursor_u8(cursor);
    uint32_t count = cpi_wal_cursor_u16(cursor);
    message->relation.columns = (struct cpi_items){.cursor = *cursor, .count = count};
    for (uint32_t i = 0; i < count && cursor->problem == NULL; i++) {
        read_column(cursor);
    }
}

static void read_type(struct cpi_wal_cursor *cursor, struct cpi_pgoutput *message)
{
    message->type.oid = cpi_wal_cursor_u32(cursor);
    message->type.schema = read_schema(cursor);
    message->type.name = cpi_wal_cursor_string(cursor);
}

static void read_insert(struct cpi_wal_cursor *cursor, struct cpi_pgoutput *message)
{
    message->row.relid = cpi_wal_cursor_u32(cursor);
    expect_new_row(cursor, cpi_wal_cursor_u8(cursor));
    message->row.new_row = skip_row(cursor);
}

static void read_update(struct cpi_wal_cursor *cursor, struct cpi_pgoutput *message)
{
    message->row.relid = cpi_wal_cursor_u32(cursor);
    uint8_t tag = cpi_wal_cursor_u8(cursor);
    if (tag == CPI_OLD_KEY || tag == CPI_OLD_FULL) {
        message->row.has_old = (enum cpi_old_row)tag;
        message->row.old_row = skip_row(cursor);
        tag = cpi_wal_cursor_u8(cursor);
    }
    expect_new_row(cursor, tag);
    message->row.new_row = skip_row(cursor);
}

static void read_delete(struct cpi_wal_cursor *cursor, struct cpi_pgoutput *message)
{
    message->row.relid = cpi_wal_cursor_u32(cursor);
    uint8_t tag = cpi_wal_cursor_u8(cursor);
    if (tag != CPI_OLD_KEY && tag != CPI_OLD_FULL) {
        cpi_wal_cursor_fail(cursor, "there is no old row");
        return;
    }
    message->row.has_old = (enum cpi_old_row)tag;
    message->row.old_row = skip_row(cursor);
}

static void read_truncate(struct cpi_wal_cursor *cursor, struct cpi_pgoutput *message)
{
    uint32_t count = cpi_wal_cursor_u32(cursor);
    message->truncate.options = cpi_wal_cursor_u8(cursor);
    message->truncate.relids = (struct cpi_items){.cursor = *cursor, .count = count};
    for (uint32_t i = 0; i < count && cursor->problem == NULL; i++) {
        cpi_wal_cursor_u32(cursor);
    }
}

static void read_message(struct cpi_wal_cursor *cursor, struct cpi_pgoutput *message)
{
    message->message.transactional = (cpi_wal_cursor_u8(cursor) & 1) != 0;
    message->message.lsn = cpi_wal_cursor_u64(cursor);
    message->message.prefix = cpi_wal_cursor_string(cursor);
    message->message.length = cpi_wal_cursor_u32(cursor);
    message->message.content = (const char *)cpi_wal_cursor_bytes(cursor, message->message.length);
}

static void read_stream_start(struct cpi_wal_cursor *cursor, struct cpi_pgoutput *message)
{
    message->stream.xid = cpi_wal_cursor_u32(cursor);
    cpi_wal_cursor_u8(cursor); /* whether it is the first of the transaction */
}

static void read_stream_stop(struct cpi_wal_cursor *cursor, struct cpi_pgoutput *message)
{
    (void)cursor, (void)message;
}

static void read_stream_commit(struct cpi_wal_cursor *cursor, struct cpi_pgoutput *message)
{
    uint32_t xid = cpi_wal_cursor_u32(cursor);
    read_commit(cursor, message);
    message->commit.xid = xid;
}

static void read_stream_abort(struct cpi_wal_cursor *cursor, struct cpi_pgoutput *message)
{
    message->stream.xid = cpi_wal_cursor_u32(cursor);
    message->stream.subxid = cpi_wal_cursor_u32(cursor);
}

static const struct {
    uint8_t type;
    bool has_xid; /* in front, in a stream */
    enum cpi_pgoutput_kind kind;
    const char *name;
    void (*read)(struct cpi_wal_cursor *cursor, struct cpi_pgoutput *message);
} formats[] = {
    {'B', false, CPI_PGOUTPUT_BEGIN, "Begin", read_begin},
    {'C', false, CPI_PGOUTPUT_COMMIT, "Commit", read_commit},
    {'O', false, CPI_PGOUTPUT_ORIGIN, "Origin", read_origin},
    {'R', true, CPI_PGOUTPUT_RELATION, "Relation", read_relation},
    {'Y', true, CPI_PGOUTPUT_TYPE, "Type", read_type},
    {'I', true, CPI_PGOUTPUT_INSERT, "Insert", read_insert},
    {'U', true, CPI_PGOUTPUT_UPDATE, "Update", read_update},
    {'D', true, CPI_PGOUTPUT_DELETE, "Delete", read_delete},
    {'T', true, CPI_PGOUTPUT_TRUNCATE, "Truncate", read_truncate},
    {'M', true, CPI_PGOUTPUT_MESSAGE, "Message", read_message},
    {'S', false, CPI_PGOUTPUT_STREAM_START, "Stream Start", read_stream_start},
    {'E', false, CPI_PGOUTPUT_STREAM_STOP, "Stream Stop", read_stream_stop},
    {'c', false, CPI_PGOUTPUT_STREAM_COMMIT, "Stream Commit", read_stream_commit},
    {'A', false, CPI_PGOUTPUT_STREAM_ABORT, "Stream Abort", read_stream_abort},
};

cp_code cpi_pgoutput_decode(const void *data, size_t size, bool in_stream, struct cpi_pgoutput *message, cp_error *err)
{
    *message = (struct cpi_pgoutput){.kind = CPI_PGOUTPUT_UNKNOWN};
    if (size == 0) {
        return cpi_error(err, CP_ERR_POSTGRES, false, "pgoutput: a message is empty");
    }
    struct cpi_wal_cursor cursor = {.data = data, .size = size};
    uint8_t type = cpi_wal_cursor_u8(&cursor);
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        if (formats[i].type != type) {
            continue;
        }
        message->kind = formats[i].kind;
        if (in_stream && formats[i].has_xid) {
            cpi_wal_cursor_u32(&cursor);
        }
        formats[i].read(&cursor, message);
        if (cursor.problem == NULL && cursor.at < size) {
            cpi_wal_cursor_fail(&cursor, "it goes on after its end");
        }
        if (cursor.problem != NULL) {
            return cpi_error(err, CP_ERR_POSTGRES, false, "pgoutput: a %s message of %zu bytes: %s, at byte %zu",
                             formats[i].name, size, cursor.problem, cursor.at);
        }
        break;
    }
    return CP_OK;
}
