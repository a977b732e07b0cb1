#include "suites.h"

#include "redis/fence.h"

static const char GROUP[] = "0123456789abcdef";
static const char TOKEN[] = "ours";

/* Lines as CLIENT LIST has them, but shorter. id: whose connection is to be ended; NULL: nobody's. */
static const struct {
    const char *line;
    const char *id;
} lines[] = {
    {"id=3 addr=127.0.0.1:5 laddr=127.0.0.1:6 fd=8 name=cachepusher-worker:0123456789abcdef:theirs age=1", "3"},
    {"id=18446744073709551615 addr=/run/redis.sock:0 name=cachepusher-flush:0123456789abcdef:theirs db=0",
     "18446744073709551615"},
    {"id=4 addr=[::1]:5 name=cachepusher-marker:0123456789abcdef:theirs", "4"},
    /* ours */
    {"id=5 addr=127.0.0.1:5 name=cachepusher-worker:0123456789abcdef:ours age=1", NULL},
    /* another lease's */
    {"id=6 addr=127.0.0.1:5 name=cachepusher-worker:0123456789abcde0:theirs age=1", NULL},
    {"id=7 addr=127.0.0.1:5 name=cachepusher-worker:0123456789abcdef0:theirs age=1", NULL},
    {"id=8 addr=127.0.0.1:5 name=cachepusher-worker:0123456789abcde:theirs age=1", NULL},
    /* not admitted yet, or not a writer */
    {"id=9 addr=127.0.0.1:5 name=cachepusher-worker age=1", NULL},
    {"id=9 addr=127.0.0.1:5 name=cachepusher-worker:0123456789abcdef age=1", NULL},
    {"id=9 addr=127.0.0.1:5 name=cachepusher-worker:0123456789abcdef: age=1", NULL},
    /* somebody else's */
    {"id=10 addr=127.0.0.1:5 name= age=1", NULL},
    {"id=10 addr=127.0.0.1:5 name=shop:0123456789abcdef:theirs age=1", NULL},
    {"id=10 addr=127.0.0.1:5 name=Cachepusher-worker:0123456789abcdef:theirs age=1", NULL},
    {"id=10 addr=127.0.0.1:5 lib-name=cachepusher-worker:0123456789abcdef:theirs", NULL},
    /* no line of CLIENT LIST */
    {"", NULL},
    {"name=cachepusher-worker:0123456789abcdef:theirs", NULL},
    {"id= name=cachepusher-worker:0123456789abcdef:theirs", NULL},
    {"id=x addr=1 name=cachepusher-worker:0123456789abcdef:theirs", NULL},
};

START_TEST(ends_former_owners_alone)
{
    char id[24] = "";
    bool is_other = cpi_fence_is_other(lines[_i].line, GROUP, TOKEN, id);
    ck_assert_msg(is_other == (lines[_i].id != NULL), "%s", lines[_i].line);
    if (is_other) {
        ck_assert_str_eq(id, lines[_i].id);
    }
}
END_TEST

Suite *fence_suite(void)
{
    Suite *suite = suite_create("fence");
    TCase *tcase = tcase_create("fence");
    tcase_add_loop_test(tcase, ends_former_owners_alone, 0, (int)(sizeof lines / sizeof *lines));
    suite_add_tcase(suite, tcase);
    return suite;
}
