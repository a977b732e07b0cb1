#include "mix.h"

#include "servers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { TEXT_BYTES = 400, STATEMENT_BYTES = 4096, ROWS_AT_ONCE = 50 };

uint64_t choose_seed(void)
{
    const char *given = getenv("CP_TEST_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL) * 1000 + (uint64_t)getpid();
    printf("CP_TEST_SEED=%llu\n", (unsigned long long)seed);
    fflush(stdout);
    return seed;
}

/* xorshift64*, which must not start from 0. */
unsigned roll(uint64_t *state, unsigned sides)
{
    uint64_t x = *state != 0 ? *state : 88172645463325252u;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return (unsigned)((x * 2685821657736338717u >> 33) % sides);
}

void random_text(uint64_t *state, char *text, size_t size, unsigned pieces)
{
    static const char *const parts[] = {
        "a",
        "Grace ",
        "42",
        "\"",
        "'",
        "\\",
        "\\\\",
        "\n",
        "\r\n",
        "\t",
        "\b",
        "\f",
        "\x01",
        "\x1f",
        "\x7f",
        "/",
        "</b>",
        "%s",
        "$1",
        "{id}",
        ":",
        " ",
        "  ",
        "\xc3\xa9",
        "e\xcc\x81",
        "\xe6\x97\xa5\xe6\x9c\xac",
        "\xf0\x9f\x98\x80",
        "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x9a\x80",
        "\xe2\x80\xa8",
        "\xef\xbb\xbf",
        "\xef\xbf\xbf",
        "\xd7\xa9\xd7\x9c",
        "\\u0041",
        "null",
        "[]",
        "\"}",
    };
    size_t length = 0;
    text[0] = '\0';
    for (unsigned n = roll(state, pieces + 1); n > 0; n--) {
        const char *part = parts[roll(state, sizeof parts / sizeof *parts)];
        if (length + strlen(part) + 1 > size) {
            break;
        }
        memcpy(text + length, part, strlen(part) + 1);
        length += strlen(part);
    }
}

/* A quoted literal, or null once in ten times. */
static void random_literal(struct mix *mix, char *literal, size_t size)
{
    char text[TEXT_BYTES];
    if (roll(&mix->state, 10) == 0) {
        snprintf(literal, size, "null");
        return;
    }
    random_text(&mix->state, text, sizeof text, 12);
    char *quoted = PQescapeLiteral(mix->pg, text, strlen(text));
    snprintf(literal, size, "%s", quoted != NULL ? quoted : "null");
    PQfreemem(quoted);
}

/* ---- rows ---- */

static void insert_some(struct mix *mix, const char *into, unsigned from, unsigned to, bool addresses)
{
    static char statement[ROWS_AT_ONCE * (2 * TEXT_BYTES + 32) + 100];
    size_t length = (size_t)snprintf(statement, sizeof statement, "insert into %s values ", into);
    for (unsigned i = from; i <= to; i++) {
        char literal[2 * TEXT_BYTES];
        random_literal(mix, literal, sizeof literal);
        length += (size_t)snprintf(statement + length, sizeof statement - length, "%s(%s, %u)", i > from ? ", " : "",
                                   literal, addresses ? 1 + roll(&mix->state, mix->ids) : i);
        REQUIRE(length < sizeof statement);
    }
    sql_on(mix->pg, statement);
}

void insert_rows(struct mix *mix)
{
    unsigned addresses = mix->ids + mix->ids / 2;
    sql_on(mix->pg, "begin");
    for (unsigned from = 1; from <= mix->ids; from += ROWS_AT_ONCE) {
        unsigned to = from + ROWS_AT_ONCE - 1;
        insert_some(mix, "customer (name, id_customer)", from, to < mix->ids ? to : mix->ids, false);
    }
    for (unsigned from = 1; from <= addresses; from += ROWS_AT_ONCE) {
        unsigned to = from + ROWS_AT_ONCE - 1;
        insert_some(mix, "address (description, fk_customer)", from, to < addresses ? to : addresses, true);
    }
    sql_on(mix->pg, "commit");
}

/* ---- writes ---- */

/* Statements name a customer as $id, another as $other, a text as $text, a small number as $few. What refers to a
 * customer picks one that exists, so that a statement fails on account of a concurrent writer only. */
static const char *const statements[] = {
    "insert into customer (id_customer, name) values ($id, $text) on conflict do nothing",
    "insert into customer (id_customer, name) select i, $text from generate_series($id, $id + 20) i"
    " on conflict (id_customer) do update set name = excluded.name",
    "update customer set name = $text where id_customer = $id",
    "update customer set name = name || $text where id_customer % 17 = $few",
    "update customer set name = $text where id_customer = -1",
    "delete from customer where id_customer = $id",
    "delete from customer where id_customer between $id and $id + $few",
    "delete from customer where id_customer = $id;"
    " insert into customer (id_customer, name) values ($id, $text) on conflict do nothing",
    "insert into address (description, fk_customer) select $text, id_customer from customer where id_customer = $id",
    "insert into address (description, fk_customer) select $text || i, id_customer"
    " from customer, generate_series(0, $few) i where id_customer in ($id, $other)",
    "insert into address (description) values ($text)",
    "update address set description = $text where fk_customer = $id",
    "update address set fk_customer = $other where fk_customer = $id"
    " and exists (select from customer where id_customer = $other for key share)",
    "update address set fk_customer = (select id_customer from customer where id_customer >= $id"
    " order by id_customer limit 1) where id_address % 31 = $few",
    "update address set fk_customer = null where fk_customer = $id",
    "delete from address where fk_customer = $id",
    "delete from address where id_address % 41 = $few",
    "with gone as (delete from address where fk_customer = $id returning description)"
    " insert into address (description, fk_customer) select description, id_customer"
    " from gone, customer where id_customer = $other",
};

struct values {
    char id[16];
    char other[16];
    char few[16];
    char text[2 * TEXT_BYTES];
};

static const char *value_of(const struct values *values, const char **at)
{
    const struct {
        const char *name;
        const char *value;
    } known[] = {{"$id", values->id}, {"$other", values->other}, {"$few", values->few}, {"$text", values->text}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strncmp(*at, known[i].name, strlen(known[i].name)) == 0) {
            *at += strlen(known[i].name);
            return known[i].value;
        }
    }
    return NULL;
}

static void make_statement(struct mix *mix, char *out, size_t size)
{
    const char *at = statements[roll(&mix->state, sizeof statements / sizeof *statements)];
    struct values values;
    snprintf(values.id, sizeof values.id, "%u", 1 + roll(&mix->state, mix->ids));
    snprintf(values.other, sizeof values.other, "%u", 1 + roll(&mix->state, mix->ids));
    snprintf(values.few, sizeof values.few, "%u", roll(&mix->state, 5));
    random_literal(mix, values.text, sizeof values.text);
    size_t length = 0;
    while (*at != '\0' && length + sizeof values.text < size) {
        const char *value = value_of(&values, &at);
        length += (size_t)(value != NULL ? snprintf(out + length, size - length, "%s", value)
                                         : snprintf(out + length, size - length, "%c", *at++));
    }
}

/* Runs it. False: refused, and not on account of a concurrent writer. */
static bool run(struct mix *mix, const char *statement, bool *conflict)
{
    PGresult *result = PQexec(mix->pg, statement);
    ExecStatusType status = PQresultStatus(result);
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    *conflict = sqlstate != NULL &&
                (strncmp(sqlstate, "40", 2) == 0 || strcmp(sqlstate, "23503") == 0 || strcmp(sqlstate, "23505") == 0);
    bool fine = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || *conflict;
    if (!fine) {
        fprintf(stderr, "%s: %s", statement, PQerrorMessage(mix->pg));
    }
    PQclear(result);
    return fine;
}

static bool run_transaction(struct mix *mix)
{
    char statement[STATEMENT_BYTES];
    bool conflict = false;
    bool fine = run(mix, "begin", &conflict);
    for (unsigned n = 1 + roll(&mix->state, 6); n > 0 && fine && !conflict; n--) {
        make_statement(mix, statement, sizeof statement);
        unsigned savepoint = roll(&mix->state, 3);
        fine = (savepoint > 0 || run(mix, "savepoint here", &conflict)) && run(mix, statement, &conflict);
        if (savepoint == 0 && fine && !conflict) {
            fine = run(mix, roll(&mix->state, 2) == 0 ? "rollback to here" : "release here", &conflict);
        }
    }
    bool ignored;
    return run(mix, conflict || roll(&mix->state, 4) == 0 ? "rollback" : "commit", &ignored) && fine;
}

bool write_once(struct mix *mix)
{
    if (roll(&mix->state, 3) == 0) {
        return run_transaction(mix);
    }
    char statement[STATEMENT_BYTES];
    bool conflict = false;
    make_statement(mix, statement, sizeof statement);
    return run(mix, statement, &conflict);
}
