#include "model/event.h"

#include "base/utf8.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool cpi_events_add(struct cpi_events *events, const struct cpi_event *event)
{
    if (events->count == events->capacity) {
        size_t capacity = events->capacity > 0 ? 2 * events->capacity : 1024;
        struct cpi_event *items = realloc(events->items, capacity * sizeof *items);
        if (items == NULL) {
            return false;
        }
        events->items = items;
        events->capacity = capacity;
    }
    events->items[events->count++] = *event;
    return true;
}

void cpi_events_truncate(struct cpi_events *events, size_t kept, const struct cpi_entity *entities)
{
    for (size_t i = kept; i < events->count; i++) {
        struct cpi_event *event = &events->items[i];
        if (cpi_event_is_id(event)) {
            cpi_id_fini(entities[event->entity].id_type, &event->id);
        }
    }
    events->count = kept < events->count ? kept : events->count;
}

void cpi_events_fini(struct cpi_events *events, const struct cpi_entity *entities)
{
    cpi_events_truncate(events, 0, entities);
    free(events->items);
    *events = (struct cpi_events){0};
}

/* What stands for a byte that is not UTF-8 while a payload is parsed: U+FFFF, a noncharacter. */
#define NO_UTF8 "\xEF\xBF\xBF"

/* One payload under way. */
struct parse {
    const struct cpi_entity *entity;
    uint32_t index;
    struct cpi_events *events;
    struct cpi_unread *unread;
    bool is_mended; /* it has NO_UTF8 where it was not UTF-8 */
};

static void note_first(struct parse *parse, const char *text, size_t length)
{
    struct cpi_unread *unread = parse->unread;
    if (unread->impossible + unread->unreadable == 0) {
        snprintf(unread->first, sizeof unread->first, "%.*s", (int)(length < 60 ? length : 60), text);
    }
}

/* Whether a text is a number, whatever its size: then an entity of numbers has no document of that id, and one that it
 * had would have come in another way. */
static bool is_number(const char *text, size_t length)
{
    size_t digits = 0;
    for (size_t i = 0; i < length; i++) {
        bool is_digit = text[i] >= '0' && text[i] <= '9';
        if (!is_digit && strchr("+-.eE", text[i]) == NULL) {
            return false;
        }
        digits += is_digit;
    }
    return digits > 0;
}

/* What is not UTF-8 can be no key of ours, and what is no number no id that is one. Who sends a text where a uuid or a
 * number is expected may mean anything. */
static void note_refused(struct parse *parse, const char *text, size_t length)
{
    enum cpi_id_type type = parse->entity->id_type;
    bool impossible = type == CPI_ID_TEXT || (!cpi_id_is_text(type) && is_number(text, length));
    note_first(parse, text, length);
    parse->unread->impossible += impossible;
    parse->unread->unreadable += !impossible;
}

/* 8.00 is 8: a numeric column with a scale is spelled so. */
static size_t without_zero_fraction(const char *text, size_t length)
{
    const char *point = memchr(text, '.', length);
    if (point == NULL || point == text) {
        return length;
    }
    for (const char *at = point + 1; at < text + length; at++) {
        if (*at != '0') {
            return length;
        }
    }
    return point + 1 < text + length ? (size_t)(point - text) : length;
}

/* False: out of memory. */
static bool add_id(struct parse *parse, const char *text, size_t length)
{
    struct cpi_event event = {.entity = (uint16_t)parse->index};
    bool out_of_memory = false;
    bool is_numeric = !cpi_id_is_text(parse->entity->id_type);
    size_t sign = is_numeric && length > 1 && text[0] == '+' && text[1] != '-';
    size_t end = is_numeric ? without_zero_fraction(text, length) : length;
    if (!cpi_id_parse(parse->entity->id_type, text + sign, end - sign, &event.id, &out_of_memory)) {
        if (!out_of_memory) {
            note_refused(parse, text, length);
        }
        return !out_of_memory;
    }
    if (!cpi_events_add(parse->events, &event)) {
        cpi_id_fini(parse->entity->id_type, &event.id);
        return false;
    }
    return true;
}

/* Whether a double may stand for several numbers of an id's range. */
static bool is_inexact(const json_t *element)
{
    double value = fabs(json_real_value(element)); /* 0 for what is no real */
    return value >= 0x1p53 && value <= 0x1p63;
}

static bool add_element(struct parse *parse, const json_t *element)
{
    if (parse->is_mended && json_is_string(element) && strstr(json_string_value(element), NO_UTF8) != NULL) {
        note_refused(parse, json_string_value(element), json_string_length(element));
        return true;
    }
    if (json_is_string(element)) {
        return add_id(parse, json_string_value(element), json_string_length(element));
    }
    if (json_is_null(element)) { /* a row without a document */
        note_first(parse, "null", 4);
        parse->unread->impossible++;
        return true;
    }
    char *text = json_dumps(element, JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
    if (text == NULL) {
        return false;
    }
    bool may_be_number = !cpi_id_is_text(parse->entity->id_type) || parse->entity->maps != NULL;
    bool is_scalar = json_is_number(element) && !is_inexact(element) && may_be_number;
    bool fine = true;
    if (is_scalar) {
        fine = add_id(parse, text, strlen(text));
    } else {
        note_first(parse, text, strlen(text));
        parse->unread->unreadable++;
    }
    free(text);
    return fine;
}

/* The same with NO_UTF8 for each byte that is not UTF-8, so that it spoils only its own element. NULL: out of memory.
 */
static char *mend_utf8(const char *payload, size_t length)
{
    char *mended = malloc(3 * length + 1);
    size_t to = 0;
    size_t n;
    for (size_t at = 0; at < length && mended != NULL; at += n) {
        for (n = 1; n <= 4 && at + n <= length && !cpi_utf8_valid(payload + at, n); n++) {
        }
        bool is_valid = n <= 4 && at + n <= length;
        n = is_valid ? n : 1;
        memcpy(mended + to, is_valid ? payload + at : NO_UTF8, is_valid ? n : strlen(NO_UTF8));
        to += is_valid ? n : strlen(NO_UTF8);
    }
    if (mended != NULL) {
        mended[to] = '\0';
    }
    return mended;
}

static json_t *load_array(struct parse *parse, const char *payload, json_error_t *error)
{
    json_t *array = json_loads(payload, JSON_ALLOW_NUL, error);
    if (array == NULL && json_error_code(error) == json_error_numeric_overflow) { /* one beyond 64 bits is no id */
        array = json_loads(payload, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, error);
    }
    if (array == NULL && json_error_code(error) == json_error_invalid_utf8) {
        char *mended = mend_utf8(payload, strlen(payload));
        array = mended != NULL ? json_loads(mended, JSON_ALLOW_NUL, error) : NULL;
        parse->is_mended = mended != NULL;
        free(mended);
    }
    return array;
}

/* ---- arrays of numbers ---- */

/* An integer as JSON writes it, of at most 18 digits. NULL: none; else what follows it. */
static const char *scan_number(const char *at, int64_t *number)
{
    bool is_negative = *at == '-';
    at += is_negative;
    const char *first = at;
    int64_t value = 0;
    for (; *at >= '0' && *at <= '9' && at - first < 18; at++) {
        value = 10 * value + (*at - '0');
    }
    *number = is_negative ? -value : value;
    bool is_one = at > first && (*first != '0' || at == first + 1) && (*at < '0' || *at > '9');
    return is_one ? at : NULL;
}

static const char *skip_spaces(const char *at)
{
    while (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r') {
        at++;
    }
    return at;
}

/* What watch() sends, and row_to_json() and most others: integers that are all in range, without a parser in between,
 * which takes ten times as long. Whoever floods a channel must not keep us so busy that others wait. False: it is
 * something else, and nothing has been added. */
static bool add_numbers(struct parse *parse, const char *payload)
{
    size_t before = parse->events->count;
    bool is_short = parse->entity->id_type == CPI_ID_INTEGER;
    const char *at = payload;
    struct cpi_event event = {.entity = (uint16_t)parse->index};
    do {
        at = scan_number(skip_spaces(at + 1), &event.id.number);
        bool fits = at != NULL && (!is_short || (event.id.number >= INT32_MIN && event.id.number <= INT32_MAX));
        if (!fits || !cpi_events_add(parse->events, &event)) {
            parse->events->count = before;
            return false;
        }
        at = skip_spaces(at);
    } while (*at == ',');
    if (*at != ']' || *skip_spaces(at + 1) != '\0') {
        parse->events->count = before;
        return false;
    }
    return true;
}

/* ---- all others ---- */

/* False: out of memory, or no JSON array, in which case *is_array is false. */
static bool add_array(struct parse *parse, const char *payload, bool *is_array)
{
    if (!cpi_id_is_text(parse->entity->id_type) && add_numbers(parse, payload)) {
        *is_array = true;
        return true;
    }
    json_error_t error;
    json_t *array = load_array(parse, payload, &error);
    if (array == NULL) {
        /* jansson gives neither a reason nor a code if its first allocation fails. */
        *is_array = error.text[0] == '\0' || json_error_code(&error) == json_error_out_of_memory;
        return false;
    }
    bool fine = true;
    *is_array = true;
    for (size_t i = 0; i < json_array_size(array) && fine; i++) {
        fine = add_element(parse, json_array_get(array, i));
    }
    json_decref(array);
    return fine;
}

/* An array that cannot be read, and not a text id that begins as one: text that is not UTF-8, or half of a surrogate,
 * in one element makes all of it unreadable. */
static bool is_meant_as_array(const struct cpi_entity *entity, const char *payload)
{
    size_t length = strlen(payload);
    while (length > 1 && strchr(" \t\r\n", payload[length - 1]) != NULL) {
        length--;
    }
    return payload[0] == '[' &&
           (entity->id_type != CPI_ID_TEXT || payload[length - 1] == ']' || !cpi_utf8_valid(payload, length));
}

enum cpi_payload cpi_event_parse(const struct cpi_entity *entity, uint32_t index, const char *payload,
                                 struct cpi_events *events, const struct cpi_entity *entities,
                                 struct cpi_unread *unread)
{
    struct parse parse = {.entity = entity, .index = index, .events = events, .unread = unread};
    size_t before = events->count;
    *unread = (struct cpi_unread){0};
    if (strcmp(payload, "*") == 0) {
        return CPI_PAYLOAD_EVERYTHING;
    }
    if (strcmp(payload, "**") == 0) {
        return CPI_PAYLOAD_AGAIN;
    }
    bool is_array = payload[0] == '[';
    bool fine = is_array && add_array(&parse, payload, &is_array);
    if (!is_array && (payload[0] == '\0' || is_meant_as_array(entity, payload))) {
        note_first(&parse, payload, strlen(payload));
        unread->unreadable++;
        fine = true;
    } else if (!is_array) {
        fine = add_id(&parse, payload, strlen(payload));
    }
    if (!fine) {
        cpi_events_truncate(events, before, entities);
        return CPI_PAYLOAD_NO_MEMORY;
    }
    return CPI_PAYLOAD_IDS;
}
