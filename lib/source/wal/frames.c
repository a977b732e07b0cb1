#include "source/wal/frames.h"

#include "base/error.h"
#include "source/wal/cursor.h"

#include <stdio.h>
#include <string.h>

cp_code cpi_frame_decode(const void *data, size_t size, struct cpi_frame *frame, cp_error *err)
{
    *frame = (struct cpi_frame){.kind = CPI_FRAME_UNKNOWN};
    struct cpi_wal_cursor cursor = {.data = data, .size = size};
    uint8_t type = cpi_wal_cursor_u8(&cursor);
    if (type == 'w') {
        frame->kind = CPI_FRAME_DATA;
        frame->start_lsn = cpi_wal_cursor_u64(&cursor);
        frame->end_lsn = cpi_wal_cursor_u64(&cursor);
        frame->time = (int64_t)cpi_wal_cursor_u64(&cursor);
        frame->length = size - cursor.at;
        frame->data = cpi_wal_cursor_bytes(&cursor, frame->length);
    } else if (type == 'k') {
        frame->kind = CPI_FRAME_KEEPALIVE;
        frame->end_lsn = cpi_wal_cursor_u64(&cursor);
        frame->time = (int64_t)cpi_wal_cursor_u64(&cursor);
        frame->reply_requested = cpi_wal_cursor_u8(&cursor) != 0;
        if (cursor.problem == NULL && cursor.at < size) {
            cpi_wal_cursor_fail(&cursor, "it goes on after its end");
        }
    }
    if (cursor.problem == NULL) {
        return CP_OK;
    }
    const char *name = frame->kind == CPI_FRAME_DATA        ? "XLogData"
                       : frame->kind == CPI_FRAME_KEEPALIVE ? "keepalive"
                                                            : "replication";
    return cpi_error(err, CP_ERR_POSTGRES, false, "replication stream: a %s frame of %zu bytes: %s, at byte %zu", name,
                     size, cursor.problem, cursor.at);
}

static uint8_t *put_u64(uint8_t *out, uint64_t value)
{
    for (int shift = 56; shift >= 0; shift -= 8) {
        *out++ = (uint8_t)(value >> shift);
    }
    return out;
}

void cpi_standby_status_encode(const struct cpi_standby_status *status, uint8_t out[CPI_STANDBY_STATUS_BYTES])
{
    *out++ = 'r';
    out = put_u64(out, status->written);
    out = put_u64(out, status->flushed);
    out = put_u64(out, status->applied);
    out = put_u64(out, (uint64_t)status->time);
    *out = status->reply_requested ? 1 : 0;
}

/* One to eight hexadecimal digits. Returns what follows them, or NULL. */
static const char *parse_half(const char *text, uint32_t *half)
{
    size_t digits = strspn(text, "0123456789abcdefABCDEF");
    if (digits < 1 || digits > 8) {
        return NULL;
    }
    *half = 0;
    for (size_t i = 0; i < digits; i++) {
        char digit = text[i];
        *half = *half << 4 | (uint32_t)(digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10);
    }
    return text + digits;
}

bool cpi_lsn_parse(const char *text, uint64_t *lsn)
{
    uint32_t high;
    uint32_t low;
    const char *rest = parse_half(text, &high);
    if (rest == NULL || *rest != '/') {
        return false;
    }
    rest = parse_half(rest + 1, &low);
    if (rest == NULL || *rest != '\0') {
        return false;
    }
    *lsn = (uint64_t)high << 32 | low;
    return true;
}

const char *cpi_lsn_print(uint64_t lsn, char out[CPI_LSN_TEXT_BYTES])
{
    snprintf(out, CPI_LSN_TEXT_BYTES, "%X/%X", (unsigned)(lsn >> 32), (unsigned)(lsn & UINT32_MAX));
    return out;
}
