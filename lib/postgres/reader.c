#include "postgres/reader.h"

#include "base/clock.h"
#include "postgres/batch_limit.h"

#include <stdlib.h>
#include <string.h>

enum {
    /* Of a statement that looks for what made another one fail, where time is short. */
    SEARCH_TIMEOUT_MS = 250
};

/* An id and where it stands in the list. */
struct place {
    union cpi_id id;
    uint32_t position; /* in what was asked for */
};

struct cpi_reader {
    const struct cpi_reader_ops *ops;
    void *connection;
    const struct cpi_entity *entities;
    size_t entity_count;
    size_t portion_bytes; /* documents of at least so many bytes are handed on */
    bool *prepared;       /* by entity: its statement, on this connection */
    int timeout_ms;       /* of a statement; 0: the connection's */
    struct cpi_batch_limit limit;

    /* Of a call. */
    uint32_t *positions; /* to be read yet; a statement's are next to each other */
    bool *found;         /* by position: has got its row */

    /* Of the statement under way. */
    union cpi_id *ids; /* in the order of its positions */
    struct place *places;
    bool sorted; /* places are filled in, and in the order of their ids */
    uint32_t rows;
    size_t bytes; /* of all of them */

    /* Received, and not yet handed on. */
    uint32_t *portion;
    struct cpi_document *documents;
    uint32_t portion_count;
    size_t portion_filled;
};

/* What a call of cpi_reader_read() was asked for. */
struct request {
    uint32_t entity;
    const union cpi_id *ids;
    const struct cpi_reader_sink *sink;
    int64_t search_ms; /* how long to look for what makes a statement fail */
    int64_t until_ms;  /* the end of that; 0: none has failed yet */
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
static void sort_places(struct cpi_reader *reader, enum cpi_id_type type, const uint32_t *positions, uint32_t n)
{
    if (reader->sorted) {
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        reader->places[i] = (struct place){.id = reader->ids[i], .position = positions[i]};
    }
    qsort(reader->places, n, sizeof *reader->places,
          cpi_id_is_text(type) ? compare_text_places : compare_number_places);
    reader->sorted = true;
}

/* The first place of an id, n if there is none. */
static uint32_t find_place(struct cpi_reader *reader, enum cpi_id_type type, const union cpi_id *id, uint32_t n)
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
    return from < n && cpi_id_equal(type, &reader->places[from].id, id) ? from : n;
}

/* ---- handing on ---- */

static bool hand_on(struct cpi_reader *reader, const struct request *request, cp_error *err)
{
    uint32_t n = reader->portion_count;
    reader->portion_count = 0;
    reader->portion_filled = 0;
    bool taken = n == 0 || request->sink->documents(request->sink->context, reader->portion, reader->documents, n, err);
    reader->ops->release(reader->connection);
    return taken;
}

static void hand_in(struct cpi_reader *reader, uint32_t position, const struct cpi_document *document)
{
    reader->portion[reader->portion_count] = position;
    reader->documents[reader->portion_count++] = *document;
    reader->portion_filled += document->length;
    reader->bytes += document->length;
}

/* A row belongs to the position of its id; a second one for it, and one that nobody asked for, to none. Rows mostly
 * come in the order of the ids, with gaps at most. Those that don't are looked up. *next: the place after the row
 * before. */
static void take_row(struct cpi_reader *reader, const struct request *request, const uint32_t *positions, uint32_t n,
                     const struct cpi_fetched_row *row, uint32_t *next)
{
    enum cpi_id_type type = reader->entities[request->entity].id_type;
    uint32_t position = 0;
    bool is_known = *next < n && cpi_id_equal(type, &reader->ids[*next], &row->id);
    if (is_known) {
        position = positions[(*next)++];
    } else {
        sort_places(reader, type, positions, n);
        uint32_t place = find_place(reader, type, &row->id, n);
        is_known = place < n;
        position = is_known ? reader->places[place].position : 0;
    }
    if (is_known && !reader->found[position]) {
        reader->found[position] = true;
        reader->rows++;
        hand_in(reader, position, &row->document);
    } else if (is_known && request->sink->doubled != NULL) {
        request->sink->doubled(request->sink->context, position);
    }
}

/* ---- reading ---- */

/* Moves those without a row to the front. Returns how many. */
static uint32_t keep_missing(const struct cpi_reader *reader, uint32_t *positions, uint32_t n)
{
    uint32_t missing = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (!reader->found[positions[i]]) {
            positions[missing++] = positions[i];
        }
    }
    return missing;
}

static enum cpi_failure read_list(struct cpi_reader *reader, struct request *request, uint32_t *positions, uint32_t n,
                                  cp_error *err);

/* The statement has succeeded: what has got no row has no document, unless an equal id has got one. That is read again,
 * since the row has been handed on. */
static enum cpi_failure report_missing(struct cpi_reader *reader, struct request *request, uint32_t *positions,
                                       uint32_t n, cp_error *err)
{
    static const struct cpi_document none = {.bytes = NULL};
    enum cpi_id_type type = reader->entities[request->entity].id_type;
    bool may_have_equals = reader->rows > 0 && reader->rows < n;
    if (may_have_equals) {
        sort_places(reader, type, positions, n);
    }
    uint32_t missing = reader->rows < n ? keep_missing(reader, positions, n) : 0;
    uint32_t again = 0;
    for (uint32_t i = 0; i < missing; i++) {
        uint32_t position = positions[i];
        uint32_t place = may_have_equals ? find_place(reader, type, &request->ids[position], n) : n;
        bool has_equal = false;
        for (; place < n && !has_equal && cpi_id_equal(type, &reader->places[place].id, &request->ids[position]);
             place++) {
            has_equal = reader->found[reader->places[place].position];
        }
        if (has_equal) {
            positions[again++] = position;
        } else {
            hand_in(reader, position, &none);
        }
    }
    if (!hand_on(reader, request, err)) {
        return CPI_FAILURE_SINK;
    }
    return again > 0 ? read_list(reader, request, positions, again, err) : CPI_FAILURE_NONE;
}

/* Takes the rows of the statement that has been begun, and hands them on in portions. */
static enum cpi_failure take_rows(struct cpi_reader *reader, const struct request *request, const uint32_t *positions,
                                  uint32_t n, cp_error *err)
{
    uint32_t next = 0;
    for (;;) {
        struct cpi_fetched_row row;
        bool has_row = false;
        enum cpi_failure failure = reader->ops->next(reader->connection, request->entity, &row, &has_row, err);
        if (failure != CPI_FAILURE_NONE || !has_row) {
            return failure;
        }
        take_row(reader, request, positions, n, &row, &next);
        if (reader->portion_count == 0) { /* nobody wants it */
            reader->ops->release(reader->connection);
        }
        if (reader->portion_filled >= reader->portion_bytes && !hand_on(reader, request, err)) {
            return CPI_FAILURE_SINK;
        }
    }
}

/* One statement for n ids, and its documents to the sink. */
static enum cpi_failure read_at_once(struct cpi_reader *reader, struct request *request, uint32_t *positions,
                                     uint32_t n, cp_error *err)
{
    for (uint32_t i = 0; i < n; i++) {
        reader->ids[i] = request->ids[positions[i]];
    }
    reader->sorted = false;
    reader->rows = 0;
    reader->bytes = 0;
    if (request->sink->statement != NULL) {
        request->sink->statement(request->sink->context);
    }
    int64_t began_ms = cpi_now_ms();
    enum cpi_failure failure = reader->ops->run(reader->connection, request->entity, reader->ids, n, err);
    failure = failure == CPI_FAILURE_NONE ? take_rows(reader, request, positions, n, err) : failure;
    if (failure == CPI_FAILURE_NONE || failure == CPI_FAILURE_STATEMENT) {
        cpi_batch_limit_note_time(&reader->limit, request->entity, n, cpi_now_ms() - began_ms, reader->timeout_ms,
                                  failure == CPI_FAILURE_NONE);
    }
    if (failure == CPI_FAILURE_NONE) {
        cpi_batch_limit_note_bytes(&reader->limit, n, reader->bytes);
        return report_missing(reader, request, positions, n, err);
    }
    /* What has arrived was read, and counts, whatever became of the statement then. */
    if (failure == CPI_FAILURE_STATEMENT && !hand_on(reader, request, err)) {
        failure = CPI_FAILURE_SINK;
    }
    if (failure == CPI_FAILURE_SINK) {
        reader->ops->close(reader->connection); /* rows are under way */
    }
    reader->portion_count = 0;
    reader->portion_filled = 0;
    reader->ops->release(reader->connection);
    return failure;
}

/* Only whoever has all the time gives it to an id that is alone: to be served, it need not share it with others. */
static void limit_search(struct cpi_reader *reader, uint32_t n)
{
    bool is_patient = reader->timeout_ms == 0 && n == 1;
    reader->ops->limit(reader->connection, is_patient ? 0 : SEARCH_TIMEOUT_MS);
}

/* Reads those of a list that have no row yet. */
static enum cpi_failure read_list(struct cpi_reader *reader, struct request *request, uint32_t *positions, uint32_t n,
                                  cp_error *err)
{
    enum cpi_failure failure = read_at_once(reader, request, positions, n, err);
    if (failure != CPI_FAILURE_STATEMENT) {
        return failure;
    }
    n = keep_missing(reader, positions, n);
    if (n <= 1) {
        if (n == 1) {
            request->sink->failed(request->sink->context, positions[0], err);
        }
        return CPI_FAILURE_NONE;
    }
    if (request->until_ms == 0) {
        bool has_end = request->search_ms != CPI_READER_NO_LIMIT;
        request->until_ms = has_end ? cpi_now_ms() + request->search_ms : CPI_READER_NO_LIMIT;
    }
    limit_search(reader, n / 2);
    failure = read_list(reader, request, positions, n / 2, err);
    if (failure != CPI_FAILURE_NONE) {
        return failure;
    }
    if (cpi_now_ms() >= request->until_ms) {
        request->sink->untried(request->sink->context, positions + n / 2, n - n / 2);
        return CPI_FAILURE_NONE;
    }
    limit_search(reader, n - n / 2);
    return read_list(reader, request, positions + n / 2, n - n / 2, err);
}

enum cpi_failure cpi_reader_read(struct cpi_reader *reader, uint32_t entity, const union cpi_id *ids, uint32_t n,
                                 const struct cpi_reader_sink *sink, int64_t search_ms, cp_error *err)
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
    for (uint32_t i = 0; i < n; i++) {
        reader->positions[i] = i;
        reader->found[i] = false;
    }
    struct request request = {.entity = entity, .ids = ids, .sink = sink, .search_ms = search_ms};
    reader->ops->limit(reader->connection, reader->timeout_ms);
    return read_list(reader, &request, reader->positions, n, err);
}

void cpi_reader_set_timeout(struct cpi_reader *reader, int timeout_ms)
{
    reader->timeout_ms = timeout_ms;
}

uint32_t cpi_reader_limit(const struct cpi_reader *reader, uint32_t most)
{
    return cpi_batch_limit_get(&reader->limit, most);
}

uint32_t cpi_reader_entity_limit(const struct cpi_reader *reader, uint32_t entity)
{
    return cpi_batch_limit_of_entity(&reader->limit, entity);
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
                                     const struct cpi_entity *entities, size_t entity_count, uint32_t most,
                                     size_t portion_bytes)
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
    reader->portion_bytes = portion_bytes;
    reader->positions = calloc(most, sizeof *reader->positions);
    reader->found = calloc(most, sizeof *reader->found);
    reader->ids = calloc(most, sizeof *reader->ids);
    reader->places = calloc(most, sizeof *reader->places);
    reader->portion = calloc(most, sizeof *reader->portion);
    reader->documents = calloc(most, sizeof *reader->documents);
    if (!cpi_batch_limit_init(&reader->limit, entity_count) || reader->prepared == NULL || reader->positions == NULL ||
        reader->found == NULL || reader->ids == NULL || reader->places == NULL || reader->portion == NULL ||
        reader->documents == NULL) {
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
    cpi_batch_limit_fini(&reader->limit);
    free(reader->prepared);
    free(reader->positions);
    free(reader->found);
    free(reader->ids);
    free(reader->places);
    free(reader->portion);
    free(reader->documents);
    free(reader);
}
