#include "source/checkpoint_text.h"

#include "source/wal/frames.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the head ---- */

static uint64_t mix_text(uint64_t hash, const char *text)
{
    union cpi_id id = {.text = (char *)(uintptr_t)(text != NULL ? text : "")};
    return hash * 31 + cpi_id_hash(CPI_ID_TEXT, &id, 0);
}

/* Documents made with another configuration may be other ones, and events from other tables. */
static uint64_t mix_watch(uint64_t hash, const struct cpi_watch *watch)
{
    hash = mix_text(hash, watch->table);
    for (size_t i = 0; i < watch->columns.count; i++) {
        hash = mix_text(hash, watch->columns.items[i]);
    }
    return watch->maps != NULL ? mix_text(hash, watch->maps) : hash;
}

static uint64_t digest(const struct cp_config *config)
{
    char publication[CPI_SLOT_BYTES];
    cpi_config_publication(config, publication);
    uint64_t hash = mix_text((uint64_t)config->source_announce, publication);
    for (size_t e = 0; e < config->entity_count; e++) {
        const struct cpi_entity *entity = &config->entities[e];
        hash = mix_text(mix_text(hash, entity->name), entity->fetch);
        hash = mix_text(mix_text(hash, entity->key.before), entity->key.after);
        hash = mix_text(hash, entity->list) * 31 + (uint64_t)entity->id_type * 2 + entity->fetch_many;
        hash = hash * 31 + (uint64_t)entity->ttl_s;
        for (size_t i = 0; i < entity->channel_count; i++) {
            hash = mix_text(hash, entity->channels[i]);
        }
        for (size_t i = 0; i < entity->watch_count; i++) {
            hash = mix_watch(hash, &entity->watch[i]);
        }
    }
    return hash;
}

void cpi_checkpoint_print_head(const struct cp_config *config, const char *identity, uint64_t fingerprint,
                               char head[CPI_CHECKPOINT_HEAD_BYTES])
{
    snprintf(head, CPI_CHECKPOINT_HEAD_BYTES, "2 %s %016llx %016llx ", identity, (unsigned long long)digest(config),
             (unsigned long long)fingerprint);
}

/* ---- the whole ---- */

char *cpi_checkpoint_print(const char *head, uint64_t position, const char *failing)
{
    char lsn[CPI_LSN_TEXT_BYTES];
    size_t size = strlen(head) + sizeof lsn + 1 + strlen(failing) + 1;
    char *text = malloc(size);
    if (text != NULL) {
        snprintf(text, size, "%s%s %s", head, cpi_lsn_print(position, lsn), failing);
    }
    return text;
}

bool cpi_checkpoint_read(const char *text, const char *head, uint64_t *position, const char **failing)
{
    char lsn[CPI_LSN_TEXT_BYTES];
    size_t length = strlen(head);
    if (strncmp(text, head, length) != 0) {
        return false;
    }
    size_t lsn_length = strcspn(text + length, " ");
    if (lsn_length >= sizeof lsn || text[length + lsn_length] != ' ') {
        return false;
    }
    memcpy(lsn, text + length, lsn_length);
    lsn[lsn_length] = '\0';
    *failing = text + length + lsn_length + 1;
    return cpi_lsn_parse(lsn, position);
}

/* The parts of a head, in order. */
enum part { FORMAT, SYSTEM, SLOT, PUBLISHED, SINCE, CONFIGURATION, CATALOG, PARTS };

/* The beginning of a part, which ends with a blank. NULL: there are not so many. */
static const char *find_part(const char *text, enum part part)
{
    for (int i = 0; i < (int)part && text != NULL; i++) {
        text = strchr(text, ' ');
        text = text != NULL ? text + 1 : NULL;
    }
    return text;
}

static bool same_part(const char *a, const char *b, enum part part)
{
    a = find_part(a, part);
    b = find_part(b, part);
    size_t length = a != NULL ? strcspn(a, " ") : 0;
    return a != NULL && b != NULL && strncmp(a, b, length) == 0 && b[length] == ' ';
}

const char *cpi_checkpoint_difference(const char *text, const char *head)
{
    static const char *const names[PARTS] = {
        [FORMAT] = "the checkpoint in Redis is of another version",
        [SYSTEM] = "this is another Postgres than the checkpoint's, or was promoted",
        [SLOT] = "the checkpoint in Redis is another slot's",
        [PUBLISHED] = "what is published, or what watched tables tell of old rows, has changed",
        [SINCE] = "Postgres has crashed, or its statistics were reset",
        [CONFIGURATION] = "the configuration has changed",
        [CATALOG] = "what documents hang on has changed",
    };
    for (int part = 0; part < (int)PARTS; part++) {
        if (!same_part(head, text, (enum part)part)) {
            return names[part];
        }
    }
    return "the checkpoint in Redis cannot be read";
}

bool cpi_checkpoint_is_of(const char *text, const struct cp_config *config)
{
    char head[CPI_CHECKPOINT_HEAD_BYTES];
    cpi_checkpoint_print_head(config, "- - - -", 0, head);
    return same_part(head, text, FORMAT) && same_part(head, text, CONFIGURATION);
}

/* ---- the ids ---- */

static bool add_failing(json_t *object, const struct cpi_entity *entity, const union cpi_id *id)
{
    json_t *ids = json_object_get(object, entity->name);
    if (ids == NULL) {
        ids = json_array();
        if (json_object_set_new(object, entity->name, ids) != 0) {
            return false;
        }
    }
    json_t *value = cpi_id_is_text(entity->id_type) ? json_string(id->text) : json_integer(id->number);
    return json_array_append_new(ids, value) == 0;
}

char *cpi_checkpoint_print_failing(const struct cp_config *config, const struct cpi_lanes *lanes)
{
    json_t *object = json_object();
    bool fine = object != NULL;
    for (uint32_t l = 0; l < lanes->count && fine; l++) {
        const struct cpi_events *failing = cpi_lane_failing(&lanes->items[l]);
        for (size_t i = 0; i < failing->count && fine; i++) {
            const struct cpi_event *event = &failing->items[i];
            fine = add_failing(object, &config->entities[event->entity], &event->id);
        }
    }
    char *text = fine ? json_dumps(object, JSON_SORT_KEYS) : NULL;
    json_decref(object);
    if (text != NULL && strlen(text) > CPI_CHECKPOINT_TEXT_MAX - CPI_CHECKPOINT_HEAD_BYTES - CPI_LSN_TEXT_BYTES) {
        free(text);
        return NULL;
    }
    return text;
}

static bool read_ids(const struct cp_config *config, uint32_t e, const json_t *ids, struct cpi_events *events)
{
    struct cpi_unread unread;
    char *payload = json_is_array(ids) ? json_dumps(ids, 0) : NULL;
    bool fine = payload != NULL &&
                cpi_event_parse(&config->entities[e], e, payload, events, config->entities, &unread) == CPI_PAYLOAD_IDS;
    free(payload);
    return fine && unread.impossible + unread.unreadable == 0;
}

bool cpi_checkpoint_read_failing(const struct cp_config *config, const char *failing, struct cpi_events *events)
{
    json_t *object = json_loads(failing, 0, NULL);
    bool fine = json_is_object(object);
    size_t found = 0;
    for (uint32_t e = 0; e < config->entity_count && fine; e++) {
        const json_t *ids = json_object_get(object, config->entities[e].name);
        found += ids != NULL;
        fine = ids == NULL || read_ids(config, e, ids, events);
    }
    fine = fine && found == json_object_size(object);
    json_decref(object);
    return fine;
}
