#include "source/asking.h"

#include "base/clock.h"

#include <stdlib.h>

static const struct {
    int every_ms; /* on the whole */
    int burst;    /* so many more at once, after a quiet time: what an application asks for is not kept waiting */
    cp_cause cause;
} kinds[CPI_ASKED] = {[CPI_ASKED_EVERYTHING] = {1000, 9, CP_CAUSE_TRUNCATE},
                      [CPI_ASKED_AGAIN] = {1000, 9, CP_CAUSE_REQUEST},
                      [CPI_ASKED_UNREADABLE] = {10000, 0, CP_CAUSE_UNREADABLE},
                      [CPI_ASKED_CROWDED] = {5000, 0, CP_CAUSE_OVERFLOW}};

struct cpi_asked_entity {
    int64_t next_ms[CPI_ASKED]; /* if all had come at their intervals */
    bool waits[CPI_ASKED];
    unsigned held[CPI_ASKED]; /* marks put while it waited */
};

bool cpi_asking_init(struct cpi_asking *asking, const struct cpi_env *env)
{
    asking->env = env;
    asking->entities = calloc(env->config->entity_count, sizeof *asking->entities);
    return asking->entities != NULL;
}

void cpi_asking_fini(struct cpi_asking *asking)
{
    free(asking->entities);
    asking->entities = NULL;
}

void cpi_asking_note(struct cpi_asking *asking, uint32_t entity, enum cpi_asked kind)
{
    asking->entities[entity].waits[kind] = true;
}

static int64_t due_ms(const struct cpi_asked_entity *asked, int kind)
{
    return asked->next_ms[kind] - (int64_t)kinds[kind].burst * kinds[kind].every_ms;
}

static void stop_waiting(struct cpi_asked_entity *asked, int kind)
{
    asked->waits[kind] = false;
    asked->held[kind] = 0;
}

void cpi_asking_request(struct cpi_asking *asking, bool now)
{
    int64_t now_ms = cpi_now_ms();
    for (uint32_t e = 0; e < asking->env->config->entity_count; e++) {
        struct cpi_asked_entity *asked = &asking->entities[e];
        for (int kind = 0; kind < CPI_ASKED; kind++) {
            if (asked->waits[kind] && (now || now_ms >= due_ms(asked, kind))) {
                cpi_requests_resync(asking->env->requests, e, kinds[kind].cause);
                stop_waiting(asked, kind);
                int64_t from_ms = asked->next_ms[kind] > now_ms ? asked->next_ms[kind] : now_ms;
                asked->next_ms[kind] = from_ms + kinds[kind].every_ms;
            }
        }
    }
}

void cpi_asking_forget(struct cpi_asking *asking)
{
    for (uint32_t e = 0; e < asking->env->config->entity_count; e++) {
        for (int kind = 0; kind < CPI_ASKED; kind++) {
            stop_waiting(&asking->entities[e], kind);
        }
    }
}

void cpi_asking_put(struct cpi_asking *asking, enum cpi_asking_mark mark)
{
    for (uint32_t e = 0; e < asking->env->config->entity_count; e++) {
        struct cpi_asked_entity *asked = &asking->entities[e];
        for (int kind = 0; kind < CPI_ASKED; kind++) {
            asked->held[kind] = asked->waits[kind] ? asked->held[kind] | mark : 0;
        }
    }
}

bool cpi_asking_holds(const struct cpi_asking *asking, enum cpi_asking_mark mark)
{
    bool holds = false;
    for (uint32_t e = 0; e < asking->env->config->entity_count; e++) {
        for (int kind = 0; kind < CPI_ASKED; kind++) {
            holds = holds || (asking->entities[e].held[kind] & mark) != 0;
        }
    }
    return holds;
}

int cpi_asking_due_ms(const struct cpi_asking *asking)
{
    int soonest_ms = -1;
    for (uint32_t e = 0; e < asking->env->config->entity_count; e++) {
        const struct cpi_asked_entity *asked = &asking->entities[e];
        for (int kind = 0; kind < CPI_ASKED; kind++) {
            int left_ms = asked->waits[kind] ? cpi_left_ms(due_ms(asked, kind)) : -1;
            soonest_ms = left_ms >= 0 && (soonest_ms < 0 || left_ms < soonest_ms) ? left_ms : soonest_ms;
        }
    }
    return soonest_ms;
}
