#include "worker/round.h"

#include "base/error.h"
#include "base/pulse.h"
#include "worker/settled.h"

#include <stdlib.h>

/* A command under way in Redis. */
struct cpi_sent {
    uint32_t handle;
    enum { STORE, DELETE, ASK } command; /* SET, DEL, EXISTS */
    size_t bytes;
    size_t at; /* of a STORE: where in the round's output the document begins */
    enum { UNANSWERED, ACKNOWLEDGED, PUT_OFF, REFUSED } answer;
    bool has_key; /* an ASK that is ACKNOWLEDGED: there is a key */
};

/* What has come of a round. */
struct tally {
    uint32_t stored;
    uint32_t deleted;
    uint32_t withheld;
    uint32_t granted;
    uint32_t refused;
    size_t bytes;
    struct cpi_settling when;
    struct cpi_observations latencies; /* of what events have named */

    /* Of these, those of one entity, as long as that does not change: those of a batch are read entity by entity. */
    uint32_t entity;
    uint32_t entity_stored;
    uint32_t entity_deleted;
    size_t entity_bytes;
};

static const struct cpi_entity *round_entity_of(const struct cpi_round *round, uint32_t handle)
{
    return &round->env->config->entities[cpi_idset_get(round->set, handle).entity];
}

static void round_count(struct cpi_round *round, enum cpi_stat stat, int64_t n)
{
    cpi_stats_add(round->env->stats, stat, n);
}

bool cpi_round_init(struct cpi_round *round, const struct cpi_env *env, struct cpi_idset *set,
                    struct cpi_target *target)
{
    uint32_t batch = env->config->batch;
    *round = (struct cpi_round){.env = env, .set = set, .target = target};
    round->sent = calloc(batch, sizeof *round->sent);
    round->granted = calloc(batch, sizeof *round->granted);
    round->settled = calloc(batch, sizeof *round->settled);
    bool remembers = cpi_parked_init(&round->parked, env->config->entities);
    return remembers && round->sent != NULL && round->granted != NULL && round->settled != NULL;
}

void cpi_round_fini(struct cpi_round *round)
{
    cpi_parked_fini(&round->parked);
    free(round->sent);
    free(round->granted);
    free(round->settled);
}

/* ---- appending ---- */

static bool append_command(struct cpi_round *round, struct cpi_sent *sent, const char *document, cp_error *err)
{
    const struct cpi_entity *entity = round_entity_of(round, sent->handle);
    struct cpi_event event = cpi_idset_get(round->set, sent->handle);
    char digits[CPI_ID_NUMBER_BYTES];
    const char *id = cpi_id_text(entity->id_type, &event.id, digits);
    const struct cpi_target_ops *ops = round->target->ops;
    cp_code code = CP_OK;
    switch (sent->command) {
    case STORE:
        code = ops->set(round->target, &entity->key, id, document, sent->bytes, entity->ttl_s, &sent->at, err);
        break;
    case DELETE:
        code = ops->del(round->target, &entity->key, id, err);
        break;
    case ASK:
        code = ops->exists(round->target, &entity->key, id, err);
        break;
    }
    if (code == CP_OK) {
        round->sent[round->sent_count++] = *sent;
        round->bytes += sent->bytes;
    }
    return code == CP_OK;
}

bool cpi_round_append(struct cpi_round *round, uint32_t handle, const char *document, size_t length, cp_error *err)
{
    struct cpi_sent sent = {.handle = handle, .bytes = length, .answer = UNANSWERED};
    bool is_announced = cpi_idset_is_announced(round->set, handle);
    sent.command = document != NULL ? STORE : is_announced ? DELETE : ASK;
    return append_command(round, &sent, document, err);
}

/* ---- settling ---- */

void cpi_round_park(struct cpi_round *round, uint32_t handle, const char *why)
{
    struct cpi_event event = cpi_idset_get(round->set, handle);
    const struct cpi_entity *entity = round_entity_of(round, handle);
    char digits[CPI_ID_NUMBER_BYTES];
    if (cpi_idset_queue(round->set, handle) != CPI_PARKED) {
        char key[CPI_ENV_KEY_BYTES];
        cpi_log_repeated(&round->env->log, CPI_REPEAT_PARKED, why, CP_LOG_WARN,
                         &(struct cpi_log_about){.entity = entity->name, .key = cpi_env_key(entity, &event.id, key)},
                         "%s %s: %s; set aside, to be tried again", entity->name,
                         cpi_id_text(entity->id_type, &event.id, digits), why);
    }
    round_count(round, CPI_STAT_FAILURES, 1);
    cpi_stats_add_entity(round->env->stats, event.entity, CPI_ENTITY_FAILURES, 1);
    cpi_parked_note(&round->parked, &event, why);
    cpi_idset_move(round->set, handle, CPI_PARKED);
}

/* Takes the result of the i-th command. err: why something is neither done nor refused. */
static void take_result(struct cpi_round *round, uint32_t i, cp_error *err)
{
    struct cpi_sent *sent = &round->sent[i];
    struct cpi_result result = round->target->ops->result(round->target, i);
    switch (result.answer) {
    case CPI_ANSWER_DONE:
        sent->answer = ACKNOWLEDGED;
        sent->has_key = result.exists;
        return;
    case CPI_ANSWER_REFUSED:
        sent->answer = REFUSED;
        cpi_error(&round->refusal, CP_ERR_REDIS, false, "%s", result.message);
        return;
    case CPI_ANSWER_WAIT:
    case CPI_ANSWER_RECONNECT:
    case CPI_ANSWER_NONSENSE:
        sent->answer = PUT_OFF;
        break;
    case CPI_ANSWER_NONE:
        sent->answer = UNANSWERED;
        break;
    }
    cpi_error(err, CP_ERR_REDIS, true, "%s", result.message);
}

/* Whether a key that nobody has announced may go. What was granted and not acknowledged is not counted again. */
static bool may_delete(struct cpi_round *round, uint32_t handle)
{
    uint32_t entity = cpi_idset_get(round->set, handle).entity;
    if (cpi_idset_is_granted(round->set, handle)) {
        return true;
    }
    enum cpi_allowed allowed = cpi_allowance_take(round->env->allowance, entity);
    if (allowed == CPI_ALLOWED) {
        cpi_idset_grant(round->set, handle);
    } else if (allowed == CPI_WITHHELD_LATE) {
        cpi_requests_resync(round->env->requests, entity, CP_CAUSE_RETRY);
    }
    return allowed == CPI_ALLOWED;
}

static void end_entity(struct cpi_round *round, struct tally *tally, uint32_t next)
{
    struct cpi_stats *stats = round->env->stats;
    cpi_stats_add_entity(stats, tally->entity, CPI_ENTITY_STORED, tally->entity_stored);
    cpi_stats_add_entity(stats, tally->entity, CPI_ENTITY_DELETED, tally->entity_deleted);
    cpi_stats_add_entity(stats, tally->entity, CPI_ENTITY_BYTES, (int64_t)tally->entity_bytes);
    tally->stored += tally->entity_stored;
    tally->deleted += tally->entity_deleted;
    tally->bytes += tally->entity_bytes;
    tally->entity_stored = tally->entity_deleted = 0;
    tally->entity_bytes = 0;
    tally->entity = next;
}

/* document: of a STORE, if somebody is to be told. False: there was no memory for telling; it has not settled. */
static bool settle_one(struct cpi_round *round, const struct cpi_sent *sent, const char *document, struct tally *tally)
{
    if (sent->command == ASK && sent->has_key && may_delete(round, sent->handle)) {
        round->granted[round->granted_count++] = sent->handle;
        tally->granted++;
        return true;
    }
    if (sent->command == ASK && sent->has_key) {
        round->settled[round->settled_count++] = sent->handle;
        tally->withheld++;
        return true;
    }
    struct cpi_event event = cpi_idset_get(round->set, sent->handle);
    if (!cpi_tell_settled(round->env, &event, document, sent->bytes, &tally->when)) {
        return false;
    }
    round->settled[round->settled_count++] = sent->handle;
    if (event.entity != tally->entity) {
        end_entity(round, tally, event.entity);
    }
    tally->entity_stored += sent->command == STORE;
    tally->entity_deleted += sent->command != STORE;
    tally->entity_bytes += sent->bytes;
    if (event.arrived != 0) {
        cpi_observe(&tally->latencies, cpi_ticks_since_us(event.arrived, tally->when.ticks));
    }
    return true;
}

/* Settles what was acknowledged and parks what was refused; everything else stays where it is. True: there is nothing
 * else, but what has been granted. */
static bool settle(struct cpi_round *round, const struct cpi_output *output, cp_error *err)
{
    struct tally tally = {.when = cpi_settling_now()};
    if (round->env->settled != NULL) {
        cpi_pulse_does("telling the host what has settled");
    }
    for (uint32_t i = 0; i < round->sent_count; i++) {
        const struct cpi_sent *sent = &round->sent[i];
        if (sent->answer == ACKNOWLEDGED) {
            bool is_stored = sent->command == STORE && output->bytes != NULL;
            if (!settle_one(round, sent, is_stored ? output->bytes + sent->at : NULL, &tally)) {
                cpi_error_memory(err);
            }
        } else if (sent->answer == REFUSED) {
            cpi_round_park(round, sent->handle, round->refusal.message);
            tally.refused++;
        }
    }
    end_entity(round, &tally, 0);
    cpi_histogram_add_all(&round->env->stats->histograms[CPI_HISTOGRAM_SETTLE], &tally.latencies);
    uint32_t left = round->sent_count - tally.stored - tally.deleted - tally.withheld - tally.granted - tally.refused;
    round->sent_count = 0;
    round->bytes = 0;
    round_count(round, CPI_STAT_STORED, tally.stored);
    round_count(round, CPI_STAT_DELETED, tally.deleted);
    round_count(round, CPI_STAT_WITHHELD, tally.withheld);
    round_count(round, CPI_STAT_BYTES, (int64_t)tally.bytes);
    round_count(round, CPI_STAT_FAILURES, left);
    return left == 0;
}

static bool exchange(struct cpi_round *round, cp_error *err)
{
    if (round->sent_count == 0) {
        return true;
    }
    const struct cpi_target_ops *ops = round->target->ops;
    int64_t began_us = cpi_now_us();
    cpi_pulse_does("storing documents");
    struct cpi_output output = {0}; /* outlives the connection, which may be lost behind what was acknowledged */
    struct cpi_output *wanted = round->env->settled != NULL ? &output : NULL;
    if (ops->is_open(round->target) && ops->flush(round->target, wanted, err) == CP_OK) {
        for (uint32_t i = 0; i < round->sent_count; i++) {
            take_result(round, i, err);
        }
    }
    cpi_histogram_add(&round->env->stats->histograms[CPI_HISTOGRAM_PUSH], cpi_now_us() - began_us);
    bool is_all = settle(round, &output, err);
    if (output.bytes != NULL) {
        ops->give_back(round->target, &output);
    }
    return is_all;
}

/* False: some have not been appended, and stay in the set. A connection that is closed has said why already. */
static bool append_granted(struct cpi_round *round, cp_error *err)
{
    bool appended = round->granted_count == 0 || round->target->ops->is_open(round->target);
    for (uint32_t i = 0; i < round->granted_count && appended; i++) {
        struct cpi_sent sent = {.handle = round->granted[i], .command = DELETE, .answer = UNANSWERED};
        appended = append_command(round, &sent, NULL, err);
    }
    round->granted_count = 0;
    return appended;
}

bool cpi_round_push(struct cpi_round *round, cp_error *err)
{
    bool asked = exchange(round, err);
    bool appended = append_granted(round, err);
    return exchange(round, err) && asked && appended;
}

void cpi_round_remove_settled(struct cpi_round *round)
{
    for (uint32_t i = 0; i < round->settled_count; i++) {
        cpi_idset_remove(round->set, round->settled[i]);
    }
    round->settled_count = 0;
}
