#include "suites.h"

#include "redis/redis.h"

/* As servers word them. */
static const struct {
    const char *message;
    enum cpi_reply_error what;
} replies[] = {
    {"LOADING Redis is loading the dataset in memory", CPI_REPLY_WAIT},
    {"BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.", CPI_REPLY_WAIT},
    {"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", CPI_REPLY_WAIT},
    {"MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist.", CPI_REPLY_WAIT},
    {"OOM command not allowed when used memory > 'maxmemory'.", CPI_REPLY_WAIT},
    {"OOM", CPI_REPLY_WAIT},
    {"NOREPLICAS Not enough good replicas to write.", CPI_REPLY_WAIT},
    {"TRYAGAIN Multiple keys request during rehashing of slot", CPI_REPLY_WAIT},
    {"CLUSTERDOWN The cluster is down", CPI_REPLY_WAIT},
    {"READONLY You can't write against a read only replica.", CPI_REPLY_RECONNECT},
    {"MOVED 3999 127.0.0.1:6381", CPI_REPLY_RECONNECT},
    {"ASK 3999 127.0.0.1:6381", CPI_REPLY_RECONNECT},
    {"UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",
     CPI_REPLY_RECONNECT},
    {"NOAUTH Authentication required.", CPI_REPLY_OPERATOR},
    {"WRONGPASS invalid username-password pair or user is disabled.", CPI_REPLY_OPERATOR},
    {"NOPERM this user has no permissions to run the 'set' command", CPI_REPLY_OPERATOR},
    {"ERR unknown command 'UNLINK'", CPI_REPLY_OPERATOR},
    {"ERR DB index is out of range", CPI_REPLY_OPERATOR},
    {"WRONGTYPE Operation against a key holding the wrong kind of value", CPI_REPLY_OPERATOR},
    /* The whole first word, in its own spelling, and nowhere else. */
    {"BUSYGROUP Consumer Group name already exists", CPI_REPLY_OPERATOR},
    {"BUS", CPI_REPLY_OPERATOR},
    {"loading", CPI_REPLY_OPERATOR},
    {"ERR LOADING", CPI_REPLY_OPERATOR},
    {" LOADING", CPI_REPLY_OPERATOR},
    {"", CPI_REPLY_OPERATOR},
};

START_TEST(sorts_an_error_by_its_first_word)
{
    ck_assert_msg(cpi_reply_error(replies[_i].message) == replies[_i].what, "\"%s\"", replies[_i].message);
}
END_TEST

Suite *redis_reply_suite(void)
{
    Suite *suite = suite_create("redis_reply");
    TCase *tcase = tcase_create("redis_reply");
    tcase_add_loop_test(tcase, sorts_an_error_by_its_first_word, 0, (int)(sizeof replies / sizeof *replies));
    suite_add_tcase(suite, tcase);
    return suite;
}
