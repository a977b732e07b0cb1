#include "redis/keyspace.h"

#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What SCAN looks at in one call: enough to make round trips few, too little to hold up other clients (well under a
 * millisecond). */
static const char SCAN_COUNT[] = "1000";

cp_code cpi_cursor_init(struct cpi_cursor *cursor, const struct cpi_key *key, bool whole_prefix, cp_error *err)
{
    *cursor = (struct cpi_cursor){.pattern = cpi_key_pattern(key, whole_prefix), .position = "0"};
    return cursor->pattern != NULL ? CP_OK : cpi_error_memory(err);
}

void cpi_cursor_fini(struct cpi_cursor *cursor)
{
    free(cursor->pattern);
    cursor->pattern = NULL;
}

redisReply *cpi_cursor_next(struct cpi_redis *redis, struct cpi_cursor *cursor, cp_error *err)
{
    const char *command[] = {"SCAN", cursor->position, "MATCH", cursor->pattern, "COUNT", SCAN_COUNT};
    redisReply *reply = cpi_redis_command(redis, 6, command, NULL, err);
    if (reply == NULL) {
        return NULL;
    }
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 || reply->element[0]->type != REDIS_REPLY_STRING) {
        freeReplyObject(reply);
        cpi_redis_close(redis);
        cpi_error(err, CP_ERR_REDIS, true, "Redis: SCAN: not the reply this command has");
        return NULL;
    }
    snprintf(cursor->position, sizeof cursor->position, "%s", reply->element[0]->str);
    cursor->done = strcmp(cursor->position, "0") == 0;
    return reply;
}

bool cpi_keyspace_id(const struct cpi_entity *entity, const redisReply *key, union cpi_id *id, bool *out_of_memory)
{
    const char *text = NULL;
    size_t length = 0;
    if (key->type != REDIS_REPLY_STRING || !cpi_key_match(&entity->key, key->str, key->len, &text, &length) ||
        !cpi_id_parse(entity->id_type, text, length, id, out_of_memory)) {
        return false;
    }
    char digits[CPI_ID_NUMBER_BYTES];
    const char *canonical = cpi_id_text(entity->id_type, id, digits);
    if (strlen(canonical) == length && memcmp(canonical, text, length) == 0) {
        return true;
    }
    cpi_id_fini(entity->id_type, id);
    return false;
}

/* UNLINKs those of the keys that begin with the prefix, literally: not even a wrong pattern may cost other data. */
static cp_code unlink_keys(struct cpi_redis *redis, const struct cpi_key *key, const redisReply *keys, uint64_t *count,
                           cp_error *err)
{
    const char **arguments = calloc(keys->elements + 1, sizeof *arguments);
    size_t *lengths = calloc(keys->elements + 1, sizeof *lengths);
    int n = 0;
    cp_code code = CP_OK;
    if (arguments == NULL || lengths == NULL) {
        code = cpi_error_memory(err);
    } else {
        arguments[n] = "UNLINK";
        lengths[n++] = strlen("UNLINK");
    }
    for (size_t i = 0; i < keys->elements && code == CP_OK; i++) {
        const redisReply *element = keys->element[i];
        if (element->len >= key->before_length && memcmp(element->str, key->before, key->before_length) == 0) {
            arguments[n] = element->str;
            lengths[n++] = element->len;
        }
    }
    if (n > 1) {
        redisReply *reply = cpi_redis_command(redis, n, arguments, lengths, err);
        code = reply != NULL ? CP_OK : CP_ERR_REDIS;
        *count += reply != NULL && reply->type == REDIS_REPLY_INTEGER ? (uint64_t)reply->integer : 0;
        if (reply != NULL) {
            freeReplyObject(reply);
        }
    }
    free(arguments);
    free(lengths);
    return code;
}

cp_code cpi_keyspace_flush(struct cpi_redis *redis, const struct cpi_entity *entity, uint64_t *count, cp_error *err)
{
    struct cpi_cursor cursor;
    cp_code code = cpi_cursor_init(&cursor, &entity->key, true, err);
    *count = 0;
    while (code == CP_OK && !cursor.done) {
        redisReply *reply = cpi_cursor_next(redis, &cursor, err);
        if (reply == NULL) {
            code = CP_ERR_REDIS;
            break;
        }
        code = unlink_keys(redis, &entity->key, reply->element[1], count, err);
        freeReplyObject(reply);
    }
    cpi_cursor_fini(&cursor);
    return code;
}
