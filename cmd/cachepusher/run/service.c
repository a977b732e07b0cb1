#include "run/service.h"

#include "common/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#define EVERY_S 1.0
static void print_status(char *status, size_t size, const cp_stats *stats, const cp_health *health)
{
    switch (health->state) {
    case CP_STATE_STANDBY:
        snprintf(status, size, "Standing by: another instance of the name is the writer");
        break;
    case CP_STATE_STARTING:
    case CP_STATE_WARMING:
        snprintf(status, size, "Filling Redis: %" PRIu64 " of about %" PRIu64 " document%s",
                 stats->stored + stats->deleted, stats->resync_estimate, stats->resync_estimate == 1 ? "" : "s");
        break;
    case CP_STATE_READY:
        snprintf(status, size,
                 "Following changes: %" PRIu64 " stored, %" PRIu64 " deleted, %" PRIu64 " pending, %" PRIu64 " failing",
                 stats->stored, stats->deleted, stats->pending, stats->failing);
        break;
    default:
        snprintf(status, size, "%s: %s", cp_state_name(health->state), health->why);
        break;
    }
}

static void tell_status(struct service *service, const char *status)
{
    if (strcmp(status, service->status) != 0) {
        snprintf(service->status, sizeof service->status, "%s", status);
        sd_notifyf(0, "STATUS=%s", status);
    }
}

void service_update(struct service *service, const cp_syncer *syncer, const struct admin *admin)
{
    cp_stats stats = {.size = sizeof stats};
    cp_health health = {.size = sizeof health};
    char status[sizeof service->status];
    double now_s = clock_now_s();
    service->started_s = service->started_s > 0 ? service->started_s : now_s;
    if (now_s < service->update_at_s) {
        return;
    }
    service->update_at_s = now_s + EVERY_S;
    cp_syncer_stats(syncer, &stats, NULL);
    cp_syncer_health(syncer, &health, NULL);
    bool waits = health.state == CP_STATE_STANDBY;
    if (!service->is_told_ready && (stats.ready || waits)) {
        service->is_told_ready = true;
        sd_notify(0, "READY=1");
    }
    if (!admin_is_well(admin)) {
        tell_status(service, "the admin thread is stuck");
        return;
    }
    print_status(status, sizeof status, &stats, &health);
    tell_status(service, status);
    if (health.alive) {
        sd_notify(0, "WATCHDOG=1");
    }
}

int service_due_ms(const struct service *service)
{
    double left_s = service->update_at_s - clock_now_s();
    return left_s > 0 ? (int)(left_s * 1000) + 1 : 0;
}

void service_stops(struct service *service)
{
    service->update_at_s = 0;
    sd_notify(0, "STOPPING=1\nSTATUS=Settling what is queued");
}
