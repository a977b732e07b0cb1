/*
 * A configuration file's text, and then the validation as a whole that cp_syncer_create() makes. A text that is not an
 * object, and so could only be refused, is taken as NAME=VALUE for cp_config_set() instead.
 */
#include "fuzz.h"

#include "config/config.h"
#include "config/config_internal.h"

/* What a rejected text must not change. A copy of the struct tells a pointer that was replaced; the sum, a string. */
struct state {
    struct cp_config copy;
    uint64_t sum;
};

static uint64_t add_text(uint64_t sum, const char *text)
{
    for (; text != NULL && *text != '\0'; text++) {
        sum = sum * 31 + (unsigned char)*text;
    }
    return sum * 31 + 1;
}

static struct state state_of(const struct cp_config *config)
{
    struct state state = {.sum = 0};
    memcpy(&state.copy, config, sizeof state.copy);
    const char *const strings[] = {config->postgres, config->redis, config->prefix, config->redis_address.host,
                                   config->redis_address.path};
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++) {
        state.sum = add_text(state.sum, strings[i]);
    }
    for (size_t i = 0; i < config->entity_count; i++) {
        const struct cpi_entity *entity = &config->entities[i];
        state.sum = add_text(add_text(state.sum, entity->name), entity->key_template);
        state.sum = add_text(add_text(state.sum, entity->fetch), entity->list);
        for (size_t k = 0; k < entity->channel_count; k++) {
            state.sum = add_text(state.sum, entity->channels[k]);
        }
    }
    return state;
}

static void check_unchanged(const struct cp_config *config, const struct state *before)
{
    struct state now = state_of(config);
    REQUIRE(memcmp(&before->copy, config, sizeof *config) == 0);
    REQUIRE(before->sum == now.sum);
}

/* Functions' names become part of statements: outside of double quotes they may hold nothing but names. */
static void check_function(const char *name)
{
    bool quoted = false;
    REQUIRE(*name != '\0');
    for (; *name != '\0'; name++) {
        quoted = *name == '"' ? !quoted : quoted;
        REQUIRE(quoted || strchr(" ;()'-/*,\\\t\r\n", *name) == NULL);
    }
    REQUIRE(!quoted);
}

/* No key of cachepusher's own may look like a document. */
static void check_marker(const struct cpi_entity *entity)
{
    size_t size = sizeof CPI_MARKER_PREFIX + 1 + entity->key.after_length;
    char *marker = malloc(size);
    REQUIRE(marker != NULL);
    int length = snprintf(marker, size, "%s1%s", CPI_MARKER_PREFIX, entity->key.after);
    const char *id;
    size_t id_length;
    if (cpi_key_match(&entity->key, marker, (size_t)length, &id, &id_length)) {
        union cpi_id parsed;
        bool out_of_memory = false;
        REQUIRE(!cpi_id_parse(entity->id_type, id, id_length, &parsed, &out_of_memory));
    }
    free(marker);
}

static void check_entity(const struct cp_config *config, const struct cpi_entity *entity)
{
    REQUIRE(*entity->name != '\0' && cpi_config_entity(config, entity->name) == entity);
    REQUIRE(entity->channel_count > 0);
    for (size_t i = 0; i < entity->channel_count; i++) {
        size_t length = strlen(entity->channels[i]);
        REQUIRE(length > 0 && length <= 63);
    }
    check_function(entity->fetch); /* a declared one has none, and is refused before */
    if (entity->warmup_procedure != NULL) {
        check_function(entity->warmup_procedure);
    }
    REQUIRE(config->warmup != CPI_WARMUP_TOUCH || entity->warmup_procedure != NULL);
    REQUIRE(*entity->list != '\0' && entity->list[strlen(entity->list) - 1] != ';');
    REQUIRE(entity->ttl_s >= 0);
    REQUIRE(entity->key.before_length > 0);
    check_marker(entity);
}

static void check_settings(const struct cp_config *config)
{
    REQUIRE(config->threads >= 1 && config->threads <= 64);
    REQUIRE(config->batch >= 1 && config->batch <= 10000);
    REQUIRE(config->max_pending >= 1000 && config->max_pending <= 100000000);
    REQUIRE(config->connect_timeout_ms >= 100 && config->fetch_timeout_ms >= 100 && config->redis_timeout_ms >= 100);
    REQUIRE(*config->prefix != '\0');
    REQUIRE((config->redis_address.path == NULL) != (config->redis_address.host == NULL));
}

/* As a whole it may still be refused. When it is not, a syncer may be made of it. */
static void check_finish(struct cp_config *config)
{
    cp_error err;
    cp_code code = cpi_config_finish(config, &err);
    if (code != CP_OK) {
        fuzz_check_error(&err, code, CP_ERR_CONFIG);
        return;
    }
    REQUIRE(config->entity_count > 0);
    check_settings(config);
    for (size_t i = 0; i < config->entity_count; i++) {
        const struct cpi_entity *entity = &config->entities[i];
        check_entity(config, entity);
        for (size_t k = 0; k < i; k++) {
            const struct cpi_entity *other = &config->entities[k];
            REQUIRE(!cpi_key_overlap(&entity->key, entity->id_type, &other->key, other->id_type));
        }
    }
}

static cp_code apply(struct cp_config *config, char *text, cp_error *err)
{
    char *equals = strchr(text, '=');
    if (text[strspn(text, " \t\r\n")] == '{' || equals == NULL) {
        return cp_config_parse(config, text, "FILE", err);
    }
    *equals = '\0';
    return cp_config_set(config, text, equals + 1, err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Made anew only after an input that it has taken: most are refused. */
    static struct cp_config *config;
    static struct state before;
    cp_error err;
    if (config == NULL) {
        config = cp_config_create(&err);
        REQUIRE(config != NULL && cpi_config_finish(config, &err) == CP_OK);
        before = state_of(config);
    }
    char *text = fuzz_text(data, size);
    cp_code code = apply(config, text, &err);
    free(text);
    if (code != CP_OK) {
        fuzz_check_error(&err, code, CP_ERR_CONFIG);
        check_unchanged(config, &before);
        return 0;
    }
    check_finish(config);
    cp_config_destroy(config);
    config = NULL;
    return 0;
}
