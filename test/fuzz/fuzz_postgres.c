/*
 * Everything that reads what a Postgres says, with one that says whatever it likes. The input's first line says what is
 * done, a letter for each call (see steps below; others are ignored), and how the server answers, in capitals. The rest
 * is what it answers: pieces that a '|' ends, one for each batch of messages that the client ends with a Sync.
 *
 * libpq is not instrumented; what it makes of the bytes is what is tested here.
 */
#include "fuzz_server.h"

#include "postgres/hearing.h"
#include "postgres/listing.h"

#include <endian.h>
#include <libpq-fe.h>

enum {
    STEPS_MAX = 16,
    PIECE_BYTES = 16 * 1024,
    IDS = 6,
    ENTITIES = 3,
    SET_UP = 3 /* statements that set up the session of a reader, behind the log-in */
};

static struct {
    bool greets;   /* V: logging in and the first statements are answered as Postgres does */
    bool prepares; /* P: so is preparing a statement, and what it returns */
    bool frames;   /* F: a message of a piece is its type, a byte for its length, and so many bytes */
    bool ends;     /* Z: each piece is ended by ReadyForQuery */
} manners;

/* ---- the server ---- */

/* What is under way to the client. */
struct answer {
    char bytes[PIECE_BYTES];
    size_t size;
};

static void put(struct answer *answer, char type, const void *bytes, size_t size)
{
    if (sizeof answer->bytes - answer->size < size + 5) {
        return;
    }
    uint32_t length = htobe32((uint32_t)size + 4);
    answer->bytes[answer->size] = type;
    memcpy(answer->bytes + answer->size + 1, &length, sizeof length);
    if (size > 0) {
        memcpy(answer->bytes + answer->size + 5, bytes, size);
    }
    answer->size += size + 5;
}

#define PUT(answer, type, literal) put(answer, type, literal, sizeof(literal) - 1)

static void put_ready(struct answer *answer)
{
    PUT(answer, 'Z', "I");
}

static void put_greeting(struct answer *answer)
{
    PUT(answer, 'R', "\0\0\0\0");
    PUT(answer, 'S', "server_version\00015.1\0");
    PUT(answer, 'S', "client_encoding\0UTF8\0");
    PUT(answer, 'S', "standard_conforming_strings\0on\0");
    PUT(answer, 'K', "\0\0\0\7\0\0\0\7");
    put_ready(answer);
}

/* A column: its name, table, number, type, size, modifier, format. */
#define COLUMN(name, type, format) name "\0\0\0\0\0\0\0\0\0\0" type "\377\377\377\377\377\377\0" format

/* Of a statement that sets the session up: it is no standby. */
static void put_set_up(struct answer *answer)
{
    PUT(answer, '1', "");
    PUT(answer, '2', "");
    PUT(answer, 'T', "\0\2" COLUMN("a", "\20", "\0") COLUMN("b", "\31", "\0"));
    PUT(answer, 'D', "\0\2\0\0\0\1f\0\0\0\3off");
    PUT(answer, 'C', "SELECT 1\0");
    put_ready(answer);
}

static void put_prepared(struct answer *answer, bool describes)
{
    if (describes) {
        PUT(answer, 't', "\0\0");
        PUT(answer, 'T', "\0\2" COLUMN("id", "\24", "\0") COLUMN("document", "\162", "\0"));
    } else {
        PUT(answer, '1', "");
    }
    put_ready(answer);
}

static void put_framed(struct answer *answer, const uint8_t *piece, size_t size)
{
    while (size >= 2) {
        size_t length = piece[1] < size - 2 ? piece[1] : size - 2;
        put(answer, (char)piece[0], piece + 2, length);
        piece += 2 + length;
        size -= 2 + length;
    }
}

/* As it is, except that no message says that it is longer than 64 KB: libpq would make room for a gigabyte, which is
 * its own affair and takes the time of many inputs. */
static void put_raw(struct answer *answer, const uint8_t *piece, size_t size)
{
    size_t from = answer->size;
    size_t room = sizeof answer->bytes - from - 16;
    size = size < room ? size : room;
    memcpy(answer->bytes + from, piece, size);
    answer->size += size;
    for (size_t at = from; answer->size - at >= 5;) {
        uint32_t length;
        memset(answer->bytes + at + 1, 0, 2);
        memcpy(&length, answer->bytes + at + 1, sizeof length);
        length = be32toh(length);
        at += 1 + (length < answer->size - at - 1 ? length : answer->size - at - 1);
    }
}

static void answer_piece(struct fuzz_client *client)
{
    static struct answer answer;
    size_t size = 0;
    const uint8_t *piece = fuzz_server_next(&size);
    if (piece == NULL) {
        fuzz_server_hang_up(client);
        return;
    }
    answer.size = 0;
    if (manners.frames) {
        put_framed(&answer, piece, size);
    } else {
        put_raw(&answer, piece, size);
    }
    if (manners.ends) {
        put_ready(&answer);
    }
    fuzz_server_say(client, answer.bytes, answer.size);
}

/* A batch is what comes before a Sync. */
struct batch {
    bool parses;
    bool describes;
    bool binds;
};

static void answer_batch(struct fuzz_client *client, const struct batch *batch)
{
    static struct answer answer;
    answer.size = 0;
    if (manners.greets && client->stage == 0) {
        put_greeting(&answer);
    } else if (manners.greets && client->stage <= SET_UP) {
        put_set_up(&answer);
    } else if (manners.prepares && !batch->binds && client->stage > 0) {
        put_prepared(&answer, batch->describes && !batch->parses);
    } else {
        answer_piece(client);
    }
    fuzz_server_say(client, answer.bytes, answer.size);
    client->stage++;
}

static size_t read_length(const char *at)
{
    uint32_t length;
    memcpy(&length, at, sizeof length);
    return be32toh(length);
}

/* What comes first has no type. */
static size_t answer_request(struct fuzz_client *client)
{
    struct batch batch = {.parses = false};
    size_t at = 0;
    while (client->used - at >= 5) {
        bool is_first = client->stage == 0;
        char type = is_first ? 'S' : client->in[at];
        size_t length = is_first ? read_length(client->in) : 1 + read_length(client->in + at + 1);
        if (client->used - at < length) {
            return 0;
        }
        at += length;
        batch.parses = batch.parses || type == 'P';
        batch.describes = batch.describes || type == 'D';
        batch.binds = batch.binds || type == 'B';
        if (type == 'S') {
            if (!client->hung_up) {
                answer_batch(client, &batch);
            }
            return at;
        }
        if (type == 'X') {
            return at;
        }
    }
    return 0;
}

/* ---- what libpq hands out ---- */

/* libpq itself loses a result when rows are taken one by one and a message is not what it should be, so that what it
 * allocates while it parses cannot be held against us. What we are given is counted instead. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:PQisBusy\nleak:PQgetResult\nleak:PQnotifies\n";
}

static int handed_out;

/* The linker puts these in place of the calls without the prefix, and calls the originals __real_. */
PGresult *__wrap_PQgetResult(PGconn *connection);
PGresult *__real_PQgetResult(PGconn *connection);
void __wrap_PQclear(PGresult *result);
void __real_PQclear(PGresult *result);
PGnotify *__wrap_PQnotifies(PGconn *connection);
PGnotify *__real_PQnotifies(PGconn *connection);
void __wrap_PQfreemem(void *memory);
void __real_PQfreemem(void *memory);

PGresult *__wrap_PQgetResult(PGconn *connection)
{
    PGresult *result = __real_PQgetResult(connection);
    handed_out += result != NULL;
    return result;
}

void __wrap_PQclear(PGresult *result)
{
    handed_out -= result != NULL;
    __real_PQclear(result);
}

PGnotify *__wrap_PQnotifies(PGconn *connection)
{
    PGnotify *notification = __real_PQnotifies(connection);
    handed_out += notification != NULL;
    return notification;
}

void __wrap_PQfreemem(void *memory)
{
    handed_out -= memory != NULL;
    __real_PQfreemem(memory);
}

/* ---- what is done ---- */

static char *texts[][IDS] = {
    {"a", "b", "b", "", "\xe2\x82\xac", "a"},
    {"6ba7b810-9dad-11d1-80b4-00c04fd430c8", "6ba7b810-9dad-11d1-80b4-00c04fd430c9",
     "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "00000000-0000-0000-0000-000000000000",
     "6ba7b810-9dad-11d1-80b4-00c04fd430ca", "6ba7b810-9dad-11d1-80b4-00c04fd430cb"},
};

static const int64_t numbers[IDS] = {1, 2, 2, 0, -1, INT64_MAX};

static const struct cpi_entity entities[ENTITIES] = {
    {.name = "number", .id_type = CPI_ID_BIGINT, .fetch = "f", .fetch_many = true, .list = "select id from t"},
    {.name = "text", .id_type = CPI_ID_TEXT, .fetch = "f", .list = "select id from t"},
    {.name = "uuid", .id_type = CPI_ID_UUID, .fetch = "f", .list = "select id from t"},
};

/* One input's. */
struct run {
    struct cpi_fetch fetch;
    struct cpi_pg other;
    struct cpi_reader *reader;
    uint32_t entity;
    unsigned reported[IDS];
};

static union cpi_id id_at(uint32_t entity, size_t i)
{
    return entity == 0 ? (union cpi_id){.number = numbers[i]} : (union cpi_id){.text = texts[entity - 1][i]};
}

static void report(struct run *run, uint32_t position)
{
    REQUIRE(position < IDS);
    run->reported[position]++;
    REQUIRE(run->reported[position] == 1);
}

static bool take_documents(void *context, const uint32_t *positions, const struct cpi_document *documents, uint32_t n,
                           cp_error *err)
{
    (void)err;
    REQUIRE(n > 0 && n <= IDS);
    for (uint32_t i = 0; i < n; i++) {
        report(context, positions[i]);
        REQUIRE(documents[i].bytes != NULL || documents[i].length == 0);
        fuzz_touch(documents[i].bytes, documents[i].length);
    }
    return true;
}

static void take_doubled(void *context, uint32_t position)
{
    (void)context;
    REQUIRE(position < IDS);
}

static void take_failed(void *context, uint32_t position, const cp_error *why)
{
    fuzz_check_server_error(why, CP_ERR_POSTGRES);
    report(context, position);
}

static void take_untried(void *context, const uint32_t *positions, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        report(context, positions[i]);
    }
}

static void check_failure(const struct cpi_pg *pg, enum cpi_failure failure, const cp_error *err)
{
    if (failure == CPI_FAILURE_NONE) {
        return;
    }
    fuzz_check_server_error(err, CP_ERR_POSTGRES);
    REQUIRE(failure == CPI_FAILURE_CONNECTION || failure == CPI_FAILURE_STATEMENT || failure == CPI_FAILURE_REFUSED);
    REQUIRE(cpi_pg_is_open(pg) == (failure == CPI_FAILURE_STATEMENT));
}

static void check(const struct cpi_pg *pg, cp_code code, const cp_error *err)
{
    if (code != CP_OK) {
        check_failure(pg, pg->failure, err);
    }
}

/* Every id is reported once, if reading succeeds, and none twice. */
static void read_documents(struct run *run, int64_t search_ms)
{
    const struct cpi_reader_sink sink = {.context = run,
                                         .documents = take_documents,
                                         .doubled = take_doubled,
                                         .failed = take_failed,
                                         .untried = take_untried};
    union cpi_id ids[IDS];
    for (size_t i = 0; i < IDS; i++) {
        ids[i] = id_at(run->entity, i);
    }
    memset(run->reported, 0, sizeof run->reported);
    cp_error err;
    enum cpi_failure failure = cpi_reader_read(run->reader, run->entity, ids, IDS, &sink, search_ms, &err);
    check_failure(&run->fetch.pg, failure, &err);
    for (size_t i = 0; i < IDS; i++) {
        REQUIRE(failure != CPI_FAILURE_NONE || run->reported[i] == 1);
        REQUIRE(failure != CPI_FAILURE_STATEMENT || run->reported[i] == 0);
    }
    REQUIRE(run->fetch.held_count == 0);
}

static void check_page(struct run *run, struct cpi_rows *page, const cp_error *err)
{
    const struct cpi_entity *entity = &entities[run->entity];
    if (page == NULL) {
        check_failure(&run->fetch.pg, run->fetch.pg.failure, err);
        return;
    }
    int count = cpi_rows_count(page);
    REQUIRE(cpi_listing_last(page) < count);
    for (int row = 0; row < count; row++) {
        union cpi_id id = cpi_fetch_id(entity, page, row, 0);
        bool is_valid = cpi_id_is_valid(entity->id_type, &id);
        char digits[CPI_ID_NUMBER_BYTES];
        REQUIRE(!is_valid || cpi_id_text(entity->id_type, &id, digits) != NULL);
    }
    cpi_rows_free(page);
}

static void list_page(struct run *run, bool first)
{
    cp_error err;
    union cpi_id after = id_at(run->entity, 1);
    check_page(run, cpi_listing_page(&run->fetch.pg, &entities[run->entity], first ? NULL : &after, &err), &err);
}

static void list_missing(struct run *run)
{
    struct cpi_id_array array = {.bytes = NULL};
    cp_error err;
    REQUIRE(cpi_id_array_clear(&array, entities[run->entity].id_type));
    for (size_t i = 0; i < IDS; i++) {
        union cpi_id id = id_at(run->entity, i);
        REQUIRE(cpi_id_array_add(&array, &id));
    }
    check_page(run, cpi_listing_missing(&run->fetch.pg, &entities[run->entity], &array, &err), &err);
    cpi_id_array_fini(&array);
}

static void prove_hearing(struct run *run)
{
    cp_error err;
    cp_code code = cpi_hearing_prove(&run->fetch.pg, &run->other, "cachepusher_proof", "", &err);
    if (code != CP_OK) {
        fuzz_check_server_error(&err, CP_ERR_POSTGRES);
    }
    REQUIRE(!cpi_pg_is_open(&run->other));
}

/* The calls that need an open connection. */
static void do_open_step(struct run *run, char step)
{
    const struct cpi_entity *entity = &entities[run->entity];
    struct cpi_pg *pg = &run->fetch.pg;
    uint64_t count = 0;
    cp_error err;
    switch (step) {
    case 'p':
        check(pg, cpi_fetch_prepare(pg, entity, run->entity, &err), &err);
        break;
    case 'c':
        check(pg, cpi_fetch_check(pg, entity, run->entity, &err), &err);
        break;
    case 'r':
        read_documents(run, CPI_READER_NO_LIMIT);
        break;
    case 't': /* as soon as it may, it gives up trying */
        read_documents(run, 0);
        break;
    case 'l':
    case 'n':
        list_page(run, step == 'l');
        break;
    case 'm':
        list_missing(run);
        break;
    case 'e':
        check(pg, cpi_listing_estimate(pg, entity, &count, &err), &err);
        break;
    case 'k':
        check(pg, cpi_listing_check(pg, entity, &err), &err);
        break;
    case 'h':
        prove_hearing(run);
        break;
    default:
        break;
    }
}

static void do_step(struct run *run, char step)
{
    cp_error err;
    if (step >= '0' && step < '0' + ENTITIES) {
        run->entity = (uint32_t)(step - '0');
    } else if (step == 'o') {
        enum cpi_failure failure = cpi_reader_open(run->reader, &err);
        check_failure(&run->fetch.pg, failure, &err);
        REQUIRE(cpi_reader_is_open(run->reader) == (failure == CPI_FAILURE_NONE));
    } else if (cpi_reader_is_open(run->reader)) {
        do_open_step(run, step);
    }
}

/* ---- an input ---- */

static void do_steps(const char *steps, size_t count)
{
    static char conninfo[256];
    if (conninfo[0] == '\0') {
        snprintf(conninfo, sizeof conninfo,
                 "host=%s port=5432 user=fuzz dbname=fuzz password=fuzz sslmode=disable gssencmode=disable",
                 fuzz_server_start(".s.PGSQL.5432"));
    }
    const struct cpi_pg pg = {.conninfo = conninfo,
                              .role = "cachepusher fuzz",
                              .cancel_fd = -1,
                              .connect_timeout_ms = 1000,
                              .statement_timeout_ms = 1000};
    struct run run = {.fetch = {.pg = pg, .entities = entities}, .other = pg};
    run.reader = cpi_reader_create(&cpi_fetch_ops, &run.fetch, entities, ENTITIES, IDS, 32);
    REQUIRE(run.reader != NULL);
    for (size_t i = 0; i < count && i < STEPS_MAX; i++) {
        do_step(&run, steps[i]);
    }
    cpi_reader_destroy(run.reader);
    cpi_fetch_fini(&run.fetch);
    REQUIRE(handed_out == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *steps = (const char *)data;
    const uint8_t *newline = size > 0 ? memchr(data, '\n', size) : NULL;
    if (newline == NULL) {
        return -1;
    }
    size_t count = (size_t)(newline - data);
    manners.greets = memchr(steps, 'V', count) != NULL;
    manners.prepares = memchr(steps, 'P', count) != NULL;
    manners.frames = memchr(steps, 'F', count) != NULL;
    manners.ends = memchr(steps, 'Z', count) != NULL;
    const struct fuzz_server_options options = {.script = newline + 1,
                                                .size = size - count - 1,
                                                .answer = answer_request,
                                                .dribbles = memchr(steps, 'D', count) != NULL,
                                                .times_out = memchr(steps, 'T', count) != NULL};
    fuzz_server_begin(&options);
    do_steps(steps, count);
    fuzz_server_end();
    return 0;
}
