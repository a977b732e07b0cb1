#include "base/fake_names.h"

#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* over the two below */
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool hangs;
static unsigned hanging;

void fake_names_hang(void)
{
    pthread_mutex_lock(&mutex);
    hangs = true;
    pthread_mutex_unlock(&mutex);
}

void fake_names_await(unsigned wanted)
{
    pthread_mutex_lock(&mutex);
    while (hanging != wanted) {
        pthread_cond_wait(&changed, &mutex);
    }
    pthread_mutex_unlock(&mutex);
}

void fake_names_release(void)
{
    pthread_mutex_lock(&mutex);
    hangs = false;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
    fake_names_await(0);
}

static void hang(void)
{
    pthread_mutex_lock(&mutex);
    hanging++;
    pthread_cond_broadcast(&changed);
    while (hangs) {
        pthread_cond_wait(&changed, &mutex);
    }
    hanging--;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}

static int find_numeric(const char *address, const char *service, const struct addrinfo *hints,
                        struct addrinfo **addresses)
{
    int (*original)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    *(void **)&original = dlsym(RTLD_NEXT, "getaddrinfo");
    struct addrinfo numeric = *hints;
    numeric.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
    return original(address, service, &numeric, addresses);
}

/* Visible, since the libraries that the program is linked to use the name as well. */
__attribute__((visibility("default"))) int getaddrinfo(const char *restrict node, const char *restrict service,
                                                       const struct addrinfo *restrict hints,
                                                       struct addrinfo **restrict addresses)
{
    if ((hints->ai_flags & AI_NUMERICHOST) != 0) {
        return find_numeric(node, service, hints, addresses);
    }
    if (strcmp(node, "one.test") == 0) {
        return find_numeric("192.0.2.1", service, hints, addresses);
    }
    if (strcmp(node, "two.test") == 0) {
        int failure = find_numeric("192.0.2.2", service, hints, addresses);
        return failure != 0 ? failure : find_numeric("192.0.2.3", service, hints, &(*addresses)->ai_next);
    }
    if (strcmp(node, "slow.test") == 0) {
        hang();
        return find_numeric("192.0.2.9", service, hints, addresses);
    }
    return EAI_NONAME;
}
