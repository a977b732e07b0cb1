#include "equal.h"

#include "servers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GET_AT_ONCE = 500, SHOWN_DIFFERENCES = 5, REPORT_BYTES = 1800 };

const struct kind customers = {":", "", "select id_customer, customer_get(id_customer) from customer"};

/* Keys and values, sorted by key. The strings are owned. */
struct pair {
    char *key;
    char *value;
};
struct pairs {
    struct pair *items;
    size_t count;
    size_t capacity;
};

static void add(struct pairs *pairs, char *key, char *value)
{
    if (pairs->count == pairs->capacity) {
        pairs->capacity = 2 * pairs->capacity + 1024;
        pairs->items = realloc(pairs->items, pairs->capacity * sizeof *pairs->items);
        REQUIRE(pairs->items != NULL);
    }
    REQUIRE(key != NULL && value != NULL);
    pairs->items[pairs->count++] = (struct pair){key, value};
}

static void clear(struct pairs *pairs)
{
    for (size_t i = 0; i < pairs->count; i++) {
        free(pairs->items[i].key);
        free(pairs->items[i].value);
    }
    free(pairs->items);
    *pairs = (struct pairs){0};
}

static int by_key(const void *left, const void *right)
{
    return strcmp(((const struct pair *)left)->key, ((const struct pair *)right)->key);
}

static void sort(struct pairs *pairs)
{
    if (pairs->count > 0) {
        qsort(pairs->items, pairs->count, sizeof *pairs->items, by_key);
    }
}

/* ---- what should be there ---- */

static void add_documents(struct fixture *f, const struct kind *kind, struct pairs *pairs)
{
    PGresult *rows = PQexec(f->pg, kind->documents);
    if (PQresultStatus(rows) != PGRES_TUPLES_OK) {
        PQclear(rows);
        fail_at(__FILE__, __LINE__, "%s: %s", kind->documents, PQerrorMessage(f->pg));
    }
    for (int row = 0; row < PQntuples(rows); row++) {
        char *key = NULL;
        if (PQgetisnull(rows, row, 1) != 0) {
            continue;
        }
        REQUIRE(asprintf(&key, "%s%s%s%s", f->prefix, kind->before, PQgetvalue(rows, row, 0), kind->after) > 0);
        add(pairs, key, strdup(PQgetvalue(rows, row, 1)));
    }
    PQclear(rows);
}

static struct pairs expected_pairs(struct fixture *f, const struct kind *kinds, size_t count)
{
    struct pairs pairs = {0};
    for (size_t i = 0; i < count; i++) {
        add_documents(f, &kinds[i], &pairs);
    }
    for (size_t i = 0; i < f->stranger_count; i++) {
        add(&pairs, strdup(f->strangers[i]), strdup("stranger"));
    }
    sort(&pairs);
    return pairs;
}

/* ---- what is there ---- */

/* The keys, with empty values. */
static struct pairs scan_keys(struct fixture *f)
{
    struct pairs pairs = {0};
    char cursor[32] = "0";
    do {
        redisReply *reply = redis_do(f, "SCAN %s MATCH %s* COUNT 5000", cursor, f->base);
        snprintf(cursor, sizeof cursor, "%s", reply->element[0]->str);
        for (size_t i = 0; i < reply->element[1]->elements; i++) {
            add(&pairs, strdup(reply->element[1]->element[i]->str), strdup(""));
        }
        freeReplyObject(reply);
    } while (strcmp(cursor, "0") != 0);
    sort(&pairs);

    /* SCAN may name a key twice. */
    size_t kept = 0;
    for (size_t i = 0; i < pairs.count; i++) {
        if (kept > 0 && strcmp(pairs.items[kept - 1].key, pairs.items[i].key) == 0) {
            free(pairs.items[i].key);
            free(pairs.items[i].value);
        } else {
            pairs.items[kept++] = pairs.items[i];
        }
    }
    pairs.count = kept;
    return pairs;
}

static struct pairs stored_pairs(struct fixture *f)
{
    struct pairs pairs = scan_keys(f);
    for (size_t from = 0; from < pairs.count; from += GET_AT_ONCE) {
        size_t to = from + GET_AT_ONCE < pairs.count ? from + GET_AT_ONCE : pairs.count;
        for (size_t i = from; i < to; i++) {
            redisAppendCommand(f->redis, "GET %s", pairs.items[i].key);
        }
        for (size_t i = from; i < to; i++) {
            void *reply = NULL;
            REQUIRE(redisGetReply(f->redis, &reply) == REDIS_OK);
            const redisReply *got = reply;
            free(pairs.items[i].value);
            pairs.items[i].value = strdup(got->type == REDIS_REPLY_STRING ? got->str : "(gone meanwhile)");
            freeReplyObject(reply);
        }
    }
    return pairs;
}

size_t count_keys(struct fixture *f)
{
    struct pairs pairs = scan_keys(f);
    size_t count = pairs.count;
    clear(&pairs);
    return count;
}

/* ---- the comparison ---- */

struct report {
    char text[REPORT_BYTES];
    size_t length;
    size_t differences;
    char first_key[8192];    /* whole, for it is looked up */
    const char *first_value; /* expected; NULL: no such key */
};

/* expected, stored: NULL where there is no such key. */
static void difference(struct report *report, const char *key, const char *expected, const char *stored)
{
    if (report->differences++ == 0) {
        snprintf(report->first_key, sizeof report->first_key, "%s", key);
        report->first_value = expected;
    }
    if (report->differences > SHOWN_DIFFERENCES) {
        return;
    }
    const char *what = stored == NULL ? "missing" : expected == NULL ? "should not be there" : "differs";
    const char *e = expected != NULL ? expected : "";
    const char *s = stored != NULL ? stored : "";
    size_t same = 0;
    while (e[same] != '\0' && e[same] == s[same]) {
        same++;
    }
    int length = snprintf(report->text + report->length, sizeof report->text - report->length,
                          "\n  %.60s: %s; from byte %zu on expected \"%.80s\", stored \"%.80s\"", key, what, same,
                          e + same, s + same);
    report->length += (size_t)length;
    report->length = report->length < sizeof report->text ? report->length : sizeof report->text - 1;
}

static void compare(struct report *report, const struct pairs *expected, const struct pairs *stored)
{
    size_t e = 0;
    size_t s = 0;
    *report = (struct report){0};
    while (e < expected->count || s < stored->count) {
        int order = e == expected->count ? 1
                    : s == stored->count ? -1
                                         : strcmp(expected->items[e].key, stored->items[s].key);
        if (order < 0) {
            difference(report, expected->items[e].key, expected->items[e].value, NULL);
        } else if (order > 0) {
            difference(report, stored->items[s].key, NULL, stored->items[s].value);
        } else if (strcmp(expected->items[e].value, stored->items[s].value) != 0) {
            difference(report, expected->items[e].key, expected->items[e].value, stored->items[s].value);
        }
        e += order <= 0;
        s += order >= 0;
    }
}

/* Whether a key that was not right has become so: to be looked at before everything is read again. */
static bool is_mended(struct fixture *f, const struct report *report)
{
    char *stored = redis_text(f, "GET %s", report->first_key);
    bool same = stored != NULL && report->first_value != NULL ? strcmp(stored, report->first_value) == 0
                                                              : stored == report->first_value;
    free(stored);
    return same;
}

/* Postgres does not change meanwhile: it is asked once. */
static void expect_until(struct fixture *f, const struct kind *kinds, size_t count, int64_t until_ms)
{
    static struct report report;
    struct pairs expected = expected_pairs(f, kinds, count);
    for (;;) {
        struct pairs stored = stored_pairs(f);
        compare(&report, &expected, &stored);
        clear(&stored);
        if (report.differences == 0 || now_ms() >= until_ms) {
            break;
        }
        while (!is_mended(f, &report) && now_ms() < until_ms) {
            wait_more(INT64_MAX, __FILE__, __LINE__, "");
        }
    }
    size_t documents = expected.count;
    clear(&expected);
    if (report.differences > 0) {
        fail_at(__FILE__, __LINE__, "Redis is not Postgres: %zu differences, %zu documents:%s", report.differences,
                documents, report.text);
    }
}

void expect_equal(struct fixture *f, const struct kind *kinds, size_t count)
{
    expect_until(f, kinds, count, deadline_ms());
}

void expect_customers(struct fixture *f)
{
    expect_equal(f, &customers, 1);
}

void require_customers(struct fixture *f)
{
    expect_until(f, &customers, 1, 0);
}

static bool holds(struct fixture *f, long long id, const char *document)
{
    char *stored = redis_text(f, "GET %s:%lld", f->prefix, id);
    bool same = stored != NULL && document != NULL ? strcmp(stored, document) == 0 : stored == document;
    free(stored);
    return same;
}

void expect_document(struct fixture *f, long long id, const char *document)
{
    int64_t until_ms = deadline_ms();
    while (!holds(f, id, document)) {
        if (now_ms() > until_ms) {
            char *stored = redis_text(f, "GET %s:%lld", f->prefix, id);
            fail_at(__FILE__, __LINE__, "customer %lld: expected %s, stored %s", id,
                    document != NULL ? document : "nothing", stored != NULL ? stored : "nothing");
        }
        wait_more(INT64_MAX, __FILE__, __LINE__, "");
    }
}
