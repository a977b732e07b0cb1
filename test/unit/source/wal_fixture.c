#include "source/wal_fixture.h"

#include <check.h>
#include <libpq-fe.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the catalog ---- */

static const struct {
    const char *table; /* as watched */
    const char *relid;
    const char *name;
} catalog[] = {
    {"customer", "101", "public.customer"}, {"address", "102", "public.address"}, {"note", "103", "public.note"},
    {"contact", "104", "public.contact"},   {"contact", "105", "crm.child"},      {"line", "120", "public.line"},
};

static void put_cell(PGresult *result, int row, int column, const char *value)
{
    char copy[64];
    int length = snprintf(copy, sizeof copy, "%s", value);
    ck_assert_int_ne(PQsetvalue(result, row, column, copy, length), 0);
}

/* The names in an array, {"a","b"}, as the look-up has them: in hexadecimal, with commas; and as many types. */
static void names_of(const char *array, char *names, char *types)
{
    for (const char *at = array; *at != '\0'; at++) {
        if (*at == ',') {
            *names++ = ',';
        } else if (strchr("{}\"", *at) == NULL) {
            names += sprintf(names, "%02x", (unsigned)*at);
        }
        if (types != NULL && (*at == '{' || *at == ',')) {
            types += sprintf(types, "%s" PADDED_DOMAIN, *at == ',' ? "," : "");
        }
    }
    *names = '\0';
}

struct cpi_rows *__wrap_cpi_pg_query(struct cpi_pg *pg, const char *sql, const struct cpi_pg_parameter *parameters,
                                     int count, bool binary, cp_error *err);

/* Linked in the place of cpi_pg_query(). Answers what wal_tables.c asks of a table and a column of it. */
struct cpi_rows *__wrap_cpi_pg_query(struct cpi_pg *pg, const char *sql, const struct cpi_pg_parameter *parameters,
                                     int count, bool binary, cp_error *err)
{
    (void)pg, (void)sql, (void)err;
    ck_assert(count == 4 && !binary);
    char names[64], reads[64], padded[64];
    names_of(parameters[1].value, names, padded);
    names_of(parameters[3].value, reads, NULL);
    PGresAttDesc columns[9] = {{0}};
    PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    ck_assert_ptr_nonnull(result);
    static char column_name[] = "?column?";
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        columns[i].name = column_name;
    }
    ck_assert_int_ne(PQsetResultAttrs(result, 9, columns), 0);
    for (size_t i = 0; i < sizeof catalog / sizeof *catalog; i++) {
        if (strcmp(catalog[i].table, parameters[0].value) == 0) {
            int row = PQntuples(result);
            const char *cells[] = {catalog[i].relid, catalog[i].name, names, catalog[i].table, "t", "f", padded};
            for (int column = 0; column < 7; column++) {
                put_cell(result, row, column, cells[column]);
            }
            ck_assert_int_ne(PQsetvalue(result, row, 7, NULL, -1), 0); /* all are logged */
            ck_assert_int_ne(PQsetvalue(result, row, 8, reads, reads[0] != '\0' ? (int)strlen(reads) : -1), 0);
        }
    }
    return (struct cpi_rows *)result;
}

/* ---- the fixture ---- */

static void count_warning(void *context, cp_level level, const char *message)
{
    (void)message;
    *(unsigned *)context += level == CP_LOG_WARN;
}

static void init_entities(struct wal_fixture *wal)
{
    static char customer[] = "customer", note[] = "note", both[] = "both";
    static char address[] = "address", contact[] = "contact";
    static char id[] = "id", customer_id[] = "customer_id", code[] = "code";
    static char *customer_channels[] = {customer, both}, *note_channels[] = {note, both};
    static char line[] = "line", tenant[] = "tenant", number[] = "number", title[] = "title";
    static char *ids[] = {id}, *customer_ids[] = {customer_id}, *codes[] = {code}, *notes[] = {note};
    static char *lines[] = {tenant, number}, *titles[] = {title};
    static struct cpi_watch of_customer[] = {{.table = customer, .columns = {ids, 1}},
                                             {.table = address, .columns = {customer_ids, 1}},
                                             {.table = contact, .columns = {customer_ids, 1}}};
    static struct cpi_watch of_note[] = {
        {.table = note, .columns = {codes, 1}},
        {.table = address, .columns = {notes, 1}},
        {.table = line, .columns = {lines, 2}, .has_reads = true, .reads = {titles, 1}}};
    wal->entities[0] = (struct cpi_entity){.name = customer,
                                           .id_type = CPI_ID_INTEGER,
                                           .channels = customer_channels,
                                           .channel_count = 2,
                                           .watch = of_customer,
                                           .watch_count = 3};
    wal->entities[1] = (struct cpi_entity){.name = note,
                                           .id_type = CPI_ID_TEXT,
                                           .channels = note_channels,
                                           .channel_count = 2,
                                           .watch = of_note,
                                           .watch_count = 3};
}

void wal_fixture_init(struct wal_fixture *wal)
{
    static char name[] = "unit";
    static char publication[] = "unit_publication";
    *wal = (struct wal_fixture){0};
    init_entities(wal);
    wal->config = (struct cp_config){.name = name,
                                     .source_publication = publication,
                                     .max_pending = MAX_PENDING,
                                     .entities = wal->entities,
                                     .entity_count = WAL_ENTITIES};
    ck_assert(cpi_stats_init(&wal->stats, 8));
    wal->env = (struct cpi_env){.config = &wal->config,
                                .log = {.write = count_warning, .context = &wal->warnings},
                                .channel = "own",
                                .stats = &wal->stats};
    wal->arrivals = (struct cpi_arrivals){.everything = wal->marks,
                                          .again = wal->marks + WAL_ENTITIES,
                                          .lost = wal->marks + (2 * WAL_ENTITIES),
                                          .unreadable = wal->marks + (3 * WAL_ENTITIES),
                                          .room = UINT32_MAX};
    wal->changes.env = &wal->env;
    cp_error err = {0};
    ck_assert_msg(cpi_wal_tables_look_up(&wal->changes.tables, &wal->config, NULL, &err) == CP_OK, "%s", err.message);
    cpi_wal_changes_begin(&wal->changes, 1);
}

void wal_fixture_fini(struct wal_fixture *wal)
{
    cpi_events_fini(&wal->arrivals.events, wal->entities);
    cpi_wal_changes_fini(&wal->changes);
    cpi_stats_fini(&wal->stats);
}

/* ---- messages ---- */

struct bytes {
    uint8_t data[1024];
    size_t size;
};

static void put(struct bytes *bytes, const void *data, size_t size)
{
    ck_assert_uint_le(bytes->size + size, sizeof bytes->data);
    memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
}

/* In network order. */
static void put_number(struct bytes *bytes, uint64_t number, unsigned size)
{
    while (size-- > 0) {
        const uint8_t byte = (uint8_t)(number >> (8 * size));
        put(bytes, &byte, 1);
    }
}

/* Of what has the number of a transaction behind it while a part of one comes. */
static void put_type(struct bytes *bytes, const struct wal_fixture *wal, char type)
{
    put_number(bytes, (uint8_t)type, 1);
    if (wal->part_of != 0) {
        put_number(bytes, wal->part_of, 4);
    }
}

static void put_string(struct bytes *bytes, const char *text)
{
    put(bytes, text, strlen(text) + 1);
}

static size_t count_fields(const char *text)
{
    size_t n = 1;
    for (; *text != '\0'; text++) {
        n += *text == ',';
    }
    return n;
}

static void put_row(struct bytes *bytes, const char *row)
{
    put_number(bytes, count_fields(row), 2);
    for (const char *at = row; at != NULL; at = strchr(at, ',') != NULL ? strchr(at, ',') + 1 : NULL) {
        size_t length = strcspn(at, ",");
        if (length == 1 && (*at == '-' || *at == '=')) {
            put_number(bytes, *at == '-' ? 'n' : 'u', 1);
        } else {
            put_number(bytes, 't', 1);
            put_number(bytes, length, 4);
            put(bytes, at, length);
        }
    }
}

static cp_code take(struct wal_fixture *wal, const struct bytes *bytes, cp_error *err)
{
    /* Exactly as much memory as the message needs, so that ASan notices a read past its end. */
    uint8_t *data = malloc(bytes->size);
    ck_assert_ptr_nonnull(data);
    memcpy(data, bytes->data, bytes->size);
    cp_code code = cpi_wal_changes_take(&wal->changes, data, bytes->size, &wal->arrivals, err);
    free(data);
    return code;
}

static void hand_in(struct wal_fixture *wal, const struct bytes *bytes)
{
    cp_error err = {0};
    ck_assert_msg(take(wal, bytes, &err) == CP_OK, "%s", err.message);
}

static void refuse(struct wal_fixture *wal, const struct bytes *bytes)
{
    cp_error err = {0};
    ck_assert_int_eq(take(wal, bytes, &err), CP_ERR_POSTGRES);
    ck_assert(err.retriable);
}

static struct bytes begin(uint32_t xid)
{
    struct bytes bytes = {0};
    put_number(&bytes, 'B', 1);
    put_number(&bytes, 0, 8);
    put_number(&bytes, 0, 8);
    put_number(&bytes, xid, 4);
    return bytes;
}

static struct bytes commit(uint64_t end_lsn)
{
    struct bytes bytes = {0};
    put_number(&bytes, 'C', 1);
    put_number(&bytes, 0, 1);
    put_number(&bytes, end_lsn - 1, 8);
    put_number(&bytes, end_lsn, 8);
    put_number(&bytes, 0, 8);
    return bytes;
}

void wal_begin(struct wal_fixture *wal, uint32_t xid)
{
    const struct bytes bytes = begin(xid);
    hand_in(wal, &bytes);
}

void wal_refuses_begin(struct wal_fixture *wal, uint32_t xid)
{
    const struct bytes bytes = begin(xid);
    refuse(wal, &bytes);
}

void wal_commit(struct wal_fixture *wal, uint64_t end_lsn)
{
    const struct bytes bytes = commit(end_lsn);
    hand_in(wal, &bytes);
}

void wal_refuses_commit(struct wal_fixture *wal, uint64_t end_lsn)
{
    const struct bytes bytes = commit(end_lsn);
    refuse(wal, &bytes);
}

static struct bytes insert(const struct wal_fixture *wal, uint32_t relid, const char *row)
{
    struct bytes bytes = {0};
    put_type(&bytes, wal, 'I');
    put_number(&bytes, relid, 4);
    put_number(&bytes, 'N', 1);
    put_row(&bytes, row);
    return bytes;
}

void wal_insert(struct wal_fixture *wal, uint32_t relid, const char *row)
{
    const struct bytes bytes = insert(wal, relid, row);
    hand_in(wal, &bytes);
}

void wal_start_part(struct wal_fixture *wal, uint32_t xid)
{
    struct bytes bytes = {0};
    put_number(&bytes, 'S', 1);
    put_number(&bytes, xid, 4);
    put_number(&bytes, 1, 1);
    hand_in(wal, &bytes);
    wal->part_of = xid;
}

void wal_stop_part(struct wal_fixture *wal)
{
    struct bytes bytes = {0};
    put_number(&bytes, 'E', 1);
    wal->part_of = 0;
    hand_in(wal, &bytes);
}

static struct bytes commit_parts(uint32_t xid, uint64_t end_lsn)
{
    struct bytes bytes = {0};
    put_number(&bytes, 'c', 1);
    put_number(&bytes, xid, 4);
    put_number(&bytes, 0, 1);
    put_number(&bytes, end_lsn - 1, 8);
    put_number(&bytes, end_lsn, 8);
    put_number(&bytes, 0, 8);
    return bytes;
}

void wal_commit_parts(struct wal_fixture *wal, uint32_t xid, uint64_t end_lsn)
{
    const struct bytes bytes = commit_parts(xid, end_lsn);
    hand_in(wal, &bytes);
}

void wal_refuses_commit_parts(struct wal_fixture *wal, uint32_t xid, uint64_t end_lsn)
{
    const struct bytes bytes = commit_parts(xid, end_lsn);
    refuse(wal, &bytes);
}

void wal_abort_parts(struct wal_fixture *wal, uint32_t xid, uint32_t subxid)
{
    struct bytes bytes = {0};
    put_number(&bytes, 'A', 1);
    put_number(&bytes, xid, 4);
    put_number(&bytes, subxid, 4);
    hand_in(wal, &bytes);
}

void wal_refuses_insert(struct wal_fixture *wal, uint32_t relid, const char *row)
{
    const struct bytes bytes = insert(wal, relid, row);
    refuse(wal, &bytes);
}

void wal_relation(struct wal_fixture *wal, uint32_t relid, const char *name, const char *columns)
{
    struct bytes bytes = {0};
    const char *dot = strchr(name, '.');
    put_type(&bytes, wal, 'R');
    put_number(&bytes, relid, 4);
    put(&bytes, name, (size_t)(dot - name));
    put_number(&bytes, 0, 1);
    put_string(&bytes, dot + 1);
    put_number(&bytes, 'd', 1);
    put_number(&bytes, count_fields(columns), 2);
    for (const char *at = columns; at != NULL; at = strchr(at, ',') != NULL ? strchr(at, ',') + 1 : NULL) {
        bool in_identity = *at == '*';
        const char *space = strchr(at, ' ');
        put_number(&bytes, in_identity, 1);
        put(&bytes, at + in_identity, (size_t)(space - at) - in_identity);
        put_number(&bytes, 0, 1);
        put_number(&bytes, strtoul(space, NULL, 10), 4);
        put_number(&bytes, UINT32_MAX, 4);
    }
    hand_in(wal, &bytes);
}

static void put_old_row(struct bytes *bytes, const char *old_row)
{
    put(bytes, old_row, 1);
    put_row(bytes, old_row + 1);
}

void wal_update(struct wal_fixture *wal, uint32_t relid, const char *old_row, const char *row)
{
    struct bytes bytes = {0};
    put_type(&bytes, wal, 'U');
    put_number(&bytes, relid, 4);
    if (old_row != NULL) {
        put_old_row(&bytes, old_row);
    }
    put_number(&bytes, 'N', 1);
    put_row(&bytes, row);
    hand_in(wal, &bytes);
}

void wal_delete(struct wal_fixture *wal, uint32_t relid, const char *old_row)
{
    struct bytes bytes = {0};
    put_type(&bytes, wal, 'D');
    put_number(&bytes, relid, 4);
    put_old_row(&bytes, old_row);
    hand_in(wal, &bytes);
}

void wal_truncate(struct wal_fixture *wal, uint32_t relid, uint32_t other)
{
    struct bytes bytes = {0};
    put_type(&bytes, wal, 'T');
    put_number(&bytes, 2, 4);
    put_number(&bytes, 0, 1);
    put_number(&bytes, relid, 4);
    put_number(&bytes, other, 4);
    hand_in(wal, &bytes);
}

void wal_message(struct wal_fixture *wal, const char *prefix, const char *content)
{
    struct bytes bytes = {0};
    put_type(&bytes, wal, 'M');
    put_number(&bytes, 1, 1);
    put_number(&bytes, 0, 8);
    put_string(&bytes, prefix);
    put_number(&bytes, strlen(content), 4);
    put(&bytes, content, strlen(content));
    hand_in(wal, &bytes);
}

void wal_relations(struct wal_fixture *wal)
{
    wal_relation(wal, CUSTOMER, "public.customer", "*id 23,name 25");
    wal_relation(wal, ADDRESS, "public.address", "*id 23,*customer_id 23,*note 25");
    wal_relation(wal, NOTE, "public.note", "*code 1042,body 25");
    wal_relation(wal, CONTACT, "public.contact", "*customer_id 23");
    wal_relation(wal, CHILD, "crm.child", "*customer_id 23");
}

/* ---- what comes of them ---- */

void wal_see(struct wal_fixture *wal, const char *snapshot)
{
    cp_error err = {0};
    ck_assert_msg(cpi_wal_changes_see(&wal->changes, snapshot, &wal->arrivals, &err) == CP_OK, "%s", err.message);
}

struct text {
    char bytes[512];
    size_t length;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t room = sizeof text->bytes - text->length;
    text->length += (size_t)snprintf(text->bytes + text->length, room, "%s", text->length > 0 ? ", " : "");
    room = sizeof text->bytes - text->length;
    text->length += (size_t)vsnprintf(text->bytes + text->length, room, format, arguments);
    va_end(arguments);
    ck_assert_uint_lt(text->length, sizeof text->bytes);
}

static void add_events(struct wal_fixture *wal, struct text *text)
{
    for (size_t i = 0; i < wal->arrivals.events.count; i++) {
        const struct cpi_event *event = &wal->arrivals.events.items[i];
        const struct cpi_entity *entity = &wal->entities[event->entity];
        char number[CPI_ID_NUMBER_BYTES];
        add(text, "%s %s%s", entity->name, cpi_id_text(entity->id_type, &event->id, number),
            event->in_crowd ? " (crowd)" : "");
    }
}

static void add_marks(struct wal_fixture *wal, struct text *text)
{
    static const char *const names[] = {"everything", "again", "lost", "unreadable"};
    for (size_t i = 0; i < sizeof wal->marks / sizeof *wal->marks; i++) {
        if (wal->marks[i]) {
            add(text, "%s %s", wal->entities[i % WAL_ENTITIES].name, names[i / WAL_ENTITIES]);
        }
    }
    memset(wal->marks, 0, sizeof wal->marks);
}

void wal_assert_arrived(struct wal_fixture *wal, const char *want)
{
    struct text text = {0};
    add_events(wal, &text);
    cpi_events_truncate(&wal->arrivals.events, 0, wal->entities);
    add_marks(wal, &text);
    if (wal->arrivals.barrier != 0) {
        add(&text, "barrier %ld", wal->arrivals.barrier);
        wal->arrivals.barrier = 0;
    }
    ck_assert_str_eq(text.bytes, want);
}

size_t wal_take_arrived(struct wal_fixture *wal, size_t *of_crowd)
{
    size_t count = wal->arrivals.events.count;
    *of_crowd = 0;
    for (size_t i = 0; i < count; i++) {
        *of_crowd += wal->arrivals.events.items[i].in_crowd;
    }
    cpi_events_truncate(&wal->arrivals.events, 0, wal->entities);
    return count;
}
