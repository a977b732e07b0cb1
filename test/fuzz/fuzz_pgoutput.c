/* What a replication stream sends: a frame of any bytes, and the message in it or the bytes as a message. */
#include "fuzz.h"

#include "source/wal/frames.h"
#include "source/wal/pgoutput.h"

static const uint8_t *end_of_input;

static void check_text(const char *text)
{
    REQUIRE(text + strlen(text) < (const char *)end_of_input || strcmp(text, "pg_catalog") == 0);
}

static void check_row(struct cpi_items row)
{
    struct cpi_wal_value value;
    while (cpi_pgoutput_value(&row, &value)) {
        REQUIRE(value.length == 0 || (const uint8_t *)value.bytes + value.length <= end_of_input);
    }
    REQUIRE(row.count == 0 && row.cursor.problem == NULL);
}

static void check_relation(const struct cpi_pgoutput *message)
{
    struct cpi_items columns = message->relation.columns;
    struct cpi_column column;
    check_text(message->relation.schema);
    check_text(message->relation.name);
    while (cpi_pgoutput_column(&columns, &column)) {
        check_text(column.name);
    }
    REQUIRE(columns.count == 0 && columns.cursor.problem == NULL);
}

static void check_message(const void *data, size_t size, bool in_stream)
{
    struct cpi_pgoutput message;
    cp_error err;
    cp_code code = cpi_pgoutput_decode(data, size, in_stream, &message, &err);
    if (code != CP_OK) {
        fuzz_check_error(&err, code, CP_ERR_POSTGRES);
    } else if (message.kind == CPI_PGOUTPUT_RELATION) {
        check_relation(&message);
    } else if (message.kind >= CPI_PGOUTPUT_INSERT && message.kind <= CPI_PGOUTPUT_DELETE) {
        check_row(message.row.old_row);
        check_row(message.row.new_row);
    } else if (message.kind == CPI_PGOUTPUT_TRUNCATE) {
        uint32_t relid;
        while (cpi_pgoutput_relid(&message.truncate.relids, &relid)) {
        }
        REQUIRE(message.truncate.relids.count == 0 && message.truncate.relids.cursor.problem == NULL);
    } else if (message.kind == CPI_PGOUTPUT_MESSAGE) {
        check_text(message.message.prefix);
        REQUIRE((const uint8_t *)message.message.content + message.message.length == end_of_input);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cpi_frame frame;
    cp_error err;
    end_of_input = data + size;
    check_message(data, size, false);
    check_message(data, size, true);
    cp_code code = cpi_frame_decode(data, size, &frame, &err);
    if (code != CP_OK) {
        fuzz_check_error(&err, code, CP_ERR_POSTGRES);
    } else if (frame.kind == CPI_FRAME_DATA) {
        check_message(frame.data, frame.length, false);
    }
    return 0;
}
