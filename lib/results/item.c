#include "results/item.h"

#include <stdlib.h>
#include <string.h>

/* Behind the struct of the public header come its texts. */
static struct cpi_item *make_item(size_t bytes, cp_syncer *syncer, cp_result_kind kind)
{
    struct cpi_item *item = malloc(bytes);
    if (item != NULL) {
        *item =
            (struct cpi_item){.bytes = bytes, .result = {.size = sizeof item->result, .kind = kind, .syncer = syncer}};
    }
    return item;
}

static size_t text_bytes(const char *text)
{
    return text != NULL ? strlen(text) + 1 : 0;
}

static const char *copy_text(char **at, const char *text)
{
    size_t bytes = text_bytes(text);
    char *copy = bytes > 0 ? memcpy(*at, text, bytes) : NULL;
    *at += bytes;
    return copy;
}

/* ---- documents ---- */

static bool has_bytes(const cp_document *document, bool with_bytes)
{
    return with_bytes && document->document != NULL;
}

size_t cpi_item_document_bytes(const cp_document *document, bool with_bytes)
{
    return sizeof(struct cpi_item) + sizeof *document + text_bytes(document->entity) + text_bytes(document->key) +
           text_bytes(document->id) + (has_bytes(document, with_bytes) ? document->bytes + 1 : 0);
}

struct cpi_item *cpi_item_of_document(cp_syncer *syncer, const cp_document *document, bool with_bytes)
{
    struct cpi_item *item = make_item(cpi_item_document_bytes(document, with_bytes), syncer, CP_RESULT_DOCUMENT);
    if (item == NULL) {
        return NULL;
    }
    cp_document *copy = (cp_document *)item->body;
    char *at = (char *)(copy + 1);
    *copy = *document;
    copy->entity = copy_text(&at, document->entity);
    copy->key = copy_text(&at, document->key);
    copy->id = copy_text(&at, document->id);
    copy->document = NULL;
    if (has_bytes(document, with_bytes)) {
        memcpy(at, document->document, document->bytes);
        at[document->bytes] = '\0';
        copy->document = at;
    }
    item->result.document = copy;
    return item;
}

/* ---- messages ---- */

size_t cpi_item_log_bytes(const cp_log_entry *entry)
{
    return sizeof(struct cpi_item) + sizeof *entry + text_bytes(entry->message) + text_bytes(entry->entity) +
           text_bytes(entry->key) + text_bytes(entry->host);
}

struct cpi_item *cpi_item_of_log(cp_syncer *syncer, const cp_log_entry *entry)
{
    struct cpi_item *item = make_item(cpi_item_log_bytes(entry), syncer, CP_RESULT_LOG);
    if (item == NULL) {
        return NULL;
    }
    cp_log_entry *copy = (cp_log_entry *)item->body;
    char *at = (char *)(copy + 1);
    *copy = *entry;
    copy->message = copy_text(&at, entry->message);
    copy->entity = copy_text(&at, entry->entity);
    copy->key = copy_text(&at, entry->key);
    copy->host = copy_text(&at, entry->host);
    item->result.log = copy;
    return item;
}

/* ---- states ---- */

size_t cpi_item_state_bytes(void)
{
    return sizeof(struct cpi_item) + sizeof(cp_health);
}

struct cpi_item *cpi_item_of_state(cp_syncer *syncer, const cp_health *health)
{
    struct cpi_item *item = make_item(cpi_item_state_bytes(), syncer, CP_RESULT_STATE);
    if (item != NULL) {
        cp_health *copy = (cp_health *)item->body;
        *copy = *health;
        item->result.health = copy;
    }
    return item;
}
