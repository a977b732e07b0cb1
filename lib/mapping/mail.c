#include "mapping/mail.h"

#include "base/error.h"
#include "postgres/mapping.h"

/* A page may be brought while no more than this waits: so the listener always has one to take. */
enum { BEHIND_MOST = CPI_MAPPING_PAGE, CROWD_LEAVES = 4 };

cp_code cpi_mail_init(struct cpi_mail *mail, const struct cpi_entity *entities, size_t entity_count, uint32_t capacity,
                      struct cpi_bell *listener_bell, cp_error *err)
{
    *mail = (struct cpi_mail){.entities = entities,
                              .entity_count = entity_count,
                              .capacity = capacity,
                              .listener_bell = listener_bell,
                              .bell = {.fd = -1}};
    pthread_mutex_init(&mail->mutex, NULL);
    return cpi_bell_init(&mail->bell, err);
}

/* Frees the ids that have not been taken; those before are whoever's took them. */
static void drop_out(struct cpi_mail *mail)
{
    for (size_t i = mail->taken; i < mail->out.count; i++) {
        struct cpi_event *event = &mail->out.items[i];
        if (cpi_event_is_id(event)) {
            cpi_id_fini(mail->entities[event->entity].id_type, &event->id);
        }
    }
    mail->out.count = 0;
    mail->taken = 0;
}

void cpi_mail_fini(struct cpi_mail *mail)
{
    drop_out(mail);
    cpi_events_fini(&mail->out, mail->entities);
    cpi_events_fini(&mail->in, mail->entities);
    cpi_bell_fini(&mail->bell);
    pthread_mutex_destroy(&mail->mutex);
}

/* ---- the listener ---- */

/* Those of a crowd leave room for others. */
static bool has_room(const struct cpi_mail *mail, const struct cpi_event *event)
{
    uint32_t limit = event->in_crowd ? mail->capacity - mail->capacity / CROWD_LEAVES : mail->capacity;
    return mail->in.count + mail->held < limit;
}

size_t cpi_mail_put(struct cpi_mail *mail, struct cpi_events *events, void (*dropped)(void *context, uint32_t target),
                    void *context)
{
    size_t kept = 0;
    size_t mapped = 0;
    cpi_ticks now = cpi_now_ticks();
    pthread_mutex_lock(&mail->mutex);
    for (size_t i = 0; i < events->count; i++) {
        struct cpi_event event = events->items[i];
        if (event.entity < mail->entity_count) {
            events->items[kept++] = event;
            continue;
        }
        mapped++;
        event.arrived = now;
        if (!has_room(mail, &event) || !cpi_events_add(&mail->in, &event)) {
            cpi_id_fini(mail->entities[event.entity].id_type, &event.id);
            dropped(context, mail->entities[event.entity].target);
        }
    }
    pthread_mutex_unlock(&mail->mutex);
    events->count = kept;
    if (mapped > 0) {
        cpi_bell_ring(&mail->bell);
    }
    return mapped;
}

bool cpi_mail_mark(struct cpi_mail *mail, uint16_t kind, int64_t number)
{
    const struct cpi_event mark = {.entity = kind, .id = {.number = number}};
    pthread_mutex_lock(&mail->mutex);
    bool added = cpi_events_add(&mail->in, &mark);
    pthread_mutex_unlock(&mail->mutex);
    cpi_bell_ring(&mail->bell);
    return added;
}

static void take_mark(const struct cpi_mail *mail, const struct cpi_event *mark, struct cpi_mail_marks *marks)
{
    if (mark->entity == CPI_BARRIER) {
        marks->barrier = mark->id.number;
    } else {
        marks->position = mark->id.number;
        marks->is_partial = mark->id.number == mail->partial;
    }
}

void cpi_mail_take(struct cpi_mail *mail, uint32_t most, struct cpi_events *events, struct cpi_mail_marks *marks)
{
    *marks = (struct cpi_mail_marks){0};
    pthread_mutex_lock(&mail->mutex);
    size_t before = mail->taken;
    for (; mail->taken < mail->out.count; mail->taken++) {
        const struct cpi_event *event = &mail->out.items[mail->taken];
        if (!cpi_event_is_id(event)) {
            take_mark(mail, event, marks);
        } else if (most == 0 || !cpi_events_add(events, event)) {
            break;
        } else {
            most--;
        }
    }
    bool moved = mail->taken > before;
    if (mail->taken == mail->out.count) {
        mail->out.count = 0;
        mail->taken = 0;
    }
    pthread_mutex_unlock(&mail->mutex);
    if (moved) {
        cpi_bell_ring(&mail->bell);
    }
}

static size_t left_of(const struct cpi_mail *mail)
{
    return mail->out.count - mail->taken;
}

bool cpi_mail_has_come(struct cpi_mail *mail)
{
    pthread_mutex_lock(&mail->mutex);
    bool has = left_of(mail) > 0;
    pthread_mutex_unlock(&mail->mutex);
    return has;
}

uint32_t cpi_mail_room(struct cpi_mail *mail)
{
    uint32_t most = mail->capacity - mail->capacity / CROWD_LEAVES;
    pthread_mutex_lock(&mail->mutex);
    size_t used = mail->in.count + mail->held;
    pthread_mutex_unlock(&mail->mutex);
    return used < most ? most - (uint32_t)used : 0;
}

bool cpi_mail_is_idle(struct cpi_mail *mail)
{
    pthread_mutex_lock(&mail->mutex);
    bool idle = mail->in.count == 0 && !mail->works && left_of(mail) == 0;
    pthread_mutex_unlock(&mail->mutex);
    return idle;
}

void cpi_mail_forget(struct cpi_mail *mail)
{
    pthread_mutex_lock(&mail->mutex);
    cpi_events_truncate(&mail->in, 0, mail->entities);
    drop_out(mail);
    mail->forgets = mail->held > 0;
    pthread_mutex_unlock(&mail->mutex);
    cpi_bell_ring(&mail->bell);
}

void cpi_mail_close(struct cpi_mail *mail)
{
    pthread_mutex_lock(&mail->mutex);
    mail->closed = true;
    pthread_mutex_unlock(&mail->mutex);
    cpi_bell_ring(&mail->bell);
}

static uint64_t count_ids(const struct cpi_events *events, size_t from)
{
    uint64_t count = 0;
    for (size_t i = from; i < events->count; i++) {
        count += cpi_event_is_id(&events->items[i]);
    }
    return count;
}

uint64_t cpi_mail_count(struct cpi_mail *mail)
{
    pthread_mutex_lock(&mail->mutex);
    uint64_t count = count_ids(&mail->in, 0) + mail->held + count_ids(&mail->out, mail->taken);
    pthread_mutex_unlock(&mail->mutex);
    return count;
}

/* ---- the mapper ---- */

void cpi_mail_collect(struct cpi_mail *mail, struct cpi_events *in, bool *forgets)
{
    pthread_mutex_lock(&mail->mutex);
    struct cpi_events empty = *in;
    *in = mail->in;
    mail->in = empty;
    *forgets = mail->forgets;
    mail->forgets = false;
    mail->held += (uint32_t)in->count; /* marks included, until it reports */
    mail->works = mail->works || in->count > 0;
    pthread_mutex_unlock(&mail->mutex);
}

bool cpi_mail_is_waiting(struct cpi_mail *mail)
{
    pthread_mutex_lock(&mail->mutex);
    bool waiting = mail->in.count > 0 || mail->forgets || mail->closed;
    pthread_mutex_unlock(&mail->mutex);
    return waiting;
}

bool cpi_mail_is_closed(struct cpi_mail *mail)
{
    pthread_mutex_lock(&mail->mutex);
    bool closed = mail->closed;
    pthread_mutex_unlock(&mail->mutex);
    return closed;
}

bool cpi_mail_may_bring(struct cpi_mail *mail, bool is_further)
{
    pthread_mutex_lock(&mail->mutex);
    bool may = left_of(mail) <= (is_further ? BEHIND_MOST / 2 : BEHIND_MOST);
    pthread_mutex_unlock(&mail->mutex);
    return may;
}

bool cpi_mail_bring(struct cpi_mail *mail, struct cpi_events *events)
{
    size_t n = 0;
    pthread_mutex_lock(&mail->mutex);
    while (n < events->count && cpi_events_add(&mail->out, &events->items[n])) {
        n++;
    }
    pthread_mutex_unlock(&mail->mutex);
    bool all = n == events->count;
    for (size_t i = n; i < events->count; i++) {
        cpi_id_fini(mail->entities[events->items[i].entity].id_type, &events->items[i].id);
    }
    events->count = 0;
    cpi_bell_ring(mail->listener_bell);
    return all;
}

bool cpi_mail_pass(struct cpi_mail *mail, uint16_t kind, int64_t number, bool is_partial)
{
    const struct cpi_event mark = {.entity = kind, .id = {.number = number}};
    pthread_mutex_lock(&mail->mutex);
    bool added = cpi_events_add(&mail->out, &mark);
    mail->partial = added && is_partial ? number : mail->partial;
    pthread_mutex_unlock(&mail->mutex);
    cpi_bell_ring(mail->listener_bell);
    return added;
}

void cpi_mail_report(struct cpi_mail *mail, uint32_t held, bool works)
{
    pthread_mutex_lock(&mail->mutex);
    mail->held = held;
    mail->works = works;
    pthread_mutex_unlock(&mail->mutex);
}
