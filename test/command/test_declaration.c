/* Declared documents as they are written, and what is said of those that are wrong. */
#include "common/complain.h"
#include "document/declaration.h"

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static char complaint[1024];
static struct memory memory;

/* In place of the program's, which prints. */
void complain(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(complaint, sizeof complaint, format, arguments);
    va_end(arguments);
}

static struct declared_table *read_text(const char *json)
{
    complaint[0] = '\0';
    return declaration_read(&(cp_declaration){.entity = "e", .index = 3, .key = "e:{id}", .document = json}, &memory);
}

static void tear_down(void)
{
    memory_fini(&memory);
}

START_TEST(all_of_it)
{
    const struct declared_table *root = read_text(
        "{\"table\": \"s.\\\"A b\\\"\", \"key\": [\"x\", \"\\\"Y\\\"\"], \"where\": \"x > 0\", \"columns\": [\"x\", "
        "{\"name\": "
        "\"n\", \"column\": \"y\"}, {\"name\": \"m\", \"sql\": \"x + 1\"}], \"include\": ["
        "{\"name\": \"i\", \"table\": \"b\", \"by\": \"c\", \"depth\": 3, \"order\": \"d desc\", \"columns\": \"*\"},"
        "{\"name\": \"k\", \"table\": \"c\", \"one\": true, \"through\": {\"table\": \"l\", \"by\": \"p\", \"to\": "
        "[\"q\", "
        "\"r\"]}}]}");
    ck_assert_msg(root != NULL, "%s", complaint);
    ck_assert_str_eq(root->path, "entities[3].document");
    ck_assert_str_eq(root->table, "s.\"A b\"");
    ck_assert_uint_eq(root->key.count, 2);
    ck_assert_str_eq(root->key.items[1], "\"Y\"");
    ck_assert_str_eq(root->where, "x > 0");
    ck_assert(root->has_columns && root->member_count == 3 && root->include_count == 2);
    ck_assert_ptr_null(root->members[0].name);
    ck_assert_str_eq(root->members[1].column, "y");
    ck_assert_str_eq(root->members[2].sql, "x + 1");
    const struct declared_table *list = &root->includes[0];
    ck_assert_str_eq(list->path, "entities[3].document.include[0]");
    ck_assert(!list->has_columns && !list->is_one && list->depth == 3);
    ck_assert_str_eq(list->by.items[0], "c");
    ck_assert_str_eq(list->order, "d desc");
    const struct declared_table *one = &root->includes[1];
    ck_assert(one->is_one);
    ck_assert_str_eq(one->through, "l");
    ck_assert_uint_eq(one->through_to.count, 2);
}
END_TEST

#define WITH(include) "{\"table\": \"t\", \"include\": [" include "]}"

static const struct {
    const char *json;
    const char *message;
} wrong[] = {
    {"{}", "entities[3].document: table is missing"},
    {"{\"table\": 1}", ".table: expected the name of a table, found a number"},
    {"{\"table\": \"a.b.c\"}", ".table: \"a.b.c\" is not the name of a table"},
    {"{\"table\": \"t; drop\"}", "is not the name of a table"},
    {"{\"table\": \"t\", \"order\": \"x\"}", ".order: unknown; expected table, key, columns, where or include"},
    {"{\"table\": \"t\", \"key\": []}", ".key: expected the name of a column"},
    {"{\"table\": \"t\", \"key\": [\"a\", \"b c\"]}", ".key[1]: \"b c\" is not the name of a column"},
    {"{\"table\": \"t\", \"columns\": []}", ".columns: expected \"*\" or an array"},
    {"{\"table\": \"t\", \"columns\": [{}]}", ".columns[0]: expected either column or sql"},
    {"{\"table\": \"t\", \"columns\": [{\"name\": \"n\", \"sql\": \"1\", \"column\": \"c\"}]}", "either column or sql"},
    {"{\"table\": \"t\", \"columns\": [{\"sql\": \"1\"}]}", ".columns[0]: name is missing"},
    {"{\"table\": \"t\", \"columns\": [{\"nam\": \"1\"}]}", ".columns[0].nam: unknown; did you mean name?"},
    {"{\"table\": \"t\", \"columns\": [{\"type\": \"1\"}]}", ".columns[0].type: unknown; expected name, column or sql"},
    {"{\"table\": \"t\", \"includes\": []}", ".includes: unknown; did you mean include?"},
    {WITH("{\"table\": \"n\", \"wehre\": \"1\"}"), ".include[0].wehre: unknown; expected name, table,"},
    {WITH("{\"table\": \"n\", \"trough\": \"l\"}"), ".include[0].trough: unknown; did you mean through?"},
    {WITH("{\"table\": \"n\", \"name\": \"n\", \"through\": {\"tabel\": \"x\"}}"),
     ".through.tabel: unknown; expected table,"},
    {"{\"table\": \"t\", \"where\": \"\"}", ".where: expected a condition in SQL, found a string"},
    {"{\"table\": \"t\", \"include\": {}}", ".include: expected an array of objects, found an object"},
    {WITH("1"), ".include[0]: expected an object, found a number"},
    {WITH("{\"name\": \"n\"}"), ".include[0]: table is missing"},
    {WITH("{\"table\": \"n\"}"), ".include[0]: name is missing: the member that the rows of n become"},
    {WITH("{\"table\": \"n\", \"name\": \"n\", \"key\": \"k\"}"), ".include[0].key: unknown; expected name, table,"},
    {WITH("{\"table\": \"n\", \"name\": \"n\", \"one\": 1}"),
     ".include[0].one: expected true or false, found a number"},
    {WITH("{\"table\": \"n\", \"name\": \"n\", \"depth\": 17}"),
     ".include[0].depth: expected a number of levels, 1 to 16"},
    {WITH("{\"table\": \"n\", \"name\": \"n\", \"through\": {\"by\": \"x\"}}"),
     ".include[0].through: table is missing"},
    {WITH("{\"table\": \"n\", \"name\": \"n\", \"through\": {\"of\": \"x\"}}"),
     ".through.of: unknown; expected table, by or to"},
    {WITH("{\"table\": \"n\", \"name\": \"n\", \"through\": \"l\", \"by\": \"x\"}"),
     "by and through exclude each other"},
    {WITH("{\"table\": \"n\", \"name\": \"n\", \"through\": \"l\", \"depth\": 2}"),
     "depth and through exclude each other"},
};

START_TEST(refuses)
{
    ck_assert_ptr_null(read_text(wrong[_i].json));
    ck_assert_msg(strstr(complaint, wrong[_i].message) != NULL, "\"%s\" lacks \"%s\"", complaint, wrong[_i].message);
    ck_assert_msg(strncmp(complaint, "entities[3].document", 20) == 0, "\"%s\" names no place", complaint);
}
END_TEST

START_TEST(has_a_bound)
{
    char json[2048] = "{\"table\": \"t\"";
    for (int i = 0; i < DECLARED_DEPTH_MAX; i++) {
        strcat(json, ", \"include\": [{\"name\": \"n\", \"table\": \"t\"");
    }
    for (int i = 0; i < DECLARED_DEPTH_MAX; i++) {
        strcat(json, "}]");
    }
    strcat(json, "}");
    ck_assert_ptr_null(read_text(json));
    ck_assert_ptr_nonnull(strstr(complaint, "more than 16 tables below each other"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("declaration");
    TCase *tests = tcase_create("declaration");
    tcase_add_checked_fixture(tests, NULL, tear_down);
    tcase_add_test(tests, all_of_it);
    tcase_add_loop_test(tests, refuses, 0, (int)(sizeof wrong / sizeof *wrong));
    tcase_add_test(tests, has_a_bound);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0;
}
