#include "option_values.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/address.h"
#include "common/complain.h"

#define MAX_GRACE_S 86400.0
#define MAX_SAMPLE 1000000
#define MAX_DEPTH 5

char *path_make_absolute(const struct options *options, const char *path)
{
    char *absolute = NULL;

    if (*path == '/') {
        absolute = strdup(path);
    } else if (options->directory == NULL || asprintf(&absolute, "%s/%s", options->directory, path) == -1) {
        absolute = NULL;
    }
    if (absolute == NULL) {
        complain("%s: cannot be made absolute: %s", path, strerror(errno));
    }
    return absolute;
}

/* Digits and a point: strtod() alone would take "nan" and "0x1p3" too. */
bool value_grace(const char *value, int *grace_ms)
{
    char *end;
    double seconds = strtod(value, &end);

    if (end == value || *end != '\0' || strspn(value, "0123456789.") != strlen(value) || seconds > MAX_GRACE_S) {
        complain("--grace: \"%s\" is not a number of seconds from 0 to %.0f", value, MAX_GRACE_S);
        return false;
    }
    *grace_ms = (int)(seconds * 1000);
    return true;
}

bool value_sample(const char *value, uint64_t *sample)
{
    size_t digits = strspn(value, "0123456789");
    unsigned long number = digits > 0 && digits < 10 && value[digits] == '\0' ? strtoul(value, NULL, 10) : 0;

    if (number < 1 || number > MAX_SAMPLE) {
        complain("--sample: \"%s\" is not a number from 1 to %d", value, MAX_SAMPLE);
        return false;
    }
    *sample = number;
    return true;
}

bool value_depth(const char *value, size_t *depth)
{
    if (*value < '0' || *value > '0' + MAX_DEPTH || value[1] != '\0') {
        complain("--depth: \"%s\" is not a number from 0 to %d", value, MAX_DEPTH);
        return false;
    }
    *depth = (size_t)(*value - '0');
    return true;
}

bool value_log_format(const char *value, enum log_format *format)
{
    static const char *const names[] = {
        [LOG_FORMAT_TEXT] = "text", [LOG_FORMAT_JSON] = "json", [LOG_FORMAT_JOURNAL] = "journal"};
    for (unsigned i = LOG_FORMAT_TEXT; i <= LOG_FORMAT_JOURNAL; i++) {
        if (strcmp(value, names[i]) == 0) {
            *format = (enum log_format)i;
            return true;
        }
    }
    complain("--log-format: \"%s\" is not text, json or journal", value);
    return false;
}

bool value_pidfile(const char *value, struct options *options)
{
    if (*value == '\0') {
        complain("--pidfile: expected the name of a file");
        return false;
    }
    free(options->pidfile);
    options->pidfile = path_make_absolute(options, value);
    return options->pidfile != NULL;
}

/* A daemon's directory is another one than that in which its command line was typed. */
bool value_admin(struct options *options, const char *value)
{
    const char *relative = address_path(value);
    char *path = NULL;
    free(options->admin);
    options->admin = NULL;
    if (relative == NULL || *relative == '\0') {
        options->admin = strdup(value);
    } else if ((path = path_make_absolute(options, relative)) == NULL) {
        return false;
    } else if (asprintf(&options->admin, "unix:%s", path) == -1) {
        options->admin = NULL;
    }
    free(path);
    if (options->admin == NULL) {
        complain("out of memory");
    }
    return options->admin != NULL;
}
