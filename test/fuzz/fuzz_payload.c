/* A notification's payload: anything at all that some session may have sent. */
#include "fuzz.h"

#include "model/event.h"

enum { TYPES = 4 };

static const struct cpi_entity entities[TYPES] = {
    {.id_type = CPI_ID_INTEGER},
    {.id_type = CPI_ID_BIGINT},
    {.id_type = CPI_ID_UUID},
    {.id_type = CPI_ID_TEXT},
};

/* The id's text is one spelling of it: reading that gives the same id, and the same text again. */
static void check_id(enum cpi_id_type type, const union cpi_id *id, unsigned entity)
{
    char digits[CPI_ID_NUMBER_BYTES];
    const char *text = cpi_id_text(type, id, digits);
    union cpi_id again;
    bool out_of_memory = false;
    REQUIRE(cpi_utf8_valid(text, strlen(text)));
    REQUIRE(cpi_id_parse(type, text, strlen(text), &again, &out_of_memory));
    REQUIRE(cpi_id_equal(type, id, &again));
    REQUIRE(cpi_id_hash(type, id, entity) == cpi_id_hash(type, &again, entity));

    char digits_again[CPI_ID_NUMBER_BYTES];
    REQUIRE(strcmp(text, cpi_id_text(type, &again, digits_again)) == 0);
    cpi_id_fini(type, &again);
}

static void check_parse(const char *payload, uint32_t index, struct cpi_events *events)
{
    const struct cpi_entity *entity = &entities[index];
    size_t before = events->count;
    struct cpi_unread unread;
    enum cpi_payload result = cpi_event_parse(entity, index, payload, events, entities, &unread);
    REQUIRE(result != CPI_PAYLOAD_NO_MEMORY);
    REQUIRE((result == CPI_PAYLOAD_EVERYTHING) == (strcmp(payload, "*") == 0));
    REQUIRE((result == CPI_PAYLOAD_AGAIN) == (strcmp(payload, "**") == 0));
    REQUIRE(events->count == before || result == CPI_PAYLOAD_IDS);
    REQUIRE(memchr(unread.first, '\0', sizeof unread.first) != NULL);
    if (result == CPI_PAYLOAD_IDS && payload[0] != '[') {
        REQUIRE(events->count - before + unread.impossible + unread.unreadable == 1);
    }
    for (size_t i = before; i < events->count; i++) {
        REQUIRE(events->items[i].entity == index);
        check_id(entity->id_type, &events->items[i].id, index);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* What one type has brought stays while the next is parsed: a bad payload must not take it away. */
    struct cpi_events events = {0};
    char *payload = fuzz_text(data, size);
    for (uint32_t index = 0; index < TYPES; index++) {
        check_parse(payload, index, &events);
    }
    free(payload);

    for (size_t i = 0; i < events.count; i++) {
        char digits[CPI_ID_NUMBER_BYTES];
        enum cpi_id_type type = entities[events.items[i].entity].id_type;
        REQUIRE(strlen(cpi_id_text(type, &events.items[i].id, digits)) <= size + sizeof digits + 4);
    }
    cpi_events_fini(&events, entities);
    return 0;
}
