/* A program that embeds the library, in the C and the C++ of its time: what a host does first, as far as it gets
 * without servers. */

#include <cachepusher.h>
#include <stdio.h>
#include <string.h>

static int fail(const char *what, const cp_error *err)
{
    fprintf(stderr, "host: %s: %s: %s\n", what, cp_code_name(err->code), err->message);
    return 1;
}

int main(void)
{
    cp_error err;
    cp_config *config = cp_config_create(&err);
    if (config == NULL || cp_config_set(config, "postgres", "host=/nonexistent dbname=shop", &err) != CP_OK ||
        cp_config_set(config, "redis", "unix:/nonexistent/redis", &err) != CP_OK) {
        cp_config_destroy(config);
        return fail("configuring", &err);
    }
    cp_syncer *syncer = cp_syncer_create(config, NULL, &err);
    if (syncer == NULL) {
        return fail("creating", &err);
    }
    cp_code code = cp_syncer_start(syncer, &err);
    cp_syncer_destroy(syncer);
    if ((code != CP_ERR_POSTGRES && code != CP_ERR_REDIS) || strstr(err.message, "/nonexistent") == NULL) {
        return fail("starting without servers", &err);
    }
    printf("cachepusher %s: %s: %s\n", cp_version(), cp_code_name(code), err.message);
    return strcmp(cp_version(), CP_VERSION) == 0 ? 0 : 1;
}
