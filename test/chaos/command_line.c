#include "command_line.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS = 48, WORD_BYTES = 3 * PATH_BYTES + 1024 };

/* A command line. */
struct words {
    const char *all[WORDS];
    size_t count;
    char made[WORDS][WORD_BYTES]; /* those that are put together */
};

static void add_word(struct words *words, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add_word(struct words *words, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (words->count + 1 == WORDS ||
        vsnprintf(words->made[words->count], WORD_BYTES, format, arguments) >= (int)WORD_BYTES) {
        die("too long a command line");
    }
    va_end(arguments);
    words->all[words->count] = words->made[words->count];
    words->count++;
}

/* Names are looked up by a library of ours. A preloaded library comes before ASan's, which that refuses; it does no
 * harm: we replace only getaddrinfo(). */
static void add_environment(struct words *words, const struct daemon *daemon, int dir_length)
{
    const char *given = getenv("ASAN_OPTIONS");
    add_word(words, "env");
    add_word(words, "LD_PRELOAD=%.*s/libchaos_dns.so", dir_length, daemon->program);
    add_word(words, "CHAOS_DNS=%s/%s", daemon->dir, DAEMON_DNS_HANGS);
    add_word(words, "CP_CONFIG=%s", daemon->config);
    add_word(words, "ASAN_OPTIONS=%s:verify_asan_link_order=0", given != NULL ? given : "");
}

/* Its timeouts are shorter than the defaults, some of which are longer than the time that a heal may take. */
static const char *const timeouts[] = {"fetch_timeout_ms=3000", "redis_timeout_ms=2000", "connect_timeout_ms=2000"};

enum { TIMEOUTS = sizeof timeouts / sizeof *timeouts };

static void add_command(struct words *words, const struct daemon *daemon)
{
    add_word(words, "%s", daemon->program);
    const char *const options[] = {
        "run",     "-t",          "3",           "--source",        daemon->source, "--wait", "--dsn", daemon->postgres,
        "--redis", daemon->redis, "--log-level", daemon->log_level, "--grace",      "3"};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        add_word(words, "%s", options[i]);
    }
    for (size_t i = 0; i < TIMEOUTS; i++) {
        add_word(words, "--set");
        add_word(words, "%s", timeouts[i]);
    }
}

static void add_host(struct words *words, const struct daemon *daemon, int dir_length)
{
    bool follows = daemon->kind == DAEMON_FOLLOWER;
    add_word(words, "%.*s/chaos_host", dir_length, daemon->program);
    add_word(words, "%s", daemon->socket);
    add_word(words, "%s", strcmp(daemon->log_level, "debug") == 0 ? "debug" : "info");
    add_word(words, "role=%s", follows ? "follow" : "write");
    add_word(words, "postgres=%s", daemon->postgres);
    if (!follows) {
        add_word(words, "redis=%s", daemon->redis);
        add_word(words, "source=%s", daemon->source);
    }
    add_word(words, "threads=3");
    for (size_t i = 0; i < TIMEOUTS; i++) {
        add_word(words, "%s", timeouts[i]);
    }
}

const char *const *command_line(const struct daemon *daemon)
{
    static struct words words; /* too large for the stack */
    int dir_length = (int)(strrchr(daemon->program, '/') - daemon->program);
    words = (struct words){0};
    add_environment(&words, daemon, dir_length);
    if (daemon->kind == DAEMON_COMMAND) {
        add_command(&words, daemon);
    } else {
        add_host(&words, daemon, dir_length);
    }
    return words.all;
}
