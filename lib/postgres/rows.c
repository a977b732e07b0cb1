#include "postgres/rows.h"

#include <libpq-fe.h>

#include <string.h>

static const PGresult *result_of(const struct cpi_rows *rows)
{
    return (const PGresult *)rows;
}

int cpi_rows_count(const struct cpi_rows *rows)
{
    return PQntuples(result_of(rows));
}

void cpi_rows_free(struct cpi_rows *rows)
{
    PQclear((PGresult *)rows);
}

int cpi_rows_columns(const struct cpi_rows *rows)
{
    return PQnfields(result_of(rows));
}

static bool has_cell(const struct cpi_rows *rows, int row, int column)
{
    return row >= 0 && row < PQntuples(result_of(rows)) && column >= 0 && column < PQnfields(result_of(rows));
}

char *cpi_rows_value(const struct cpi_rows *rows, int row, int column)
{
    static char nothing[1];
    return has_cell(rows, row, column) ? PQgetvalue(result_of(rows), row, column) : nothing;
}

size_t cpi_rows_length(const struct cpi_rows *rows, int row, int column)
{
    return has_cell(rows, row, column) ? (size_t)PQgetlength(result_of(rows), row, column) : 0;
}

bool cpi_rows_is_null(const struct cpi_rows *rows, int row, int column)
{
    return !has_cell(rows, row, column) || PQgetisnull(result_of(rows), row, column) != 0;
}

bool cpi_rows_is_true(const struct cpi_rows *rows, int column)
{
    return strcmp(cpi_rows_value(rows, 0, column), "t") == 0;
}
