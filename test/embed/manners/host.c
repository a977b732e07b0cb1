#define _GNU_SOURCE
#include "host.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DEADLINE_MS = 40000 };

void expect(bool so, const char *what)
{
    if (!so) {
        fprintf(stderr, "host: not so: %s\n", what);
        _Exit(EXIT_FAILURE);
    }
}

void check(cp_code code, const cp_error *err)
{
    if (code != CP_OK) {
        fprintf(stderr, "host: %s: %s\n", cp_code_name(code), err->message);
        _Exit(EXIT_FAILURE);
    }
}

/* ---- time ---- */

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t deadline_ms(void)
{
    return now_ms() + DEADLINE_MS;
}

void wait_more(int64_t until_ms, const char *what)
{
    expect(now_ms() < until_ms, what);
    poll(NULL, 0, 5);
}

/* ---- the servers, by their own programs ---- */

/* The first line of what a program prints. */
static void run_program(const char *const *arguments, char *line, size_t size)
{
    char command[2048] = "";
    size_t length = 0;
    for (; *arguments != NULL; arguments++) {
        length += (size_t)snprintf(command + length, sizeof command - length, "'");
        for (const char *at = *arguments; *at != '\0'; at++) {
            length += (size_t)snprintf(command + length, sizeof command - length, *at == '\'' ? "'\\''" : "%c", *at);
        }
        length += (size_t)snprintf(command + length, sizeof command - length, "' ");
        expect(length + 8 < sizeof command, "a command's length");
    }
    FILE *output = popen(command, "r");
    expect(output != NULL, command);
    line[0] = '\0';
    char rest[256];
    bool has_line = fgets(line, (int)size, output) != NULL;
    line[strcspn(line, "\n")] = '\0';
    while (has_line && fgets(rest, sizeof rest, output) != NULL) {
    }
    expect(pclose(output) == 0, command);
}

static void query(const char *statements, char *line, size_t size)
{
    const char *const arguments[] = {"psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-c", statements, NULL};
    run_program(arguments, line, size);
}

void sql(const char *statements)
{
    char line[64];
    query(statements, line, sizeof line);
}

void wait_for_sql(const char *condition)
{
    char line[64] = "";
    for (int64_t until_ms = deadline_ms(); strcmp(line, "t") != 0;) {
        wait_more(until_ms, condition);
        query(condition, line, sizeof line);
    }
}

/* The words of a command, which have no blanks in them. */
static void ask_redis(const char *command, char *line, size_t size)
{
    char words[128];
    const char *arguments[16] = {"redis-cli", "-s", getenv("CP_REDIS") + strlen("unix:")};
    size_t count = 3;
    snprintf(words, sizeof words, "%s", command);
    for (char *word = strtok(words, " "); word != NULL && count < 15; word = strtok(NULL, " ")) {
        arguments[count++] = word;
    }
    run_program(arguments, line, size);
}

void redis(const char *command)
{
    char line[64];
    ask_redis(command, line, sizeof line);
}

void wait_for_redis(const char *command, const char *answer)
{
    char line[512] = "";
    for (int64_t until_ms = deadline_ms(); strstr(line, answer) == NULL;) {
        wait_more(until_ms, answer);
        ask_redis(command, line, sizeof line);
    }
}

/* ---- a syncer ---- */

cp_config *make_config(void)
{
    cp_error err = {0};
    cp_config *config = cp_config_create(&err);
    check(config != NULL ? CP_OK : err.code, &err);
    check(cp_config_set(config, "postgres", getenv("CP_DSN"), &err), &err);
    check(cp_config_set(config, "redis", getenv("CP_REDIS"), &err), &err);
    return config;
}

cp_syncer *run_with(cp_config *config, const cp_callbacks *callbacks)
{
    cp_error err = {0};
    cp_syncer *syncer = cp_syncer_create(config, callbacks, &err);
    check(syncer != NULL ? CP_OK : err.code, &err);
    check(cp_syncer_start(syncer, &err), &err);
    check(cp_syncer_wait_ready(syncer, DEADLINE_MS, &err), &err);
    return syncer;
}

cp_syncer *run_syncer(const cp_callbacks *callbacks)
{
    return run_with(make_config(), callbacks);
}

void expect_customer(cp_syncer *syncer, int id, const char *name)
{
    static int changes;
    char text[256];
    char key[64];
    char number[16];
    cp_error err = {0};
    snprintf(text, sizeof text, "update customer set name = '%d %s' where id_customer = %d", ++changes, name, id);
    sql(text);
    snprintf(text, sizeof text, "%d %s", changes, name);
    snprintf(key, sizeof key, "GET customer:%d", id);
    snprintf(number, sizeof number, "%d", id);
    wait_for_redis(key, text);
    cp_code code = CP_ERR_STANDBY;
    for (int64_t until_ms = deadline_ms();
         (code = cp_syncer_enqueue_wait(syncer, "customer", number, 1000, &err)) != CP_OK;) {
        expect(err.retriable, err.message);
        wait_more(until_ms, err.message);
    }
}

void end_syncer(cp_syncer *syncer)
{
    cp_error err = {0};
    check(cp_syncer_stop(syncer, DEADLINE_MS, &err), &err);
    cp_syncer_destroy(syncer);
}
