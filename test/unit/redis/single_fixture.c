#include "redis/single_fixture.h"

#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct fake_redis fake;
struct cpi_target *target;
int cancel_fd;
struct cpi_key key;
cp_error err;

void create_target(int timeout_ms)
{
    cpi_target_destroy(target);
    target = cpi_target_create(&(struct cpi_target_options){.address = &fake.address,
                                                            .role = "cachepusher-test",
                                                            .cancel_fd = cancel_fd,
                                                            .connect_timeout_ms = TIMEOUT_MS,
                                                            .timeout_ms = timeout_ms});
    ck_assert_ptr_nonnull(target);
}

void single_set_up(void)
{
    signal(SIGPIPE, SIG_IGN); /* the library's threads block it */
    memset(&fake, 0, sizeof fake);
    memset(&err, 0, sizeof err);
    cancel_fd = eventfd(0, 0);
    ck_assert_int_ge(cancel_fd, 0);
    ck_assert_int_eq(cpi_key_init(&key, "shop:{id}:v1", "", NULL, &err), CP_OK);
    fake_redis_init(&fake);
    create_target(TIMEOUT_MS);
}

void single_tear_down(void)
{
    cpi_target_destroy(target);
    target = NULL;
    fake_redis_fini(&fake);
    cpi_key_fini(&key);
    close(cancel_fd);
}

void start(const char *const *script)
{
    fake.script = script;
    fake_redis_start(&fake);
}

void open_target(void)
{
    ck_assert_msg(target->ops->open(target, &err) == CP_OK, "%s", err.message);
    target->ops->admit(target);
}

bool is_open(void)
{
    return target->ops->is_open(target);
}

bool has_seen(const char *command)
{
    return strstr(fake.commands, command) != NULL;
}
