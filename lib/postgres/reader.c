#include "postgres/reader.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

/* What the documents of one statement should not exceed: 256 of 32 KiB. */
enum { STATEMENT_BYTES = 8 * 1024 * 1024 };

/* An id and where it stands in the list. */
struct place {
    union cpi_id id;
    uint32_t position;
};

struct cpi_reader {
    const struct cpi_reader_ops *ops;
    void *connection;
    const struct cpi_entity *entities;
    size_t entity_count;
    bool *prepared;     /* by entity: its statement, on this connection */
    size_t usual_bytes; /* of a document: up at once, down slowly */

    /* Of the statement under way, by position. */
    struct cpi_document *documents;
    bool *found; /* has got its row */
    struct place *places;
    bool sorted; /* places are filled in, and in the order of their ids */
};

/* What a call of cpi_reader_read() was asked for. */
struct request {
    uint32_t entity;
    const union cpi_id *ids;
    const struct cpi_reader_sink *sink;
    int64_t until_ms;
};

/* ---- matching rows to ids ---- */

static int compare_positions(const struct place *a, const struct place *b)
{
    return (a->position > b->position) - (a->position < b->position);
}

static int compare_number_places(const void *a, const void *b)
{
    const struct place *left = a;
    const struct place *right = b;
    int order = (left->id.number > right->id.number) - (left->id.number < right->id.number);
    return order != 0 ? order : compare_positions(left, right);
}

static int compare_text_places(const void *a, const void *b)
{
    const struct place *left = a;
    const struct place *right = b;
    int order = strcmp(left->id.text, right->id.text);
    return order != 0 ? order : compare_positions(left, right);
}

/* Only when rows don't come in the order of the ids. */
static void sort_places(struct cpi_reader *reader, enum cpi_id_type type, const union cpi_id *ids, uint32_t n)
{
    if (reader->sorted) {
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        reader->places[i] = (struct place){.id = ids[i], .position = i};
    }
    qsort(reader->places, n, sizeof *reader->places,
          cpi_id_is_text(type) ? compare_text_places : compare_number_places);
    reader->sorted = true;
}

/* The first position of an id, n if there is none. */
static uint32_t find_position(struct cpi_reader *reader, enum cpi_id_type type, const union cpi_id *id, uint32_t n)
{
    int (*compare)(const void *, const void *) = cpi_id_is_text(type) ? compare_text_places : compare_number_places;
    const struct place wanted = {.id = *id}; /* not after any place of an equal id */
    uint32_t from = 0;
    uint32_t to = n;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        if (compare(&reader->places[middle], &wanted) < 0) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return from < n && cpi_id_equal(type, &reader->places[from].id, id) ? reader->places[from].position : n;
}

static void share(struct cpi_reader *reader, enum cpi_id_type type, const struct place *from, const struct place *to)
{
    if (reader->found[from->position] && !reader->found[to->position] && cpi_id_equal(type, &from->id, &to->id)) {
        reader->documents[to->position] = reader->documents[from->position];
        reader->found[to->position] = true;
    }
}

/* One row is enough for all positions of an id. */
static void share_with_equal_ids(struct cpi_reader *reader, enum cpi_id_type type, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++) {
        share(reader, type, &reader->places[i - 1], &reader->places[i]);
    }
    for (uint32_t i = n - 1; i > 0; i--) {
        share(reader, type, &reader->places[i], &reader->places[i - 1]);
    }
}

/* Rows mostly come in the order of the ids, with gaps at most. Those that don't are looked up. */
static void match_rows(struct cpi_reader *reader, uint32_t entity, const union cpi_id *ids, uint32_t n, uint32_t rows)
{
    enum cpi_id_type type = reader->entities[entity].id_type;
    uint32_t next = 0;
    uint32_t matched = 0;
    memset(reader->documents, 0, n * sizeof *reader->documents);
    memset(reader->found, 0, n * sizeof *reader->found);
    reader->sorted = false;
    for (uint32_t row = 0; row < rows; row++) {
        struct cpi_fetched_row fetched = reader->ops->row(reader->connection, entity, row);
        uint32_t position = next;
        if (next == n || !cpi_id_equal(type, &ids[next], &fetched.id)) {
            sort_places(reader, type, ids, n);
            position = find_position(reader, type, &fetched.id, n);
        }
        if (position < n && !reader->found[position]) {
            reader->documents[position] = fetched.document;
            reader->found[position] = true;
            matched++;
            next = position + 1;
        }
    }
    if (matched > 0 && matched < n) {
        sort_places(reader, type, ids, n);
        share_with_equal_ids(reader, type, n);
    }
}

/* ---- reading ---- */

static void note_size(struct cpi_reader *reader, uint32_t n)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < n; i++) {
        bytes += reader->documents[i].length;
    }
    size_t mean = bytes / n;
    reader->usual_bytes = mean > reader->usual_bytes ? mean : (3 * reader->usual_bytes + mean) / 4;
}

/* One statement for n ids, and its documents to the sink. */
static enum cpi_failure read_at_once(struct cpi_reader *reader, const struct request *request, uint32_t first,
                                     uint32_t n, cp_error *err)
{
    const union cpi_id *ids = request->ids + first;
    uint32_t rows = 0;
    if (request->sink->statement != NULL) {
        request->sink->statement(request->sink->context);
    }
    enum cpi_failure failure = reader->ops->run(reader->connection, request->entity, ids, n, &rows, err);
    if (failure != CPI_FAILURE_NONE) {
        return failure;
    }
    match_rows(reader, request->entity, ids, n, rows);
    note_size(reader, n);
    bool taken = request->sink->documents(request->sink->context, first, reader->documents, n, err);
    reader->ops->clear(reader->connection);
    return taken ? CPI_FAILURE_NONE : CPI_FAILURE_SINK;
}

static enum cpi_failure read_halving(struct cpi_reader *reader, const struct request *request, uint32_t first,
                                     uint32_t n, cp_error *err)
{
    enum cpi_failure failure = read_at_once(reader, request, first, n, err);
    if (failure != CPI_FAILURE_STATEMENT) {
        return failure;
    }
    if (n == 1) {
        request->sink->failed(request->sink->context, first, err);
        return CPI_FAILURE_NONE;
    }
    failure = read_halving(reader, request, first, n / 2, err);
    if (failure != CPI_FAILURE_NONE) {
        return failure;
    }
    if (request->until_ms != CPI_READER_NO_LIMIT && cpi_now_ms() > request->until_ms) {
        request->sink->untried(request->sink->context, first + n / 2, n - n / 2);
        return CPI_FAILURE_NONE;
    }
    return read_halving(reader, request, first + n / 2, n - n / 2, err);
}

enum cpi_failure cpi_reader_read(struct cpi_reader *reader, uint32_t entity, const union cpi_id *ids, uint32_t n,
                                 const struct cpi_reader_sink *sink, int64_t until_ms, cp_error *err)
{
    if (n == 0) {
        return CPI_FAILURE_NONE;
    }
    if (!reader->prepared[entity]) {
        enum cpi_failure failure = reader->ops->prepare(reader->connection, entity, err);
        if (failure != CPI_FAILURE_NONE) {
            return failure;
        }
        reader->prepared[entity] = true;
    }
    const struct request request = {.entity = entity, .ids = ids, .sink = sink, .until_ms = until_ms};
    return read_halving(reader, &request, 0, n, err);
}

uint32_t cpi_reader_limit(const struct cpi_reader *reader, uint32_t most)
{
    size_t fitting = STATEMENT_BYTES / (reader->usual_bytes + 1);
    return (uint32_t)(fitting < 1 ? 1 : fitting < most ? fitting : most);
}

/* ---- the connection ---- */

enum cpi_failure cpi_reader_open(struct cpi_reader *reader, cp_error *err)
{
    memset(reader->prepared, 0, reader->entity_count * sizeof *reader->prepared);
    return reader->ops->open(reader->connection, err);
}

bool cpi_reader_is_open(const struct cpi_reader *reader)
{
    return reader->ops->is_open(reader->connection);
}

void cpi_reader_close(struct cpi_reader *reader)
{
    reader->ops->close(reader->connection);
}

void cpi_reader_watch(struct cpi_reader *reader, bool (*watch)(void *context), void *context)
{
    reader->ops->watch(reader->connection, watch, context);
}

/* ---- lifecycle ---- */

struct cpi_reader *cpi_reader_create(const struct cpi_reader_ops *ops, void *connection,
                                     const struct cpi_entity *entities, size_t entity_count, uint32_t most)
{
    struct cpi_reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL) {
        return NULL;
    }
    reader->ops = ops;
    reader->connection = connection;
    reader->entities = entities;
    reader->entity_count = entity_count;
    reader->prepared = calloc(entity_count, sizeof *reader->prepared);
    reader->documents = calloc(most, sizeof *reader->documents);
    reader->found = calloc(most, sizeof *reader->found);
    reader->places = calloc(most, sizeof *reader->places);
    if (reader->prepared == NULL || reader->documents == NULL || reader->found == NULL || reader->places == NULL) {
        cpi_reader_destroy(reader);
        return NULL;
    }
    return reader;
}

void cpi_reader_destroy(struct cpi_reader *reader)
{
    if (reader == NULL) {
        return;
    }
    cpi_reader_close(reader);
    free(reader->prepared);
    free(reader->documents);
    free(reader->found);
    free(reader->places);
    free(reader);
}
