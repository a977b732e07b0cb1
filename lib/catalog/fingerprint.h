/* All that a look has found, as one number: whoever goes on after a restart tells by it whether documents may differ.
 */
#ifndef CPI_FINGERPRINT_H
#define CPI_FINGERPRINT_H

#include "postgres/rows.h"

#include <stdint.h>

/* Of a look's rows (NULL: none), and of what sessions get when they connect. Never 0. */
uint64_t cpi_look_fingerprint(const struct cpi_rows *rows, const char *session);

#endif
