#include "redis/redis_address.h"

#include "base/error.h"
#include "model/id.h"

#include <arpa/inet.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

enum { DEFAULT_PORT = 6379, PORT_MAX = 65535 };

/* Messages say which part is wrong and never show it: what looks like a port may be half of a
 * password. */
static cp_code address_reject(cp_error *err, const char *problem)
{
    return cpi_error(err, CP_ERR_CONFIG, false,
                     "%s (expected HOST[:PORT], redis://[[USER]:PASSWORD@]HOST[:PORT][/DB] or unix:PATH)", problem);
}

static bool address_parse_number(const char *text, size_t length, int min, int max, int *number)
{
    union cpi_id value;
    bool out_of_memory;
    if (length == 0 || text[0] == '-' || !cpi_id_parse(CPI_ID_INTEGER, text, length, &value, &out_of_memory) ||
        value.number < min || value.number > max) {
        return false;
    }
    *number = (int)value.number;
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

/* Into *decoded, from malloc; NULL for an empty text, which stands for none. */
static cp_code percent_decode(const char *text, size_t length, char **decoded, cp_error *err)
{
    if (length == 0) {
        return CP_OK;
    }
    char *out = malloc(length + 1);
    if (out == NULL) {
        return cpi_error_memory(err);
    }
    *decoded = out;
    for (size_t i = 0; i < length; i++) {
        if (text[i] != '%') {
            *out++ = text[i];
            continue;
        }
        int high = i + 2 < length ? hex_digit(text[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
        if (low < 0 || (high == 0 && low == 0)) {
            free(*decoded);
            *decoded = NULL;
            return address_reject(err, "the user or password has a % that two hex digits other than 00 do not follow");
        }
        *out++ = (char)(high * 16 + low);
        i += 2;
    }
    *out = '\0';
    return CP_OK;
}

static cp_code parse_unix(struct cpi_redis_address *address, const char *path, cp_error *err)
{
    if (*path == '\0') {
        return address_reject(err, "the path of the socket is missing");
    }
    /* A path is shown in messages. Whoever writes it like a URI means a password, which must not be. */
    if (strpbrk(path, "@?") != NULL || strstr(path, "//") != NULL) {
        return address_reject(err, "the path of a socket has an @, a ? or //; a password can be given in a redis:// "
                                   "URI only");
    }
    if (strlen(path) >= sizeof((struct sockaddr_un *)NULL)->sun_path) {
        return address_reject(err, "the path of the socket is longer than a socket's path may be");
    }
    address->path = strdup(path);
    return address->path != NULL ? CP_OK : cpi_error_memory(err);
}

/* What stands between brackets: an IPv6 address, possibly with %interface behind it. */
static bool is_ipv6(const char *host)
{
    char number[INET6_ADDRSTRLEN];
    struct in6_addr parsed;
    size_t length = strcspn(host, "%");
    if (length >= sizeof number || (host[length] == '%' && host[length + 1] == '\0')) {
        return false;
    }
    memcpy(number, host, length);
    number[length] = '\0';
    return inet_pton(AF_INET6, number, &parsed) == 1;
}

static bool is_host_name(const char *host)
{
    if (*host == '\0') {
        return false;
    }
    for (; *host != '\0'; host++) {
        if ((unsigned char)*host <= ' ' || *host == 0x7F || strchr("/@?#[]\\%:", *host) != NULL) {
            return false;
        }
    }
    return true;
}

/* HOST[:PORT] or [IPV6][:PORT] */
static cp_code parse_host(struct cpi_redis_address *address, const char *text, size_t length, cp_error *err)
{
    bool bracketed = length > 0 && text[0] == '[';
    const char *close = bracketed ? memchr(text, ']', length) : NULL;
    if (bracketed && close == NULL) {
        return address_reject(err, "the ] of an IPv6 address is missing");
    }
    const char *host = bracketed ? text + 1 : text;
    const char *end = text + length;
    const char *host_end = bracketed ? close : memchr(text, ':', length);
    if (host_end == NULL) {
        host_end = end;
    }
    const char *rest = bracketed ? host_end + 1 : host_end;
    if (!bracketed && rest < end && memchr(rest + 1, ':', (size_t)(end - rest - 1)) != NULL) {
        return address_reject(err, "it has several colons; an IPv6 address needs brackets, as in [::1]:6379");
    }

    address->host = strndup(host, (size_t)(host_end - host));
    if (address->host == NULL) {
        return cpi_error_memory(err);
    }
    if (bracketed ? !is_ipv6(address->host) : !is_host_name(address->host)) {
        return address_reject(err, bracketed ? "what stands in brackets is not an IPv6 address"
                                             : "the host is missing or has characters that no host has");
    }
    if (rest == end) {
        return CP_OK;
    }
    if (*rest != ':' || !address_parse_number(rest + 1, (size_t)(end - rest - 1), 1, PORT_MAX, &address->port)) {
        return address_reject(err, "the port is not a number from 1 to 65535");
    }
    return CP_OK;
}

/* [USER]:PASSWORD */
static cp_code parse_login(struct cpi_redis_address *address, const char *text, size_t length, cp_error *err)
{
    const char *colon = memchr(text, ':', length);
    if (colon == NULL) {
        return address_reject(err, "a colon is missing before the password: redis://:PASSWORD@HOST");
    }
    const char *password = colon + 1;
    size_t user_length = (size_t)(colon - text);
    cp_code code = percent_decode(text, user_length, &address->user, err);
    if (code == CP_OK) {
        code = percent_decode(password, length - user_length - 1, &address->password, err);
    }
    return code;
}

/* What follows redis:// */
static cp_code parse_uri(struct cpi_redis_address *address, const char *text, cp_error *err)
{
    size_t length = strcspn(text, "/?#");
    const char *rest = text + length;
    /* The last @, so that one in a password works even if nobody has encoded it. */
    const char *at = memrchr(text, '@', length);
    if (at != NULL) {
        cp_code code = parse_login(address, text, (size_t)(at - text), err);
        if (code != CP_OK) {
            return code;
        }
        length -= (size_t)(at + 1 - text);
        text = at + 1;
    }
    if (strchr(rest, '@') != NULL) {
        return address_reject(err, "an @ stands behind a /, ? or #; in a password these are written %2F, %3F, %23");
    }
    cp_code code = parse_host(address, text, length, err);
    if (code != CP_OK || *rest == '\0' || strcmp(rest, "/") == 0) {
        return code;
    }
    if (*rest != '/' || !address_parse_number(rest + 1, strlen(rest + 1), 0, INT_MAX, &address->database)) {
        return address_reject(err, "what follows the host is not the number of a database");
    }
    return CP_OK;
}

static cp_code address_parse(struct cpi_redis_address *address, const char *text, cp_error *err)
{
    if (strncasecmp(text, "unix:", 5) == 0) {
        return parse_unix(address, text + 5, err);
    }
    if (strncasecmp(text, "redis://", 8) == 0) {
        return parse_uri(address, text + 8, err);
    }
    if (strncasecmp(text, "rediss://", 9) == 0) {
        return cpi_error(err, CP_ERR_CONFIG, false,
                         "rediss:// is not supported: cachepusher does not speak TLS to Redis");
    }
    if (strstr(text, "://") != NULL) {
        return address_reject(err, "the scheme of the URI is not redis");
    }
    if (strchr(text, '@') != NULL) {
        return address_reject(err, "a password can be given in a URI only");
    }
    return parse_host(address, text, strlen(text), err);
}

cp_code cpi_redis_address_parse(struct cpi_redis_address *address, const char *text, cp_error *err)
{
    struct cpi_redis_address parsed = {.port = DEFAULT_PORT};
    cp_code code = address_parse(&parsed, text, err);
    if (code != CP_OK) {
        cpi_redis_address_fini(&parsed);
    }
    *address = parsed;
    return code;
}

void cpi_redis_address_fini(struct cpi_redis_address *address)
{
    free(address->path);
    free(address->host);
    free(address->user);
    free(address->password);
    *address = (struct cpi_redis_address){0};
}

void cpi_redis_address_name(const struct cpi_redis_address *address, char *buffer, size_t size)
{
    if (address->path != NULL) {
        snprintf(buffer, size, "unix:%s", address->path);
    } else if (strchr(address->host, ':') != NULL) {
        snprintf(buffer, size, "[%s]:%d", address->host, address->port);
    } else {
        snprintf(buffer, size, "%s:%d", address->host, address->port);
    }
}
