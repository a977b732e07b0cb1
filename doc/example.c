#include <cachepusher.h>
#include <stdio.h>

int main(void)
{
    cp_error err;
    cp_config *config = cp_config_create(&err);
    if (config == NULL || cp_config_set(config, "postgres", "host=/run/postgresql dbname=shop", &err) != CP_OK ||
        cp_config_set(config, "redis", "127.0.0.1:6379", &err) != CP_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    cp_syncer *syncer = cp_syncer_create(config, NULL, &err); /* owns config from here on */
    if (syncer == NULL || cp_syncer_start(syncer, &err) != CP_OK ||
        cp_syncer_wait_ready(syncer, 60000, &err) != CP_OK) {
        fprintf(stderr, "%s\n", err.message);
        cp_syncer_destroy(syncer);
        return 1;
    }
    cp_stats stats = {.size = sizeof stats};
    cp_syncer_stats(syncer, &stats, NULL);
    printf("%llu customers are in Redis and follow Postgres; press return to stop\n", (unsigned long long)stats.stored);
    getchar();
    if (cp_syncer_stop(syncer, 5000, &err) != CP_OK) {
        fprintf(stderr, "%s\n", err.message);
    }
    cp_syncer_destroy(syncer);
    return 0;
}
