/* What a checkpoint says. */
#include "suites.h"

#include "source/checkpoint_text.h"

#include <stdlib.h>
#include <string.h>

enum { LANES = 2 };

static const char json[] =
    "{\"entities\": ["
    "{\"name\": \"customer\", \"key\": \"customer:{id}\", \"channels\": [\"c\"], \"fetch\": \"f\", \"id_type\": "
    "\"bigint\", \"list\": \"select 1\"},"
    "{\"name\": \"file\", \"key\": \"file:{id}\", \"channels\": [\"f\"], \"fetch\": \"f\", "
    "\"id_type\": \"text\", \"list\": \"select 1\"}]}";

static cp_config *config;
static cp_error err;
static struct cpi_lane items[LANES];
static struct cpi_lanes lanes = {.items = items, .count = LANES};
static struct cpi_events read_back;
static int64_t position; /* the last that a lane has passed */

static void set_up(void)
{
    config = cp_config_create(&err);
    ck_assert_ptr_nonnull(config);
    ck_assert_msg(cp_config_parse(config, json, "test.json", &err) == CP_OK, "%s", err.message);
    for (int i = 0; i < LANES; i++) {
        ck_assert_int_eq(cpi_lane_init(&items[i], NULL), CP_OK);
    }
    lanes.entities = config->entities;
}

static void tear_down(void)
{
    cpi_events_fini(&read_back, config->entities);
    for (int i = 0; i < LANES; i++) {
        cpi_lane_fini(&items[i], config->entities);
    }
    cp_config_destroy(config);
}

/* A lane passes a position with these texts and numbers; entity 0 where text is NULL. */
static void tell(int lane, const char *text, int64_t number)
{
    struct cpi_event event = {.entity = text != NULL, .id.number = number};
    if (text != NULL) {
        event.id.text = strdup(text);
    }
    struct cpi_events failing = {0};
    ck_assert(cpi_events_add(&failing, &event));
    cpi_lane_pass_position(&items[lane], ++position, &failing, true);
    cpi_events_fini(&failing, config->entities);
}

static void tell_nothing(void)
{
    struct cpi_events none = {0};
    for (int i = 0; i < LANES; i++) {
        cpi_lane_pass_position(&items[i], ++position, &none, true);
    }
}

static char *print_failing(void)
{
    char *text = cpi_checkpoint_print_failing(config, &lanes);
    ck_assert_ptr_nonnull(text);
    return text;
}

START_TEST(what_is_printed_is_read)
{
    char head[CPI_CHECKPOINT_HEAD_BYTES];
    tell(0, NULL, -9007199254740993);
    tell(1, "a \"b\"\n{} \xc3\xa9 *", 0);
    char *failing = print_failing();
    cpi_checkpoint_print_head(config, "71/1 slot digest since", 0xabc, head);
    char *text = cpi_checkpoint_print(head, 0x123456789a, failing);
    ck_assert_ptr_nonnull(text);

    uint64_t lsn = 0;
    const char *ids = NULL;
    ck_assert(cpi_checkpoint_read(text, head, &lsn, &ids));
    ck_assert_uint_eq(lsn, 0x123456789a);
    ck_assert_str_eq(ids, failing);
    ck_assert(cpi_checkpoint_read_failing(config, ids, &read_back));
    ck_assert_uint_eq(read_back.count, 2);
    ck_assert_uint_eq(read_back.items[0].entity, 0);
    ck_assert_int_eq(read_back.items[0].id.number, -9007199254740993);
    ck_assert_uint_eq(read_back.items[1].entity, 1);
    ck_assert_str_eq(read_back.items[1].id.text, "a \"b\"\n{} \xc3\xa9 *");
    free(text);
    free(failing);
}
END_TEST

START_TEST(nothing_fails)
{
    tell_nothing();
    char *failing = print_failing();
    ck_assert_str_eq(failing, "{}");
    ck_assert(cpi_checkpoint_read_failing(config, failing, &read_back));
    ck_assert_uint_eq(read_back.count, 0);
    free(failing);
}
END_TEST

START_TEST(more_than_fits_is_not_told)
{
    char *text = malloc(CPI_CHECKPOINT_TEXT_MAX + 1);
    ck_assert_ptr_nonnull(text);
    memset(text, 'x', CPI_CHECKPOINT_TEXT_MAX);
    text[CPI_CHECKPOINT_TEXT_MAX] = '\0';
    tell_nothing();
    tell(0, text, 0);
    ck_assert_ptr_null(cpi_checkpoint_print_failing(config, &lanes));
    free(text);
}
END_TEST

static char *head_of(const char *identity, uint64_t fingerprint)
{
    static char head[CPI_CHECKPOINT_HEAD_BYTES];
    cpi_checkpoint_print_head(config, identity, fingerprint, head);
    return head;
}

/* Stream, catalogue and each part of the configuration that documents and events depend on. */
START_TEST(heads_differ)
{
    char head[CPI_CHECKPOINT_HEAD_BYTES];
    cpi_checkpoint_print_head(config, "71/1 slot digest since", 1, head);
    ck_assert_str_eq(head_of("71/1 slot digest since", 1), head);
    ck_assert_str_ne(head_of("71/2 slot digest since", 1), head);
    ck_assert_str_ne(head_of("71/1 slot digest since", 2), head);
    char *fields[] = {config->entities[0].fetch, config->entities[0].list, config->entities[0].name,
                      config->entities[1].channels[0]};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        fields[i][0]++;
        ck_assert_str_ne(head_of("71/1 slot digest since", 1), head);
        fields[i][0]--;
    }
}
END_TEST

START_TEST(the_first_difference_is_named)
{
    const char *head = "2 71/1 slot published since configuration catalog ";
    static const struct {
        const char *text;
        const char *named;
    } cases[] = {
        {"1 71/1 slot published since configuration catalog 0/1 {}", "another version"},
        {"2 71/2 slot published since configuration catalog 0/1 {}", "another Postgres"},
        {"2 71/1 other published since configuration catalog 0/1 {}", "another slot"},
        {"2 71/1 slot public since configuration catalog 0/1 {}", "published"},
        {"2 71/1 slot published later configuration catalog 0/1 {}", "crashed"},
        {"2 71/1 slot published since other catalog 0/1 {}", "the configuration"},
        {"2 71/1 slot published since configuration other 0/1 {}", "documents hang on"},
        {"2 71/1 slot published since configuration catalog x", "cannot be read"},
        {"2 71/1 slot", "another slot"},
        {"", "another version"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *named = cpi_checkpoint_difference(cases[i].text, head);
        ck_assert_msg(strstr(named, cases[i].named) != NULL, "%zu: \"%s\"", i, named);
    }
}
END_TEST

START_TEST(knows_its_own_configuration)
{
    char *text = cpi_checkpoint_print(head_of("71/1 slot digest since", 1), 1, "{}");
    ck_assert_ptr_nonnull(text);
    ck_assert(cpi_checkpoint_is_of(text, config));
    config->entities[0].fetch[0]++;
    ck_assert(!cpi_checkpoint_is_of(text, config));
    ck_assert(!cpi_checkpoint_is_of("", config));
    free(text);
}
END_TEST

START_TEST(others_are_refused)
{
    static const char *const texts[] = {
        "",
        "2 ",
        "2 a",
        "2 a b",
        "2 a 0/1",
        "2 a 0/1",
        "2 b 0/1 {}",
        "1 a 0/1 {}",
        "2 a 0/x {}",
        "2 a  {}",
        "2 a 00000000000000000000000000000/1 {}",
    };
    uint64_t lsn = 0;
    const char *ids = NULL;
    ck_assert(cpi_checkpoint_read("2 a 0/1 {}", "2 a ", &lsn, &ids));
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        ck_assert_msg(!cpi_checkpoint_read(texts[i], "2 a ", &lsn, &ids), "\"%s\" was read", texts[i]);
    }
}
END_TEST

START_TEST(other_ids_are_refused)
{
    static const char *const texts[] = {"",
                                        "[]",
                                        "{",
                                        "{} x",
                                        "{\"customer\": 17}",
                                        "{\"customer\": [\"x\"]}",
                                        "{\"customer\": [null]}",
                                        "{\"customer\": [99999999999999999999]}",
                                        "{\"shop\": [1]}"};
    ck_assert(cpi_checkpoint_read_failing(config, "{\"customer\": [17]}", &read_back));
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        ck_assert_msg(!cpi_checkpoint_read_failing(config, texts[i], &read_back), "\"%s\" was read", texts[i]);
    }
}
END_TEST

Suite *checkpoint_text_suite(void)
{
    Suite *suite = suite_create("checkpoint_text");
    TCase *tcase = tcase_create("checkpoint_text");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, what_is_printed_is_read);
    tcase_add_test(tcase, nothing_fails);
    tcase_add_test(tcase, more_than_fits_is_not_told);
    tcase_add_test(tcase, heads_differ);
    tcase_add_test(tcase, the_first_difference_is_named);
    tcase_add_test(tcase, knows_its_own_configuration);
    tcase_add_test(tcase, others_are_refused);
    tcase_add_test(tcase, other_ids_are_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}
