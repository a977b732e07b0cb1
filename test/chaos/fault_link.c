/* What happens on the way to either server: see proxy.h. */
#include "fault.h"

static int door_of(const struct world *world, const struct strike *strike)
{
    return strike->fault->target == TARGET_REDIS_LINK ? world->redis_door : world->postgres_door;
}

static void behave(struct world *world, struct strike *strike, struct proxy_behaviour behaviour)
{
    if (behaviour.share == 0) { /* all, or some */
        behaviour.share = roll(&strike->random, 2) == 0 ? 100 : 40;
    }
    behaviour.random = strike->random;
    proxy_behave(world->proxy, door_of(world, strike), behaviour);
}

static void heal(struct world *world, struct strike *strike)
{
    proxy_behave(world->proxy, door_of(world, strike), (struct proxy_behaviour){.mode = PROXY_PASS});
}

static void inject_reset(struct world *world, struct strike *strike)
{
    behave(world, strike, (struct proxy_behaviour){.mode = PROXY_RESET});
}

static void inject_delay(struct world *world, struct strike *strike)
{
    int delay_ms = 10 + (int)roll(&strike->random, 400);
    behave(world, strike, (struct proxy_behaviour){.mode = PROXY_DELAY, .share = 100, .delay_ms = delay_ms});
}

static void inject_cut(struct world *world, struct strike *strike)
{
    int bytes = roll(&strike->random, 2) == 0 ? 100 : 20000;
    behave(world, strike, (struct proxy_behaviour){.mode = PROXY_CUT, .share = 100, .cut_bytes = bytes});
}

static void inject_silent(struct world *world, struct strike *strike)
{
    behave(world, strike, (struct proxy_behaviour){.mode = PROXY_SILENT});
}

static void inject_late(struct world *world, struct strike *strike)
{
    behave(world, strike, (struct proxy_behaviour){.mode = PROXY_LATE});
}

static void inject_trickle(struct world *world, struct strike *strike)
{
    behave(world, strike, (struct proxy_behaviour){.mode = PROXY_TRICKLE, .share = 100});
}

const struct fault link_faults[] = {
    {"redis-link-reset", TARGET_REDIS_LINK, 0, 2000, inject_reset, heal, false, false},
    {"redis-link-delay", TARGET_REDIS_LINK, 500, 3000, inject_delay, heal, false, false},
    {"redis-link-cut", TARGET_REDIS_LINK, 500, 3000, inject_cut, heal, false, false},
    {"redis-link-silent", TARGET_REDIS_LINK, 500, 3000, inject_silent, heal, true, false},
    {"redis-link-late", TARGET_REDIS_LINK, 1500, 5000, inject_late, heal, true, false},
    {"redis-link-trickle", TARGET_REDIS_LINK, 500, 3000, inject_trickle, heal, false, false},
    {"postgres-link-reset", TARGET_POSTGRES_LINK, 0, 2000, inject_reset, heal, false, false},
    {"postgres-link-delay", TARGET_POSTGRES_LINK, 500, 3000, inject_delay, heal, false, false},
    {"postgres-link-cut", TARGET_POSTGRES_LINK, 500, 3000, inject_cut, heal, false, false},
    {"postgres-link-silent", TARGET_POSTGRES_LINK, 500, 3000, inject_silent, heal, true, false},
    {"postgres-link-late", TARGET_POSTGRES_LINK, 1500, 5000, inject_late, heal, true, false},
    {"postgres-link-trickle", TARGET_POSTGRES_LINK, 500, 3000, inject_trickle, heal, false, false},
    {0},
};
