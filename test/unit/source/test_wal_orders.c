/* Transactions that come whole and in parts, in random orders, with snapshots, room and barriers as they may be: each
 * change goes on once, when it can be seen and not before, and neither a barrier nor the position overtakes one. */
#include "suites.h"

#include "source/wal_fixture.h"

#include <stdio.h>
#include <string.h>

enum { SEEDS = 100, TRANSACTIONS = 40, OPEN = 5, IDS = 8 * TRANSACTIONS, FIRST_XID = 10, LSN = 100 };

/* What becomes of one, in this order but for what is rolled back. */
enum stage { ABSENT, IS_OPEN, LOGGED, STREAMED, ROLLED_BACK };

struct transaction {
    enum stage stage;
    bool in_parts;
    bool is_visible; /* at the server */
    bool is_seen;    /* as the last snapshot says */
    int ids;         /* written so far */
    int left;        /* of these, not gone on */
    int order;       /* of its commit, from 1 */
    bool is_barrier;
};

static struct wal_fixture wal;
static struct transaction all[TRANSACTIONS];
static int owner[IDS];
static bool gone_on[IDS];
static int begun, ids, logged, streamed;
static bool waits_for[TRANSACTIONS][TRANSACTIONS]; /* a barrier for those that could be seen */
static int64_t sent, passed;                       /* the newest barrier */
static unsigned seed, state;

static int roll(int sides)
{
    state = state * 1664525u + 1013904223u;
    return (int)(state >> 16) % sides;
}

static uint32_t xid_of(const struct transaction *t)
{
    return (uint32_t)(FIRST_XID + (t - all));
}

/* ---- what is promised ---- */

/* Check takes its time over each of its own. */
static void promise(bool is_kept, const char *what, int transaction)
{
    if (!is_kept) {
        ck_abort_msg("seed %u, transaction %d: %s", seed, transaction, what);
    }
}

static void check_position(void)
{
    for (int i = 0; i < begun; i++) {
        bool is_passed = all[i].order != 0 && wal.changes.position >= (uint64_t)all[i].order * LSN;
        promise(!is_passed || (all[i].stage == STREAMED && all[i].left == 0), "the position", i);
    }
}

static void check_barrier(int64_t number)
{
    for (int i = 0; i < begun; i++) {
        promise(number == 0 || !waits_for[number - 1][i] || all[i].left == 0, "a barrier", i);
    }
}

static void take_what_arrived(void)
{
    for (size_t i = 0; i < wal.arrivals.events.count; i++) {
        int id = (int)wal.arrivals.events.items[i].id.number;
        promise(all[owner[id]].is_seen, "what cannot be seen", owner[id]);
        promise(!gone_on[id], "once more", owner[id]);
        gone_on[id] = true;
        all[owner[id]].left--;
    }
    cpi_events_truncate(&wal.arrivals.events, 0, wal.entities);
    check_barrier(wal.arrivals.barrier);
    passed = wal.arrivals.barrier > passed ? wal.arrivals.barrier : passed;
    wal.arrivals.barrier = 0;
    check_position();
    wal.arrivals.room = (uint32_t)roll(6);
}

/* ---- what happens ---- */

static void write_row(struct transaction *t)
{
    char row[32];
    if (ids < IDS) {
        snprintf(row, sizeof row, "%d,a", ids);
        owner[ids++] = (int)(t - all);
        t->ids++;
        t->left++;
        wal_insert(&wal, CUSTOMER, row);
    }
}

static void write_part(struct transaction *t)
{
    wal_start_part(&wal, xid_of(t));
    for (int n = roll(4); n > 0; n--) {
        write_row(t);
        take_what_arrived();
    }
    wal_stop_part(&wal);
}

static void roll_back(struct transaction *t)
{
    wal_abort_parts(&wal, xid_of(t), xid_of(t));
    t->stage = ROLLED_BACK;
    t->left = 0;
}

static void write_commit(struct transaction *t)
{
    t->stage = LOGGED;
    t->order = ++logged;
}

/* The barrier's own transaction, which is on its way at once. */
static void send_barrier(struct transaction *t)
{
    t->is_barrier = true;
    sent = t - all + 1;
    t->in_parts = false;
    for (int i = 0; i < begun; i++) {
        waits_for[t - all][i] = all[i].is_visible;
    }
    write_commit(t);
}

static void see(void)
{
    char text[512];
    int length = snprintf(text, sizeof text, "%d:%d:", FIRST_XID, FIRST_XID + begun);
    const char *comma = "";
    for (int i = 0; i < begun; i++) {
        all[i].is_seen = all[i].is_visible;
        if (!all[i].is_visible && all[i].stage != ROLLED_BACK) {
            length += snprintf(text + length, sizeof text - (size_t)length, "%s%d", comma, FIRST_XID + i);
            comma = ",";
        }
    }
    wal_see(&wal, text);
    take_what_arrived();
}

static void come_whole(struct transaction *t)
{
    char number[16];
    snprintf(number, sizeof number, "%d", (int)(t - all) + 1);
    wal_begin(&wal, xid_of(t));
    for (int n = t->is_barrier ? 0 : roll(6); n > 0; n--) {
        write_row(t);
        take_what_arrived();
        if (roll(6) == 0) {
            see();
        }
    }
    if (t->is_barrier) {
        wal_message(&wal, "cachepusher:own", number);
    }
    t->stage = STREAMED;
    wal_commit(&wal, (uint64_t)t->order * LSN);
}

/* Whatever was committed next. */
static void come(void)
{
    for (int i = 0; i < begun; i++) {
        if (all[i].order == streamed + 1) {
            streamed++;
            if (all[i].in_parts) {
                all[i].stage = STREAMED;
                wal_commit_parts(&wal, xid_of(&all[i]), (uint64_t)all[i].order * LSN);
            } else {
                come_whole(&all[i]);
            }
            break;
        }
    }
}

static void begin_one(void)
{
    int open = 0;
    for (int i = 0; i < begun; i++) {
        open += all[i].stage == IS_OPEN;
    }
    if (begun < TRANSACTIONS && open < OPEN) {
        struct transaction *t = &all[begun++];
        *t = (struct transaction){.stage = IS_OPEN, .in_parts = roll(2) == 0};
        if (t->in_parts) {
            write_part(t);
        } else if (roll(3) == 0) {
            send_barrier(t);
        }
    }
}

static void go_on(struct transaction *t)
{
    if (t->stage == IS_OPEN) {
        switch (roll(4)) {
        case 0:
            write_commit(t);
            break;
        case 1:
            if (t->in_parts && roll(2) == 0) {
                roll_back(t);
            }
            break;
        default:
            if (t->in_parts) {
                write_part(t);
            }
            break;
        }
    } else if (t->stage != ROLLED_BACK) {
        t->is_visible = true;
    }
}

static void happen(void)
{
    switch (roll(6)) {
    case 0:
        begin_one();
        break;
    case 1:
        come();
        break;
    case 2:
        see();
        break;
    case 3:
        cpi_wal_changes_hand_on(&wal.changes, &wal.arrivals);
        break;
    default:
        if (begun > 0) {
            go_on(&all[roll(begun)]);
        }
        break;
    }
    take_what_arrived();
}

static void finish(void)
{
    for (int i = 0; i < begun; i++) {
        if (all[i].stage == IS_OPEN) {
            write_commit(&all[i]);
        }
        all[i].is_visible = all[i].stage != ROLLED_BACK;
    }
    while (streamed < logged) {
        come();
        take_what_arrived();
    }
    see();
    for (int n = 0; cpi_wal_changes_have_more(&wal.changes); n++) {
        promise(n < 100 * IDS, "no end", 0);
        cpi_wal_changes_hand_on(&wal.changes, &wal.arrivals);
        take_what_arrived();
    }
    ck_assert_uint_eq(wal.changes.position, logged > 0 ? (uint64_t)logged * LSN : 1);
    ck_assert(wal.changes.first == NULL && wal.changes.last == NULL && wal.changes.open == NULL);
    ck_assert_uint_eq(wal.changes.kept_back + wal.changes.kept_early, 0);
    promise(passed == sent, "a barrier is lost", 0);
    for (int i = 0; i < ids; i++) {
        promise(gone_on[i] || all[owner[i]].stage == ROLLED_BACK, "lost", owner[i]);
    }
}

START_TEST(each_change_goes_on_once_and_in_time)
{
    for (seed = 1; seed <= SEEDS; seed++) {
        state = seed;
        begun = ids = logged = streamed = 0;
        sent = passed = 0;
        memset(gone_on, 0, sizeof gone_on);
        memset(waits_for, 0, sizeof waits_for);
        wal_fixture_init(&wal);
        wal_relations(&wal);
        for (int n = 0; n < 300; n++) {
            happen();
        }
        finish();
        wal_fixture_fini(&wal);
    }
}
END_TEST

Suite *wal_orders_suite(void)
{
    Suite *suite = suite_create("wal_orders");
    TCase *tcase = tcase_create("wal_orders");
    tcase_add_test(tcase, each_change_goes_on_once_and_in_time);
    suite_add_tcase(suite, tcase);
    return suite;
}
