#include "model/key.h"

#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char id_mark[] = "{id}";
static const char prefix_mark[] = "{prefix}";

/* A piece of a template: what its text before or after {id} has beyond the other template's. */
struct piece {
    const char *text;
    size_t length;
};

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

/* Writes the template with the prefix and without {id} into out, which is large enough, and says where {id} was. */
static cp_code expand(const char *key_template, const char *prefix, char *out, size_t *id_at, bool *uses_prefix,
                      cp_error *err)
{
    bool has_id = false;
    *uses_prefix = false;
    size_t length = 0;
    for (const char *at = key_template; *at != '\0';) {
        if (starts_with(at, id_mark)) {
            if (has_id) {
                return cpi_error(err, CP_ERR_CONFIG, false, "{id} stands in it more than once");
            }
            has_id = true;
            *id_at = length;
            at += strlen(id_mark);
        } else if (starts_with(at, prefix_mark)) {
            *uses_prefix = true;
            memcpy(out + length, prefix, strlen(prefix));
            length += strlen(prefix);
            at += strlen(prefix_mark);
        } else if (*at == '{' || *at == '}') {
            return cpi_error(err, CP_ERR_CONFIG, false, "it has a brace that belongs to neither {id} nor {prefix}");
        } else {
            out[length++] = *at++;
        }
    }
    out[length] = '\0';
    if (!has_id) {
        return cpi_error(err, CP_ERR_CONFIG, false, "{id} is missing");
    }
    if (*id_at == 0) {
        return cpi_error(err, CP_ERR_CONFIG, false,
                         "nothing stands before {id}, so that any key would look like a document");
    }
    return CP_OK;
}

static bool is_glob_character(char c)
{
    return c != '\0' && strchr("*?[]^-\\", c) != NULL;
}

static char *append_escaped(char *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (is_glob_character(*text)) {
            *out++ = '\\';
        }
        *out++ = *text;
    }
    return out;
}

/* Whether an id of the type can contain this sequence of characters. */
static bool can_hold(enum cpi_id_type type, const char *text, size_t length)
{
    const char *accepted = type == CPI_ID_UUID ? "0123456789abcdef-" : "0123456789-";
    for (size_t i = 0; i < length && type != CPI_ID_TEXT; i++) {
        if (strchr(accepted, text[i]) == NULL) {
            return false;
        }
    }
    return true;
}

static bool can_be_empty(enum cpi_id_type type)
{
    return type == CPI_ID_TEXT;
}

/* One template has `after` behind its id, the other has `before` in front of its id, and neither piece has a
 * counterpart. Are there ids X and Y with X + after == before + Y? Yes, if X can contain all of `before` and Y all of
 * `after`, since a digit can be between them. Otherwise the pieces have to overlap: the end of `before` is the start of
 * `after`, and X and Y are what remains of the two. */
static bool pieces_cross(struct piece before, enum cpi_id_type x, struct piece after, enum cpi_id_type y)
{
    if (can_hold(x, before.text, before.length) && can_hold(y, after.text, after.length)) {
        return true;
    }
    for (size_t shared = 1; shared <= before.length && shared <= after.length; shared++) {
        size_t x_length = before.length - shared;
        size_t y_length = after.length - shared;
        if (memcmp(before.text + x_length, after.text, shared) == 0 && (x_length > 0 || can_be_empty(x)) &&
            (y_length > 0 || can_be_empty(y)) && can_hold(x, before.text, x_length) &&
            can_hold(y, after.text + shared, y_length)) {
            return true;
        }
    }
    return false;
}

cp_code cpi_key_init(struct cpi_key *key, const char *key_template, const char *prefix, bool *uses_prefix,
                     cp_error *err)
{
    *key = (struct cpi_key){0};
    size_t most_prefixes = strlen(key_template) / strlen(prefix_mark);
    char *expanded = malloc(strlen(key_template) + most_prefixes * strlen(prefix) + 1);
    if (expanded == NULL) {
        return cpi_error_memory(err);
    }

    size_t id_at = 0;
    bool prefix_used = false;
    cp_code code = expand(key_template, prefix, expanded, &id_at, &prefix_used, err);
    if (code == CP_OK) {
        key->before = strndup(expanded, id_at);
        key->after = strdup(expanded + id_at);
        if (key->before == NULL || key->after == NULL) {
            cpi_key_fini(key);
            code = cpi_error_memory(err);
        } else {
            key->before_length = strlen(key->before);
            key->after_length = strlen(key->after);
        }
    }
    if (code == CP_OK && uses_prefix != NULL) {
        *uses_prefix = prefix_used;
    }
    free(expanded);
    return code;
}

void cpi_key_fini(struct cpi_key *key)
{
    free(key->before);
    free(key->after);
    *key = (struct cpi_key){0};
}

char *cpi_key_text(const struct cpi_key *key, enum cpi_id_type type, const union cpi_id *id)
{
    char digits[CPI_ID_NUMBER_BYTES];
    char *text = NULL;
    int length = asprintf(&text, "%s%s%s", key->before, cpi_id_text(type, id, digits), key->after);
    return length < 0 ? NULL : text;
}

char *cpi_key_pattern(const struct cpi_key *key, bool whole_prefix)
{
    /* Twice for the backslashes, one for '*' and one for the end. */
    char *pattern = malloc(2 * (key->before_length + key->after_length) + 2);
    if (pattern == NULL) {
        return NULL;
    }
    char *end = append_escaped(pattern, key->before);
    *end++ = '*';
    if (!whole_prefix) {
        end = append_escaped(end, key->after);
    }
    *end = '\0';
    return pattern;
}

bool cpi_key_match(const struct cpi_key *key, const char *text, size_t length, const char **id, size_t *id_length)
{
    if (length < key->before_length + key->after_length || memcmp(text, key->before, key->before_length) != 0 ||
        memcmp(text + length - key->after_length, key->after, key->after_length) != 0) {
        return false;
    }
    *id = text + key->before_length;
    *id_length = length - key->before_length - key->after_length;
    return true;
}

bool cpi_key_overlap(const struct cpi_key *a, enum cpi_id_type a_type, const struct cpi_key *b, enum cpi_id_type b_type)
{
    if (a->before_length > b->before_length) {
        return cpi_key_overlap(b, b_type, a, a_type);
    }
    struct piece before = {b->before + a->before_length, b->before_length - a->before_length};
    if (memcmp(a->before, b->before, a->before_length) != 0) {
        return false;
    }
    if (a->after_length <= b->after_length) {
        /* A's id would contain all of B's id and the text around it. */
        struct piece after = {b->after, b->after_length - a->after_length};
        return memcmp(a->after, b->after + after.length, a->after_length) == 0 &&
               can_hold(a_type, before.text, before.length) && can_hold(a_type, after.text, after.length);
    }
    struct piece after = {a->after, a->after_length - b->after_length};
    return memcmp(a->after + after.length, b->after, b->after_length) == 0 &&
           pieces_cross(before, a_type, after, b_type);
}
