#include "equal.h"
#include "servers.h"
#include "sources.h"
#include "suites.h"

#include <string.h>

/* Customers 1 Ada, 2 Bob and 3 Cyd; addresses 11 and 12 are Ada's, 21 is Bob's. */
static cp_syncer *follow_three_customers(struct fixture *f)
{
    sql(f, "insert into customer (id_customer, name) values (1, 'Ada'), (2, 'Bob'), (3, 'Cyd');"
           "insert into address (id_address, description, fk_customer)"
           " values (12, 'Main St', 1), (11, 'Elm St', 1), (21, 'Oak St', 2)");
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    expect_document(f, 1,
                    "{\"id_customer\":1,\"name\":\"Ada\",\"addresses\":[{\"id_address\":11,\"description\":\"Elm "
                    "St\"},{\"id_address\":12,\"description\":\"Main St\"}]}");
    expect_document(f, 2,
                    "{\"id_customer\":2,\"name\":\"Bob\",\"addresses\":"
                    "[{\"id_address\":21,\"description\":\"Oak St\"}]}");
    expect_document(f, 3, "{\"id_customer\":3,\"name\":\"Cyd\",\"addresses\":[]}");
    return syncer;
}

/* Everything has to have been the events' doing: no resync but the warm-up. */
static void finish(struct fixture *f, cp_syncer *syncer)
{
    expect_customers(f);
    REQUIRE_INT(stats_of(syncer).resyncs, ==, 1);
    REQUIRE_INT(stats_of(syncer).failures, ==, 0);
    stop_syncer(f, syncer);
    fixture_close(f);
}

START_TEST(address_changes)
{
    struct fixture *f = fixture_open();
    cp_syncer *syncer = follow_three_customers(f);
    sql(f, "insert into address (id_address, description, fk_customer) values (31, 'New St', 3)");
    expect_document(f, 3,
                    "{\"id_customer\":3,\"name\":\"Cyd\",\"addresses\":"
                    "[{\"id_address\":31,\"description\":\"New St\"}]}");
    sql(f, "update address set description = null where id_address = 31");
    expect_document(f, 3,
                    "{\"id_customer\":3,\"name\":\"Cyd\",\"addresses\":"
                    "[{\"id_address\":31,\"description\":null}]}");
    sql(f, "delete from address where id_address = 31");
    expect_document(f, 3, "{\"id_customer\":3,\"name\":\"Cyd\",\"addresses\":[]}");
    finish(f, syncer);
}
END_TEST

START_TEST(address_moves)
{
    struct fixture *f = fixture_open();
    cp_syncer *syncer = follow_three_customers(f);
    sql(f, "update address set fk_customer = 3 where id_address = 21");
    expect_document(f, 2, "{\"id_customer\":2,\"name\":\"Bob\",\"addresses\":[]}");
    expect_document(f, 3,
                    "{\"id_customer\":3,\"name\":\"Cyd\",\"addresses\":"
                    "[{\"id_address\":21,\"description\":\"Oak St\"}]}");
    sql(f, "update address set fk_customer = 2");
    expect_document(f, 1, "{\"id_customer\":1,\"name\":\"Ada\",\"addresses\":[]}");
    expect_document(f, 3, "{\"id_customer\":3,\"name\":\"Cyd\",\"addresses\":[]}");
    finish(f, syncer);
}
END_TEST

START_TEST(address_without_customer)
{
    struct fixture *f = fixture_open();
    cp_syncer *syncer = follow_three_customers(f);
    sql(f, "insert into address (id_address, description) values (90, 'nobody''s')");
    sql(f, "update address set description = 'still nobody''s' where id_address = 90");
    sql(f, "update address set fk_customer = 3 where id_address = 90");
    expect_document(f, 3,
                    "{\"id_customer\":3,\"name\":\"Cyd\",\"addresses\":"
                    "[{\"id_address\":90,\"description\":\"still nobody's\"}]}");
    sql(f, "update address set fk_customer = null where id_address in (90, 21)");
    expect_document(f, 3, "{\"id_customer\":3,\"name\":\"Cyd\",\"addresses\":[]}");
    expect_document(f, 2, "{\"id_customer\":2,\"name\":\"Bob\",\"addresses\":[]}");
    sql(f, "delete from address where id_address = 90");
    REQUIRE_INT(stats_of(syncer).bad_payloads, ==, 0);
    finish(f, syncer);
}
END_TEST

START_TEST(customer_changes_its_id)
{
    struct fixture *f = fixture_open();
    cp_syncer *syncer = follow_three_customers(f);
    sql(f, "update customer set id_customer = 33 where id_customer = 3");
    expect_document(f, 33, "{\"id_customer\":33,\"name\":\"Cyd\",\"addresses\":[]}");
    expect_document(f, 3, NULL);

    sql(f, "alter table address drop constraint address_fk_customer_fkey,"
           " add foreign key (fk_customer) references customer on update cascade on delete cascade");
    sql(f, "update customer set id_customer = 11 where id_customer = 1");
    expect_document(f, 1, NULL);
    sql(f, "update customer set id_customer = id_customer + 100");
    expect_document(f, 2, NULL);
    expect_document(f, 11, NULL);
    expect_document(f, 133, "{\"id_customer\":133,\"name\":\"Cyd\",\"addresses\":[]}");
    finish(f, syncer);
}
END_TEST

START_TEST(customer_is_deleted)
{
    struct fixture *f = fixture_open();
    cp_syncer *syncer = follow_three_customers(f);
    sql(f, "delete from customer where id_customer = 1");
    expect_document(f, 1, NULL);
    REQUIRE_INT(sql_number(f, "select count(*) from address"), ==, 1);
    sql(f, "delete from customer");
    expect_customers(f);
    REQUIRE_INT(count_keys(f), ==, 0);
    sql(f, "insert into customer (id_customer, name) values (1, 'Ada again')");
    expect_document(f, 1, "{\"id_customer\":1,\"name\":\"Ada again\",\"addresses\":[]}");
    finish(f, syncer);
}
END_TEST

/* Postgres folds the second "updated" into the first, so that "deleted" arrives last. */
START_TEST(deleted_and_inserted_again)
{
    struct fixture *f = fixture_open();
    cp_syncer *syncer = follow_three_customers(f);
    for (int round = 0; round < 20; round++) {
        uint64_t events = stats_of(syncer).events;
        sqlf(f,
             "begin; update customer set name = 'x' where id_customer = 3; delete from customer where id_customer = 3;"
             "insert into customer (id_customer, name) values (3, 'Cyd %d'); commit",
             round);
        /* Notifications are folded: one on either channel. The log has each row. */
        WAIT_UNTIL(stats_of(syncer).events == events + (is_over_wal() ? 3 : 2));
        expect_customers(f);
    }
    finish(f, syncer);
}
END_TEST

/* What is rolled back is not announced: the events are those of the committed statement alone. */
START_TEST(rolled_back)
{
    struct fixture *f = fixture_open();
    cp_syncer *syncer = follow_three_customers(f);
    uint64_t events = stats_of(syncer).events;
    sql(f, "begin; update customer set name = 'no'; delete from address; rollback");
    sql(f, "begin; savepoint a; update customer set name = 'no'; rollback to a;"
           " update customer set name = 'yes' where id_customer = 2; commit");
    expect_document(f, 2,
                    "{\"id_customer\":2,\"name\":\"yes\",\"addresses\":"
                    "[{\"id_address\":21,\"description\":\"Oak St\"}]}");
    REQUIRE_INT(stats_of(syncer).events, ==, events + 1);
    finish(f, syncer);
}
END_TEST

START_TEST(truncated)
{
    struct fixture *f = fixture_open();
    cp_syncer *syncer = follow_three_customers(f);
    add_stranger(f, "%s:1:cart", f->prefix);
    sql(f, "truncate address");
    expect_document(f, 1, "{\"id_customer\":1,\"name\":\"Ada\",\"addresses\":[]}");
    expect_customers(f);
    sql(f, "truncate customer cascade");
    expect_customers(f);
    REQUIRE_INT(count_keys(f), ==, 1);

    sql(f, "begin; insert into customer (id_customer, name) values (5, 'no'); truncate customer cascade;"
           " insert into customer (id_customer, name) values (6, 'Fay'); commit");
    expect_document(f, 6, "{\"id_customer\":6,\"name\":\"Fay\",\"addresses\":[]}");
    expect_customers(f);
    REQUIRE_INT(stats_of(syncer).resyncs, >, 1);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

Suite *changes_suite(void)
{
    Suite *suite = suite_create("changes");
    TCase *tcase = tcase_create("customer");
    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, address_changes);
    tcase_add_test(tcase, address_moves);
    tcase_add_test(tcase, address_without_customer);
    tcase_add_test(tcase, customer_changes_its_id);
    tcase_add_test(tcase, customer_is_deleted);
    tcase_add_test(tcase, deleted_and_inserted_again);
    tcase_add_test(tcase, rolled_back);
    tcase_add_test(tcase, truncated);
    suite_add_tcase(suite, tcase);
    return suite;
}
