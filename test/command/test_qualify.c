/* Names in expressions as Postgres writes them get their schema. */
#include "common/complain.h"
#include "document/qualify.h"

#include <check.h>

/* In place of the program's, which prints. */
void complain(const char *format, ...)
{
    (void)format;
}

static const struct {
    const char *sql;
    const char *expected;
} texts[] = {
    {"active", "active"},
    {"(id = 1)", "(id operator(pg_catalog.=) 1)"},
    {"((a + 1.5) <> (- b))", "((a operator(pg_catalog.+) 1.5) operator(pg_catalog.<>) (operator(pg_catalog.-) b))"},
    {"lower(title)", "pg_catalog.lower(title)"},
    {"\"left\"(title, 3)", "pg_catalog.\"left\"(title, 3)"},
    {"app.loud((name)::text)", "app.loud((name)::pg_catalog.text)"},
    {"\"My App\".\"lo\"\"ud\"(a)", "\"My App\".\"lo\"\"ud\"(a)"},
    {"concat(name, '!'::text)", "pg_catalog.concat(name, '!'::pg_catalog.text)"},
    {"(f.name ~~ 'it''s lower(x) = ::y'::text)",
     "(f.name operator(pg_catalog.~~) 'it''s lower(x) = ::y'::pg_catalog.text)"},
    {"(email OPERATOR(app.=) 'b'::app.citext)", "(email OPERATOR(app.=) 'b'::app.citext)"},
    {"(a = ANY (ARRAY[1, 2]))", "(a operator(pg_catalog.=) ANY (ARRAY[1, 2]))"},
    {"COALESCE(a, '-1'::integer, 0)", "COALESCE(a, '-1'::integer, 0)"},
    {"(x)::character varying(10)", "(x)::character varying(10)"},
    {"(x)::timestamp(3) without time zone", "(x)::timestamp(3) without time zone"},
    {"(x)::interval day to second(3)", "(x)::interval day to second(3)"},
    {"(x)::numeric(10,2)", "(x)::numeric(10,2)"},
    {"(x)::double precision", "(x)::double precision"},
    {"(x)::\"char\"", "(x)::pg_catalog.\"char\""},
    {"(ARRAY['a'::character varying])::text[]", "(ARRAY['a'::character varying])::pg_catalog.text[]"},
    {"make_interval(days => 1)", "pg_catalog.make_interval(days => 1)"},
    {"(name COLLATE \"C\")", "(name COLLATE pg_catalog.\"C\")"},
    {"(name COLLATE public.blind)", "(name COLLATE public.blind)"},
    {"EXTRACT(year FROM released)", "EXTRACT(year FROM released)"},
    {"CASE WHEN (a)::boolean THEN lower(b) ELSE NULL::text END",
     "CASE WHEN (a)::boolean THEN pg_catalog.lower(b) ELSE NULL::pg_catalog.text END"},
    {"(pair).left", "(pair).left"},
    {"film.title DESC, film.x USING ~<~", "film.title DESC, film.x USING operator(pg_catalog.~<~)"},
    {"\"The = Col\"", "\"The = Col\""},
    {"(x AT TIME ZONE 'utc'::text)", "(x AT TIME ZONE 'utc'::pg_catalog.text)"},
    {"('unended", "('unended"},
};

START_TEST(names_get_their_schema)
{
    struct memory memory = {0};
    ck_assert_str_eq(qualify(texts[_i].sql, &memory), texts[_i].expected);
    memory_fini(&memory);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("qualify");
    TCase *tests = tcase_create("qualify");
    tcase_add_loop_test(tests, names_get_their_schema, 0, (int)(sizeof texts / sizeof *texts));
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0;
}
