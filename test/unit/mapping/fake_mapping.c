#include "mapping/fake_mapping.h"

#include "base/error.h"

#include <stdlib.h>

static struct fake_mapping *fake_of(void *connection)
{
    return connection;
}

static enum cpi_failure fail(struct fake_mapping *fake, enum cpi_failure failure, cp_error *err)
{
    fake->open = fake->open && failure != CPI_FAILURE_CONNECTION;
    if (failure != CPI_FAILURE_NONE) {
        cpi_error(err, CP_ERR_POSTGRES, failure == CPI_FAILURE_CONNECTION, "fake");
    }
    return failure;
}

static enum cpi_failure fake_open(void *connection, cp_error *err)
{
    struct fake_mapping *fake = fake_of(connection);
    fake->opened++;
    fake->open = fake->open_failure == CPI_FAILURE_NONE;
    return fail(fake, fake->open_failure, err);
}

static bool fake_is_open(const void *connection)
{
    return ((const struct fake_mapping *)connection)->open;
}

static void fake_close(void *connection)
{
    fake_of(connection)->open = false;
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

static enum cpi_failure fake_prepare(void *connection, uint32_t mapping, cp_error *err)
{
    (void)mapping;
    fake_of(connection)->prepared++;
    return fail(fake_of(connection), fake_of(connection)->prepare_failure, err);
}

static int64_t count_of(const struct fake_mapping *fake, int64_t value)
{
    return value == fake->many ? fake->many_documents : fake->documents;
}

/* Values are put in order. */
static enum cpi_failure fake_run(void *connection, uint32_t mapping, const struct cpi_event *values, uint32_t n,
                                 const char *after, cp_error *err)
{
    struct fake_mapping *fake = fake_of(connection);
    (void)mapping;
    enum cpi_failure failure = CPI_FAILURE_NONE;
    fake->runs++;
    fake->last_n = n;
    fake->n = n;
    for (uint32_t i = 0; i < n; i++) {
        fake->values[i] = strtoll(values[i].id.text, NULL, 10);
        failure = fake->values[i] == fake->broken ? CPI_FAILURE_STATEMENT : failure;
        failure = fake->values[i] == fake->lethal ? CPI_FAILURE_CONNECTION : failure;
    }
    fake->next = after != NULL ? strtoll(after, NULL, 10) + 1 : 0;
    fake->value = 0;
    fake->rows = 0;
    return fail(fake, failure, err);
}

static enum cpi_failure fake_next(void *connection, uint32_t mapping, struct cpi_mapped *row, bool *has_row,
                                  cp_error *err)
{
    struct fake_mapping *fake = fake_of(connection);
    (void)mapping;
    (void)err;
    *has_row = false;
    while (fake->value < fake->n && fake->rows < CPI_MAPPING_PAGE) {
        int64_t value = fake->values[fake->value];
        int64_t first = value * FAKE_FIRST;
        fake->next = fake->next < first ? first : fake->next;
        if (fake->next < first + count_of(fake, value)) {
            *row = (struct cpi_mapped){.number = value == fake->odd ? INT64_MAX : fake->next};
            fake->next++;
            fake->rows++;
            *has_row = true;
            return CPI_FAILURE_NONE;
        }
        fake->value++;
    }
    return CPI_FAILURE_NONE;
}

const struct cpi_mapping_ops fake_mapping_ops = {.open = fake_open,
                                                 .is_open = fake_is_open,
                                                 .close = fake_close,
                                                 .watch = fake_watch,
                                                 .limit = fake_limit,
                                                 .prepare = fake_prepare,
                                                 .run = fake_run,
                                                 .next = fake_next};
