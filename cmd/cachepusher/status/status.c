#include "commands.h"
#include "common/clock.h"
#include "common/complain.h"
#include "status/client.h"
#include "status/terminal.h"

#include <jansson.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Scripts rely on these. */
enum { STATUS_READY = 0, STATUS_NOT_READY = 1, STATUS_UNKNOWN = 2 };

/* The answer, also as text where *raw is wanted, from malloc. NULL: the reason has been told. */
static json_t *ask(const char *address, char **raw)
{
    json_error_t wrong;
    char *answer = NULL;
    int code = client_ask(address, "/status", NULL, &answer);
    json_t *status = code == 200 ? json_loads(answer, 0, &wrong) : NULL;
    if (code != 0 && !json_is_string(json_object_get(status, "state"))) {
        complain("what answers at %s is not a cachepusher", address);
        json_decref(status);
        status = NULL;
    }
    if (raw != NULL && status != NULL) {
        *raw = answer;
    } else {
        free(answer);
    }
    return status;
}

static int code_of(const json_t *status)
{
    return json_is_true(json_object_get(status, "ready")) ? STATUS_READY : STATUS_NOT_READY;
}

static bool is_coloured(void)
{
    const char *unwanted = getenv("NO_COLOR");
    return isatty(STDOUT_FILENO) && (unwanted == NULL || *unwanted == '\0');
}

/* Once a second, in place, until the daemon is gone or Ctrl-C ends us. */
static int watch(const char *address)
{
    json_t *before = NULL;
    double before_s = 0;
    for (;;) {
        json_t *status = ask(address, NULL);
        double now_s = clock_now_s();
        if (status == NULL) {
            json_decref(before);
            return STATUS_UNKNOWN;
        }
        if (isatty(STDOUT_FILENO)) {
            fputs("\033[H\033[2J", stdout);
        }
        terminal_show(status, before, now_s - before_s, is_coloured());
        if (fflush(stdout) == EOF) {
            complain("cannot write to stdout");
            json_decref(before);
            json_decref(status);
            return STATUS_UNKNOWN;
        }
        json_decref(before);
        before = status;
        before_s = now_s;
        nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
    }
}

int status(const struct options *options, cp_config *config)
{
    char *raw = NULL;
    cp_config_destroy(config);
    if (options->watch) {
        return watch(options->admin);
    }
    json_t *found = ask(options->admin, &raw);
    if (found == NULL) {
        return STATUS_UNKNOWN;
    }
    int code = code_of(found);
    if (options->json) {
        puts(raw);
    } else {
        terminal_show(found, NULL, 0, is_coloured());
    }
    free(raw);
    json_decref(found);
    return code;
}

/* ---- parked ---- */

static bool is_it(const json_t *parked, const char *name, const char *wanted)
{
    const char *value = json_string_value(json_object_get(parked, name));
    return wanted == NULL || (value != NULL && strcmp(value, wanted) == 0);
}

static bool is_wanted(const struct options *options, const json_t *parked)
{
    return is_it(parked, "entity", options->entity) && is_it(parked, "id", options->id);
}

/* False: the reason has been told. */
static bool retry(const char *address, const json_t *parked)
{
    char *answer = NULL;
    char *body = NULL;
    json_t *asked = json_pack("{s:O, s:O, s:O}", "entity", json_object_get(parked, "entity"), "id",
                              json_object_get(parked, "id"), "table", json_object_get(parked, "table"));
    body = asked != NULL ? json_dumps(asked, JSON_COMPACT) : NULL;
    json_decref(asked);
    if (body == NULL) {
        complain("out of memory");
        return false;
    }
    int code = client_ask(address, "/parked/retry", body, &answer);
    if (code != 0 && code != 202) {
        complain("the daemon says: %.*s", (int)strcspn(answer, "\n"), answer);
    }
    free(body);
    free(answer);
    return code == 202;
}

int parked(const struct options *options, cp_config *config)
{
    size_t i;
    json_t *each;
    size_t n = 0;
    bool done = true;
    cp_config_destroy(config);
    json_t *found = ask(options->admin, NULL);
    if (found == NULL) {
        return STATUS_UNKNOWN;
    }
    json_t *wanted = json_array();
    json_array_foreach(json_object_get(found, "parked"), i, each)
    {
        if (is_wanted(options, each)) {
            json_array_append(wanted, each);
            done = (!options->retry || retry(options->admin, each)) && done;
            n++;
        }
    }
    double more = json_number_value(json_object_get(found, "parked_more"));
    if (options->json) {
        json_t *out = json_pack("{s:O, s:f}", "parked", wanted, "more", more);
        char *text = out != NULL ? json_dumps(out, JSON_COMPACT) : NULL;
        puts(text != NULL ? text : "");
        free(text);
        json_decref(out);
    } else {
        terminal_show_parked(wanted, more, options->retry);
    }
    json_decref(wanted);
    json_decref(found);
    return !done ? STATUS_UNKNOWN : n > 0 || more > 0 ? STATUS_NOT_READY : STATUS_READY;
}
