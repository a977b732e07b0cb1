#include "burst/burst.h"

#include "commands.h"
#include "fatal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void burst_tidy(PGconn *pg)
{
    pg_do(pg, "vacuum full customer");
    pg_do(pg, "vacuum (analyze) customer");
    pg_do(pg, "checkpoint");
}

long long burst_count_sets(redisContext *redis)
{
    redisReply *reply = redisCommand(redis, "INFO commandstats");
    if (reply == NULL || reply->type != REDIS_REPLY_STRING) {
        fatal("Redis: INFO: %s", reply == NULL ? redis->errstr : reply->str);
    }
    const char *found = strstr(reply->str, "cmdstat_set:calls=");
    long long sets = found != NULL ? strtoll(found + strlen("cmdstat_set:calls="), NULL, 10) : 0;
    freeReplyObject(reply);
    return sets;
}

void burst_sleep_ms(long milliseconds)
{
    struct timespec left = {.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000};
    while (nanosleep(&left, &left) == -1 && errno == EINTR) {
    }
}

bool burst_is_possible(const struct options *options)
{
    return sources_are_possible(options->sources);
}

void bench_burst(struct servers *servers, const struct options *options, struct report *report)
{
    burst_touch(servers, options, report);
    burst_hot(servers, options, report);
    burst_memory(servers, options, report);
}
