#include "source/detour.h"

#include "source/routing.h"

/* Ids taken back at once: so a hundred thousand of one row keep nobody waiting. */
enum { TOGETHER = 4096 };

static void note_dropped(void *context, uint32_t target)
{
    struct cpi_detour *detour = context;
    cpi_stats_add(detour->env->stats, CPI_STAT_OVERFLOWS, 1);
    cpi_log_repeated(&detour->env->log, CPI_REPEAT_OVERFLOW, NULL, CP_LOG_WARN, NULL,
                     "max_pending exceeded: dropping rows that are to be mapped; a resync follows");
    cpi_asking_note(detour->asking, target, CPI_ASKED_CROWDED);
}

/* Behind everything before them, which has been routed by now. */
static void feed_barrier(struct cpi_detour *detour, int64_t number)
{
    cpi_asking_put(detour->asking, CPI_ASKING_BARRIER);
    cpi_live_feed_barrier(detour->feed, number);
}

static void feed_position(struct cpi_detour *detour, int64_t number)
{
    cpi_asking_put(detour->asking, CPI_ASKING_POSITION);
    cpi_live_feed_position(detour->feed, number);
}

/* Marks without memory for them wait for the next call. */
static void put_marks(struct cpi_detour *detour)
{
    if (detour->barrier != 0 && cpi_mail_mark(detour->mail, CPI_BARRIER, detour->barrier)) {
        detour->barrier = 0;
    }
    if (detour->position != 0 && cpi_mail_mark(detour->mail, CPI_POSITION, detour->position)) {
        detour->position = 0;
    }
}

void cpi_detour_send(struct cpi_detour *detour, struct cpi_events *events)
{
    if (detour->mail != NULL && events->count > 0) {
        size_t n = cpi_mail_put(detour->mail, events, note_dropped, detour);
        cpi_stats_add(detour->env->stats, CPI_STAT_MAPPED, (int64_t)n);
    }
}

void cpi_detour_barrier(struct cpi_detour *detour, int64_t number)
{
    if (detour->mail == NULL) {
        feed_barrier(detour, number);
    } else {
        detour->barrier = number;
        put_marks(detour);
    }
}

void cpi_detour_position(struct cpi_detour *detour, int64_t number)
{
    if (detour->mail == NULL) {
        feed_position(detour, number);
    } else {
        detour->position = number;
        put_marks(detour);
    }
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

bool cpi_detour_take(struct cpi_detour *detour, struct cpi_confirming *confirming)
{
    struct cpi_mail_marks marks;
    if (detour->mail == NULL) {
        return false;
    }
    put_marks(detour);
    cpi_mail_take(detour->mail, least(cpi_live_feed_room(detour->feed), TOGETHER), &detour->back, &marks);
    bool routed = cpi_route(detour->env, detour->feed, detour->asking, &detour->back);
    if (marks.barrier != 0) {
        feed_barrier(detour, marks.barrier);
    }
    bool is_position = marks.position != 0 && cpi_confirming_is_mapped(confirming, marks.position, marks.is_partial);
    if (is_position) {
        feed_position(detour, marks.position);
    }
    return routed || marks.barrier != 0 || is_position;
}

uint32_t cpi_detour_room(const struct cpi_detour *detour)
{
    uint32_t room = cpi_live_feed_room(detour->feed);
    return detour->mail != NULL ? least(room, cpi_mail_room(detour->mail)) : room;
}

bool cpi_detour_has_come(const struct cpi_detour *detour)
{
    return detour->mail != NULL && cpi_live_feed_room(detour->feed) > 0 && cpi_mail_has_come(detour->mail);
}

bool cpi_detour_is_held_up(const struct cpi_detour *detour)
{
    return detour->mail != NULL && (cpi_mail_has_come(detour->mail) || detour->barrier != 0 || detour->position != 0);
}

void cpi_detour_forget(struct cpi_detour *detour)
{
    if (detour->mail != NULL) {
        cpi_mail_forget(detour->mail);
    }
    detour->barrier = 0;
    detour->position = 0;
}

bool cpi_detour_is_over(const struct cpi_detour *detour)
{
    return detour->mail == NULL || cpi_mail_is_idle(detour->mail) || cpi_stop_grace_passed(detour->env->stop) ||
           cpi_lease_state(detour->env->lease) == CPI_LEASE_TAKEN;
}

void cpi_detour_fini(struct cpi_detour *detour)
{
    cpi_events_fini(&detour->back, detour->env->config->entities);
}
