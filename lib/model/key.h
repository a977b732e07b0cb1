/*
 * Key templates: "customer:{id}" ⇄ the Redis key of one document.
 */
#ifndef CPI_KEY_H
#define CPI_KEY_H

#include "model/id.h"

/* The text before and after {id}, with {prefix} replaced. Owns both strings. */
struct cpi_key {
    char *before;
    char *after;
    size_t before_length;
    size_t after_length;
};

/* Parses a template: exactly one {id}, any number of {prefix}, no other braces, and some text before {id}. (If keys
 * began with the id, every key of the database would look like a document.) CP_ERR_CONFIG if the template is wrong; the
 * message says what is wrong, the caller adds where. *uses_prefix (may be NULL) is set to whether {prefix} occurs. */
cp_code cpi_key_init(struct cpi_key *key, const char *key_template, const char *prefix, bool *uses_prefix,
                     cp_error *err);
void cpi_key_fini(struct cpi_key *key);

/* The key of an id, from malloc. NULL: out of memory. */
char *cpi_key_text(const struct cpi_key *key, enum cpi_id_type type, const union cpi_id *id);

/* The pattern for SCAN MATCH that finds the template's keys. Glob characters (*?[]^-\) in the literal parts are escaped
 * with a backslash. whole_prefix: find every key that begins with the text before {id}. From malloc. NULL: out of
 * memory. */
char *cpi_key_pattern(const struct cpi_key *key, bool whole_prefix);

/* Whether a Redis key matches the template; if so, *id and *id_length are the part of the key that is the id. */
bool cpi_key_match(const struct cpi_key *key, const char *text, size_t length, const char **id, size_t *id_length);

/* Whether one Redis key could belong to both templates, so that a sweep for one would delete documents of the other.
 * Numbers and uuids consist of [0-9a-f-] only, text ids of anything. */
bool cpi_key_overlap(const struct cpi_key *a, enum cpi_id_type a_type, const struct cpi_key *b,
                     enum cpi_id_type b_type);

#endif
