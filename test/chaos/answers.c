#include "answers.h"

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { WORDS = 256, WORD_BYTES = 64, REST_MS = 10 };

static const char key_prefix[] = "customer:";

/* A connection. Belongs to its thread. */
struct asker {
    int fd;
    size_t from;
    size_t to;
    char bytes[4096];
    char words[WORDS][WORD_BYTES];
    size_t count;
};

static struct answers shown; /* set before there is a thread */

/* ---- what is asked: *COUNT, and for each word $BYTES and the word ---- */

static bool next_byte(struct asker *asker, char *byte)
{
    if (asker->from == asker->to) {
        ssize_t n = read(asker->fd, asker->bytes, sizeof asker->bytes);
        if (n <= 0) {
            return false;
        }
        asker->from = 0;
        asker->to = (size_t)n;
    }
    *byte = asker->bytes[asker->from++];
    return true;
}

static bool read_number(struct asker *asker, char mark, size_t limit, size_t *number)
{
    char byte;
    *number = 0;
    if (!next_byte(asker, &byte) || byte != mark) {
        return false;
    }
    while (next_byte(asker, &byte) && byte >= '0' && byte <= '9' && *number <= limit) {
        *number = 10 * *number + (size_t)(byte - '0');
    }
    return byte == '\r' && next_byte(asker, &byte) && byte == '\n' && *number < limit;
}

static bool read_word(struct asker *asker, char word[WORD_BYTES])
{
    size_t length;
    char byte;
    if (!read_number(asker, '$', WORD_BYTES, &length)) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if (!next_byte(asker, &word[i])) {
            return false;
        }
    }
    word[length] = '\0';
    return next_byte(asker, &byte) && next_byte(asker, &byte); /* \r\n */
}

static bool read_command(struct asker *asker)
{
    bool fine = read_number(asker, '*', WORDS, &asker->count) && asker->count > 0;
    for (size_t i = 0; i < asker->count && fine; i++) {
        fine = read_word(asker, asker->words[i]);
    }
    return fine;
}

/* ---- what is answered ---- */

static char *get_key(const char *key)
{
    size_t length = sizeof key_prefix - 1;
    return strncmp(key, key_prefix, length) == 0 ? shown.get(key + length) : NULL;
}

static void answer_document(FILE *reply, const char *key)
{
    char *document = get_key(key);
    if (document != NULL) {
        fprintf(reply, "$%zu\r\n%s\r\n", strlen(document), document);
    } else {
        fputs("$-1\r\n", reply);
    }
    free(document);
}

static void answer_documents(FILE *reply, const struct asker *asker)
{
    fprintf(reply, "*%zu\r\n", asker->count - 1);
    for (size_t i = 1; i < asker->count; i++) {
        answer_document(reply, asker->words[i]);
    }
}

static void answer_count(FILE *reply, const struct asker *asker)
{
    size_t count = 0;
    for (size_t i = 1; i < asker->count; i++) {
        char *document = get_key(asker->words[i]);
        count += document != NULL;
        free(document);
    }
    fprintf(reply, ":%zu\r\n", count);
}

static void answer_key(FILE *reply, const char *id)
{
    fprintf(reply, "$%zu\r\n%s%s\r\n", strlen(key_prefix) + strlen(id), key_prefix, id);
}

/* All at once. */
static void answer_keys(FILE *reply)
{
    char *text = NULL;
    size_t size = 0;
    FILE *keys = open_memstream(&text, &size);
    if (keys == NULL) {
        abort();
    }
    size_t count = shown.list(answer_key, keys);
    fclose(keys);
    fprintf(reply, "*2\r\n$1\r\n0\r\n*%zu\r\n", count);
    fwrite(text, 1, size, reply);
    free(text);
}

static void answer_command(FILE *reply, const struct asker *asker)
{
    const char *command = asker->words[0];
    if (strcasecmp(command, "GET") == 0 && asker->count == 2) {
        answer_document(reply, asker->words[1]);
    } else if (strcasecmp(command, "MGET") == 0) {
        answer_documents(reply, asker);
    } else if (strcasecmp(command, "EXISTS") == 0) {
        answer_count(reply, asker);
    } else if (strcasecmp(command, "SCAN") == 0) {
        answer_keys(reply);
    } else {
        fprintf(reply, "-ERR %s is not for a cache in a process\r\n", command);
    }
}

static bool send_all(int fd, const char *text, size_t size)
{
    while (size > 0) {
        ssize_t n = send(fd, text, size, MSG_NOSIGNAL);
        if (n <= 0) {
            return false;
        }
        text += n;
        size -= (size_t)n;
    }
    return true;
}

static void *answer_one(void *context)
{
    struct asker *asker = context;
    for (bool fine = true; fine && read_command(asker);) {
        char *text = NULL;
        size_t size = 0;
        FILE *reply = open_memstream(&text, &size);
        if (reply == NULL) {
            abort();
        }
        answer_command(reply, asker);
        fclose(reply);
        fine = send_all(asker->fd, text, size);
        free(text);
    }
    close(asker->fd);
    free(asker);
    return NULL;
}

/* ---- who asks ---- */

/* Without descriptors, or memory, there will be some again. */
static void *answer_all(void *context)
{
    int listening = (int)(intptr_t)context;
    for (;;) {
        pthread_t thread;
        int fd = accept(listening, NULL, NULL);
        struct asker *asker = fd >= 0 ? calloc(1, sizeof *asker) : NULL;
        if (asker != NULL) {
            asker->fd = fd;
        }
        if (asker != NULL && pthread_create(&thread, NULL, answer_one, asker) == 0) {
            pthread_detach(thread);
            continue;
        }
        free(asker);
        if (fd >= 0) {
            close(fd);
        }
        poll(NULL, 0, REST_MS);
    }
    return NULL;
}

void answers_start(const char *socket_path, const struct answers *answers)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    pthread_t thread;
    shown = *answers;
    snprintf(address.sun_path, sizeof address.sun_path, "%s", socket_path);
    unlink(socket_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 16) != 0 ||
        pthread_create(&thread, NULL, answer_all, (void *)(intptr_t)fd) != 0) {
        fprintf(stderr, "cannot answer on %s\n", socket_path);
        exit(2);
    }
    pthread_detach(thread);
}
