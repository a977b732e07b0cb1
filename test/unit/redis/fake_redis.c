#include "redis/fake_redis.h"

#include <check.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { ARGUMENTS_MAX = 16 };

struct command {
    const char *arguments[ARGUMENTS_MAX];
    size_t lengths[ARGUMENTS_MAX];
    size_t count;
};

/* ---- parsing ---- */

/* A line like "$5\r\n". NULL: not all of it is there. */
static const char *parse_head(const char *at, const char *end, size_t *number)
{
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    if (newline == NULL) {
        return NULL;
    }
    *number = strtoul(at + 1, NULL, 10);
    return newline + 1;
}

/* How many bytes the first command has; 0: not all of it is there. */
static size_t parse_command(const char *bytes, size_t length, struct command *command)
{
    const char *end = bytes + length;
    const char *at = parse_head(bytes, end, &command->count);
    for (size_t i = 0; at != NULL && i < command->count && i < ARGUMENTS_MAX; i++) {
        size_t size = 0;
        at = parse_head(at, end, &size);
        if (at == NULL || (size_t)(end - at) < size + 2) {
            return 0;
        }
        command->arguments[i] = at;
        command->lengths[i] = size;
        at += size + 2;
    }
    return at != NULL ? (size_t)(at - bytes) : 0;
}

static bool is_argument(const struct command *command, size_t i, const char *text)
{
    return i < command->count && command->lengths[i] == strlen(text) &&
           memcmp(command->arguments[i], text, strlen(text)) == 0;
}

/* ---- what it has seen ---- */

static void see(char *seen, size_t *used, const char *bytes, size_t length)
{
    size_t room = FAKE_SEEN_BYTES - 1 - *used;
    size_t kept = length < room ? length : room;
    memcpy(seen + *used, bytes, kept);
    *used += kept;
}

static void see_command(struct fake_redis *fake, const struct command *command)
{
    for (size_t i = 0; i < command->count && i < ARGUMENTS_MAX; i++) {
        see(fake->commands, &fake->commands_used, command->arguments[i], command->lengths[i]);
        see(fake->commands, &fake->commands_used, i + 1 < command->count ? " " : "\n", 1);
    }
}

/* ---- answering ---- */

static void answer(int client, const char *bytes)
{
    size_t length = strlen(bytes);
    ssize_t sent = send(client, bytes, length, MSG_NOSIGNAL); /* short enough for the socket's buffer */
    (void)sent;                                               /* the client may have gone */
}

static void answer_string(int client, const char *text)
{
    char reply[4096];
    snprintf(reply, sizeof reply, "$%zu\r\n%s\r\n", strlen(text), text);
    answer(client, reply);
}

static const char *or_usual(const char *text, const char *usual)
{
    return text != NULL ? text : usual;
}

static void answer_info(struct fake_redis *fake, int client, const struct command *command)
{
    char info[512];
    if (is_argument(command, 1, "server")) {
        snprintf(info, sizeof info, "# Server\r\n%s\r\nrun_id:%s\r\n", or_usual(fake->mode, "redis_mode:standalone"),
                 or_usual(fake->run_id, "run-1"));
    } else {
        bool is_later = fake->history_asked++ > 0 && fake->history_later != NULL;
        snprintf(info, sizeof info, "# Replication\r\nrole:%s\r\nmaster_replid:%s\r\n", or_usual(fake->role, "master"),
                 is_later ? fake->history_later : or_usual(fake->history, "history-1"));
    }
    answer_string(client, info);
}

static void answer_script(struct fake_redis *fake, int client, const char *bytes, size_t length)
{
    see(fake->scripted, &fake->scripted_used, bytes, length);
    if (fake->script != NULL && fake->script[fake->next] != NULL) {
        answer(client, fake->script[fake->next++]);
    }
}

static void answer_command(struct fake_redis *fake, int client, const struct command *command, const char *bytes,
                           size_t length)
{
    see_command(fake, command);
    if (fake->always != NULL) {
        answer(client, fake->always);
    } else if (is_argument(command, 0, "PING")) {
        answer(client, "+PONG\r\n");
    } else if (is_argument(command, 0, "INFO")) {
        answer_info(fake, client, command);
    } else if (is_argument(command, 0, "CLIENT") && is_argument(command, 1, "ID")) {
        answer(client, ":7\r\n");
    } else if (is_argument(command, 0, "CLIENT") && is_argument(command, 1, "LIST")) {
        answer_string(client, or_usual(fake->clients, ""));
    } else if (is_argument(command, 0, "CLIENT")) {
        answer(client, "+OK\r\n");
    } else {
        answer_script(fake, client, bytes, length);
    }
}

/* ---- the thread ---- */

/* False: it is to stop. */
static bool wait_for(const struct fake_redis *fake, int fd)
{
    struct pollfd fds[] = {{.fd = fd, .events = POLLIN}, {.fd = fake->stop[0], .events = POLLIN}};
    return poll(fds, 2, -1) > 0 && fds[1].revents == 0;
}

static void serve(struct fake_redis *fake, int client)
{
    static char buffer[FAKE_SEEN_BYTES];
    size_t used = 0;
    while (wait_for(fake, client)) {
        ssize_t got = read(client, buffer + used, sizeof buffer - used);
        if (got <= 0) {
            return;
        }
        used += (size_t)got;
        struct command command;
        for (size_t length; used > 0 && (length = parse_command(buffer, used, &command)) > 0;) {
            answer_command(fake, client, &command, buffer, length);
            used -= length;
            memmove(buffer, buffer + length, used);
        }
    }
}

static void *run_fake(void *argument)
{
    struct fake_redis *fake = argument;
    while (wait_for(fake, fake->listener)) {
        int client = accept(fake->listener, NULL, NULL);
        if (client >= 0) {
            serve(fake, client);
            close(client);
        }
    }
    return NULL;
}

void fake_redis_init(struct fake_redis *fake)
{
    snprintf(fake->directory, sizeof fake->directory, "/tmp/cp-unit-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(fake->directory));
    snprintf(fake->path, sizeof fake->path, "%s/redis", fake->directory);
    fake->address = (struct cpi_redis_address){.path = fake->path};
}

void fake_redis_start(struct fake_redis *fake)
{
    memset(fake->commands, 0, sizeof fake->commands);
    memset(fake->scripted, 0, sizeof fake->scripted);
    fake->commands_used = 0;
    fake->scripted_used = 0;
    fake->next = 0;
    fake->history_asked = 0;

    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", fake->path);
    fake->listener = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_ge(fake->listener, 0);
    ck_assert_int_eq(bind(fake->listener, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(fake->listener, 8), 0);
    ck_assert_int_eq(pipe(fake->stop), 0);
    ck_assert_int_eq(pthread_create(&fake->thread, NULL, run_fake, fake), 0);
}

void fake_redis_stop(struct fake_redis *fake)
{
    ck_assert_int_eq(write(fake->stop[1], "", 1), 1);
    pthread_join(fake->thread, NULL);
    close(fake->stop[0]);
    close(fake->stop[1]);
    close(fake->listener);
    unlink(fake->path);
}

void fake_redis_fini(struct fake_redis *fake)
{
    rmdir(fake->directory);
}
