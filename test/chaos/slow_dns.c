/* Loaded before the daemon's C library: names are not resolved while the file that CHAOS_DNS names exists. */
#include <dlfcn.h>
#include <netdb.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

enum { LOOK_MS = 20 };

__attribute__((visibility("default"))) int getaddrinfo(const char *restrict node, const char *restrict service,
                                                       const struct addrinfo *restrict hints,
                                                       struct addrinfo **restrict addresses)
{
    int (*original)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    *(void **)&original = dlsym(RTLD_NEXT, "getaddrinfo");
    const char *hangs = getenv("CHAOS_DNS");
    bool is_numeric = hints != NULL && (hints->ai_flags & AI_NUMERICHOST) != 0;
    while (!is_numeric && hangs != NULL && access(hangs, F_OK) == 0) {
        poll(NULL, 0, LOOK_MS);
    }
    return original(node, service, hints, addresses);
}
