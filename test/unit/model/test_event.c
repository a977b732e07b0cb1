#include "suites.h"

#include "model/event.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One entity for each id type, at the index of that type's number. */
static const struct cpi_entity entities[] = {
    [CPI_ID_INTEGER] = {.id_type = CPI_ID_INTEGER},
    [CPI_ID_BIGINT] = {.id_type = CPI_ID_BIGINT},
    [CPI_ID_UUID] = {.id_type = CPI_ID_UUID},
    [CPI_ID_TEXT] = {.id_type = CPI_ID_TEXT},
};

#define UUID "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
#define UUID_UPPER "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"
#define UUID_BARE "a0eebc999c0b4ef8bb6d6bb9bd380a11"

/* What becomes of a payload. NONE: something in it can be no id, but nothing is lost. BAD: an event may be lost. */
enum { IDS, EVERYTHING, AGAIN, NONE, BAD };

static const struct {
    enum cpi_id_type type;
    const char *payload;
    int result;
    const char *ids; /* of what is appended: each in angle brackets */
} payloads[] = {
    /* bare */
    {CPI_ID_INTEGER, "17", IDS, "<17>"},
    {CPI_ID_INTEGER, "-5", IDS, "<-5>"},
    {CPI_ID_INTEGER, "007", IDS, "<7>"},
    {CPI_ID_INTEGER, "2147483648", NONE, ""},
    {CPI_ID_INTEGER, "", BAD, ""},
    {CPI_ID_INTEGER, " 17", BAD, ""},
    {CPI_ID_INTEGER, "17 ", BAD, ""},
    {CPI_ID_INTEGER, "17,18", BAD, ""},
    {CPI_ID_INTEGER, "\"17\"", BAD, ""},
    {CPI_ID_INTEGER, "{\"id\":17}", BAD, ""},
    {CPI_ID_INTEGER, "null", BAD, ""},
    {CPI_ID_INTEGER, "seventeen", BAD, ""},
    {CPI_ID_BIGINT, "2147483648", IDS, "<2147483648>"},
    {CPI_ID_BIGINT, "9223372036854775808", NONE, ""},
    {CPI_ID_UUID, UUID, IDS, "<" UUID ">"},
    {CPI_ID_UUID, UUID_UPPER, IDS, "<" UUID ">"},
    {CPI_ID_UUID, UUID_BARE, IDS, "<" UUID ">"},
    {CPI_ID_UUID, "17", BAD, ""},
    {CPI_ID_UUID, "", BAD, ""},
    {CPI_ID_TEXT, "a b", IDS, "<a b>"},
    {CPI_ID_TEXT, "17", IDS, "<17>"},
    {CPI_ID_TEXT, " [1]", IDS, "< [1]>"},
    {CPI_ID_TEXT, "{\"id\":17}", IDS, "<{\"id\":17}>"},
    {CPI_ID_TEXT, "\"quoted\"", IDS, "<\"quoted\">"},
    {CPI_ID_TEXT, "**", AGAIN, ""},
    {CPI_ID_TEXT, "Z\xC3\xBCrich", IDS, "<Z\xC3\xBCrich>"},
    {CPI_ID_TEXT, "Z\xFCrich", NONE, ""},
    {CPI_ID_TEXT, "", BAD, ""},

    /* everything */
    {CPI_ID_INTEGER, "*", EVERYTHING, ""},
    {CPI_ID_UUID, "*", EVERYTHING, ""},
    {CPI_ID_TEXT, "*", EVERYTHING, ""},
    {CPI_ID_INTEGER, "* ", BAD, ""},
    {CPI_ID_INTEGER, "**", AGAIN, ""},
    {CPI_ID_INTEGER, "[*]", BAD, ""},
    {CPI_ID_INTEGER, "[\"*\"]", BAD, ""},
    {CPI_ID_TEXT, "[\"*\"]", IDS, "<*>"},

    /* arrays */
    {CPI_ID_INTEGER, "[]", IDS, ""},
    {CPI_ID_INTEGER, "[17]", IDS, "<17>"},
    {CPI_ID_INTEGER, "[17,18,-19,0]", IDS, "<17><18><-19><0>"},
    {CPI_ID_INTEGER, "[ 17 ,\n\t18 ] \n", IDS, "<17><18>"},
    {CPI_ID_INTEGER, "[17,17]", IDS, "<17><17>"},
    {CPI_ID_INTEGER, "[\"17\",18,\"007\"]", IDS, "<17><18><7>"},
    {CPI_ID_INTEGER, "[2147483647,-2147483648]", IDS, "<2147483647><-2147483648>"},
    {CPI_ID_INTEGER, "[1,2147483648,5]", NONE, "<1><5>"},
    {CPI_ID_INTEGER, "[\"1\",\"8.50\",\"5.00\",\"+7\"]", NONE, "<1><5><7>"},
    {CPI_ID_INTEGER, "[1,9223372036854775808,5]", BAD, "<1><5>"}, /* as a double it may be 9223372036854775807 */
    {CPI_ID_INTEGER, "[1,92233720368547758080,5]", NONE, "<1><5>"},
    {CPI_ID_BIGINT, "[92233720368547758080,5,9007199254740991]", NONE, "<5><9007199254740991>"},
    {CPI_ID_BIGINT, "[9223372036854775808,9007199254740993]", BAD, ""}, /* the second is known to 53 bits only */
    {CPI_ID_BIGINT, "[5,9007199254740993.0]", BAD, "<5>"},
    {CPI_ID_BIGINT, "[92233720368547758080,9223372036854775807,17]", BAD, "<17>"},
    {CPI_ID_INTEGER, "[1,1e999]", BAD, ""},
    {CPI_ID_INTEGER, "[1,\"x\",2]", BAD, "<1><2>"},
    {CPI_ID_INTEGER, "[1,null,2]", NONE, "<1><2>"},
    {CPI_ID_INTEGER, "[1,true]", BAD, "<1>"},
    {CPI_ID_INTEGER, "[1,2.0,2.5]", NONE, "<1><2>"},
    {CPI_ID_INTEGER, "[1,1e3]", IDS, "<1><1000>"},
    {CPI_ID_INTEGER, "[1,[2],3]", BAD, "<1><3>"},
    {CPI_ID_INTEGER, "[1,{\"id\":2}]", BAD, "<1>"},
    {CPI_ID_INTEGER, "[1,\"\"]", BAD, "<1>"},
    {CPI_ID_INTEGER, "[1,\" 2\"]", BAD, "<1>"},
    {CPI_ID_INTEGER, "[1,2", BAD, ""},
    {CPI_ID_INTEGER, "[1,2,]", BAD, ""},
    {CPI_ID_INTEGER, "[1 2]", BAD, ""},
    {CPI_ID_INTEGER, "[007]", BAD, ""},
    {CPI_ID_INTEGER, "[", BAD, ""},
    {CPI_ID_INTEGER, "[]]", BAD, ""},
    {CPI_ID_INTEGER, "[1][2]", BAD, ""},
    {CPI_ID_INTEGER, "[1]x", BAD, ""},
    {CPI_ID_INTEGER, "['1']", BAD, ""},
    {CPI_ID_BIGINT, "[9223372036854775807,-9223372036854775808]", IDS, "<9223372036854775807><-9223372036854775808>"},
    {CPI_ID_UUID, "[\"" UUID_UPPER "\",\"" UUID_BARE "\"]", IDS, "<" UUID "><" UUID ">"},
    {CPI_ID_UUID, "[\"" UUID "\",17]", BAD, "<" UUID ">"},
    {CPI_ID_UUID, "[\"x\",\"" UUID "\"]", BAD, "<" UUID ">"},
    {CPI_ID_UUID, "{" UUID "}", IDS, "<" UUID ">"},
    {CPI_ID_UUID, "a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11", IDS, "<" UUID ">"},
    {CPI_ID_UUID, "{" UUID, BAD, ""},
    {CPI_ID_TEXT, "[\"a-b\",\"c\"]", IDS, "<a-b><c>"},
    {CPI_ID_TEXT, "[\"[1]\"]", IDS, "<[1]>"},
    {CPI_ID_TEXT, "[\"a\\nb\",\"\\u00fc\",\"\\\"\"]", IDS, "<a\nb><\xC3\xBC><\">"},
    {CPI_ID_TEXT, "[\"a\",1]", BAD, "<a>"}, /* 1 or 1.0 or 01: a text id has to say which */
    {CPI_ID_TEXT, "[\"a\",\"\\u0000\"]", NONE, "<a>"},
    {CPI_ID_TEXT, "[\"a\",\"\\ud800\"]", BAD, ""},
    {CPI_ID_TEXT, "[\"a\",\"\xFC\",\"b\xC3\xBC\"]", NONE, "<a><b\xC3\xBC>"},
    {CPI_ID_TEXT, "[\"a\",\"\xC3\"]", NONE, "<a>"},
    {CPI_ID_TEXT, "[\"\xEF\xBF\xBF\"]", IDS, "<\xEF\xBF\xBF>"},
    {CPI_ID_UUID, "[\"" UUID "\",\"\xFC\"]", BAD, "<" UUID ">"},
    {CPI_ID_TEXT, "[\"a\",\xFC]", BAD, ""},
    {CPI_ID_TEXT, "[1]", BAD, ""},
    {CPI_ID_TEXT, "[a]", BAD, ""},
    {CPI_ID_TEXT, "[draft] x", IDS, "<[draft] x>"},
};

/* What has been appended from the given place on, as the table above writes it. */
static void assert_appended(const struct cpi_events *events, size_t from, enum cpi_id_type type, const char *want)
{
    char text[512] = "";
    size_t length = 0;
    for (size_t i = from; i < events->count; i++) {
        char digits[CPI_ID_NUMBER_BYTES];
        ck_assert_uint_eq(events->items[i].entity, type);
        length += (size_t)snprintf(text + length, sizeof text - length, "<%s>",
                                   cpi_id_text(type, &events->items[i].id, digits));
        ck_assert_uint_lt(length, sizeof text);
    }
    ck_assert_str_eq(text, want);
}

static int parse(enum cpi_id_type type, const char *payload, struct cpi_events *events)
{
    struct cpi_unread unread;
    enum cpi_payload result = cpi_event_parse(&entities[type], type, payload, events, entities, &unread);
    ck_assert_int_ne(result, CPI_PAYLOAD_NO_MEMORY);
    ck_assert((unread.first[0] != '\0') <= (unread.impossible + unread.unreadable > 0));
    return result == CPI_PAYLOAD_AGAIN        ? AGAIN
           : result == CPI_PAYLOAD_EVERYTHING ? EVERYTHING
           : unread.unreadable > 0            ? BAD
           : unread.impossible > 0            ? NONE
                                              : IDS;
}

START_TEST(reads_a_payload)
{
    enum cpi_id_type type = payloads[_i].type;
    struct cpi_events events = {0};
    int result = parse(type, payloads[_i].payload, &events);
    ck_assert_msg(result == payloads[_i].result, "\"%s\" gives %d", payloads[_i].payload, result);
    assert_appended(&events, 0, type, payloads[_i].ids);

    /* Once more, behind events of other entities that have to stay whatever follows. */
    cpi_events_truncate(&events, 0, entities);
    ck_assert_int_eq(parse(CPI_ID_TEXT, "first", &events), IDS);
    ck_assert_int_eq(parse(CPI_ID_BIGINT, "2", &events), IDS);
    result = parse(type, payloads[_i].payload, &events);
    ck_assert_int_eq(result, payloads[_i].result);
    assert_appended(&events, 2, type, payloads[_i].ids);
    ck_assert_str_eq(events.items[0].id.text, "first");
    ck_assert_int_eq(events.items[1].id.number, 2);
    cpi_events_fini(&events, entities);
}
END_TEST

/* "[0,1,2,…" of n numbers, each in quotes or not, and `end`. */
static char *make_array(int n, bool quotes, const char *end)
{
    char *payload = malloc((size_t)n * 16 + 32);
    ck_assert_ptr_nonnull(payload);
    size_t length = 0;
    for (int i = 0; i < n; i++) {
        length += (size_t)sprintf(payload + length, quotes ? "%c\"%d\"" : "%c%d", i == 0 ? '[' : ',', i);
    }
    strcpy(payload + length, end);
    return payload;
}

START_TEST(reads_huge_arrays)
{
    enum { MANY = 100000 };
    for (int type = CPI_ID_INTEGER; type <= CPI_ID_TEXT; type += CPI_ID_TEXT - CPI_ID_INTEGER) {
        struct cpi_events events = {0};
        char *good = make_array(MANY, type == CPI_ID_TEXT, "]");
        char *bad = make_array(MANY, type == CPI_ID_TEXT, ",null]");
        ck_assert_int_eq(parse((enum cpi_id_type)type, good, &events), IDS);
        ck_assert_int_eq(parse((enum cpi_id_type)type, bad, &events), NONE);
        ck_assert_uint_eq(events.count, 2 * MANY);
        for (int i = 0; i < MANY; i++) {
            char digits[CPI_ID_NUMBER_BYTES];
            char want[16];
            snprintf(want, sizeof want, "%d", i);
            const char *text = cpi_id_text((enum cpi_id_type)type, &events.items[i].id, digits);
            if (strcmp(text, want) != 0) {
                ck_abort_msg("%s is %s", want, text);
            }
        }
        cpi_events_fini(&events, entities);
        ck_assert_ptr_null(events.items);
        free(good);
        free(bad);
    }
}
END_TEST

/* A payload is bounded by Postgres, depth is not. */
START_TEST(survives_deep_nesting)
{
    char payload[8000];
    memset(payload, '[', sizeof payload - 1);
    payload[sizeof payload - 1] = '\0';
    struct cpi_events events = {0};
    ck_assert_int_eq(parse(CPI_ID_BIGINT, payload, &events), BAD);
    ck_assert_uint_eq(events.count, 0);
    cpi_events_fini(&events, entities);
}
END_TEST

/* Its type is the column's, which nobody here knows; as a text it is what Postgres reads again. */
START_TEST(reads_what_is_mapped)
{
    static const struct cpi_entity mapped = {.id_type = CPI_ID_TEXT, .maps = "select 1"};
    static const char *const texts[] = {"17", "-9223372036854775808", "8.5", "a b", ""};
    struct cpi_events events = {0};
    struct cpi_unread unread;
    ck_assert_int_eq(cpi_event_parse(&mapped, 0, "[17, -9223372036854775808, 8.5, \"a b\", \"\", null, true]", &events,
                                     &mapped, &unread),
                     CPI_PAYLOAD_IDS);
    ck_assert_uint_eq(events.count, sizeof texts / sizeof *texts);
    for (size_t i = 0; i < events.count; i++) {
        ck_assert_str_eq(events.items[i].id.text, texts[i]);
    }
    ck_assert_uint_eq(unread.impossible, 1);
    ck_assert_uint_eq(unread.unreadable, 1);
    cpi_events_fini(&events, &mapped);
}
END_TEST

START_TEST(truncates_to_what_is_kept)
{
    struct cpi_events events = {0};
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(parse(CPI_ID_TEXT, "[\"a\",\"b\"]", &events), IDS);
        ck_assert(cpi_events_add(&events, &(struct cpi_event){.id.number = i, .entity = CPI_BARRIER}));
    }
    cpi_events_truncate(&events, 100, entities);
    ck_assert_uint_eq(events.count, 9);
    cpi_events_truncate(&events, 4, entities);
    ck_assert_uint_eq(events.count, 4);
    ck_assert_str_eq(events.items[3].id.text, "a");
    ck_assert_int_eq(events.items[2].id.number, 0);
    cpi_events_truncate(&events, 0, entities);
    ck_assert_uint_eq(events.count, 0);
    cpi_events_fini(&events, entities);
    cpi_events_fini(&events, entities);
}
END_TEST

Suite *event_suite(void)
{
    Suite *suite = suite_create("event");
    TCase *tcase = tcase_create("event");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, reads_a_payload, 0, (int)(sizeof payloads / sizeof *payloads));
    tcase_add_test(tcase, reads_huge_arrays);
    tcase_add_test(tcase, survives_deep_nesting);
    tcase_add_test(tcase, reads_what_is_mapped);
    tcase_add_test(tcase, truncates_to_what_is_kept);
    suite_add_tcase(suite, tcase);
    return suite;
}
