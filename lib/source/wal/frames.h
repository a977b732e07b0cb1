/*
 * What surrounds pgoutput's messages in a replication stream: the server's frames, the client's status update, and the
 * positions (LSNs) that they name. Times are microseconds since 2000-01-01 UTC.
 */
#ifndef CPI_WAL_FRAMES_H
#define CPI_WAL_FRAMES_H

#include "cachepusher.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cpi_frame_kind { CPI_FRAME_UNKNOWN, CPI_FRAME_DATA, CPI_FRAME_KEEPALIVE };

struct cpi_frame {
    enum cpi_frame_kind kind;
    uint64_t start_lsn; /* DATA only */
    uint64_t end_lsn;   /* how far the server's WAL goes */
    int64_t time;
    bool reply_requested; /* KEEPALIVE only */
    const void *data;     /* DATA only: a message, in the caller's bytes */
    size_t length;
};

/* Decodes what one CopyData holds. */
cp_code cpi_frame_decode(const void *data, size_t size, struct cpi_frame *frame, cp_error *err);

struct cpi_standby_status {
    uint64_t written;
    uint64_t flushed; /* what the slot may forget */
    uint64_t applied;
    int64_t time;
    bool reply_requested;
};

enum { CPI_STANDBY_STATUS_BYTES = 34 };

void cpi_standby_status_encode(const struct cpi_standby_status *status, uint8_t out[CPI_STANDBY_STATUS_BYTES]);

enum { CPI_LSN_TEXT_BYTES = 18 }; /* "FFFFFFFF/FFFFFFFF" and the NUL */

/* "16/B374D848", all of text; false: it is none, and *lsn is unchanged. */
bool cpi_lsn_parse(const char *text, uint64_t *lsn);

/* Returns out. */
const char *cpi_lsn_print(uint64_t lsn, char out[CPI_LSN_TEXT_BYTES]);

#endif
