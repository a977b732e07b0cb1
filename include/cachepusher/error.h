/* What every call has: errors, and the version. Part of cachepusher.h, which has the rules. */
#ifndef CACHEPUSHER_ERROR_H
#define CACHEPUSHER_ERROR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define CP_API __attribute__((visibility("default")))
#else
#define CP_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- errors ---- */

/* What kind of failure it was. */
typedef enum cp_code {
    CP_OK = 0,
    CP_ERR_ARGUMENT, /* the call is wrong: unknown entity, not an id, NULL */
    CP_ERR_CONFIG,   /* a configuration file or value is wrong */
    CP_ERR_SYSTEM,   /* out of memory, threads or file descriptors */
    CP_ERR_POSTGRES, /* Postgres cannot be reached, refused, or lacks a function or table */
    CP_ERR_REDIS,    /* Redis cannot be reached or refused; or the host's store, in its place (store.h) */
    CP_ERR_TIMEOUT,  /* the time given has passed */
    CP_ERR_STOPPED,  /* the syncer is stopping, or has been stopped */
    CP_ERR_STANDBY,  /* another syncer of the name writes */
    CP_ERR_PARKED    /* the document fails by itself, and is retried */
} cp_code;

/* A failure. */
typedef struct cp_error {
    cp_code code;
    bool retriable; /* the same call may succeed later without anybody changing the configuration */
    char message[512];
} cp_error;

/* The name of a code, such as "postgres". Never NULL; the string is static. */
CP_API const char *cp_code_name(cp_code code);

/* The version of the library that runs, as CP_VERSION was when it was built. */
CP_API const char *cp_version(void);

#ifdef __cplusplus
}
#endif

#endif
