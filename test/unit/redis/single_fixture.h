/* A target, closed, and the server it is about to find. For the tests of a single server. */
#ifndef SINGLE_FIXTURE_H
#define SINGLE_FIXTURE_H

#include "redis/fake_redis.h"
#include "redis/target.h"

#include <check.h>

enum { TIMEOUT_MS = 10000, SHORT_MS = 500 };

extern struct fake_redis fake; /* not started */
extern struct cpi_target *target;
extern int cancel_fd;      /* the target's */
extern struct cpi_key key; /* shop:{id}:v1 */
extern cp_error err;

void single_set_up(void);
void single_tear_down(void);

/* Another target in place of this one. */
void create_target(int timeout_ms);

/* Starts the server with a script; NULL: it answers nothing but what a connection asks when it is made. */
void start(const char *const *script);

/* Opens the target and lets it write. */
void open_target(void);

bool is_open(void);

/* Whether the server, which has been stopped, has got a command. */
bool has_seen(const char *command);

#endif
