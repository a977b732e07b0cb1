/* Documents that the host makes something else of before they are stored. */
#include "equal.h"
#include "servers.h"
#include "sources.h"
#include "suites.h"
#include "table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CUSTOMERS = 300 };

#define BEFORE "<wrapped>"
#define AFTER "</wrapped>"

static struct table table;  /* in Redis' place, so that it is easily compared */
static _Atomic int failing; /* the id that it fails for; 0: none */
static _Atomic int without; /* the id that it makes nothing of */
static _Atomic int wrong;   /* calls that break a promise of the header */
static _Atomic int held;    /* outputs that have not been released */

static void begin(void)
{
    table_init(&table);
    atomic_store(&failing, 0);
    atomic_store(&without, 0);
    atomic_store(&wrong, 0);
    atomic_store(&held, 0);
}

static void end(void)
{
    table_fini(&table);
    ck_assert_int_eq(atomic_load(&wrong), 0);
    ck_assert_int_eq(atomic_load(&held), 0);
}

static void release(void *bytes)
{
    free(bytes);
    atomic_fetch_sub(&held, 1);
}

static bool is_as_promised(const struct fixture *f, const cp_document *document, const cp_output *out)
{
    char key[256];
    snprintf(key, sizeof key, "%s:%s", f->prefix, document->id);
    return document->size == sizeof *document && strcmp(document->entity, "customer") == 0 &&
           strcmp(document->key, key) == 0 && document->exists && document->bytes > 0 && document->document[0] == '{' &&
           document->event_us == 0 && document->settled_us == 0 && out->size == sizeof *out && out->bytes == NULL &&
           out->release == NULL;
}

static cp_code wrap(void *context, const cp_document *document, cp_output *out, cp_error *err)
{
    char *wrapped = NULL;
    int id = (int)strtol(document->id, NULL, 10);
    atomic_fetch_add(&wrong, !is_as_promised(context, document, out));
    if (id == atomic_load(&failing)) {
        snprintf(err->message, sizeof err->message, "no secret for %s", document->id);
        return CP_ERR_SYSTEM;
    }
    if (id == atomic_load(&without)) {
        return CP_OK;
    }
    int length = asprintf(&wrapped, BEFORE "%.*s" AFTER, (int)document->bytes, document->document);
    atomic_fetch_add(&held, 1);
    *out = (cp_output){
        .size = sizeof *out, .bytes = wrapped, .length = (size_t)length, .release = release, .held = wrapped};
    return CP_OK;
}

static struct fixture *open_wrapping(void)
{
    struct fixture *f = fixture_open();
    f->store = &table.store;
    f->transform = wrap;
    sqlf(f, "insert into customer (id_customer, name) select i, 'customer ' || i from generate_series(1, %d) i",
         CUSTOMERS);
    return f;
}

static const char *key_of(struct fixture *f, const char *id)
{
    static char key[160];
    snprintf(key, sizeof key, "%s:%s", f->prefix, id);
    return key;
}

static void expect_wrapped(struct fixture *f)
{
    WAIT_UNTIL(table_is_equal(f, &table, BEFORE, AFTER, 0));
}

static cp_verify_result verify(cp_syncer *syncer, bool repair)
{
    cp_error err = {0};
    cp_verify_result result = {.size = sizeof result};
    cp_verify_options options = {.size = sizeof options, .repair = repair, .recheck_ms = 200 * slowness()};
    REQUIRE_OK(cp_syncer_verify(syncer, &options, &result, &err), err);
    return result;
}

/* What settled() is shown is what was stored. */
static void look(void *context, const cp_document *document)
{
    char held_there[4096];
    bool is_there = table_read(&table, document->key, held_there, sizeof held_there);
    (void)context;
    atomic_fetch_add(&wrong, is_there != document->exists ||
                                 (is_there && (strlen(held_there) != document->bytes ||
                                               memcmp(held_there, document->document, document->bytes) != 0)));
}

START_TEST(what_is_made_of_a_document_is_stored)
{
    struct fixture *f = open_wrapping();
    f->settled = look;
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    REQUIRE(table_is_equal(f, &table, BEFORE, AFTER, 0));
    sql(f,
        "update customer set name = 'changed' where id_customer % 2 = 0; delete from customer where id_customer = 9");
    expect_wrapped(f);
    cp_verify_result result = verify(syncer, false);
    REQUIRE_INT(result.equal, ==, CUSTOMERS - 1);
    REQUIRE_INT(result.compared, ==, CUSTOMERS - 1);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

START_TEST(in_redis_as_well)
{
    struct fixture *f = open_wrapping();
    f->store = NULL;
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    char *value = redis_text(f, "GET %s:7", f->prefix);
    REQUIRE(strncmp(value, BEFORE "{", strlen(BEFORE) + 1) == 0);
    free(value);
    REQUIRE_INT(verify(syncer, false).equal, ==, CUSTOMERS);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

static void note_why(void *context, const cp_parked *parked)
{
    snprintf(context, 512, "%s: %s", parked->id, parked->why);
}

/* The others of its batch are served, and it is when it works again. */
START_TEST(an_error_parks_its_id_alone)
{
    struct fixture *f = open_wrapping();
    char why[512] = "";
    char stored[4096];
    cp_error err = {0};
    uint64_t more = 0;
    atomic_store(&failing, 7);
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("threads", "1"));
    REQUIRE_INT(table_count(&table, key_of(f, "")), ==, CUSTOMERS - 1);
    REQUIRE_OK(cp_syncer_parked(syncer, note_why, why, &more, &err), err);
    REQUIRE_CONTAINS(why, "7: transform: no secret for 7");
    REQUIRE_INT(cp_syncer_enqueue_wait(syncer, "customer", "7", timeout_ms(), &err), ==, CP_ERR_PARKED);
    REQUIRE_CONTAINS(err.message, "no secret for 7");
    sql(f, "update customer set name = 'served'");
    WAIT_UNTIL(table_read(&table, key_of(f, "8"), stored, sizeof stored) && strstr(stored, "served") != NULL);
    REQUIRE(!table_read(&table, key_of(f, "7"), stored, sizeof stored));
    REQUIRE_INT(verify(syncer, false).unreadable, ==, 1);
    atomic_store(&failing, 0);
    expect_wrapped(f);
    WAIT_UNTIL(stats_of(syncer).failing == 0);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

START_TEST(none_deletes_the_key)
{
    struct fixture *f = open_wrapping();
    char stored[4096];
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    atomic_store(&without, 7);
    sql(f, "update customer set name = 'none' where id_customer in (7, 8)");
    WAIT_UNTIL(!table_read(&table, key_of(f, "7"), stored, sizeof stored));
    cp_verify_result result = verify(syncer, false);
    REQUIRE_INT(result.equal, ==, CUSTOMERS);
    REQUIRE_INT(result.missing + result.different + result.orphans, ==, 0);
    atomic_store(&without, 8); /* nobody announces it: a resync reads it, as it does one without a document */
    cp_error err = {0};
    REQUIRE_OK(cp_syncer_resync(syncer, NULL, &err), err);
    WAIT_UNTIL(!table_read(&table, key_of(f, "8"), stored, sizeof stored) &&
               table_read(&table, key_of(f, "7"), stored, sizeof stored));
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

START_TEST(verification_compares_what_is_made)
{
    struct fixture *f = open_wrapping();
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    char stored[4096];
    REQUIRE(table_read(&table, key_of(f, "3"), stored, sizeof stored));
    stored[strlen(BEFORE) + 3] ^= 1;
    table_put(&table, key_of(f, "3"), stored);
    cp_verify_result result = verify(syncer, true);
    REQUIRE_INT(result.different, ==, 1);
    REQUIRE_INT(result.repaired, ==, 1);
    REQUIRE(table_is_equal(f, &table, BEFORE, AFTER, 0));
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

START_TEST(the_auditor_does_so_too)
{
    struct fixture *f = open_wrapping();
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("audit_per_second", "1000"));
    table_put(&table, key_of(f, "3"), "tampered with");
    expect_wrapped(f);
    WAIT_UNTIL(stats_of(syncer).audited >= 2 * CUSTOMERS);
    REQUIRE_INT(stats_of(syncer).stale, ==, 1);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* ---- a document of the host's own, and its size ---- */

static char large[3000];

/* Lives until the thread's next call, and longer. */
static cp_code supply(void *context, const cp_document *document, cp_output *out, cp_error *err)
{
    (void)context;
    (void)document;
    (void)err;
    out->bytes = large;
    out->length = sizeof large;
    return CP_OK;
}

/* A batch is as large as what it stores: batch_bytes is its least, and 22 of these. */
START_TEST(one_is_supplied_in_its_place)
{
    struct fixture *f = open_wrapping();
    memset(large, 'x', sizeof large);
    large[17] = '\0'; /* any bytes */
    f->transform = supply;
    f->store = NULL;
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("batch_bytes", "65536", "threads", "1"));
    REQUIRE_INT(redis_number(f, "STRLEN %s:7", f->prefix), ==, sizeof large);
    REQUIRE_INT(stats_of(syncer).bytes, ==, CUSTOMERS * sizeof large);
    REQUIRE_INT(verify(syncer, false).equal, ==, CUSTOMERS);
    cp_histogram pushes = {.size = sizeof pushes};
    for (size_t i = 0; cp_syncer_histogram(syncer, i, &pushes, NULL) == CP_OK; i++) {
        if (strcmp(pushes.name, "cachepusher_push_seconds") == 0) {
            break;
        }
    }
    REQUIRE_INT(pushes.count, >=, CUSTOMERS / 21);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

static cp_code claim_too_much(void *context, const cp_document *document, cp_output *out, cp_error *err)
{
    supply(context, document, out, err);
    out->length = strcmp(document->id, "7") == 0 ? ((size_t)512 << 20) + 1 : sizeof large;
    return CP_OK;
}

START_TEST(one_that_is_too_large_is_parked)
{
    struct fixture *f = open_wrapping();
    char why[512] = "";
    cp_error err = {0};
    uint64_t more = 0;
    memset(large, 'x', sizeof large);
    f->transform = claim_too_much;
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    REQUIRE_INT(table_count(&table, key_of(f, "")), ==, CUSTOMERS - 1);
    REQUIRE_OK(cp_syncer_parked(syncer, note_why, why, &more, &err), err);
    REQUIRE_CONTAINS(why, "7: the document has 536870913 bytes");
    destroy_syncer(f, syncer); /* it goes on failing */
    fixture_close(f);
}
END_TEST

/* ---- followers ---- */

static _Atomic int wrapped_told;

static void tell(void *context, const cp_document *document)
{
    (void)context;
    bool is_wrapped =
        document->exists && document->bytes > strlen(BEFORE) && memcmp(document->document, BEFORE, strlen(BEFORE)) == 0;
    atomic_fetch_add(is_wrapped ? &wrapped_told : &wrong, 1);
}

START_TEST(followers_are_told_of_what_is_made)
{
    struct fixture *f = open_wrapping();
    f->store = NULL;
    f->settled = tell;
    atomic_store(&wrapped_told, 0);
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("role", "follow"));
    REQUIRE_INT(atomic_load(&wrapped_told), ==, CUSTOMERS);
    sql(f, "update customer set name = 'once more' where id_customer = 7");
    WAIT_UNTIL(atomic_load(&wrapped_told) == CUSTOMERS + 1);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

Suite *transform_suite(void)
{
    Suite *suite = suite_create("transform");
    TCase *tcase = tcase_create("transform");
    tcase_set_timeout(tcase, 240);
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_add_test(tcase, what_is_made_of_a_document_is_stored);
    tcase_add_test(tcase, in_redis_as_well);
    tcase_add_test(tcase, an_error_parks_its_id_alone);
    tcase_add_test(tcase, none_deletes_the_key);
    tcase_add_test(tcase, verification_compares_what_is_made);
    tcase_add_test(tcase, the_auditor_does_so_too);
    tcase_add_test(tcase, one_is_supplied_in_its_place);
    tcase_add_test(tcase, one_that_is_too_large_is_parked);
    add_test(tcase, followers_are_told_of_what_is_made);
    suite_add_tcase(suite, tcase);
    return suite;
}
