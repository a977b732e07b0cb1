#include "source/wal_rows.h"

#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char message_prefix[] = "cachepusher:";

/* ---- rows ---- */

static size_t unpadded(const char *bytes, size_t length)
{
    while (length > 0 && bytes[length - 1] == ' ') {
        length--;
    }
    return length;
}

static void note_no_id(struct cpi_wal_changes *changes, const struct cpi_entity *entity,
                       const struct cpi_wal_value *value)
{
    char shown[64];
    snprintf(shown, sizeof shown, "%.*s", value->length < sizeof shown ? (int)value->length : (int)sizeof shown - 1,
             value->bytes);
    cpi_stats_add(changes->env->stats, CPI_STAT_UNREADABLE, 1);
    cpi_log_repeated(&changes->env->log, CPI_REPEAT_PAYLOAD, NULL, CP_LOG_WARN,
                     &(struct cpi_log_about){.entity = entity->name},
                     "entity \"%s\": a row has \"%.*s\", which is not a valid %s id; left out", entity->name,
                     cpi_shown(shown), shown, cpi_id_type_name(entity->id_type));
}

/* Whether a text has bytes that mean something else than in UTF-8, even where they look like that. */
static bool is_foreign(const struct cpi_wal_changes *changes, const char *bytes, size_t length)
{
    for (size_t i = 0; changes->is_foreign && i < length; i++) {
        if ((unsigned char)bytes[i] >= 0x80) {
            return true;
        }
    }
    return false;
}

/* It names a document, and nobody here can tell which. */
static void note_foreign(struct cpi_wal_changes *changes, uint32_t e, const char *what)
{
    cpi_stats_add(changes->env->stats, CPI_STAT_UNREADABLE, 1);
    cpi_log_repeated(&changes->env->log, CPI_REPEAT_FOREIGN, NULL, CP_LOG_WARN,
                     &(struct cpi_log_about){.entity = changes->env->config->entities[e].name},
                     "entity \"%s\": %s beyond ASCII cannot be read in a database whose encoding is not UTF8: "
                     "requesting a resync",
                     changes->env->config->entities[e].name, what);
    cpi_wal_changes_mark(changes, e, CPI_WAL_UNREADABLE);
}

static void add_value(struct cpi_wal_changes *changes, const struct cpi_wal_route *route,
                      const struct cpi_wal_value *value)
{
    const struct cpi_entity *entity = &changes->env->config->entities[route->entity];
    union cpi_id id;
    bool no_memory = false;
    if (entity->id_type == CPI_ID_TEXT && is_foreign(changes, value->bytes, value->length)) {
        note_foreign(changes, route->entity, "an id");
    } else if (cpi_id_parse(entity->id_type, value->bytes, value->length, &id, &no_memory)) {
        cpi_wal_changes_add(changes, route->entity, id);
    } else if (no_memory) {
        cpi_wal_changes_mark(changes, route->entity, CPI_WAL_LOST);
    } else {
        note_no_id(changes, entity, value);
    }
}

static struct cpi_wal_value value_at(struct cpi_items row, int column)
{
    struct cpi_wal_value value = {.kind = CPI_WAL_VALUE_NULL};
    for (int i = 0; i <= column; i++) {
        if (!cpi_pgoutput_value(&row, &value)) {
            return (struct cpi_wal_value){.kind = CPI_WAL_VALUE_UNCHANGED}; /* fewer columns than were announced */
        }
    }
    return value;
}

static bool equal(const struct cpi_wal_value *a, const struct cpi_wal_value *b)
{
    return a->kind == b->kind && a->length == b->length &&
           (a->length == 0 || memcmp(a->bytes, b->bytes, a->length) == 0);
}

/* The value of one of the id's columns. What a statement did not touch is as in the old row, if that is known. */
static struct cpi_wal_value part_at(const struct cpi_items *row, const struct cpi_items *old_row,
                                    const struct cpi_wal_id_column *column)
{
    struct cpi_wal_value value = value_at(*row, column->place);
    if (value.kind == CPI_WAL_VALUE_UNCHANGED && old_row != NULL) {
        value = value_at(*old_row, column->place);
    }
    if (column->is_padded && value.kind == CPI_WAL_VALUE_TEXT) {
        value.length = unpadded(value.bytes, value.length);
    }
    return value;
}

static char *put_escaped(char *out, const struct cpi_wal_value *value)
{
    for (size_t i = 0; i < value->length; i++) {
        char byte = value->bytes[i];
        if (byte == '%' || byte == ':') {
            *out++ = '%';
            *out++ = byte == '%' ? '2' : '3';
            *out++ = byte == '%' ? '5' : 'A';
        } else {
            *out++ = byte;
        }
    }
    return out;
}

/* The id that a row has: null if one of several columns is, which then are one text. *made is for that; it has to be
 * freed. Without memory the documents that the row belongs to are lost. */
static struct cpi_wal_value id_at(struct cpi_wal_changes *changes, const struct cpi_wal_route *route,
                                  const struct cpi_items *row, const struct cpi_items *old_row, char **made)
{
    struct cpi_wal_value parts[CPI_ID_COLUMNS_MAX];
    struct cpi_wal_value id = {.kind = CPI_WAL_VALUE_TEXT};
    size_t size = 0;
    for (size_t i = 0; i < route->column_count; i++) {
        parts[i] = part_at(row, old_row, &route->columns[i]);
        size += 3 * parts[i].length + 1;
        if (parts[i].kind == CPI_WAL_VALUE_NULL || id.kind == CPI_WAL_VALUE_TEXT) {
            id.kind = parts[i].kind;
        }
    }
    if (route->column_count == 1 || id.kind != CPI_WAL_VALUE_TEXT) {
        return route->column_count == 1 ? parts[0] : id;
    }
    char *out = *made = malloc(size);
    if (out == NULL) {
        cpi_wal_changes_mark(changes, route->entity, CPI_WAL_LOST);
        return (struct cpi_wal_value){.kind = CPI_WAL_VALUE_NULL};
    }
    for (size_t i = 0; i < route->column_count; i++) {
        out = put_escaped(out, &parts[i]);
        *out++ = ':';
    }
    id.bytes = *made;
    id.length = (size_t)(out - *made) - 1;
    return id;
}

/* Whether an update has changed nothing that documents read, as far as its old row tells. */
static bool is_unread(const struct cpi_wal_route *route, const struct cpi_pgoutput *message)
{
    struct cpi_items old_row = message->row.old_row;
    struct cpi_items new_row = message->row.new_row;
    struct cpi_wal_value old;
    struct cpi_wal_value now;
    if (message->kind != CPI_PGOUTPUT_UPDATE || message->row.has_old != CPI_OLD_FULL || route->counts == NULL) {
        return false;
    }
    for (size_t i = 0; i < route->counts_count; i++) {
        if (!cpi_pgoutput_value(&old_row, &old) || !cpi_pgoutput_value(&new_row, &now)) {
            return false; /* fewer columns than were announced */
        }
        if (route->counts[i] && now.kind != CPI_WAL_VALUE_UNCHANGED && !equal(&now, &old)) {
            return false;
        }
    }
    return true;
}

/* The documents that the row named before cannot be told. */
static void note_blind(struct cpi_wal_changes *changes, const struct cpi_wal_route *route)
{
    const struct cpi_entity *entity = &changes->env->config->entities[route->entity];
    cpi_stats_add(changes->env->stats, CPI_STAT_UNREADABLE, 1);
    cpi_log_repeated(
        &changes->env->log, CPI_REPEAT_BLIND, NULL, CP_LOG_WARN, &(struct cpi_log_about){.entity = entity->name},
        "entity \"%s\": a watched table does not tell which document a changed row belonged to (its replica "
        "identity, or its columns, have changed): requesting a resync; cachepusher setup mends it",
        entity->name);
    cpi_wal_changes_mark(changes, route->entity, CPI_WAL_UNREADABLE);
}

static void take_new(struct cpi_wal_changes *changes, const struct cpi_wal_route *route, struct cpi_wal_value value,
                     const struct cpi_wal_value *old)
{
    if (value.kind == CPI_WAL_VALUE_UNCHANGED && old == NULL) {
        note_blind(changes, route);
    } else if (value.kind == CPI_WAL_VALUE_TEXT && (old == NULL || !equal(&value, old))) {
        add_value(changes, route, &value);
    }
}

/* An update tells the old values of the identity only when one of them has changed. */
static void take_row(struct cpi_wal_changes *changes, const struct cpi_wal_route *route,
                     const struct cpi_pgoutput *message)
{
    bool has_old = message->row.has_old == CPI_OLD_FULL || (message->row.has_old == CPI_OLD_KEY && route->in_identity);
    bool is_same = message->kind == CPI_PGOUTPUT_UPDATE && message->row.has_old == CPI_OLD_NONE && route->in_identity;
    bool is_insert = message->kind == CPI_PGOUTPUT_INSERT;
    if (route->column_count == 0 || (!is_insert && !has_old && !is_same)) {
        note_blind(changes, route);
    }
    if (route->column_count == 0) {
        return;
    }
    const struct cpi_items *old_row = has_old ? &message->row.old_row : NULL;
    struct cpi_wal_value old = {.kind = CPI_WAL_VALUE_NULL};
    char *made[2] = {NULL, NULL};
    if (has_old) {
        old = id_at(changes, route, old_row, NULL, &made[0]);
    }
    if (old.kind == CPI_WAL_VALUE_TEXT) {
        add_value(changes, route, &old);
    }
    if (message->kind != CPI_PGOUTPUT_DELETE) {
        struct cpi_wal_value now = id_at(changes, route, &message->row.new_row, old_row, &made[1]);
        take_new(changes, route, now, has_old ? &old : NULL);
    }
    free(made[0]);
    free(made[1]);
}

static void find_routes(struct cpi_wal_changes *changes, uint32_t relid)
{
    if (changes->relid != relid) {
        changes->routes = cpi_wal_tables_find(&changes->tables, relid, &changes->route_count);
        changes->relid = relid;
    }
}

void cpi_wal_take_rows(struct cpi_wal_changes *changes, const struct cpi_pgoutput *message)
{
    find_routes(changes, message->row.relid);
    for (size_t i = 0; i < changes->route_count; i++) {
        if (is_unread(&changes->routes[i], message)) {
            cpi_stats_add(changes->env->stats, CPI_STAT_UNREAD, 1);
        } else {
            take_row(changes, &changes->routes[i], message);
        }
    }
}

void cpi_wal_take_truncate(struct cpi_wal_changes *changes, const struct cpi_pgoutput *message)
{
    struct cpi_items relids = message->truncate.relids;
    uint32_t relid;
    while (cpi_pgoutput_relid(&relids, &relid)) {
        find_routes(changes, relid);
        for (size_t i = 0; i < changes->route_count; i++) {
            cpi_wal_changes_mark(changes, changes->routes[i].entity, CPI_WAL_EVERYTHING);
        }
    }
}

/* ---- messages ---- */

static void take_payload(struct cpi_wal_changes *changes, uint32_t e, const char *channel, const char *payload)
{
    const struct cpi_entity *entities = changes->env->config->entities;
    struct cpi_events events = {0};
    struct cpi_unread unread;
    switch (cpi_event_parse(&entities[e], e, payload, &events, entities, &unread)) {
    case CPI_PAYLOAD_IDS:
        for (size_t i = 0; i < events.count; i++) {
            cpi_wal_changes_add(changes, e, events.items[i].id);
        }
        events.count = 0;
        if (unread.impossible + unread.unreadable > 0) {
            cpi_stats_add(changes->env->stats, CPI_STAT_BAD_PAYLOADS, 1);
            cpi_stats_add(changes->env->stats, CPI_STAT_UNREADABLE, unread.impossible + unread.unreadable);
            cpi_log_repeated(&changes->env->log, CPI_REPEAT_PAYLOAD, NULL, CP_LOG_WARN,
                             &(struct cpi_log_about){.entity = entities[e].name},
                             "channel %s: message \"%.*s\": \"%s\" is not a valid %s id; %s", channel,
                             cpi_shown(payload), payload, unread.first, cpi_id_type_name(entities[e].id_type),
                             unread.unreadable > 0 ? "requesting a resync" : "left out");
        }
        if (unread.unreadable > 0) {
            cpi_wal_changes_mark(changes, e, CPI_WAL_UNREADABLE);
        }
        break;
    case CPI_PAYLOAD_EVERYTHING:
        cpi_wal_changes_mark(changes, e, CPI_WAL_EVERYTHING);
        break;
    case CPI_PAYLOAD_AGAIN:
        cpi_wal_changes_mark(changes, e, CPI_WAL_AGAIN);
        break;
    case CPI_PAYLOAD_NO_MEMORY:
        cpi_wal_changes_mark(changes, e, CPI_WAL_LOST);
        break;
    }
    cpi_events_fini(&events, entities);
}

/* One of a foreign name may be any of ours that has such a name. */
static bool has_channel(const struct cpi_wal_changes *changes, const struct cpi_entity *entity, const char *channel)
{
    bool foreign = is_foreign(changes, channel, strlen(channel));
    for (size_t c = 0; c < entity->channel_count; c++) {
        const char *own = entity->channels[c];
        if (foreign ? is_foreign(changes, own, strlen(own)) : strcmp(own, channel) == 0) {
            return true;
        }
    }
    return false;
}

static void take_of_channel(struct cpi_wal_changes *changes, uint32_t e, const char *channel, const char *payload)
{
    bool is_text = changes->env->config->entities[e].id_type == CPI_ID_TEXT;
    if (payload == NULL) {
        cpi_wal_changes_mark(changes, e, CPI_WAL_LOST);
    } else if (is_foreign(changes, channel, strlen(channel)) ||
               (is_text && is_foreign(changes, payload, strlen(payload)))) {
        note_foreign(changes, e, "a message");
    } else {
        take_payload(changes, e, channel, payload);
    }
}

/* A text of its own, since the content ends in no NUL (strndup() would do, but AddressSanitizer's
 * strict_string_checks takes its argument for a string). NULL without memory. */
static char *text_of(const char *content, size_t length)
{
    char *text = malloc(length + 1);
    if (text != NULL) {
        memcpy(text, content, length);
        text[length] = '\0';
    }
    return text;
}

void cpi_wal_take_message(struct cpi_wal_changes *changes, const struct cpi_pgoutput *message)
{
    const struct cp_config *config = changes->env->config;
    const char *channel = message->message.prefix + sizeof message_prefix - 1;
    if (strncmp(message->message.prefix, message_prefix, sizeof message_prefix - 1) != 0) {
        return;
    }
    char *payload = text_of(message->message.content, message->message.length);
    if (payload != NULL && strcmp(channel, changes->env->channel) == 0) {
        cpi_wal_changes_barrier(changes, strtoll(payload, NULL, 10));
    }
    for (uint32_t e = 0; e < config->entity_count + config->mapping_count; e++) {
        if (has_channel(changes, &config->entities[e], channel)) {
            take_of_channel(changes, e, channel, payload);
        }
    }
    free(payload);
}
