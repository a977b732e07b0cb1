/* Whether numbers that are ids fit everywhere on their way: what a column can hold and a narrower type cannot, has no
 * document. */
#ifndef CPI_WIDTHS_H
#define CPI_WIDTHS_H

#include "model/entity.h"
#include "postgres/pg.h"

enum { CPI_WIDTHS_BYTES = 512 };

/* Of an entity whose function and listing are fine: compares the listing's column with id_type and with what the fetch
 * function takes. warning: which is too narrow; "": none is, or nobody can tell. An error is of the connection. */
cp_code cpi_widths_check(struct cpi_pg *pg, const struct cpi_entity *entity, char warning[CPI_WIDTHS_BYTES],
                         cp_error *err);

#endif
