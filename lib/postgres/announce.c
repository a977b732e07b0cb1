#include "postgres/announce.h"

#include "base/error.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Postgres refuses 8,000 and more. */
enum { PAYLOAD_BYTES = 7999 };

/* A JSON array under construction. */
struct payload {
    const char *sql; /* that sends it */
    char text[PAYLOAD_BYTES + 1];
    size_t length;
};

/* Statements that send a payload, $2, on a channel, $1. */
static const char by_notify[] = "select pg_catalog.pg_notify($1, $2)";
static const char by_message[] =
    "select pg_catalog.pg_logical_emit_message(true, pg_catalog.concat('cachepusher:', $1::pg_catalog.text),"
    " $2::pg_catalog.text)";

static cp_code notify(struct cpi_pg *pg, const char *sql, const struct cpi_entity *entity, const char *payload,
                      cp_error *err)
{
    struct cpi_pg_parameter parameters[] = {{.value = entity->channels[0]}, {.value = payload}};
    struct cpi_rows *result = cpi_pg_query(pg, sql, parameters, 2, false, err);
    cpi_rows_free(result);
    return result != NULL ? CP_OK : CP_ERR_POSTGRES;
}

static cp_code announce_send(struct cpi_pg *pg, const struct cpi_entity *entity, struct payload *payload, cp_error *err)
{
    if (payload->length == 0) {
        return CP_OK;
    }
    payload->text[payload->length++] = ']';
    payload->text[payload->length] = '\0';
    payload->length = 0;
    return notify(pg, payload->sql, entity, payload->text, err);
}

/* The id as JSON, from malloc. */
static char *quote(enum cpi_id_type type, const union cpi_id *id)
{
    json_t *value = cpi_id_is_text(type) ? json_string(id->text) : json_integer(id->number);
    char *text = value != NULL ? json_dumps(value, JSON_ENCODE_ANY) : NULL;
    json_decref(value);
    return text;
}

static cp_code announce_add(struct cpi_pg *pg, const struct cpi_entity *entity, struct payload *payload,
                            const union cpi_id *id, cp_error *err)
{
    char *text = quote(entity->id_type, id);
    if (text == NULL) {
        return cpi_error_memory(err);
    }
    cp_code code = CP_OK;
    size_t length = strlen(text);
    if (length + 2 > PAYLOAD_BYTES) {
        free(text);
        return notify(pg, payload->sql, entity, "*", err);
    }
    if (payload->length + 1 + length + 1 > PAYLOAD_BYTES) {
        code = announce_send(pg, entity, payload, err);
    }
    payload->text[payload->length] = payload->length == 0 ? '[' : ',';
    memcpy(payload->text + payload->length + 1, text, length);
    payload->length += 1 + length;
    free(text);
    return code;
}

static cp_code announce_ids(struct cpi_pg *pg, const char *sql, const struct cpi_entity *entities,
                            const struct cpi_event *first, size_t stride, size_t count, cp_error *err)
{
    struct payload payload = {.sql = sql};
    const struct cpi_entity *entity = NULL;
    cp_code code = CP_OK;
    for (size_t i = 0; i < count && code == CP_OK; i++) {
        const struct cpi_event *event = (const void *)((const char *)first + i * stride);
        if (entity != NULL && entity != &entities[event->entity]) {
            code = announce_send(pg, entity, &payload, err);
        }
        entity = &entities[event->entity];
        code = code == CP_OK ? announce_add(pg, entity, &payload, &event->id, err) : code;
    }
    return code == CP_OK && entity != NULL ? announce_send(pg, entity, &payload, err) : code;
}

static cp_code announce_everything(struct cpi_pg *pg, const char *sql, const struct cpi_entity *entities, size_t count,
                                   cp_error *err)
{
    cp_code code = CP_OK;
    for (size_t e = 0; e < count && code == CP_OK; e++) {
        code =
            notify(pg, sql, &entities[e], "**", err); /* "*" would be the word for deleting everything, see share.h */
    }
    return code;
}

static cp_code notify_ids(struct cpi_pg *pg, const struct cpi_entity *entities, const struct cpi_event *first,
                          size_t stride, size_t count, cp_error *err)
{
    return announce_ids(pg, by_notify, entities, first, stride, count, err);
}

static cp_code notify_everything(struct cpi_pg *pg, const struct cpi_entity *entities, size_t count, cp_error *err)
{
    return announce_everything(pg, by_notify, entities, count, err);
}

static cp_code write_ids(struct cpi_pg *pg, const struct cpi_entity *entities, const struct cpi_event *first,
                         size_t stride, size_t count, cp_error *err)
{
    return announce_ids(pg, by_message, entities, first, stride, count, err);
}

static cp_code write_everything(struct cpi_pg *pg, const struct cpi_entity *entities, size_t count, cp_error *err)
{
    return announce_everything(pg, by_message, entities, count, err);
}

const struct cpi_announcer cpi_announce_by_notify = {
    .by_hand = "select pg_notify('", .ids = notify_ids, .everything = notify_everything};
const struct cpi_announcer cpi_announce_by_message = {
    .by_hand = "select pg_logical_emit_message(true, 'cachepusher:", .ids = write_ids, .everything = write_everything};
