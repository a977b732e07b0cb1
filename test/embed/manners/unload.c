/*
 * unload LIBRARY ROUNDS: a host that loads the library, has a syncer made and ended, and unloads it, again and again,
 * and runs one in ten; the last syncer runs on while the program leaves. Needs the servers that CP_DSN and CP_REDIS
 * name.
 */
#include <cachepusher.h>

#include <dirent.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RUN_EVERY = 10 };

#define FUNCTIONS(X)                                                                                                   \
    X(cp_config_create)                                                                                                \
    X(cp_config_set)                                                                                                   \
    X(cp_syncer_create)                                                                                                \
    X(cp_syncer_start)                                                                                                 \
    X(cp_syncer_wait_ready)                                                                                            \
    X(cp_syncer_destroy)

static struct {
#define MEMBER(name) __typeof__(name) *name;
    FUNCTIONS(MEMBER)
} cp;

static void give_up(const char *what)
{
    fprintf(stderr, "unload: %s\n", what);
    exit(EXIT_FAILURE);
}

static void *load(const char *path)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        give_up(dlerror());
    }
#define LOOK_UP(name) *(void **)(&cp.name) = dlsym(library, #name);
    FUNCTIONS(LOOK_UP)
    return library;
}

static cp_syncer *make(void)
{
    cp_error err = {0};
    cp_config *config = cp.cp_config_create(&err);
    cp_syncer *syncer = NULL;
    if (config == NULL || cp.cp_config_set(config, "postgres", getenv("CP_DSN"), &err) != CP_OK ||
        cp.cp_config_set(config, "redis", getenv("CP_REDIS"), &err) != CP_OK ||
        (syncer = cp.cp_syncer_create(config, NULL, &err)) == NULL) {
        give_up(err.message);
    }
    return syncer;
}

static cp_syncer *run(void)
{
    cp_error err = {0};
    cp_syncer *syncer = make();
    if (cp.cp_syncer_start(syncer, &err) != CP_OK || cp.cp_syncer_wait_ready(syncer, 60000, &err) != CP_OK) {
        give_up(err.message);
    }
    return syncer;
}

static size_t count_entries(const char *directory)
{
    size_t count = 0;
    DIR *list = opendir(directory);
    while (list != NULL && readdir(list) != NULL) {
        count++;
    }
    closedir(list);
    return count;
}

int main(int argc, char **argv)
{
    int rounds = argc == 3 ? atoi(argv[2]) : 0;
    size_t threads = 0;
    size_t descriptors = 0;
    for (int round = 0; round < rounds; round++) {
        void *library = load(argv[1]);
        cp.cp_syncer_destroy(round % RUN_EVERY == 0 ? run() : make());
        dlclose(library);
        if (round == 0) {
            threads = count_entries("/proc/self/task");
            descriptors = count_entries("/proc/self/fd");
        }
    }
    /* A joined thread may be in /proc for a moment more: among so many rounds it is the last one's alone. */
    if (rounds == 0 || count_entries("/proc/self/task") > threads + 1 || count_entries("/proc/self/fd") > descriptors) {
        give_up("threads or descriptors are left");
    }
    void *library = load(argv[1]);
    run();
    dlclose(library);
    return EXIT_SUCCESS;
}
