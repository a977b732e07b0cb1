#include "source/wal/snapshot.h"

#include <errno.h>
#include <stdlib.h>

/* A number and what stands behind it; NULL: there is none. */
static const char *parse_xid(const char *text, uint64_t *xid)
{
    char *end = NULL;
    if (text == NULL || *text < '0' || *text > '9') {
        return NULL;
    }
    errno = 0;
    *xid = strtoull(text, &end, 10);
    return errno == 0 ? end : NULL;
}

static bool add_running(struct cpi_snapshot *snapshot, uint64_t xid)
{
    if (snapshot->count == snapshot->capacity) {
        size_t capacity = snapshot->capacity == 0 ? 16 : 2 * snapshot->capacity;
        uint64_t *running = realloc(snapshot->running, capacity * sizeof *running);
        if (running == NULL) {
            return false;
        }
        snapshot->running = running;
        snapshot->capacity = capacity;
    }
    snapshot->running[snapshot->count++] = xid;
    return true;
}

static bool parse_all(struct cpi_snapshot *snapshot, const char *text)
{
    uint64_t xid = 0;
    const char *at = parse_xid(text, &xid); /* xmin: the least of those that run */
    at = at != NULL && *at == ':' ? parse_xid(at + 1, &snapshot->xmax) : NULL;
    if (at == NULL || *at != ':') {
        return false;
    }
    at++;
    for (bool more = *at != '\0'; more; at++) {
        at = parse_xid(at, &xid);
        if (at == NULL || (*at != ',' && *at != '\0') || !add_running(snapshot, xid)) {
            return false;
        }
        more = *at == ',';
    }
    return true;
}

bool cpi_snapshot_parse(struct cpi_snapshot *snapshot, const char *text)
{
    snapshot->count = 0;
    snapshot->xmax = 0;
    bool parsed = parse_all(snapshot, text);
    snapshot->xmax = parsed ? snapshot->xmax : 0;
    return parsed;
}

bool cpi_snapshot_sees(const struct cpi_snapshot *snapshot, uint32_t xid)
{
    int32_t distance = (int32_t)(xid - (uint32_t)snapshot->xmax);
    if (snapshot->xmax == 0 || distance >= 0) {
        return false;
    }
    uint64_t full = snapshot->xmax + (uint64_t)(int64_t)distance;
    for (size_t i = 0; i < snapshot->count; i++) {
        if (snapshot->running[i] == full) {
            return false;
        }
    }
    return true;
}

void cpi_snapshot_fini(struct cpi_snapshot *snapshot)
{
    free(snapshot->running);
    *snapshot = (struct cpi_snapshot){0};
}
