#include "heard.h"
#include "servers.h"
#include "suites.h"

#include <stdio.h>

/* ---- ids ---- */

/* What Postgres holds for equal can have different texts, and each text has a key of its own. */
START_TEST(equal_ids_of_different_texts)
{
    struct fixture *f = fixture_open();
    PGconn *ear = listen_to(f, "changed");
    sql(f, "create extension citext;"
           "create collation nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);"
           "create table c (id citext primary key, x int); create table n (id text collate nocase, x int);"
           "select cachepusher.watch('c', 'id', 'changed'), cachepusher.watch('n', 'id', 'changed')");
    gather_watched(f, ear);
    expect_heard(f, ear, "insert into c values ('Ada')", "\"Ada\"");
    expect_heard(f, ear, "update c set id = 'aDA'", "\"Ada\" \"aDA\"");
    expect_heard(f, ear, "update c set x = 1", "\"aDA\"");
    expect_heard(f, ear, "insert into n values ('Bob'), ('BOB'), ('bob')", "\"BOB\" \"Bob\" \"bob\"");
    expect_heard(f, ear, "update n set id = upper(id) where id = 'bob'", "\"BOB\" \"Bob\" \"bob\"");
    fixture_close(f);
}
END_TEST

/* Numbers travel bare, everything else as the text that a cast makes of it. */
START_TEST(types_of_ids)
{
    static const char *const types[][3] = {
        {"smallint", "-7", "-7"},
        {"integer", "2147483647", "2147483647"},
        {"bigint", "-9223372036854775808", "-9223372036854775808"},
        {"positive", "7", "\"7\""},
        {"char(9)", "ab c", "\"ab c\""},
        {"name", "\"", "\"\\\"\""},
        {"varchar(9)", "7", "\"7\""},
        {"text", "*", "\"*\""},
        {"text", "[1]", "\"[1]\""},
        {"text", "cachepusher", "\"cachepusher\""},
        {"text", "", "\"\""},
        {"text", "\xc3\xa9\n\\", "\"\xc3\xa9\\n\\\\\""},
        {"uuid", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "\"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11\""},
    };
    struct fixture *f = fixture_open();
    PGconn *ear = listen_to(f, "changed");
    sql(f, "create domain positive as int check (value > 0)");
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        char statement[256];
        sqlf(f, "create table t (id %s, x int); select cachepusher.watch('t', 'id', 'changed')", types[i][0]);
        gather_watched(f, ear);
        snprintf(statement, sizeof statement, "insert into t values ('%s')", types[i][1]);
        expect_heard(f, ear, statement, types[i][2]);
        expect_heard(f, ear, "update t set x = 1", types[i][2]);
        expect_heard(f, ear, "delete from t", types[i][2]);
        sql(f, "drop table t");
    }
    fixture_close(f);
}
END_TEST

START_TEST(null_ids_are_nobodys)
{
    struct fixture *f = fixture_open();
    PGconn *ear = listen_to(f, "customer_updated");
    sql(f, "insert into customer (id_customer) values (1), (2)");
    gather(f, ear);
    expect_heard(f, ear, "insert into address (fk_customer) values (null), (null)", "");
    expect_heard(f, ear, "insert into address (fk_customer) values (null), (2)", "2");
    expect_heard(f, ear, "update address set description = 'x' where fk_customer is null", "");
    expect_heard(f, ear, "insert into address (fk_customer) values (null)", "");
    expect_heard(f, ear, "update address set fk_customer = 1 where fk_customer is null", "1");
    expect_heard(f, ear, "update address set fk_customer = null", "1 2");
    expect_heard(f, ear, "delete from address", "");
    expect_heard(f, ear, "update customer set name = 'x' where false", "");
    fixture_close(f);
}
END_TEST

/* The longest id that fits is announced by its name, a longer one by calling for all. */
START_TEST(long_ids)
{
    struct fixture *f = fixture_open();
    PGconn *ear = listen_to(f, "changed");
    sql(f, "create table t (id text); select cachepusher.watch('t', 'id', 'changed')");
    gather_watched(f, ear);
    expect_heard(f, ear, "insert into t values (repeat('x', 3898)), ('short')", "\"short\" *");
    expect_heard(f, ear, "delete from t where id = 'short'", "\"short\"");
    expect_heard(f, ear, "insert into t values (repeat('\xc3\xa9', 2000)), ('a'), ('b')", "\"a\" \"b\" *");
    sql(f, "truncate t; insert into t select repeat(chr(64 + i), 3897) from generate_series(1, 26) i");
    gather(f, ear);
    REQUIRE_INT(sql_number(f, "select count(*) from heard where payload = '*'"), ==, 1); /* TRUNCATE */
    REQUIRE_INT(sql_number(f, "select count(distinct i::text) from heard, json_array_elements(payload::json) i"
                              " where payload <> '*'"),
                ==, 26);
    fixture_close(f);
}
END_TEST

START_TEST(many_ids)
{
    struct fixture *f = fixture_open();
    PGconn *ear = listen_to(f, "changed");
    sql(f, "create table t (id bigint, name text); select cachepusher.watch('t', 'id', 'changed')");
    gather_watched(f, ear);
    sql(f,
        "insert into t select i::bigint * 7919 * 1000003, i || repeat('x', i % 300) from generate_series(1, 100000) i");
    gather(f, ear);
    REQUIRE_INT(sql_number(f, "select count(*) from heard"), <, 250);
    REQUIRE_INT(sql_number(f, "select max(octet_length(payload)) from heard"), <, 8000);
    REQUIRE_INT(sql_number(f, "select count(*) from heard, json_array_elements_text(payload::json) i"), ==, 100000);
    REQUIRE_INT(sql_number(f, "select count(*) from t where id not in"
                              " (select i::bigint from heard, json_array_elements_text(payload::json) i)"),
                ==, 0);
    /* In order, so that a batch of them is read from few pages. */
    REQUIRE_INT(sql_number(f, "select count(*) from (select i::bigint as id, lag(i::bigint) over (partition by payload"
                              " order by place) as before from heard, json_array_elements_text(payload::json)"
                              " with ordinality as e(i, place)) as pairs where id <= before"),
                ==, 0);

    sql(f, "alter table t alter id type text using name; update t set name = ''");
    gather(f, ear);
    REQUIRE_INT(sql_number(f, "select max(octet_length(payload)) from heard"), <, 8000);
    REQUIRE_INT(sql_number(f, "select count(*) from heard, json_array_elements_text(payload::json) i"), ==, 100000);
    fixture_close(f);
}
END_TEST

/* One query announces few rows and another one many. Each on both sides of where they meet, which are 500 rows, before
 * and after counted, and 3,900 bytes. */
START_TEST(few_and_many)
{
    static const int counts[] = {1, 2, 249, 250, 251, 499, 500, 501, 600};
    struct fixture *f = fixture_open();
    PGconn *ear = listen_to(f, "changed");
    sql(f, "create table t (id text, x int); select cachepusher.watch('t', 'id', 'changed');"
           "create view ids as select i from heard, json_array_elements_text(payload::json) i");
    gather_watched(f, ear);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        for (int digits = 3; digits <= 8; digits += 5) {
            sqlf(f, "insert into t select lpad(i::text, %d, '0') from generate_series(1, %d) i", digits, counts[i]);
            for (int update = 0; update < 2; update++) {
                gather(f, ear);
                REQUIRE_INT(sql_number(f, "select count(*) from ids"), ==, sql_number(f, "select count(*) from t"));
                REQUIRE_INT(sql_number(f, "select count(*) from t where id not in (select i from ids)"), ==, 0);
                REQUIRE_INT(sql_number(f, "select max(octet_length(payload)) from heard"), <, 8000);
                sql(f, "update t set x = 1");
            }
            sql(f, "delete from t");
            gather(f, ear);
            REQUIRE_INT(sql_number(f, "select count(distinct i) from ids"), ==, counts[i]);
        }
    }

    /* One row, with an id that quotes make twice as long. */
    static const int lengths[] = {599, 600, 601, 1948, 1949, 4000};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        sqlf(f, "truncate t; insert into t values (repeat('\"', %d))", lengths[i]);
        gather(f, ear);
        sql(f, "update t set x = 1");
        gather(f, ear);
        REQUIRE_INT(sql_number(f, "select count(*) from heard"), ==, 1);
        REQUIRE_INT(sql_number(f, "select count(*) from heard where payload = '*'"), ==, lengths[i] > 1948);
    }
    fixture_close(f);
}
END_TEST

/* Where ids cannot be told one by one, the application's write goes on: here there is room on the disk for its rows,
 * but not for sorting them. */
START_TEST(ids_that_cannot_be_told)
{
    struct fixture *f = fixture_open();
    PGconn *ear = listen_to(f, "changed");
    sql(f, "create table t (id bigint); select cachepusher.watch('t', 'id', 'changed')");
    gather_watched(f, ear);
    expect_heard(f, ear,
                 "set work_mem = '64kB'; set temp_file_limit = '5MB';"
                 "insert into t select generate_series(1, 100000)",
                 "*");
    fixture_close(f);
}
END_TEST

/* ---- statements ---- */

START_TEST(every_kind_of_statement)
{
    struct fixture *f = fixture_open();
    PGconn *ear = listen_to(f, "customer_updated");
    sql(f, "alter table customer add unique (name)");
    sql_on(ear, "listen customer_deleted");
    PQclear(PQexec(f->pg, "copy customer (id_customer, name) from stdin"));
    REQUIRE(PQputCopyData(f->pg, "1\tAda\n2\tBob\n", 12) == 1 && PQputCopyEnd(f->pg, NULL) == 1);
    for (PGresult *result; (result = PQgetResult(f->pg)) != NULL; PQclear(result)) {
        REQUIRE(PQresultStatus(result) == PGRES_COMMAND_OK);
    }
    expect_heard(f, ear, "select", "1 2");
    expect_heard(f, ear, "insert into customer values (1, 'x'), (3, 'Cy') on conflict do nothing", "3");
    expect_heard(f, ear,
                 "insert into customer values (1, 'x'), (4, 'Di') on conflict (id_customer)"
                 " do update set id_customer = 10 + excluded.id_customer",
                 "1 11 4");
    expect_heard(f, ear,
                 "insert into customer values (3, 'x') on conflict (id_customer) do update set name = excluded.name",
                 "3");
    REQUIRE_INT(sql_number(f, "select count(*) from heard"), ==, 1);
    expect_heard(f, ear, "update customer set id_customer = 12 where id_customer = 11", "11 12");
    expect_heard(f, ear, "update customer set id_customer = 11 where id_customer = 12", "11 12");
    expect_heard(f, ear,
                 "with gone as (delete from customer where id_customer = 4 returning *)"
                 " insert into customer select 5, name || '!' from gone",
                 "4 5");
    if (PQserverVersion(f->pg) >= 150000) {
        expect_heard(f, ear,
                     "merge into customer c using (values (2), (3), (6)) as s(id) on c.id_customer = s.id"
                     " when matched and s.id = 2 then update set name = 'merged' when matched then delete"
                     " when not matched then insert (id_customer) values (s.id)",
                     "2 3 6");
    }
    expect_heard(f, ear, "insert into address (fk_customer) values (2), (2), (11)", "11 2");
    expect_heard(f, ear, "insert into address (fk_customer) values (2), (2), (2), (11)", "11 2");
    expect_heard(f, ear, "insert into address (fk_customer) values (11), (11)", "11");
    sql_on(ear, "unlisten customer_deleted"); /* so that what is left to hear comes from the addresses */
    expect_heard(f, ear, "delete from customer where id_customer = 2", "2");
    expect_heard(f, ear, "begin; insert into customer values (7); rollback", "");
    expect_heard(f, ear, "begin; savepoint s; delete from address; rollback to s; insert into customer values (8); end",
                 "8");
    expect_heard(f, ear, "truncate customer cascade", "*");
    fixture_close(f);
}
END_TEST

Suite *triggers_suite(void)
{
    Suite *suite = suite_create("triggers");
    TCase *tcase = tcase_create("triggers");
    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, equal_ids_of_different_texts);
    tcase_add_test(tcase, types_of_ids);
    tcase_add_test(tcase, null_ids_are_nobodys);
    tcase_add_test(tcase, long_ids);
    tcase_add_test(tcase, many_ids);
    tcase_add_test(tcase, few_and_many);
    tcase_add_test(tcase, ids_that_cannot_be_told);
    tcase_add_test(tcase, every_kind_of_statement);
    suite_add_tcase(suite, tcase);
    return suite;
}
