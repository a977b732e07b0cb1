#include "document/documents.h"

#include "common/complain.h"
#include "common/exit_code.h"
#include "document/channels.h"
#include "document/emit.h"
#include "document/indexes.h"
#include "document/made.h"
#include "setup/database.h"
#include "embedded.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_SHOWN = 54 }; /* with an underscore and the version it has the 63 bytes that Postgres keeps */
enum { FORMER_MAX = 8 };  /* versions that stay beside the last */

/* ---- what it is to be ---- */

/* FNV-1a over texts and their ends. */
static uint64_t add_hash(uint64_t hash, const char *text)
{
    size_t size = strlen(text) + 1;
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

static bool is_plain(const char *name)
{
    return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(name) && (*name < '0' || *name > '9');
}

/* The same declaration can mean something else tomorrow, when a table has another column. So the version is one of all
 * that was made of it, and a function of that name always has the same source: a daemon that works with the former one,
 * and counts what that reads as changes, goes on with it. */
static struct made make(const struct document *document, const struct place *places, struct memory *memory)
{
    const char *body = emit_body(document, memory);
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    hash = add_hash(add_hash(hash, document->entity), document->digest);
    hash = add_hash(add_hash(hash, emit_entity(document, places, "", memory)), body);
    const char *version = memory_print(memory, "%08" PRIx32, (uint32_t)(hash >> 32));
    const char *quote = is_plain(document->entity) ? "" : "\"";
    const char *function =
        memory_print(memory, "cachepusher.%s%.*s_%s%s", quote, NAME_SHOWN, document->entity, version, quote);
    return (struct made){.digest = document->digest,
                         .version = version,
                         .entity = emit_entity(document, places, function, memory),
                         .function = function,
                         .signature = memory_print(memory, "%s(%s[])", function, document->id_type),
                         .body = body};
}

static bool is_same(const struct made *a, const struct made *b)
{
    return strcmp(a->digest, b->digest) == 0 && strcmp(a->version, b->version) == 0;
}

static bool is_right(const struct made *there, const struct made *wanted)
{
    return is_same(there, wanted) && strcmp(there->entity, wanted->entity) == 0 &&
           strcmp(there->body, wanted->body) == 0;
}

/* ---- statements ---- */

static const char *quote(PGconn *pg, const char *text, struct memory *memory)
{
    char *quoted = PQescapeLiteral(pg, text, strlen(text));
    if (quoted == NULL) { /* no memory: nothing has been changed yet (memory.h) */
        complain("Postgres: %s", PQerrorMessage(pg));
        exit(EXIT_FAILED);
    }
    const char *kept = memory_print(memory, "%s", quoted);
    PQfreemem(quoted);
    return kept;
}

static const char *write_statements(const struct document *document, const struct made *made, PGconn *pg,
                                    struct memory *memory)
{
    struct writing writing;
    writing_begin(&writing);
    fprintf(writing.stream, "begin;\n%s;\n", emit_function(document, made->function, made->body, memory));
    fprintf(
        writing.stream,
        "insert into cachepusher.document (name, digest, version, declaration, entity)\nvalues (%s, %s, %s,\n%s,\n%s)",
        quote(pg, document->entity, memory), quote(pg, made->digest, memory), quote(pg, made->version, memory),
        emit_quoted(document->declaration, memory), emit_quoted(made->entity, memory));
    fputs("\non conflict (name, digest, version) do update\n"
          "set declaration = excluded.declaration, entity = excluded.entity, made_at = pg_catalog.clock_timestamp();\n"
          "commit",
          writing.stream);
    return writing_end(&writing, memory);
}

static void drop(struct documents *documents, PGconn *pg, const char *entity, const struct made *made, const char *why)
{
    struct memory *memory = &documents->memory;
    plan_add(documents->rows, "run",
             memory_print(memory,
                          "begin;\ndrop function if exists %s;\ndelete from cachepusher.document where name = %s and "
                          "digest = %s and version = %s;\ncommit",
                          made->signature, quote(pg, entity, memory), quote(pg, made->digest, memory),
                          quote(pg, made->version, memory)),
             why);
}

/* ---- one document ---- */

static bool apply(cp_config *config, const cp_declaration *declaration, const char *entity)
{
    cp_error err;
    if (cp_config_apply(config, declaration->index, entity, &err) == CP_OK) {
        return true;
    }
    complain("%s", err.message);
    return false;
}

/* Those that are others: of the last few somebody may be at work who has not been restarted; the rest is to go. */
struct others {
    struct made_list former;
    struct made_list older;
};

static struct others find_others(const struct made_list *there, const struct made *wanted, struct memory *memory)
{
    struct made *items = memory_take(memory, (there->count + 1) * sizeof *items);
    size_t count = 0;
    for (size_t i = 0; i < there->count; i++) {
        if (!is_same(&there->items[i], wanted)) {
            items[count++] = there->items[i];
        }
    }
    size_t kept = count < FORMER_MAX ? count : FORMER_MAX;
    return (struct others){.former = {.items = items, .count = kept},
                           .older = {.items = items + kept, .count = count - kept}};
}

static void plan(struct documents *documents, PGconn *pg, const struct document *document, const struct made *wanted,
                 const struct made_list *there, const struct made_list *older)
{
    struct memory *memory = &documents->memory;
    if (there->count == 0 || !is_right(&there->items[0], wanted)) {
        if (there->count > 0) {
            made_show_difference(documents->rows, document->entity, &there->items[0], wanted, memory);
        }
        plan_add(documents->rows, "run", write_statements(document, wanted, pg, memory), NULL);
    }
    for (size_t i = 0; i < older->count; i++) {
        drop(documents, pg, document->entity, &older->items[i],
             memory_print(memory, "%s: older than the last %d versions", document->entity, FORMER_MAX));
    }
}

static bool has_watch(const cp_config *config, const char *entity)
{
    cp_watch watch = {.size = sizeof watch};
    for (size_t i = 0; cp_config_watch(config, i, &watch, NULL) == CP_OK; i++) {
        if (strcmp(watch.entity, entity) == 0) {
            return true;
        }
    }
    return false;
}

static bool resolve_one(struct documents *documents, cp_config *config, const cp_declaration *declaration, PGconn *pg)
{
    struct memory *memory = &documents->memory;
    struct resolver resolver = {.pg = pg,
                                .catalog = &documents->catalog,
                                .memory = memory,
                                .has_watch = has_watch(config, declaration->entity)};
    struct made_list there;
    const struct document *document = resolve(&resolver, declaration);
    if (document == NULL || !made_read(&there, pg, declaration->entity, memory)) {
        return false;
    }
    struct place *places = emit_places(document, memory);
    if (!channels_adopt(places, pg, memory)) {
        return false;
    }
    const struct made wanted = make(document, places, memory);
    indexes_add_missing(documents->missing, document);
    const struct others others = find_others(&there, &wanted, memory);
    plan(documents, pg, document, &wanted, &there, &others.older);
    return apply(config, declaration, made_join(wanted.entity, &others.former, &documents->catalog, memory));
}

static bool take_away_one(struct documents *documents, cp_config *config, const cp_declaration *declaration, PGconn *pg)
{
    struct memory *memory = &documents->memory;
    struct made_list there;
    if (!made_read(&there, pg, declaration->entity, memory)) {
        return false;
    }
    for (size_t i = 0; i < there.count; i++) {
        drop(documents, pg, declaration->entity, &there.items[i], NULL);
    }
    return there.count == 0 || apply(config, declaration, made_join(there.items[0].entity, &there, NULL, memory));
}

/* ---- all of them ---- */

typedef bool do_one(struct documents *documents, cp_config *config, const cp_declaration *declaration, PGconn *pg);

static bool for_each(struct documents *documents, cp_config *config, PGconn *pg, do_one *one)
{
    cp_declaration declaration = {.size = sizeof declaration};
    for (; cp_config_declaration(config, documents->count, &declaration, NULL) == CP_OK; documents->count++) {
        if (!one(documents, config, &declaration, pg)) {
            return false;
        }
    }
    documents->rows_text = json_dumps(documents->rows, JSON_COMPACT);
    documents->missing_text = json_dumps(documents->missing, JSON_COMPACT);
    return true;
}

static void begin(struct documents *documents)
{
    memory_serve_jansson();
    *documents = (struct documents){.rows = json_array(), .missing = json_array()};
}

static bool is_any_declared(const cp_config *config)
{
    cp_declaration declaration = {.size = sizeof declaration};
    return cp_config_declaration(config, 0, &declaration, NULL) == CP_OK;
}

bool documents_resolve(struct documents *documents, cp_config *config, PGconn *pg)
{
    begin(documents);
    return (!is_any_declared(config) || catalog_load(&documents->catalog, pg)) &&
           for_each(documents, config, pg, resolve_one);
}

bool documents_take_away(struct documents *documents, cp_config *config, PGconn *pg)
{
    begin(documents);
    return for_each(documents, config, pg, take_away_one);
}

struct plan_step documents_step(const struct documents *documents)
{
    static const char query[] =
        "select r ->> 'kind', r ->> 'body', r ->> 'why' from json_array_elements($1::json) as r";
    return (struct plan_step){query, {documents->rows_text}, 1, false};
}

struct plan_step documents_index_step(const struct documents *documents, bool makes)
{
    return (struct plan_step){
        embedded_document_indexes_sql, {documents->missing_text, makes ? "true" : "false"}, 2, false};
}

void documents_fini(struct documents *documents)
{
    json_decref(documents->rows);
    json_decref(documents->missing);
    free(documents->rows_text);
    free(documents->missing_text);
    catalog_fini(&documents->catalog);
    memory_fini(&documents->memory);
    *documents = (struct documents){0};
}
