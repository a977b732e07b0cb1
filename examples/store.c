/*
 * Documents as files in a directory, which stay equal to Postgres: a store of the program's own in Redis' place.
 *
 *     store POSTGRES DIRECTORY
 *
 * Follows the customers of db/schema.sql; each is a file that is named after its key, such as customer:17, for nginx
 * or whoever reads files. Says "ready" once all are there, and ends when its standard input does.
 *
 *     cc store.c $(pkg-config --cflags --libs cachepusher)
 */
#define _POSIX_C_SOURCE 200809L
#include <cachepusher.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the store: a session is the last file that it has read ---- */

struct session {
    char *read;
};

/* Full disks and the like pass; what cannot be a file's name never will. */
static cp_store_answer failed(const char *what, cp_error *err)
{
    snprintf(err->message, sizeof err->message, "%s: %s", what, strerror(errno));
    return errno == ENAMETOOLONG || errno == EINVAL ? CP_STORE_REFUSED : CP_STORE_WAIT;
}

static cp_store_answer begin(void *context, void **session, cp_error *err)
{
    (void)context;
    *session = calloc(1, sizeof(struct session));
    return *session != NULL ? CP_STORE_DONE : failed("session", err);
}

static void end(void *session)
{
    free(((struct session *)session)->read);
    free(session);
}

/* Under another name first: a reader sees the one document or the other. Each key is written by one thread. */
static cp_store_answer set(void *session, const char *key, const char *bytes, size_t length, int64_t ttl_s,
                           cp_error *err)
{
    char other[NAME_MAX + 1];
    (void)session;
    (void)ttl_s; /* of an entity without one */
    if (strchr(key, '/') != NULL || (size_t)snprintf(other, sizeof other, ".%s", key) >= sizeof other) {
        errno = EINVAL;
        return failed(key, err);
    }
    FILE *file = fopen(other, "w");
    int written = file != NULL && fwrite(bytes, 1, length, file) == length;
    if (file != NULL && fclose(file) != 0) {
        written = 0;
    }
    return written && rename(other, key) == 0 ? CP_STORE_DONE : failed(key, err);
}

static cp_store_answer del(void *session, const char *key, cp_error *err)
{
    (void)session;
    return unlink(key) == 0 || errno == ENOENT ? CP_STORE_DONE : failed(key, err);
}

static cp_store_answer get(void *session, const char *key, const char **bytes, size_t *length, cp_error *err)
{
    struct session *own = session;
    size_t room = 0;
    FILE *file = fopen(key, "r");
    if (file == NULL) {
        *bytes = NULL;
        return errno == ENOENT ? CP_STORE_DONE : failed(key, err);
    }
    free(own->read);
    own->read = NULL;
    errno = 0;
    ssize_t got = getdelim(&own->read, &room, '\0', file); /* JSON has no NUL in it */
    int is_read = got >= 0 || errno == 0;
    fclose(file);
    *bytes = own->read;
    *length = got > 0 ? (size_t)got : 0;
    return is_read && own->read != NULL ? CP_STORE_DONE : failed(key, err);
}

static cp_store_answer keys(void *session, const char *prefix, uint64_t *cursor, cp_store_found found, void *to,
                            cp_error *err)
{
    (void)session;
    DIR *directory = opendir(".");
    if (directory == NULL) {
        return failed("directory", err);
    }
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0) {
            found(to, entry->d_name);
        }
    }
    closedir(directory);
    *cursor = 0; /* all in one page */
    return CP_STORE_DONE;
}

/* A file, too: whoever empties the directory takes it along, and all is written again within a second or two. */
static cp_store_answer write_marker(void *session, const char *name, int64_t number, cp_error *err)
{
    char text[32];
    int length = snprintf(text, sizeof text, "%" PRId64, number);
    return set(session, name, text, (size_t)length, 0, err);
}

/* In its place: were it made anew, a directory that has just been emptied would hold one again. */
static cp_store_answer advance_marker(void *session, const char *name, int64_t *number, cp_error *err)
{
    (void)session;
    *number = 0;
    FILE *file = fopen(name, "r+");
    if (file == NULL) {
        return errno == ENOENT ? CP_STORE_DONE : failed(name, err);
    }
    int64_t before = 0;
    int is_written = fscanf(file, "%" SCNd64, &before) == 1 && before > 0 && fseek(file, 0, SEEK_SET) == 0 &&
                     fprintf(file, "%" PRId64, before + 1) > 0;
    if (fclose(file) != 0) {
        return failed(name, err);
    }
    *number = is_written ? before + 1 : 0;
    return CP_STORE_DONE;
}

/* ---- the program ---- */

static void log_line(void *context, cp_level level, const char *message)
{
    (void)context;
    if (level <= CP_LOG_WARN) {
        fprintf(stderr, "%s\n", message);
    }
}

static int run(cp_syncer *syncer, cp_error *err)
{
    if (cp_syncer_start(syncer, err) != CP_OK || cp_syncer_wait_ready(syncer, 60000, err) != CP_OK) {
        return 0;
    }
    puts("ready");
    fflush(stdout);
    while (getchar() != EOF) {
    }
    return cp_syncer_stop(syncer, 5000, err) == CP_OK;
}

int main(int argc, char **argv)
{
    cp_error err;
    cp_config *config = argc == 3 ? cp_config_create(&err) : NULL;
    if (config == NULL || cp_config_set(config, "postgres", argv[1], &err) != CP_OK) {
        fprintf(stderr, "%s\n", argc == 3 ? err.message : "usage: store POSTGRES DIRECTORY");
        return 2;
    }
    if (chdir(argv[2]) != 0) {
        perror(argv[2]);
        return 2;
    }
    const cp_store store = {.size = sizeof store,
                            .name = argv[2],
                            .open = begin,
                            .close = end,
                            .set = set,
                            .del = del,
                            .get = get,
                            .keys = keys,
                            .advance_marker = advance_marker,
                            .write_marker = write_marker}; /* and no fence: no other program writes there */
    const cp_callbacks callbacks = {.size = sizeof callbacks, .log = log_line, .store = &store};
    cp_syncer *syncer = cp_syncer_create(config, &callbacks, &err); /* owns config from here on */
    int well = syncer != NULL && run(syncer, &err);
    if (!well) {
        fprintf(stderr, "%s\n", err.message);
    }
    cp_syncer_destroy(syncer);
    return well ? 0 : 1;
}
