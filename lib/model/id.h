/*
 * Ids of documents: what a notification names and a fetch function takes.
 *
 * Integers are kept as numbers, uuids and text as strings in one canonical form. So two spellings of an id (007 and 7,
 * a uuid in upper case) are one id, with one key and one lane.
 */
#ifndef CPI_ID_H
#define CPI_ID_H

#include "cachepusher.h"

enum cpi_id_type { CPI_ID_INTEGER, CPI_ID_BIGINT, CPI_ID_UUID, CPI_ID_TEXT };

/* The entity's id type says which member is valid. */
union cpi_id {
    int64_t number; /* integer, bigint */
    char *text;     /* uuid, text: NUL-terminated, from malloc; owned by the owner of the id */
};

/* Enough for any number's text. Uuids and text need no buffer. */
enum { CPI_ID_NUMBER_BYTES = 21 };

/* "integer", "bigint", "uuid", "text": the names in a configuration, and Postgres' own. */
const char *cpi_id_type_name(enum cpi_id_type type);
bool cpi_id_type_parse(const char *name, enum cpi_id_type *type);
bool cpi_id_is_text(enum cpi_id_type type);

/* Parses an id of the type from `length` bytes, which may have any value. False if it is not one: not a number, out of
 * the type's range, not a uuid, not UTF-8, a NUL inside. On success *id owns its text, if the type is a text type. If
 * false is returned because memory ran out, *out_of_memory is set; otherwise it is left alone. */
bool cpi_id_parse(enum cpi_id_type type, const char *text, size_t length, union cpi_id *id, bool *out_of_memory);

/* Whether an id that came from elsewhere than cpi_id_parse() is one of the type: in its range, UTF-8. */
bool cpi_id_is_valid(enum cpi_id_type type, const union cpi_id *id);

/* The id as text. A number is written into buffer; other ids are returned themselves. */
const char *cpi_id_text(enum cpi_id_type type, const union cpi_id *id, char buffer[CPI_ID_NUMBER_BYTES]);

/* A well-mixed hash of (entity, id); all 64 bits are good. */
uint64_t cpi_id_hash(enum cpi_id_type type, const union cpi_id *id, unsigned entity);
bool cpi_id_equal(enum cpi_id_type type, const union cpi_id *a, const union cpi_id *b);

/* A copy with a text of its own. False: out of memory; *copy is then not to be used. */
bool cpi_id_copy(enum cpi_id_type type, const union cpi_id *id, union cpi_id *copy);

/* Frees what the id owns. */
void cpi_id_fini(enum cpi_id_type type, union cpi_id *id);

#endif
