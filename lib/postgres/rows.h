/*
 * The rows that a statement has returned.
 *
 * Owned by whoever was given them, until cpi_rows_free(). Values point into them. The columns of a binary result hold
 * whatever Postgres' send functions write (fetch.h knows the few that are used); those of a text result are strings.
 */
#ifndef CPI_ROWS_H
#define CPI_ROWS_H

#include <stdbool.h>
#include <stddef.h>

/* Never defined: it is libpq's PGresult, which only this room and source/ may know. */
struct cpi_rows;

/* NULL is allowed, and has no rows. */
int cpi_rows_count(const struct cpi_rows *rows);
int cpi_rows_columns(const struct cpi_rows *rows);
void cpi_rows_free(struct cpi_rows *rows);

/* What is not there, since a server can answer anything, is null and has the value "". */
char *cpi_rows_value(const struct cpi_rows *rows, int row, int column);
size_t cpi_rows_length(const struct cpi_rows *rows, int row, int column);
bool cpi_rows_is_null(const struct cpi_rows *rows, int row, int column);

/* Whether the first row has "t" in a column of a text result. False if there is no row. */
bool cpi_rows_is_true(const struct cpi_rows *rows, int column);

#endif
