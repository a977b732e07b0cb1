/* Where Redis is, from a configuration or the command line. */
#include "fuzz.h"

#include "redis/redis_address.h"

#include <strings.h>

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* Its name in messages leads to the same place; but for a host called "unix", whose name looks like a socket's. */
static void check_name(const struct cpi_redis_address *address, size_t size)
{
    if (address->host != NULL && strcasecmp(address->host, "unix") == 0) {
        return;
    }
    char *name = malloc(size + 64);
    REQUIRE(name != NULL);
    cpi_redis_address_name(address, name, size + 64);

    struct cpi_redis_address again;
    REQUIRE(cpi_redis_address_parse(&again, name, NULL) == CP_OK);
    REQUIRE(same_text(again.path, address->path));
    REQUIRE(same_text(again.host, address->host));
    REQUIRE(again.port == address->port);
    REQUIRE(again.user == NULL && again.password == NULL && again.database == 0);
    cpi_redis_address_fini(&again);
    free(name);
}

static void check_accepted(const struct cpi_redis_address *address)
{
    REQUIRE((address->path == NULL) != (address->host == NULL));
    REQUIRE(address->port >= 1 && address->port <= 65535);
    REQUIRE(address->database >= 0);
    REQUIRE(address->path == NULL || *address->path != '\0');
    REQUIRE(address->host == NULL || *address->host != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    struct cpi_redis_address address;
    cp_error err;
    cp_code code = cpi_redis_address_parse(&address, text, &err);
    if (code == CP_OK) {
        check_accepted(&address);
        check_name(&address, size);
    } else {
        fuzz_check_error(&err, code, CP_ERR_CONFIG);
        REQUIRE(address.path == NULL && address.host == NULL && address.user == NULL && address.password == NULL);
    }
    cpi_redis_address_fini(&address);
    free(text);
    return 0;
}
