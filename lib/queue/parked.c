#include "queue/parked.h"

#include "base/clock.h"
#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WHY_BYTES = 256, FORGET_EVERY_MS = 50 };

struct cpi_parked_id {
    struct cpi_event event; /* its id is ours */
    uint64_t tries;
    int64_t first_ms;
    int64_t newest_ms;
    char why[WHY_BYTES];
};

bool cpi_parked_init(struct cpi_parked *parked, const struct cpi_entity *entities)
{
    *parked = (struct cpi_parked){.entities = entities};
    pthread_mutex_init(&parked->mutex, NULL);
    parked->ids = calloc(CPI_PARKED_REMEMBERED, sizeof *parked->ids);
    return parked->ids != NULL;
}

static enum cpi_id_type type_of(const struct cpi_parked *parked, const struct cpi_event *event)
{
    return parked->entities[event->entity].id_type;
}

void cpi_parked_fini(struct cpi_parked *parked)
{
    for (uint32_t i = 0; i < parked->count; i++) {
        cpi_id_fini(type_of(parked, &parked->ids[i].event), &parked->ids[i].event.id);
    }
    free(parked->ids);
    pthread_mutex_destroy(&parked->mutex);
}

/* NULL: it is not remembered. */
static struct cpi_parked_id *find_parked(const struct cpi_parked *parked, const struct cpi_event *event)
{
    enum cpi_id_type type = type_of(parked, event);
    for (uint32_t i = 0; i < parked->count; i++) {
        struct cpi_parked_id *id = &parked->ids[i];
        if (id->event.entity == event->entity && cpi_id_equal(type, &id->event.id, &event->id)) {
            return id;
        }
    }
    return NULL;
}

/* The place of an id, or a new one; NULL: there is none left. */
static struct cpi_parked_id *place_of(struct cpi_parked *parked, const struct cpi_event *event, int64_t now_ms)
{
    struct cpi_parked_id *known = find_parked(parked, event);
    if (known != NULL || parked->count == CPI_PARKED_REMEMBERED) {
        return known;
    }
    struct cpi_parked_id *id = &parked->ids[parked->count];
    *id = (struct cpi_parked_id){.event.entity = event->entity, .first_ms = now_ms};
    if (!cpi_id_copy(type_of(parked, event), &event->id, &id->event.id)) {
        return NULL;
    }
    parked->count++;
    return id;
}

void cpi_parked_note(struct cpi_parked *parked, const struct cpi_event *event, const char *why)
{
    int64_t now_ms = cpi_now_ms();
    pthread_mutex_lock(&parked->mutex);
    struct cpi_parked_id *id = place_of(parked, event, now_ms);
    if (id != NULL) {
        id->tries++;
        id->newest_ms = now_ms;
        cpi_fold(id->why, sizeof id->why, why); /* whole characters */
    }
    parked->has_more = parked->has_more || id == NULL;
    pthread_mutex_unlock(&parked->mutex);
}

void cpi_parked_forget_settled(struct cpi_parked *parked, const struct cpi_idset *set)
{
    if (parked->count == 0 && !parked->has_more) { /* only this thread changes them */
        return;
    }
    int64_t now_ms = cpi_now_ms();
    bool are_too_many = parked->count > cpi_idset_failed(set);
    bool are_all = parked->has_more && parked->count == cpi_idset_failed(set);
    if (!are_too_many && !are_all && now_ms - parked->forgot_ms < FORGET_EVERY_MS) {
        return;
    }
    parked->forgot_ms = now_ms;
    pthread_mutex_lock(&parked->mutex);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < parked->count; i++) {
        struct cpi_parked_id *id = &parked->ids[i];
        if (cpi_idset_find(set, id->event.entity, &id->event.id) == 0) {
            cpi_id_fini(type_of(parked, &id->event), &id->event.id);
        } else {
            parked->ids[kept++] = *id;
        }
    }
    parked->count = kept;
    parked->has_more = kept < cpi_idset_failed(set);
    pthread_mutex_unlock(&parked->mutex);
}

enum cpi_parked_answer cpi_parked_ask(struct cpi_parked *parked, const struct cpi_event *event, char *why, size_t size)
{
    pthread_mutex_lock(&parked->mutex);
    const struct cpi_parked_id *id = find_parked(parked, event);
    enum cpi_parked_answer answer = id != NULL ? CPI_PARKED_IS : parked->has_more ? CPI_PARKED_PERHAPS : CPI_PARKED_NOT;
    snprintf(why, size, "%s", id != NULL ? id->why : "");
    pthread_mutex_unlock(&parked->mutex);
    return answer;
}

static uint64_t time_since(int64_t then_ms, int64_t now_ms)
{
    return now_ms > then_ms ? (uint64_t)(now_ms - then_ms) : 0;
}

/* The visit calls back into the host, which may take its time: it is not to hold up the worker. False: out of memory,
 * or there is no such one. */
static bool copy_at(struct cpi_parked *parked, uint32_t i, struct cpi_parked_id *copy)
{
    pthread_mutex_lock(&parked->mutex);
    bool is_there = i < parked->count;
    if (is_there) {
        *copy = parked->ids[i];
        is_there = cpi_id_copy(type_of(parked, &copy->event), &parked->ids[i].event.id, &copy->event.id);
    }
    pthread_mutex_unlock(&parked->mutex);
    return is_there;
}

uint32_t cpi_parked_visit(struct cpi_parked *parked, void (*visit)(void *context, const cp_parked *parked),
                          void *context)
{
    struct cpi_parked_id copy;
    uint32_t n = 0;
    for (; copy_at(parked, n, &copy); n++) {
        const struct cpi_entity *entity = &parked->entities[copy.event.entity];
        char digits[CPI_ID_NUMBER_BYTES];
        int64_t now_ms = cpi_now_ms();
        visit(context, &(cp_parked){.size = sizeof(cp_parked),
                                    .entity = entity->name,
                                    .id = cpi_id_text(entity->id_type, &copy.event.id, digits),
                                    .why = copy.why,
                                    .tries = copy.tries,
                                    .first_ms = time_since(copy.first_ms, now_ms),
                                    .newest_ms = time_since(copy.newest_ms, now_ms),
                                    .table = entity->table});
        cpi_id_fini(entity->id_type, &copy.event.id);
    }
    return n;
}
