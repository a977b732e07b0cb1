#include "redis/host_session.h"

#include "base/error.h"
#include "base/pulse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- calls ---- */

void cpi_host_begin(struct cpi_host_session *host)
{
    host->given = (cp_error){.code = CP_OK};
    cpi_pulse_waits(CP_WAIT_STORE);
}

/* The host may have left it empty, or without an end. */
void cpi_host_note_why(struct cpi_host_session *host, cp_store_answer answer)
{
    static const char *const words[] = {
        [CP_STORE_DONE] = "", [CP_STORE_WAIT] = "busy", [CP_STORE_REFUSED] = "refused", [CP_STORE_LOST] = "lost"};
    host->given.message[sizeof host->given.message - 1] = '\0';
    cpi_error(&host->why, CP_ERR_REDIS, answer != CP_STORE_REFUSED, "store: %s",
              host->given.message[0] != '\0' ? host->given.message : words[answer]);
}

cp_store_answer cpi_host_check(struct cpi_host_session *host, cp_store_answer answer)
{
    if (answer == CP_STORE_DONE || answer == CP_STORE_WAIT || answer == CP_STORE_REFUSED || answer == CP_STORE_LOST) {
        return answer;
    }
    snprintf(host->given.message, sizeof host->given.message, "%d is no cp_store_answer", (int)answer);
    return CP_STORE_LOST;
}

cp_store_answer cpi_host_end(struct cpi_host_session *host, cp_store_answer answer)
{
    cpi_pulse_waits(CP_WAIT_NONE);
    answer = cpi_host_check(host, answer);
    if (answer != CP_STORE_DONE) {
        cpi_host_note_why(host, answer);
    }
    if (answer == CP_STORE_LOST) {
        cpi_host_close(host);
    }
    return answer;
}

cp_code cpi_host_code(const struct cpi_host_session *host, cp_store_answer answer, cp_error *err)
{
    return answer == CP_STORE_DONE ? CP_OK
                                   : cpi_error(err, CP_ERR_REDIS, answer != CP_STORE_REFUSED, "%s", host->why.message);
}

/* ---- the session ---- */

void cpi_host_close(struct cpi_host_session *host)
{
    if (host->is_open && host->store->close != NULL) {
        cpi_pulse_waits(CP_WAIT_STORE);
        host->store->close(host->session);
        cpi_pulse_waits(CP_WAIT_NONE);
    }
    host->is_open = false;
}

cp_code cpi_host_open(struct cpi_host_session *host, cp_error *err)
{
    cp_store_answer answer = CP_STORE_DONE;
    cpi_host_close(host);
    host->is_admitted = false;
    host->session = host->store->context;
    if (host->store->open != NULL) {
        cpi_host_begin(host);
        answer = cpi_host_end(host, host->store->open(host->store->context, &host->session, &host->given));
    }
    host->is_open = answer == CP_STORE_DONE;
    return cpi_host_code(host, answer, err);
}

cp_code cpi_host_check_usable(const struct cpi_host_session *host, bool writes, cp_error *err)
{
    if (!host->is_open) {
        return cpi_error(err, CP_ERR_REDIS, true, "store: the session is closed");
    }
    return writes && !host->is_admitted
               ? cpi_error(err, CP_ERR_REDIS, true, "store: this session has not been admitted to write")
               : CP_OK;
}

cp_code cpi_host_fence(struct cpi_host_session *host, const char *group, const char *token, cp_error *err)
{
    if (host->store->fence == NULL) {
        return CP_OK;
    }
    cpi_host_begin(host);
    return cpi_host_code(host, cpi_host_end(host, host->store->fence(host->session, group, token, &host->given)), err);
}

/* ---- keys ---- */

struct finding {
    struct cpi_keys *keys;
    bool fits;
};

static void take_key(void *to, const char *key)
{
    struct finding *finding = to;
    finding->fits = finding->fits && cpi_keys_add(finding->keys, key, strlen(key));
}

cp_code cpi_host_scan(struct cpi_host_session *host, struct cpi_cursor *cursor, struct cpi_keys *keys, cp_error *err)
{
    cpi_keys_clear(keys);
    if (host->store->keys == NULL) { /* all in one page, since the table may change between two */
        cursor->done = true;
        return cpi_kept_keys_copy(host->kept, cursor->pattern, keys) ? CP_OK : cpi_error_memory(err);
    }
    struct finding finding = {.keys = keys, .fits = true};
    uint64_t position = strtoull(cursor->position, NULL, 10);
    cpi_host_begin(host);
    cp_store_answer answer = cpi_host_end(
        host, host->store->keys(host->session, cursor->prefix, &position, take_key, &finding, &host->given));
    if (answer != CP_STORE_DONE) {
        return cpi_host_code(host, answer, err);
    }
    if (!finding.fits) { /* the same page is asked for again */
        return cpi_error_memory(err);
    }
    snprintf(cursor->position, sizeof cursor->position, "%llu", (unsigned long long)position);
    cursor->done = position == 0;
    return CP_OK;
}

/* ---- the marker ---- */

cp_code cpi_host_advance_marker(struct cpi_host_session *host, const char *key, int64_t *number, cp_error *err)
{
    *number = 0;
    if (host->store->advance_marker != NULL) {
        cpi_host_begin(host);
        return cpi_host_code(
            host, cpi_host_end(host, host->store->advance_marker(host->session, key, number, &host->given)), err);
    }
    pthread_mutex_lock(&host->kept->mutex);
    *number = ++host->kept->marker;
    pthread_mutex_unlock(&host->kept->mutex);
    return CP_OK;
}

cp_code cpi_host_write_marker(struct cpi_host_session *host, const char *key, int64_t number, cp_error *err)
{
    if (host->store->write_marker != NULL) {
        cpi_host_begin(host);
        return cpi_host_code(
            host, cpi_host_end(host, host->store->write_marker(host->session, key, number, &host->given)), err);
    }
    pthread_mutex_lock(&host->kept->mutex);
    host->kept->marker = number;
    pthread_mutex_unlock(&host->kept->mutex);
    return CP_OK;
}
