#include "load.h"

#include "copy.h"
#include "names.h"
#include "report.h"
#include "rng.h"
#include "stop.h"

#include <stdio.h>
#include <stdlib.h>

enum { ADDRESS_COUNTS = 6 }; /* 0 to 5, so 2.5 on average */

/* Checking for signals is a system call, so not for each row. */
#define ROWS_BETWEEN_LOOKS 1024

struct load {
    struct db *db;
    long seed;
    int customers;
    int addresses;
    int first_customer;
    int first_address;
    bool interrupted;
    struct progress progress;
    struct copy copy;
};

/*
 * Takes $1 ids from the sequence for good. nextval() and the largest id present are both
 * looked at, because rows may have been added with ids of their own.
 */
#define RESERVE(table, id)                                                                                             \
    "with first as (select greatest(pg_catalog.nextval(pg_catalog.pg_get_serial_sequence('" table "', '" id "')),"     \
    " coalesce(pg_catalog.max(" id "), 0) operator(pg_catalog.+) 1) as id from " table ")"                             \
    " select id, pg_catalog.setval(pg_catalog.pg_get_serial_sequence('" table "', '" id                                \
    "'), id operator(pg_catalog.+) $1::bigint, false)"                                                                 \
    " from first"

/*
 * The lock makes sure that no other session draws from the sequences between nextval() and setval().
 * It is held only for a moment: drawn numbers stay drawn without a transaction, so others can insert
 * while the rows are copied.
 */
static enum db_status reserve_ids(struct load *load)
{
    char customers[16];
    char addresses[16];
    struct db *db = load->db;
    enum db_status status;
    snprintf(customers, sizeof(customers), "%d", load->customers);
    snprintf(addresses, sizeof(addresses), "%d", load->addresses);
    status = db_exec(db, "begin; lock table customer, address in share row exclusive mode");
    if (status == DB_OK)
        status = db_read_ints(db, RESERVE("customer", "id_customer"), customers, &load->first_customer, 1);
    if (status == DB_OK)
        status = db_read_ints(db, RESERVE("address", "id_address"), addresses, &load->first_address, 1);
    if (status == DB_OK)
        status = db_exec(db, "commit");
    return status;
}

static int count_addresses(const struct load *load)
{
    struct rng counts;
    uint32_t total = 0;
    rng_init(&counts, load->seed, STREAM_ADDRESS_COUNTS);
    for (int i = 0; i < load->customers; i++)
        total += rng_below(&counts, ADDRESS_COUNTS);
    return (int)total;
}

static enum db_status end_row(struct load *load, const char *what, int done, int total)
{
    if (done % ROWS_BETWEEN_LOOKS == 0) {
        progress_show(&load->progress, what, done, total);
        load->interrupted = stop_requested();
    }
    return copy_end_row(&load->copy);
}

static enum db_status finish_copy(struct load *load, enum db_status status)
{
    enum db_status ended = copy_end(&load->copy, load->interrupted ? "interrupted" : NULL);
    return status == DB_OK ? ended : status;
}

static enum db_status copy_customers(struct load *load)
{
    struct rng rng;
    struct text name;
    enum db_status status;
    rng_init(&rng, load->seed, STREAM_CUSTOMERS);
    status = copy_begin(&load->copy, load->db, "copy customer (id_customer, name) from stdin");
    if (status != DB_OK)
        return status;
    for (int i = 0; status == DB_OK && !load->interrupted && i < load->customers; i++) {
        copy_int(&load->copy, load->first_customer + i);
        copy_text(&load->copy, names_person(&rng, &name));
        status = end_row(load, "customers", i, load->customers);
    }
    return finish_copy(load, status);
}

static enum db_status copy_addresses(struct load *load)
{
    struct rng rng;
    struct rng counts;
    struct text description;
    enum db_status status;
    int done = 0;
    rng_init(&rng, load->seed, STREAM_ADDRESSES);
    rng_init(&counts, load->seed, STREAM_ADDRESS_COUNTS);
    status = copy_begin(&load->copy, load->db, "copy address (id_address, description, fk_customer) from stdin");
    if (status != DB_OK)
        return status;
    for (int i = 0; status == DB_OK && !load->interrupted && i < load->customers; i++) {
        for (uint32_t left = rng_below(&counts, ADDRESS_COUNTS); left > 0; left--) {
            copy_int(&load->copy, load->first_address + done);
            copy_text(&load->copy, names_address(&rng, &description));
            copy_int(&load->copy, load->first_customer + i);
            status = end_row(load, "addresses", done++, load->addresses);
            if (status != DB_OK)
                break;
        }
    }
    return finish_copy(load, status);
}

static enum db_status run(struct load *load)
{
    enum db_status status = reserve_ids(load);
    if (status == DB_OK)
        status = db_exec(load->db, "begin");
    if (status == DB_OK)
        status = copy_customers(load);
    if (status == DB_OK)
        status = copy_addresses(load);
    /* Otherwise the planner does not know of the new rows until autovacuum runs. */
    if (status == DB_OK)
        status = db_exec(load->db, "analyze customer, address");
    if (status == DB_OK)
        status = db_exec(load->db, "commit");
    return status;
}

bool load_customers(struct db *db, int customers, long seed, bool quiet)
{
    struct load *load = calloc(1, sizeof(*load));
    double start_s = clock_now_s();
    enum db_status status;
    double took_s;
    if (!load) {
        report("loading %d customers: out of memory", customers);
        return false;
    }
    load->db = db;
    load->seed = seed;
    load->customers = customers;
    load->addresses = count_addresses(load);
    progress_init(&load->progress, quiet);
    status = run(load);
    progress_clear(&load->progress);
    took_s = clock_now_s() - start_s;
    if (load->interrupted)
        report("loading %d customers: interrupted, none were added", customers);
    else if (status != DB_OK)
        report("loading %d customers: %s", customers, db->error);
    else
        printf("fakedata: loaded %d customers and %d addresses in %.1f s (%.0f rows/s)\n", customers, load->addresses,
               took_s, (customers + load->addresses) / took_s);
    free(load);
    return status == DB_OK;
}
