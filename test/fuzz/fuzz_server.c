#include "fuzz_server.h"

struct fuzz_client fuzz_clients[FUZZ_CLIENTS];

static struct {
    struct fuzz_server_options options;
    size_t at; /* in the script */
    bool was_silent;
    long long numbers;
} server;

void fuzz_server_begin(const struct fuzz_server_options *options)
{
    server.options = *options;
    server.at = 0;
    server.was_silent = false;
    server.numbers = 0;
}

/* ---- what it says ---- */

const uint8_t *fuzz_server_next(size_t *size)
{
    size_t left = server.options.size - server.at;
    if (left == 0) {
        return NULL;
    }
    const uint8_t *from = server.options.script + server.at;
    const uint8_t *end = memchr(from, '|', left);
    *size = end != NULL ? (size_t)(end - from) : left;
    server.at += *size + (end != NULL);
    return from;
}

void fuzz_server_say(struct fuzz_client *client, const void *bytes, size_t size)
{
    size_t room = sizeof client->out - client->to;
    size_t kept = size < room ? size : room;
    memcpy(client->out + client->to, bytes, kept);
    client->to += kept;
}

void fuzz_server_hang_up(struct fuzz_client *client)
{
    client->hung_up = true;
}

/* ---- its connections ---- */

struct fuzz_client *fuzz_server_client(long long number)
{
    for (size_t i = 0; i < FUZZ_CLIENTS; i++) {
        if (fuzz_clients[i].is_used && fuzz_clients[i].number == number) {
            return &fuzz_clients[i];
        }
    }
    return NULL;
}

struct fuzz_client *fuzz_server_connect(void)
{
    for (size_t i = 0; i < FUZZ_CLIENTS; i++) {
        struct fuzz_client *client = &fuzz_clients[i];
        if (!client->is_used) {
            client->is_used = true;
            client->hung_up = false;
            client->stage = 0;
            client->number = ++server.numbers;
            client->used = client->from = client->to = 0;
            return client;
        }
    }
    return NULL;
}

void fuzz_server_answer(struct fuzz_client *client)
{
    for (size_t length; client->used > 0 && (length = server.options.answer(client)) > 0;) {
        client->used -= length;
        memmove(client->in, client->in + length, client->used);
    }
}

size_t fuzz_server_ready(const struct fuzz_client *client)
{
    size_t left = client->to - client->from;
    return server.options.dribbles && left > 1 ? 1 : left;
}

bool fuzz_server_ends(void)
{
    if (server.options.times_out && !server.was_silent) {
        server.was_silent = true;
        return false;
    }
    for (size_t i = 0; i < FUZZ_CLIENTS; i++) {
        fuzz_server_hang_up(&fuzz_clients[i]);
    }
    return true;
}
