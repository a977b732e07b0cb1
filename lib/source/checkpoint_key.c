#include "source/checkpoint_key.h"

#include "base/error.h"
#include "lease/admission.h"
#include "source/checkpoint_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char no_id[] = "";

void cpi_checkpoint_key_make(struct cpi_checkpoint_key *key, const struct cpi_env *env)
{
    char marker[CPI_MARKER_KEY_BYTES];
    cpi_config_marker_key(env->config, marker);
    snprintf(key->text, sizeof key->text, "%s:wal", marker);
    key->key = (struct cpi_key){.before = key->text, .after = no_id, .before_length = strlen(key->text)};
}

static cp_code run_round(struct cpi_target *target, cp_code appended, struct cpi_result *result, cp_error *err)
{
    cp_code code = appended == CP_OK ? target->ops->flush(target, NULL, err) : appended;
    if (appended != CP_OK) {
        return code;
    }
    *result = target->ops->result(target, 0);
    if (result->answer != CPI_ANSWER_DONE) {
        return cpi_error(err, CP_ERR_REDIS, result->answer != CPI_ANSWER_REFUSED, "%s", result->message);
    }
    return code;
}

cp_code cpi_checkpoint_key_read(const struct cpi_checkpoint_key *key, struct cpi_target *target, char **text,
                                cp_error *err)
{
    struct cpi_result result;
    *text = NULL;
    cp_code code = run_round(target, target->ops->get(target, &key->key, no_id, err), &result, err);
    if (code == CP_OK && result.kind == CPI_VALUE_STRING && result.length < CPI_CHECKPOINT_TEXT_MAX) {
        *text = malloc(result.length + 1);
        if (*text == NULL) {
            return cpi_error_memory(err);
        }
        memcpy(*text, result.bytes, result.length);
        (*text)[result.length] = '\0';
    }
    return code;
}

cp_code cpi_checkpoint_key_write(const struct cpi_checkpoint_key *key, struct cpi_target *target, const char *text,
                                 cp_error *err)
{
    struct cpi_result result;
    cp_code appended = text != NULL ? target->ops->set(target, &key->key, no_id, text, strlen(text), 0, NULL, err)
                                    : target->ops->del(target, &key->key, no_id, err);
    return run_round(target, appended, &result, err);
}

cp_code cpi_checkpoint_forget(const struct cpi_env *env, struct cpi_target *target, cp_error *err)
{
    struct cpi_checkpoint_key key;
    cpi_checkpoint_key_make(&key, env);
    return cpi_checkpoint_key_write(&key, target, NULL, err);
}

static cp_code delete_admitted(const struct cpi_env *env, const struct cpi_checkpoint_key *key,
                               struct cpi_target *target, cp_error *err)
{
    struct cpi_pg pg = cpi_env_pg(env, "cachepusher checkpoint", env->stop->drain_fd, env->config->fetch_timeout_ms);
    cp_code code = cpi_pg_open(&pg, err);
    code = code == CP_OK ? cpi_lease_admit(env->lease, &pg, target, err) : code;
    cpi_pg_close(&pg);
    return code == CP_OK ? cpi_checkpoint_key_write(key, target, NULL, err) : code;
}

cp_code cpi_checkpoint_forget_others(const struct cpi_env *env, cp_error *err)
{
    struct cpi_checkpoint_key key;
    char *found = NULL;
    struct cpi_target *target = cpi_env_target(env, "cachepusher-start", env->stop->drain_fd);
    if (target == NULL) {
        return cpi_error_memory(err);
    }
    cpi_checkpoint_key_make(&key, env);
    cp_code code = target->ops->open(target, err);
    bool is_open = code == CP_OK;
    code = is_open ? cpi_checkpoint_key_read(&key, target, &found, err) : code;
    if (is_open && code != CP_OK && !err->retriable) { /* whom an ACL keeps from it, it keeps from making one, too */
        code = CP_OK;
    }
    if (code == CP_OK && found != NULL && !cpi_checkpoint_is_of(found, env->config)) {
        code = delete_admitted(env, &key, target, err);
    }
    free(found);
    cpi_target_destroy(target);
    return code;
}
