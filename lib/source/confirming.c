#include "source/confirming.h"

#include "base/clock.h"

enum {
    PUT_EVERY_MS = 250, /* each costs a round through every lane */
    LOOK_EVERY_MS = 50  /* whether the lanes have passed it */
};

void cpi_confirming_offer(struct cpi_confirming *confirming, uint64_t position)
{
    confirming->offered = position != 0 ? position : confirming->offered;
}

int64_t cpi_confirming_put(struct cpi_confirming *confirming, struct cpi_requests *requests)
{
    if (confirming->offered == 0 || confirming->position != 0 || cpi_now_ms() < confirming->at_ms) {
        return 0;
    }
    confirming->position = confirming->offered;
    confirming->offered = 0;
    confirming->quiet = cpi_requests_owe_nothing(requests);
    confirming->at_ms = cpi_now_ms() + PUT_EVERY_MS;
    confirming->is_partial = false;
    return ++confirming->number;
}

bool cpi_confirming_is_mapped(struct cpi_confirming *confirming, int64_t number, bool is_partial)
{
    bool is_awaited = confirming->position != 0 && number == confirming->number;
    confirming->is_partial = confirming->is_partial || (is_awaited && is_partial);
    return is_awaited;
}

void cpi_confirming_look(struct cpi_confirming *confirming, struct cpi_requests *requests,
                         const struct cpi_lanes *lanes, struct cpi_source *source)
{
    if (confirming->position == 0) {
        return;
    }
    bool is_all = true;
    for (uint32_t i = 0; i < lanes->count; i++) {
        if (!cpi_lane_has_passed_position(&lanes->items[i], confirming->number)) {
            return;
        }
        is_all = is_all && cpi_lane_failing(&lanes->items[i]) != NULL;
    }
    bool is_quiet = confirming->quiet != 0 && confirming->quiet == cpi_requests_owe_nothing(requests);
    source->ops->confirm(source, confirming->position, is_all && is_quiet && !confirming->is_partial);
    confirming->position = 0;
}

void cpi_confirming_forget(struct cpi_confirming *confirming)
{
    confirming->position = 0;
    confirming->offered = 0;
}

int cpi_confirming_due_ms(const struct cpi_confirming *confirming)
{
    if (confirming->position != 0) {
        return LOOK_EVERY_MS;
    }
    return confirming->offered != 0 ? cpi_left_ms(confirming->at_ms) : -1;
}
