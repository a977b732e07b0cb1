/* Proving that a notification arrives: behind a pooler that gives each transaction another session, none does. */
#ifndef CPI_HEARING_H
#define CPI_HEARING_H

#include "postgres/pg.h"

/* Listens with pg, which is open, and notifies with other, closed and to be closed again. CP_ERR_POSTGRES, not
 * retriable, with the cure in its message, when nothing is heard within some seconds. Listens to nothing afterwards. */
cp_code cpi_hearing_prove(struct cpi_pg *pg, struct cpi_pg *other, const char *channel, const char *cure,
                          cp_error *err);

#endif
