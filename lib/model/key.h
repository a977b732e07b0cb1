/*
 * Key templates: "customer:{id}" ⇄ the Redis key of one document.
 */
#ifndef CPI_KEY_H
#define CPI_KEY_H

#include "model/id.h"

/* What stands before and after {id}, with {prefix} already replaced. Owns both strings. */
struct cpi_key {
    char *before;
    char *after;
    size_t before_length;
    size_t after_length;
};

/* Parses a template: exactly one {id}, any number of {prefix}, no other braces, something before {id} (a key that began
 * with the id would make every key of the database look like a document). CP_ERR_CONFIG on a wrong template, with a
 * message that says what is wrong with it but does not name its place. *uses_prefix (may be NULL) tells whether
 * {prefix} occurs. */
cp_code cpi_key_init(struct cpi_key *key, const char *key_template, const char *prefix, bool *uses_prefix,
                     cp_error *err);
void cpi_key_fini(struct cpi_key *key);

/* The key of an id, from malloc; NULL when out of memory. */
char *cpi_key_text(const struct cpi_key *key, enum cpi_id_type type, const union cpi_id *id);

/* The pattern for SCAN MATCH that finds the template's keys: glob characters (*?[]^-\) in the literal parts escaped by
 * a backslash. whole_prefix: everything that begins with the part before {id}, whatever follows. From malloc; NULL when
 * out of memory. */
char *cpi_key_pattern(const struct cpi_key *key, bool whole_prefix);

/* True when a Redis key is of this template; *id and *id_length are then the part of it that stands for the id. */
bool cpi_key_match(const struct cpi_key *key, const char *text, size_t length, const char **id, size_t *id_length);

/* Whether one Redis key could be a document of either template, so that a sweep for one would remove documents of the
 * other. Numbers and uuids consist of [0-9a-f-] alone, text of anything. */
bool cpi_key_overlap(const struct cpi_key *a, enum cpi_id_type a_type, const struct cpi_key *b,
                     enum cpi_id_type b_type);

#endif
