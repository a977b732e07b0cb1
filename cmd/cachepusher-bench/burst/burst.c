#include "burst/burst.h"

#include "commands.h"

#include <errno.h>
#include <time.h>

void burst_tidy(PGconn *pg)
{
    pg_do(pg, "vacuum full customer");
    pg_do(pg, "vacuum (analyze) customer");
    pg_do(pg, "checkpoint");
}

void burst_sleep_ms(long milliseconds)
{
    struct timespec left = {.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000};
    while (nanosleep(&left, &left) == -1 && errno == EINTR) {
    }
}

void bench_burst(struct servers *servers, const struct options *options, struct report *report)
{
    burst_touch(servers, options, report);
    burst_hot(servers, options, report);
    burst_memory(servers, options, report);
}
