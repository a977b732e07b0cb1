#include "postgres/fake_postgres.h"

#include "base/error.h"

#include <check.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>

static bool contains(const struct fake_ids *ids, int64_t number)
{
    for (uint32_t i = 0; i < ids->count; i++) {
        if (ids->numbers[i] == number) {
            return true;
        }
    }
    return false;
}

static enum cpi_failure end_in(struct fake_postgres *postgres, enum cpi_failure failure, cp_error *err)
{
    static const char *const messages[] = {[CPI_FAILURE_CONNECTION] = "connection lost",
                                           [CPI_FAILURE_STATEMENT] = "division by zero",
                                           [CPI_FAILURE_MEMORY] = "out of memory",
                                           [CPI_FAILURE_REFUSED] = "the server is a standby"};
    if (failure == CPI_FAILURE_CONNECTION || failure == CPI_FAILURE_REFUSED) {
        postgres->open = false;
    }
    if (failure != CPI_FAILURE_NONE) {
        cpi_error(err, failure == CPI_FAILURE_MEMORY ? CP_ERR_SYSTEM : CP_ERR_POSTGRES,
                  failure != CPI_FAILURE_STATEMENT, "Postgres: %s", messages[failure]);
    }
    return failure;
}

static enum cpi_failure fake_open(void *connection, cp_error *err)
{
    struct fake_postgres *postgres = connection;
    postgres->open = postgres->open_failure == CPI_FAILURE_NONE;
    postgres->opened++;
    return end_in(postgres, postgres->open_failure, err);
}

static bool fake_is_open(const void *connection)
{
    return ((const struct fake_postgres *)connection)->open;
}

static void fake_close(void *connection)
{
    ((struct fake_postgres *)connection)->open = false;
}

static void fake_watch(void *connection, bool (*watch)(void *context), void *context)
{
    (void)connection;
    (void)watch;
    (void)context;
}

static void fake_limit(void *connection, int timeout_ms)
{
    (void)connection;
    (void)timeout_ms;
}

static enum cpi_failure fake_prepare(void *connection, uint32_t entity, cp_error *err)
{
    struct fake_postgres *postgres = connection;
    (void)entity;
    ck_assert(postgres->open);
    postgres->prepared++;
    return end_in(postgres, postgres->prepare_failure, err);
}

static void add_row(struct fake_postgres *postgres, int64_t number)
{
    char *text = postgres->texts[postgres->count];
    int length = snprintf(text, sizeof *postgres->texts, "{\"id\":%" PRId64 "}", number);
    size_t bytes = postgres->document_bytes > 0 ? postgres->document_bytes : (size_t)length;
    postgres->rows[postgres->count++] =
        (struct cpi_fetched_row){.id = {.number = number}, .document = {.bytes = text, .length = bytes}};
}

static void take_time(struct fake_postgres *postgres, const union cpi_id *ids, uint32_t n)
{
    bool hangs = false;
    for (uint32_t i = 0; i < n && postgres->hangs != 0; i++) {
        hangs = hangs || ids[i].number == postgres->hangs;
    }
    postgres->hung += hangs;
    postgres->hung_with = hangs && n > postgres->hung_with ? n : postgres->hung_with;
    poll(NULL, 0, postgres->run_ms + (hangs ? postgres->hang_ms : 0));
}

static enum cpi_failure fake_run(void *connection, uint32_t entity, const union cpi_id *ids, uint32_t n, cp_error *err)
{
    struct fake_postgres *postgres = connection;
    (void)entity;
    ck_assert(postgres->open);
    ck_assert_uint_le(n, FAKE_ROWS);
    ck_assert_uint_eq(postgres->prepared > 0, 1);
    postgres->first_read = postgres->runs == 0 ? ids[0].number : postgres->first_read;
    postgres->runs++;
    postgres->last_n = n;
    postgres->count = 0;
    take_time(postgres, ids, n);
    enum cpi_failure failure = postgres->run_failure;
    for (uint32_t i = 0; i < n; i++) {
        failure = contains(&postgres->broken, ids[i].number) ? CPI_FAILURE_STATEMENT : failure;
        bool is_odd = postgres->broken_but != 0 && ids[i].number != postgres->broken_but;
        failure = is_odd ? CPI_FAILURE_STATEMENT : failure;
        failure = contains(&postgres->lethal, ids[i].number) ? CPI_FAILURE_CONNECTION : failure;
        if (!contains(&postgres->absent, ids[i].number) && (failure == CPI_FAILURE_NONE || !postgres->breaks_late)) {
            add_row(postgres, ids[i].number);
        }
    }
    if (postgres->arrange != NULL) {
        postgres->arrange(postgres);
    }
    postgres->taken = 0;
    postgres->late = postgres->breaks_late ? failure : CPI_FAILURE_NONE;
    return postgres->breaks_late ? CPI_FAILURE_NONE : end_in(postgres, failure, err);
}

static enum cpi_failure fake_next(void *connection, uint32_t entity, struct cpi_fetched_row *row, bool *has_row,
                                  cp_error *err)
{
    struct fake_postgres *postgres = connection;
    (void)entity;
    ck_assert(postgres->open);
    *has_row = postgres->taken < postgres->count;
    if (!*has_row) {
        return end_in(postgres, postgres->late, err);
    }
    *row = postgres->rows[postgres->taken++];
    return CPI_FAILURE_NONE;
}

static void fake_release(void *connection)
{
    ((struct fake_postgres *)connection)->released++;
}

const struct cpi_reader_ops fake_postgres_ops = {.open = fake_open,
                                                 .is_open = fake_is_open,
                                                 .close = fake_close,
                                                 .watch = fake_watch,
                                                 .limit = fake_limit,
                                                 .prepare = fake_prepare,
                                                 .run = fake_run,
                                                 .next = fake_next,
                                                 .release = fake_release};
