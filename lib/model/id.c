#include "model/id.h"

#include "base/decimal.h"
#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

enum { UUID_LENGTH = 36, UUID_DIGITS = 32 };

static const char *const type_names[] = {
    [CPI_ID_INTEGER] = "integer",
    [CPI_ID_BIGINT] = "bigint",
    [CPI_ID_UUID] = "uuid",
    [CPI_ID_TEXT] = "text",
};

static bool id_parse_number(const char *text, size_t length, int64_t min, int64_t max, int64_t *number)
{
    bool negative = length > 0 && text[0] == '-';
    size_t at = negative ? 1 : 0;
    if (at == length) {
        return false;
    }
    /* Accumulated with its sign, since the smallest number has no positive counterpart. */
    int64_t value = 0;
    for (; at < length; at++) {
        if (text[at] < '0' || text[at] > '9') {
            return false;
        }
        int digit = text[at] - '0';
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, negative ? -digit : digit, &value)) {
            return false;
        }
    }
    *number = value;
    return value >= min && value <= max;
}

static bool is_hyphen_place(size_t at)
{
    return at == 8 || at == 13 || at == 18 || at == 23;
}

/* As Postgres reads one: with or without hyphens after groups of four digits, in upper or lower case, in braces. */
static bool parse_uuid(const char *text, size_t length, char canonical[UUID_LENGTH + 1])
{
    if (length >= 2 && text[0] == '{' && text[length - 1] == '}') {
        text++;
        length -= 2;
    }
    size_t digits = 0;
    size_t out = 0;
    for (size_t at = 0; at < length; at++) {
        char digit = text[at];
        if (digit == '-' && digits % 4 == 0 && digits > 0 && digits < UUID_DIGITS && text[at - 1] != '-') {
            continue;
        }
        if (digit >= 'A' && digit <= 'F') {
            digit = (char)(digit - 'A' + 'a');
        }
        if (digits == UUID_DIGITS || (!(digit >= '0' && digit <= '9') && !(digit >= 'a' && digit <= 'f'))) {
            return false;
        }
        if (is_hyphen_place(out)) {
            canonical[out++] = '-';
        }
        canonical[out++] = digit;
        digits++;
    }
    canonical[UUID_LENGTH] = '\0';
    return digits == UUID_DIGITS;
}

/* splitmix64's finaliser: every bit of the input reaches every bit of the result. */
static uint64_t mix(uint64_t value)
{
    value ^= value >> 30;
    value *= UINT64_C(0xBF58476D1CE4E5B9);
    value ^= value >> 27;
    value *= UINT64_C(0x94D049BB133111EB);
    value ^= value >> 31;
    return value;
}

/* FNV-1a. Its upper bits are weak for short strings, so the caller mixes the result. */
static uint64_t hash_text(const char *text)
{
    uint64_t hash = UINT64_C(0xCBF29CE484222325);
    for (; *text != '\0'; text++) {
        hash ^= (unsigned char)*text;
        hash *= UINT64_C(0x100000001B3);
    }
    return hash;
}

const char *cpi_id_type_name(enum cpi_id_type type)
{
    return type_names[type];
}

bool cpi_id_type_parse(const char *name, enum cpi_id_type *type)
{
    for (size_t i = 0; i < sizeof type_names / sizeof *type_names; i++) {
        if (strcmp(name, type_names[i]) == 0) {
            *type = (enum cpi_id_type)i;
            return true;
        }
    }
    return false;
}

bool cpi_id_is_text(enum cpi_id_type type)
{
    return type == CPI_ID_UUID || type == CPI_ID_TEXT;
}

bool cpi_id_parse(enum cpi_id_type type, const char *text, size_t length, union cpi_id *id, bool *out_of_memory)
{
    char uuid[UUID_LENGTH + 1];
    switch (type) {
    case CPI_ID_INTEGER:
        return id_parse_number(text, length, INT32_MIN, INT32_MAX, &id->number);
    case CPI_ID_BIGINT:
        return id_parse_number(text, length, INT64_MIN, INT64_MAX, &id->number);
    case CPI_ID_UUID:
        if (!parse_uuid(text, length, uuid)) {
            return false;
        }
        text = uuid;
        length = UUID_LENGTH;
        break;
    case CPI_ID_TEXT:
        if (!cpi_utf8_valid(text, length)) {
            return false;
        }
        break;
    }
    id->text = malloc(length + 1);
    if (id->text == NULL) {
        *out_of_memory = true;
        return false;
    }
    memcpy(id->text, text, length); /* not strndup(), since text need not end in a NUL */
    id->text[length] = '\0';
    return true;
}

bool cpi_id_is_valid(enum cpi_id_type type, const union cpi_id *id)
{
    switch (type) {
    case CPI_ID_INTEGER:
        return id->number >= INT32_MIN && id->number <= INT32_MAX;
    case CPI_ID_TEXT:
        return cpi_utf8_valid(id->text, strlen(id->text));
    case CPI_ID_BIGINT:
    case CPI_ID_UUID:
        break;
    }
    return true;
}

const char *cpi_id_text(enum cpi_id_type type, const union cpi_id *id, char buffer[CPI_ID_NUMBER_BYTES])
{
    if (cpi_id_is_text(type)) {
        return id->text;
    }
    size_t length = 0;
    uint64_t size = (uint64_t)id->number;
    if (id->number < 0) {
        buffer[length++] = '-';
        size = -size;
    }
    length += cpi_decimal(buffer + length, size);
    buffer[length] = '\0';
    return buffer;
}

uint64_t cpi_id_hash(enum cpi_id_type type, const union cpi_id *id, unsigned entity)
{
    uint64_t hash = cpi_id_is_text(type) ? hash_text(id->text) : (uint64_t)id->number;
    /* Entities lie odd multiples of the golden ratio apart, so that id 17 of each goes somewhere
     * else; + 1 since mix() leaves 0 as it is. */
    return mix(hash + (entity + UINT64_C(1)) * UINT64_C(0x9E3779B97F4A7C15));
}

bool cpi_id_equal(enum cpi_id_type type, const union cpi_id *a, const union cpi_id *b)
{
    return cpi_id_is_text(type) ? strcmp(a->text, b->text) == 0 : a->number == b->number;
}

bool cpi_id_copy(enum cpi_id_type type, const union cpi_id *id, union cpi_id *copy)
{
    *copy = *id;
    if (cpi_id_is_text(type)) {
        copy->text = strdup(id->text);
        return copy->text != NULL;
    }
    return true;
}

void cpi_id_fini(enum cpi_id_type type, union cpi_id *id)
{
    if (cpi_id_is_text(type)) {
        free(id->text);
        id->text = NULL;
    }
}
