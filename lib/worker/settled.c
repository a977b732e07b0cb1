#include "worker/settled.h"

#include "queue/recent.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TICK_US = 250 };

struct cpi_settling cpi_settling_now(void)
{
    struct timespec real;
    clock_gettime(CLOCK_REALTIME, &real);
    int64_t now_us = cpi_now_us();
    return (struct cpi_settling){.real_us = (int64_t)real.tv_sec * 1000000 + real.tv_nsec / 1000,
                                 .now_us = now_us,
                                 .ticks = cpi_ticks_at(now_us)};
}

/* An arrival is known to a tick: it is told as the tick's beginning, so that a lag is never too short. */
static int64_t arrival_us(cpi_ticks arrived, const struct cpi_settling *when)
{
    return when->real_us - when->now_us % TICK_US - cpi_ticks_since_us(arrived, when->ticks);
}

static bool tell_embedder(const struct cpi_env *env, const struct cpi_event *event, const char *key,
                          const char *document, size_t bytes, const struct cpi_settling *when)
{
    const struct cpi_entity *entity = &env->config->entities[event->entity];
    char digits[CPI_ID_NUMBER_BYTES];
    cp_document told = {.size = sizeof told,
                        .entity = entity->name,
                        .key = key,
                        .bytes = bytes,
                        .exists = document != NULL,
                        .id = cpi_id_text(entity->id_type, &event->id, digits),
                        .document = document,
                        .origin = (cp_origin)event->origin,
                        .event_us = event->arrived != 0 ? arrival_us(event->arrived, when) : 0,
                        .settled_us = when->real_us};
    return env->settled(env->settled_context, &told);
}

/* An ordinary key fits on the stack. */
static bool tell_with_key(const struct cpi_env *env, const struct cpi_event *event, const char *document, size_t bytes,
                          const struct cpi_settling *when)
{
    const struct cpi_key *key = &env->config->entities[event->entity].key;
    char digits[CPI_ID_NUMBER_BYTES];
    const char *id = cpi_id_text(env->config->entities[event->entity].id_type, &event->id, digits);
    size_t size = key->before_length + strlen(id) + key->after_length + 1;
    char small[CPI_ENV_KEY_BYTES];
    char *text = size <= sizeof small ? small : malloc(size);
    if (text == NULL) {
        return false;
    }
    snprintf(text, size, "%s%s%s", key->before, id, key->after);
    bool is_told = tell_embedder(env, event, text, document, bytes, when);
    if (text != small) {
        free(text);
    }
    return is_told;
}

bool cpi_tell_settled(const struct cpi_env *env, const struct cpi_event *event, const char *document, size_t bytes,
                      const struct cpi_settling *when)
{
    if (env->settled != NULL && !tell_with_key(env, event, document, bytes, when)) {
        return false;
    }
    if (env->recent != NULL) {
        cpi_recent_offer(env->recent, event);
    }
    return true;
}
