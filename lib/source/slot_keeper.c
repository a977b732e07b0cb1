#include "source/slot_keeper.h"

#include "base/clock.h"
#include "base/error.h"

enum {
    MAKE_MS = 3600000,
    AGAIN_BASE_MS = 1000,
    AGAIN_CAP_MS = 10000,
    GOOD_AFTER_MS = 2 * AGAIN_CAP_MS, /* one that was not lost for so long */
    STUCK_MAX = 10                    /* failures in one place */
};

void cpi_slot_keeper_init(struct cpi_slot_keeper *keeper, const struct cpi_env *env)
{
    *keeper = (struct cpi_slot_keeper){.env = env};
    cpi_config_slot(env->config, keeper->name);
    cpi_wal_slot_reader(env->config, keeper->reader);
    cpi_backoff_init(&keeper->backoff, AGAIN_BASE_MS, AGAIN_CAP_MS, env->seed ^ 6);
}

void cpi_slot_keeper_note_stuck(struct cpi_slot_keeper *keeper, uint64_t confirmed)
{
    keeper->stuck = keeper->stuck_at == confirmed ? keeper->stuck + 1 : 1;
    keeper->stuck_at = confirmed;
    keeper->remake = keeper->remake || keeper->stuck >= STUCK_MAX;
}

static cp_code may_make(struct cpi_slot_keeper *keeper, cp_error *err)
{
    int left_ms = cpi_left_ms(keeper->make_at_ms);
    if (left_ms > 0) {
        return cpi_error(err, CP_ERR_POSTGRES, true, "replication: slot \"%s\" is lost again; making another in %d s",
                         keeper->name, (left_ms + 999) / 1000);
    }
    if (cpi_now_ms() - keeper->made_ms > GOOD_AFTER_MS) {
        cpi_backoff_reset(&keeper->backoff);
    }
    return CP_OK;
}

/* By a session of its own, whose statements may take their time. */
static cp_code make(struct cpi_slot_keeper *keeper, cp_error *err)
{
    char oldest[CPI_WAL_OLDEST_BYTES];
    struct cpi_pg pg = cpi_env_pg(keeper->env, "cachepusher slot", keeper->env->stop->drain_fd, MAKE_MS);
    cp_code code = cpi_pg_open(&pg, err);
    if (code == CP_OK) {
        cpi_wal_slot_name_oldest(&pg, oldest);
        cpi_log(&keeper->env->log, CP_LOG_INFO,
                "replication: making slot \"%s\", once the transactions that are open end%s%s", keeper->name,
                oldest[0] != '\0' ? "; the oldest is of " : "", oldest);
        code = cpi_wal_slot_create(&pg, keeper->name, err);
    }
    cpi_pg_close(&pg);
    if (code == CP_OK) {
        keeper->remake = false;
        keeper->stuck = 0;
        keeper->made_ms = cpi_now_ms();
        keeper->make_at_ms = keeper->made_ms + cpi_backoff_next(&keeper->backoff);
    }
    return code;
}

static cp_code drop_lost(struct cpi_slot_keeper *keeper, struct cpi_pg *pg, cp_error *err)
{
    if (keeper->stuck >= STUCK_MAX) {
        cpi_log(&keeper->env->log, CP_LOG_ERROR,
                "replication: Postgres has failed %u times to read on from where slot \"%s\" stands: making another, "
                "and reading everything again",
                keeper->stuck, keeper->name);
    } else {
        cpi_log(&keeper->env->log, CP_LOG_ERROR,
                "replication: slot \"%s\" is lost, with what happened since (max_slot_wal_keep_size?): making another, "
                "and reading everything again",
                keeper->name);
    }
    return cpi_wal_slot_drop(pg, keeper->name, err);
}

cp_code cpi_slot_keeper_have(struct cpi_slot_keeper *keeper, struct cpi_pg *pg, struct cpi_wal_slot *slot, bool *made,
                             cp_error *err)
{
    cp_code code = cpi_wal_slot_read(pg, keeper->name, keeper->reader, slot, err);
    bool is_useless = slot->exists && !slot->is_active && (slot->is_lost || keeper->remake);
    *made = code == CP_OK && (is_useless || !slot->exists);
    if (*made) {
        code = may_make(keeper, err);
        code = code == CP_OK && is_useless ? drop_lost(keeper, pg, err) : code;
        code = code == CP_OK ? make(keeper, err) : code;
        code = code == CP_OK ? cpi_wal_slot_read(pg, keeper->name, keeper->reader, slot, err) : code;
    }
    return code == CP_OK ? cpi_wal_slot_take(pg, keeper->name, slot, err) : code;
}
