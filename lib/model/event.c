#include "model/event.h"

#include <jansson.h>
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

static enum cpi_payload add_id(const struct cpi_entity *entity, uint32_t index, const char *text, size_t length,
                               struct cpi_events *events)
{
    struct cpi_event event = {.entity = index};
    bool out_of_memory = false;
    if (!cpi_id_parse(entity->id_type, text, length, &event.id, &out_of_memory)) {
        return out_of_memory ? CPI_PAYLOAD_NO_MEMORY : CPI_PAYLOAD_BAD;
    }
    if (!cpi_events_add(events, &event)) {
        cpi_id_fini(entity->id_type, &event.id);
        return CPI_PAYLOAD_NO_MEMORY;
    }
    return CPI_PAYLOAD_IDS;
}

static enum cpi_payload add_element(const struct cpi_entity *entity, uint32_t index, const json_t *element,
                                    struct cpi_events *events)
{
    if (json_is_string(element)) {
        return add_id(entity, index, json_string_value(element), json_string_length(element), events);
    }
    if (json_is_integer(element) && !cpi_id_is_text(entity->id_type)) {
        char digits[CPI_ID_NUMBER_BYTES];
        int length = snprintf(digits, sizeof digits, "%lld", (long long)json_integer_value(element));
        return add_id(entity, index, digits, (size_t)length, events);
    }
    return CPI_PAYLOAD_BAD;
}

static enum cpi_payload add_array(const struct cpi_entity *entity, uint32_t index, const char *payload,
                                  struct cpi_events *events)
{
    json_error_t error;
    json_t *array = json_loads(payload, 0, &error);
    if (array == NULL) {
        /* jansson gives neither a reason nor a code if its first allocation fails. */
        bool out_of_memory = error.text[0] == '\0' || json_error_code(&error) == json_error_out_of_memory;
        return out_of_memory ? CPI_PAYLOAD_NO_MEMORY : CPI_PAYLOAD_BAD;
    }
    enum cpi_payload result = CPI_PAYLOAD_IDS;
    for (size_t i = 0; i < json_array_size(array) && result == CPI_PAYLOAD_IDS; i++) {
        result = add_element(entity, index, json_array_get(array, i), events);
    }
    json_decref(array);
    return result;
}

enum cpi_payload cpi_event_parse(const struct cpi_entity *entity, uint32_t index, const char *payload,
                                 struct cpi_events *events, const struct cpi_entity *entities)
{
    if (strcmp(payload, "*") == 0) {
        return CPI_PAYLOAD_EVERYTHING;
    }
    size_t before = events->count;
    enum cpi_payload result =
        payload[0] == '['
            ? add_array(entity, index, payload, events)
            : (payload[0] == '\0' ? CPI_PAYLOAD_BAD : add_id(entity, index, payload, strlen(payload), events));
    if (result != CPI_PAYLOAD_IDS) {
        cpi_events_truncate(events, before, entities);
    }
    return result;
}
