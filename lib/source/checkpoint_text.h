/*
 * What a checkpoint says, as text: a head, which has to be equal, the position, and the ids that fail.
 *
 *     2 SYSTEM SLOT PUBLISHED CONFIGURATION CATALOG POSITION {"customer": [17, 18]}
 *
 * Ids that fail have not settled and may be waited for without end; Postgres is not made to keep its log for them.
 * Whoever goes on from the position reads them again first.
 */
#ifndef CPI_CHECKPOINT_TEXT_H
#define CPI_CHECKPOINT_TEXT_H

#include "config/config.h"
#include "queue/lane.h"

enum { CPI_CHECKPOINT_HEAD_BYTES = 288, CPI_CHECKPOINT_TEXT_MAX = 1 << 20 };

/* identity: of the stream, without line ends. fingerprint: of the catalogue. */
void cpi_checkpoint_print_head(const struct cp_config *config, const char *identity, uint64_t fingerprint,
                               char head[CPI_CHECKPOINT_HEAD_BYTES]);

/* The whole text, from malloc. NULL: out of memory. */
char *cpi_checkpoint_print(const char *head, uint64_t position, const char *failing);

/* False: it is no checkpoint with this head. *failing is a part of the text. */
bool cpi_checkpoint_read(const char *text, const char *head, uint64_t *position, const char **failing);

/* Which part of the head is another one, for people. */
const char *cpi_checkpoint_difference(const char *text, const char *head);

/* Whether it was made with this configuration. */
bool cpi_checkpoint_is_of(const char *text, const struct cp_config *config);

/* What the lanes tell, all of which do, from malloc. NULL: out of memory, or too long. */
char *cpi_checkpoint_print_failing(const struct cp_config *config, const struct cpi_lanes *lanes);

/* Adds the ids to events. False: it cannot be read, or memory ran out; some may have been added. */
bool cpi_checkpoint_read_failing(const struct cp_config *config, const char *failing, struct cpi_events *events);

#endif
