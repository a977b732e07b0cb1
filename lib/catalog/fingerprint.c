#include "catalog/fingerprint.h"

#include "catalog/catalog_sql.h"

/* FNV-1a, with an end after each text. */
static uint64_t mix(uint64_t hash, const char *text)
{
    for (; *text != '\0'; text++) {
        hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
    }
    return (hash ^ 0xff) * UINT64_C(1099511628211);
}

uint64_t cpi_look_fingerprint(const struct cpi_rows *rows, const char *session)
{
    uint64_t hash = mix(UINT64_C(14695981039346656037), session);
    for (int row = 0; row < cpi_rows_count(rows); row++) {
        for (int column = 0; column < CPI_LOOK_COLUMNS; column++) {
            if (column == CPI_LOOK_NAME || cpi_catalog_aspects[column] != NULL) {
                hash = mix(hash, cpi_rows_value(rows, row, column));
            }
        }
    }
    return hash != 0 ? hash : 1;
}
