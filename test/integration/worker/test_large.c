/* Large documents, and what the host's process pays for its syncer: memory and descriptors. */
#include "equal.h"
#include "servers.h"
#include "sources.h"
#include "suites.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define WATCHED_BLOB WATCHED("blob", "id")
#define WATCHED_PAGE WATCHED("page", "id")

enum { LARGE = 60, LARGE_BYTES = 1 << 20, SMALL = 2000, GROWTH_KB = 32 * 1024, DESCRIPTORS = 1024 };

/* The first LARGE ids get a megabyte each. */
static void insert_blobs(struct fixture *f)
{
    sqlf(f,
         "create table blob (id integer primary key, bytes integer);"
         "create function blob_get(id integer) returns text language sql stable as"
         " $$ select '\"' || repeat('x', b.bytes) || b.id || '\"' from blob b where b.id = $1 $$;"
         "select cachepusher.watch('blob', 'id', 'blob_changed');"
         "insert into blob select i, case when i <= %d then %d else 10 end from generate_series(1, %d) i",
         LARGE, LARGE_BYTES, LARGE + SMALL);
}

static const char blobs[] = "{\"entities\": [{\"name\": \"blob\", \"key\": \"{prefix}:{id}\","
                            " \"channels\": [\"blob_changed\"]," WATCHED_BLOB " \"fetch\": \"blob_get\","
                            " \"list\": \"select id from blob\"}]}";

static long peak_kb(void)
{
    struct rusage usage;
    REQUIRE_INT(getrusage(RUSAGE_SELF, &usage), ==, 0);
    return usage.ru_maxrss;
}

static bool is_blob(const struct fixture *f, int id)
{
    redisReply *reply = redisCommand(f->redis, "GET %s:%d", f->prefix, id);
    REQUIRE(reply != NULL);
    size_t bytes = id <= LARGE ? LARGE_BYTES : 10;
    char digits[16];
    size_t length = (size_t)snprintf(digits, sizeof digits, "%d\"", id);
    bool same = reply->type == REDIS_REPLY_STRING && reply->len == 1 + bytes + length && reply->str[0] == '"' &&
                strspn(reply->str + 1, "x") == bytes && memcmp(reply->str + 1 + bytes, digits, length) == 0;
    freeReplyObject(reply);
    return same;
}

/* One at a time: expect_equal() would hold all of them at once, in the process that is measured. */
static void require_blobs(struct fixture *f)
{
    for (int id = 1; id <= LARGE + SMALL; id++) {
        if (!is_blob(f, id)) {
            fail_at(__FILE__, __LINE__, "blob %d is not what it should be", id);
        }
    }
    REQUIRE_INT(count_keys(f), ==, LARGE + SMALL);
}

/* A batch is bounded in bytes as well as in rows, in the warm-up as later. */
START_TEST(memory_is_bounded)
{
    struct fixture *f = fixture_open();
    insert_blobs(f);
    long before_kb = peak_kb();
    cp_syncer *syncer = run_syncer(f, blobs, SETTINGS("threads", "2", "batch_bytes", "1048576"));
    uint64_t warm = stats_of(syncer).stored;
    REQUIRE_INT(warm, ==, LARGE + SMALL);
    sql(f, "update blob set bytes = bytes");
    WAIT_UNTIL(stats_of(syncer).stored >= warm + LARGE + SMALL && stats_of(syncer).pending == 0);
    long after_kb = peak_kb();
    require_blobs(f);
    REQUIRE_INT(stats_of(syncer).failing, ==, 0);
    REQUIRE_INT(stats_of(syncer).retries, ==, 0);
    if (slowness() == 1) { /* a sanitizer keeps what has been freed */
        REQUIRE_INT(after_kb - before_kb, <, GROWTH_KB);
    }
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* The first is stored, and somebody is told. */
START_TEST(two_documents_for_one_id)
{
    struct fixture *f = fixture_open();
    sql(f, "insert into customer (id_customer, name) select i, 'customer ' || i from generate_series(1, 20) i;"
           "create or replace function customer_get_many(ids integer[]) returns table (id integer, document json)"
           " language sql stable as $$ select u.id, customer_get(u.id) from unnest(ids) as u(id)"
           " union all select 7, '{\"second\": true}' where 7 = any (ids) $$");
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    require_customers(f);
    REQUIRE_INT(count_logged(f, "warn: customer 7: fetch function customer_get_many gives more than one document"), ==,
                1);
    REQUIRE_INT(stats_of(syncer).doubled, ==, 1);
    REQUIRE_INT(stats_of(syncer).failing, ==, 0);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* A batch that is stored in portions, of ids that are texts, some without a document: what was stored first is settled
 * while the rows of the others are still matched with their ids. */
START_TEST(texts_in_portions)
{
    static const char entities[] = "{\"entities\": [{\"name\": \"page\", \"key\": \"{prefix}:{id}\","
                                   " \"id_type\": \"text\", \"channels\": [\"page_changed\"]," WATCHED_PAGE
                                   " \"fetch_many\": \"page_get_many\", \"list\": \"select id from page\"}]}";
    static const struct kind kinds[] = {{":", "", "select id, body from page where not hidden"}};
    struct fixture *f = fixture_open();
    sql(f, "create table page (id text primary key, body text, hidden boolean);"
           "insert into page select 'a page with a long name ' || lpad(i::text, 6, '0'), repeat(md5(i::text), 3000),"
           " i % 10 = 7 from generate_series(1, 60) i;"
           "create function page_get_many(ids text[]) returns table (id text, body text) language sql stable as"
           " $$ select p.id, p.body from page p where p.id = any (ids) and not p.hidden order by p.id desc $$");
    cp_syncer *syncer = run_syncer(f, entities, SETTINGS("threads", "1", "batch_bytes", "65536"));
    for (int round = 0; round < 4; round++) {
        uint64_t settled = stats_of(syncer).stored + stats_of(syncer).deleted;
        sql(f, "select announce('page_changed', (select json_agg(id order by id)::text from page))");
        WAIT_UNTIL(stats_of(syncer).stored + stats_of(syncer).deleted == settled + 60);
        expect_equal(f, kinds, 1);
    }
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* ---- descriptors ---- */

/* Marks those that are open now; of those that are not marked, counts the ones that a child would inherit. */
static int look_at_descriptors(bool *known, bool mark, int *inherited)
{
    int others = 0;
    DIR *directory = opendir("/proc/self/fd");
    REQUIRE(directory != NULL);
    for (const struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        int fd = atoi(entry->d_name);
        if (entry->d_name[0] == '.' || fd == dirfd(directory) || fd >= DESCRIPTORS) {
            continue;
        }
        int flags = known[fd] ? FD_CLOEXEC : fcntl(fd, F_GETFD);
        others += !known[fd];
        *inherited += flags >= 0 && (flags & FD_CLOEXEC) == 0;
        known[fd] = known[fd] || mark;
    }
    closedir(directory);
    return others;
}

/* A program that the host starts must not get sockets that are logged in. */
static void require_no_inheritance(const char *address)
{
    static bool known[DESCRIPTORS];
    int inherited = 0;
    struct fixture *f = fixture_open();
    memset(known, 0, sizeof known);
    look_at_descriptors(known, true, &inherited);
    inherited = 0;
    snprintf(f->redis_address, sizeof f->redis_address, "%s", getenv(address));
    sql(f, "insert into customer (id_customer, name) values (1, 'Ada')");
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("threads", "2", "audit_per_second", "10"));
    require_customers(f);
    REQUIRE_INT(look_at_descriptors(known, false, &inherited), >=, 2 * 2 + 1); /* the workers' and the listener's */
    REQUIRE_INT(inherited, ==, 0);
    stop_syncer(f, syncer);
    fixture_close(f);
}

START_TEST(descriptors_are_not_inherited)
{
    require_no_inheritance("CP_REDIS");
    require_no_inheritance("CP_REDIS_TCP");
}
END_TEST

Suite *large_suite(void)
{
    Suite *suite = suite_create("large");
    TCase *tcase = tcase_create("large");
    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, memory_is_bounded);
    tcase_add_test(tcase, two_documents_for_one_id);
    tcase_add_test(tcase, texts_in_portions);
    tcase_add_test(tcase, descriptors_are_not_inherited);
    suite_add_tcase(suite, tcase);
    return suite;
}
