/* NULL for each pointer of each public function: nothing crashes, and what is no harmless meaning is said. */
#include "suites.h"

#include <ctype.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the calls below are made with, besides NULL. */
struct world {
    cp_config *config;
    cp_syncer *syncer;  /* not started */
    cp_syncer *stopped; /* before it was started */
    char text[64];
    cp_watch watch;
    cp_declaration declaration;
    cp_stats stats;
    cp_histogram histogram;
    cp_entity_stats entity;
    cp_lane lane;
    cp_thread thread;
    cp_health health;
    cp_verify_result result;
    cp_ticket ticket;
    uint64_t more;
    cp_results *results;
    cp_results_usage usage;
};

static void visit_nothing(void *context, const cp_parked *parked)
{
    (void)context;
    (void)parked;
}

static cp_code code_of(const void *made, const cp_error *err)
{
    return made != NULL ? CP_OK : err != NULL ? err->code : CP_ERR_ARGUMENT;
}

static cp_code make_results(cp_error *err)
{
    cp_results *results = cp_results_create(NULL, err);
    cp_results_destroy(results);
    return code_of(results, err);
}

static cp_code make_and_destroy(cp_error *err)
{
    cp_config *config = cp_config_create(err);
    cp_syncer *syncer = cp_syncer_create(config, NULL, err);
    cp_syncer_destroy(syncer);
    return code_of(syncer, err);
}

/* Function, argument, a call with NULL for it, its code, and what the message names. err is NULL in every second round
 * of all of them. */
#define CASES(X)                                                                                                       \
    X(cp_config_load, config, cp_config_load(NULL, "/nonexistent", err), CP_ERR_ARGUMENT, "load: config")              \
    X(cp_config_load, path, cp_config_load(w->config, NULL, err), CP_ERR_ARGUMENT, "load: path")                       \
    X(cp_config_parse, config, cp_config_parse(NULL, "{}", "test", err), CP_ERR_ARGUMENT, "parse: config")             \
    X(cp_config_parse, json, cp_config_parse(w->config, NULL, "test", err), CP_ERR_ARGUMENT, "parse: json")            \
    X(cp_config_parse, name, cp_config_parse(w->config, "{}", NULL, err), CP_ERR_ARGUMENT, "parse: name")              \
    X(cp_config_set, config, cp_config_set(NULL, "prefix", "x", err), CP_ERR_ARGUMENT, "set: config")                  \
    X(cp_config_set, name, cp_config_set(w->config, NULL, "x", err), CP_ERR_ARGUMENT, "set: name")                     \
    X(cp_config_set, value, cp_config_set(w->config, "prefix", NULL, err), CP_ERR_ARGUMENT, "set: value")              \
    X(cp_config_watch, config, cp_config_watch(NULL, 0, &w->watch, err), CP_ERR_ARGUMENT, "watch: config")             \
    X(cp_config_watch, watch, cp_config_watch(w->config, 0, NULL, err), CP_ERR_ARGUMENT, "cp_watch")                   \
    X(cp_config_declaration, config, cp_config_declaration(NULL, 0, &w->declaration, err), CP_ERR_ARGUMENT,            \
      "declaration: config")                                                                                           \
    X(cp_config_declaration, declaration, cp_config_declaration(w->config, 0, NULL, err), CP_ERR_ARGUMENT,             \
      "cp_declaration")                                                                                                \
    X(cp_config_resolve, config, cp_config_resolve(NULL, err), CP_ERR_ARGUMENT, "resolve: config")                     \
    X(cp_config_apply, config, cp_config_apply(NULL, 0, "{}", err), CP_ERR_ARGUMENT, "apply: config")                  \
    X(cp_config_apply, resolved, cp_config_apply(w->config, 0, NULL, err), CP_ERR_ARGUMENT, "apply: resolved")         \
    X(cp_config_get, config, cp_config_get(NULL, "prefix", w->text, sizeof w->text, err), CP_ERR_ARGUMENT,             \
      "get: config")                                                                                                   \
    X(cp_config_get, name, cp_config_get(w->config, NULL, w->text, sizeof w->text, err), CP_ERR_ARGUMENT, "get: name") \
    X(cp_config_get, value, cp_config_get(w->config, "prefix", NULL, 64, err), CP_ERR_ARGUMENT, "get: value")          \
    X(cp_config_same, config, cp_config_same(NULL, w->config, "prefix") ? CP_ERR_SYSTEM : CP_OK, CP_OK, NULL)          \
    X(cp_config_same, other, cp_config_same(w->config, NULL, "prefix") ? CP_ERR_SYSTEM : CP_OK, CP_OK, NULL)           \
    X(cp_config_same, name, cp_config_same(w->config, w->config, NULL) ? CP_ERR_SYSTEM : CP_OK, CP_OK, NULL)           \
    X(cp_config_password, config, cp_config_password(NULL, "redis_password_file", w->text, sizeof w->text, err),       \
      CP_ERR_ARGUMENT, "password: config")                                                                             \
    X(cp_config_password, name, cp_config_password(w->config, NULL, w->text, sizeof w->text, err), CP_ERR_ARGUMENT,    \
      "password: name")                                                                                                \
    X(cp_config_password, value, cp_config_password(w->config, "redis_password_file", NULL, 64, err), CP_ERR_ARGUMENT, \
      "password: value")                                                                                               \
    X(cp_config_destroy, config, (cp_config_destroy(NULL), CP_OK), CP_OK, NULL)                                        \
    X(cp_syncer_create, config, code_of(cp_syncer_create(NULL, NULL, err), err), CP_ERR_ARGUMENT, "create: config")    \
    X(cp_syncer_create, callbacks, make_and_destroy(err), CP_OK, NULL)                                                 \
    X(cp_syncer_start, syncer, cp_syncer_start(NULL, err), CP_ERR_ARGUMENT, "syncer")                                  \
    X(cp_syncer_wait_ready, syncer, cp_syncer_wait_ready(NULL, -1, err), CP_ERR_ARGUMENT, "syncer")                    \
    X(cp_syncer_enqueue, syncer, cp_syncer_enqueue(NULL, "customer", "1", err), CP_ERR_ARGUMENT, "syncer")             \
    X(cp_syncer_enqueue, entity, cp_syncer_enqueue(w->syncer, NULL, "1", err), CP_ERR_ARGUMENT, "enqueue: entity")     \
    X(cp_syncer_enqueue, id, cp_syncer_enqueue(w->syncer, "customer", NULL, err), CP_ERR_ARGUMENT, "enqueue: id")      \
    X(cp_syncer_enqueue_rows, syncer, cp_syncer_enqueue_rows(NULL, "customer", "t", "1", err), CP_ERR_ARGUMENT,        \
      "syncer")                                                                                                        \
    X(cp_syncer_enqueue_rows, entity, cp_syncer_enqueue_rows(w->syncer, NULL, "t", "1", err), CP_ERR_ARGUMENT,         \
      "rows: entity")                                                                                                  \
    X(cp_syncer_enqueue_rows, table, cp_syncer_enqueue_rows(w->syncer, "customer", NULL, "1", err), CP_ERR_ARGUMENT,   \
      "rows: table")                                                                                                   \
    X(cp_syncer_enqueue_rows, value, cp_syncer_enqueue_rows(w->syncer, "customer", "t", NULL, err), CP_ERR_ARGUMENT,   \
      "rows: value")                                                                                                   \
    X(cp_syncer_resync, syncer, cp_syncer_resync(NULL, "customer", err), CP_ERR_ARGUMENT, "syncer")                    \
    X(cp_syncer_resync, entity, cp_syncer_resync(w->syncer, NULL, err), CP_OK, NULL)                                   \
    X(cp_syncer_stop, syncer, cp_syncer_stop(NULL, 0, err), CP_ERR_ARGUMENT, "syncer")                                 \
    X(cp_syncer_destroy, syncer, (cp_syncer_destroy(NULL), CP_OK), CP_OK, NULL)                                        \
    X(cp_syncer_ticket, syncer, cp_syncer_ticket(NULL, &w->ticket, err), CP_ERR_ARGUMENT, "syncer")                    \
    X(cp_syncer_ticket, ticket, cp_syncer_ticket(w->syncer, NULL, err), CP_ERR_ARGUMENT, "ticket: ticket")             \
    X(cp_syncer_wait, syncer, cp_syncer_wait(NULL, 1, -1, err), CP_ERR_ARGUMENT, "syncer")                             \
    X(cp_syncer_enqueue_wait, syncer, cp_syncer_enqueue_wait(NULL, "customer", "1", -1, err), CP_ERR_ARGUMENT,         \
      "syncer")                                                                                                        \
    X(cp_syncer_enqueue_wait, entity, cp_syncer_enqueue_wait(w->syncer, NULL, "1", -1, err), CP_ERR_ARGUMENT,          \
      "entity")                                                                                                        \
    X(cp_syncer_enqueue_wait, id, cp_syncer_enqueue_wait(w->syncer, "customer", NULL, -1, err), CP_ERR_ARGUMENT, "id") \
    X(cp_syncer_stats, syncer, cp_syncer_stats(NULL, &w->stats, err), CP_ERR_ARGUMENT, "syncer")                       \
    X(cp_syncer_stats, stats, cp_syncer_stats(w->syncer, NULL, err), CP_ERR_ARGUMENT, "cp_stats")                      \
    X(cp_syncer_stat, syncer, cp_syncer_stat(NULL, 0) == 0 ? CP_OK : CP_ERR_SYSTEM, CP_OK, NULL)                       \
    X(cp_syncer_histogram, syncer, cp_syncer_histogram(NULL, 0, &w->histogram, err), CP_ERR_ARGUMENT, "syncer")        \
    X(cp_syncer_histogram, histogram, cp_syncer_histogram(w->syncer, 0, NULL, err), CP_ERR_ARGUMENT, "cp_histogram")   \
    X(cp_syncer_entity, syncer, cp_syncer_entity(NULL, 0, &w->entity, err), CP_ERR_ARGUMENT, "syncer")                 \
    X(cp_syncer_entity, stats, cp_syncer_entity(w->syncer, 0, NULL, err), CP_ERR_ARGUMENT, "cp_entity_stats")          \
    X(cp_syncer_lane, syncer, cp_syncer_lane(NULL, 0, &w->lane, err), CP_ERR_ARGUMENT, "syncer")                       \
    X(cp_syncer_lane, lane, cp_syncer_lane(w->syncer, 0, NULL, err), CP_ERR_ARGUMENT, "cp_lane")                       \
    X(cp_syncer_thread, syncer, cp_syncer_thread(NULL, 0, &w->thread, err), CP_ERR_ARGUMENT, "syncer")                 \
    X(cp_syncer_thread, thread, cp_syncer_thread(w->syncer, 0, NULL, err), CP_ERR_ARGUMENT, "cp_thread")               \
    X(cp_syncer_last_error, syncer, cp_syncer_last_error(NULL, &(cp_error){0}), CP_ERR_ARGUMENT, NULL)                 \
    X(cp_syncer_last_error, out, cp_syncer_last_error(w->syncer, NULL), CP_ERR_ARGUMENT, NULL)                         \
    X(cp_syncer_parked, syncer, cp_syncer_parked(NULL, visit_nothing, NULL, &w->more, err), CP_ERR_ARGUMENT, "syncer") \
    X(cp_syncer_parked, visit, cp_syncer_parked(w->syncer, NULL, NULL, &w->more, err), CP_ERR_ARGUMENT, "visit")       \
    X(cp_syncer_parked, context, cp_syncer_parked(w->syncer, visit_nothing, NULL, &w->more, err), CP_OK, NULL)         \
    X(cp_syncer_parked, more, cp_syncer_parked(w->syncer, visit_nothing, w, NULL, err), CP_OK, NULL)                   \
    X(cp_syncer_health, syncer, cp_syncer_health(NULL, &w->health, err), CP_ERR_ARGUMENT, "syncer")                    \
    X(cp_syncer_health, health, cp_syncer_health(w->syncer, NULL, err), CP_ERR_ARGUMENT, "cp_health")                  \
    X(cp_syncer_verify, syncer, cp_syncer_verify(NULL, NULL, &w->result, err), CP_ERR_ARGUMENT, "syncer")              \
    X(cp_syncer_verify, options, cp_syncer_verify(w->stopped, NULL, &w->result, err), CP_ERR_STOPPED, "stopping")      \
    X(cp_syncer_verify, result, cp_syncer_verify(w->syncer, NULL, NULL, err), CP_ERR_ARGUMENT, "cp_verify_result")     \
    X(cp_results_create, options, make_results(err), CP_OK, NULL)                                                      \
    X(cp_results_destroy, results, (cp_results_destroy(NULL), CP_OK), CP_OK, NULL)                                     \
    X(cp_results_fd, results, cp_results_fd(NULL) == -1 ? CP_OK : CP_ERR_SYSTEM, CP_OK, NULL)                          \
    X(cp_results_next, results, cp_results_next(NULL) == NULL ? CP_OK : CP_ERR_SYSTEM, CP_OK, NULL)                    \
    X(cp_results_look, results, cp_results_look(NULL, &w->usage, err), CP_ERR_ARGUMENT, "results")                     \
    X(cp_results_look, usage, cp_results_look(w->results, NULL, err), CP_ERR_ARGUMENT, "cp_results_usage")

#define DEFINE(function, argument, call, ...)                                                                          \
    static cp_code call_##function##_##argument(struct world *w, cp_error *err)                                        \
    {                                                                                                                  \
        (void)w;                                                                                                       \
        (void)err;                                                                                                     \
        return call;                                                                                                   \
    }
CASES(DEFINE)

static const struct misuse {
    const char *function;
    const char *argument;
    cp_code (*call)(struct world *w, cp_error *err);
    cp_code code;
    const char *part; /* of the message; NULL: there is none */
} misuses[] = {
#define ENTER(function, argument, call, code, part) {#function, #argument, call_##function##_##argument, code, part},
    CASES(ENTER)};

static cp_syncer *make_syncer(void)
{
    cp_error err = {0};
    cp_syncer *syncer = cp_syncer_create(cp_config_create(&err), NULL, &err);
    ck_assert_msg(syncer != NULL, "%s", err.message);
    return syncer;
}

START_TEST(null_for_each_pointer)
{
    struct world w = {.config = cp_config_create(NULL),
                      .syncer = make_syncer(),
                      .stopped = make_syncer(),
                      .watch = {.size = sizeof w.watch},
                      .declaration = {.size = sizeof w.declaration},
                      .stats = {.size = sizeof w.stats},
                      .histogram = {.size = sizeof w.histogram},
                      .entity = {.size = sizeof w.entity},
                      .lane = {.size = sizeof w.lane},
                      .thread = {.size = sizeof w.thread},
                      .health = {.size = sizeof w.health},
                      .result = {.size = sizeof w.result},
                      .results = cp_results_create(NULL, NULL),
                      .usage = {.size = sizeof w.usage}};
    ck_assert_ptr_nonnull(w.config);
    ck_assert_int_eq(cp_syncer_stop(w.stopped, 0, NULL), CP_OK);
    for (size_t i = 0; i < sizeof misuses / sizeof *misuses; i++) {
        const struct misuse *misuse = &misuses[i];
        cp_error err = {0};
        cp_code code = misuse->call(&w, &err);
        ck_assert_msg(code == misuse->code, "%s without %s: %s: %s", misuse->function, misuse->argument,
                      cp_code_name(code), err.message);
        if (misuse->part != NULL) {
            ck_assert_int_eq(err.code, misuse->code);
            ck_assert(!err.retriable);
            ck_assert_msg(strstr(err.message, misuse->part) != NULL, "%s without %s: \"%s\"", misuse->function,
                          misuse->argument, err.message);
        }
        code = misuse->call(&w, NULL);
        ck_assert_msg(code == misuse->code, "%s without %s and err: %s", misuse->function, misuse->argument,
                      cp_code_name(code));
    }
    cp_results_destroy(w.results);
    cp_syncer_destroy(w.stopped);
    cp_syncer_destroy(w.syncer);
    cp_config_destroy(w.config);
}
END_TEST

/* ---- whether these are all ---- */

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = NULL;
    size_t capacity = 0;
    ck_assert_msg(file != NULL && getdelim(&text, &capacity, '\0', file) > 0, "cannot read %s", path);
    fclose(file);
    return text;
}

/* The word that ends at `end`, of what begins at `begin`. */
static void word_before(const char *begin, const char *end, char word[64])
{
    while (end > begin && !isalnum((unsigned char)end[-1]) && end[-1] != '_') {
        end--;
    }
    const char *from = end;
    while (from > begin && (isalnum((unsigned char)from[-1]) || from[-1] == '_')) {
        from--;
    }
    snprintf(word, 64, "%.*s", (int)(end - from), from);
}

static bool is_listed(const char *function, const char *argument)
{
    for (size_t i = 0; i < sizeof misuses / sizeof *misuses; i++) {
        if (strcmp(misuses[i].function, function) == 0 && strcmp(misuses[i].argument, argument) == 0) {
            return true;
        }
    }
    return strcmp(argument, "err") == 0;
}

/* A declaration up to its semicolon. Returns how many of its arguments are pointers. */
static int expect_listed(const char *declaration, size_t length)
{
    char function[64];
    char argument[64];
    int pointers = 0;
    int depth = 0;
    const char *end = declaration + length;
    const char *begin = memchr(declaration, '(', length);
    word_before(declaration, begin, function);
    for (const char *at = ++begin; at < end; at++) {
        if ((*at != ',' && *at != ')') || depth > 0) {
            depth += *at == '(' ? 1 : *at == ')' ? -1 : 0;
            continue;
        }
        if (memchr(begin, '*', (size_t)(at - begin)) != NULL) {
            const char *pointer = strstr(begin, "(*"); /* to a function: its name is inside */
            word_before(begin, pointer != NULL && pointer < at ? strchr(pointer, ')') : at, argument);
            ck_assert_msg(is_listed(function, argument), "%s(): NULL for %s is not tried", function, argument);
            pointers++;
        }
        begin = at + 1;
    }
    return pointers;
}

START_TEST(every_pointer_is_tried)
{
    glob_t headers;
    int pointers = 0;
    int functions = 0;
    ck_assert_int_eq(glob(INCLUDE_DIR "/cachepusher/*.h", 0, NULL, &headers), 0);
    for (size_t i = 0; i < headers.gl_pathc; i++) {
        char *text = read_file(headers.gl_pathv[i]);
        for (const char *at = text; (at = strstr(at, "\nCP_API ")) != NULL; at += strcspn(at, ";")) {
            pointers += expect_listed(at, strcspn(at, ";"));
            functions++;
        }
        free(text);
    }
    globfree(&headers);
    ck_assert_int_ge(functions, 35);
    ck_assert_int_ge(pointers, (int)(sizeof misuses / sizeof *misuses));
}
END_TEST

/* ---- a configuration that a syncer has ---- */

START_TEST(an_owned_configuration_stays_as_it_is)
{
    cp_error err = {0};
    char prefix[32];
    cp_config *config = cp_config_create(&err);
    cp_syncer *syncer = cp_syncer_create(config, NULL, &err);
    ck_assert_ptr_nonnull(syncer);
    ck_assert_int_eq(cp_config_set(config, "prefix", "other", &err), CP_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "cp_config_set: config belongs to a syncer by now");
    ck_assert_int_eq(cp_config_load(config, "/nonexistent", &err), CP_ERR_ARGUMENT);
    ck_assert_int_eq(cp_config_parse(config, "{\"prefix\": \"other\"}", "test", &err), CP_ERR_ARGUMENT);
    ck_assert_int_eq(cp_config_resolve(config, &err), CP_ERR_ARGUMENT);
    ck_assert_int_eq(cp_config_apply(config, 0, "{}", &err), CP_ERR_ARGUMENT);
    cp_config_destroy(config);
    ck_assert_int_eq(cp_config_get(config, "prefix", prefix, sizeof prefix, &err), CP_OK);
    ck_assert_str_eq(prefix, "customer");
    cp_syncer_destroy(syncer);
}
END_TEST

Suite *arguments_suite(void)
{
    Suite *suite = suite_create("arguments");
    TCase *tcase = tcase_create("arguments");
    tcase_add_test(tcase, null_for_each_pointer);
    tcase_add_test(tcase, every_pointer_is_tried);
    tcase_add_test(tcase, an_owned_configuration_stays_as_it_is);
    suite_add_tcase(suite, tcase);
    return suite;
}
