/*
 * Events: "this id changed, read it again". An event never carries data. A deletion is an event like any other; the
 * read that follows finds nothing.
 */
#ifndef CPI_EVENT_H
#define CPI_EVENT_H

#include "base/clock.h"
#include "model/entity.h"

/* One slot of a ring. */
struct cpi_event {
    union cpi_id id;
    uint16_t entity;   /* index into the configuration, or one of the marks below */
    bool in_crowd;     /* one session announced it with so many others that those of other sessions go first */
    uint8_t origin;    /* a cp_origin: how it came; an event as long as nobody says otherwise */
    cpi_ticks arrived; /* when the listener had it; 0: nobody announced it */
};

/* Marks for the worker instead of ids, numbered by id.number (see lane.h). */
#define CPI_BARRIER UINT16_MAX
#define CPI_QUIESCE (UINT16_MAX - 1)
#define CPI_POSITION (UINT16_MAX - 2)

_Static_assert(sizeof(struct cpi_event) == 16, "four events to a cache line");
_Static_assert(CP_ORIGIN_EVENT == 0, "what says nothing of its origin is an event");
_Static_assert(CPI_ENTITIES_MAX < CPI_POSITION, "an entity is not a question");

static inline bool cpi_event_is_id(const struct cpi_event *event)
{
    return event->entity < CPI_POSITION;
}

/* Events on their way, in an array that grows. Zero is a valid empty one. */
struct cpi_events {
    struct cpi_event *items;
    size_t count;
    size_t capacity;
};

/* Takes over the event's id, on success only. False: out of memory. */
bool cpi_events_add(struct cpi_events *events, const struct cpi_event *event);

/* Removes all events but the first `kept`, and frees their ids. */
void cpi_events_truncate(struct cpi_events *events, size_t kept, const struct cpi_entity *entities);

/* Removes all events and frees the array. */
void cpi_events_fini(struct cpi_events *events, const struct cpi_entity *entities);

enum cpi_payload {
    CPI_PAYLOAD_IDS,        /* what could be read of it is appended to events, which may be nothing */
    CPI_PAYLOAD_EVERYTHING, /* "*": resync this entity, and believe it if there is nothing left of it */
    CPI_PAYLOAD_AGAIN,      /* "**": resync this entity */
    CPI_PAYLOAD_NO_MEMORY   /* nothing is appended */
};

/* What a payload held besides ids of the entity. Each element stands for itself: it takes nothing from its neighbours.
 */
struct cpi_unread {
    unsigned impossible; /* elements that can be no id of this entity: a number out of range, a null */
    unsigned unreadable; /* elements, or all of it, that may name one in a way nobody knows: an event is lost */
    char first[64];      /* of these, cut */
};

/* Parses a notification's payload for one entity: an id as bare text (17), a JSON array of ids ([17,18], ["a","b"];
 * numbers may be quoted), "*" or "**".
 *
 * An empty payload (pg_notify() with a NULL sends one) is unreadable, and so is what begins with "[" and is no JSON;
 * except that for text ids it is an id unless it ends with "]". Text ids that are "*", "**", empty or look like an
 * array can only be given in one. What is mapped is text whatever its column's type is, and may be a number in an
 * array.
 */
enum cpi_payload cpi_event_parse(const struct cpi_entity *entity, uint32_t index, const char *payload,
                                 struct cpi_events *events, const struct cpi_entity *entities,
                                 struct cpi_unread *unread);

#endif
