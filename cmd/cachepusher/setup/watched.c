#include "setup/watched.h"

#include "common/escape.h"

#include <stdio.h>
#include <stdlib.h>

enum { STRING_BYTES = 8192 };

static void write_member(FILE *out, const char *before, const char *string)
{
    char line[STRING_BYTES] = "";
    struct text text = {.data = line, .size = sizeof line};
    text_add_json(&text, string);
    fprintf(out, "%s\"%s\"", before, line);
}

static void write_list(FILE *out, const char *before, const char *const *strings, size_t count)
{
    fprintf(out, "%s[", before);
    for (size_t i = 0; i < count; i++) {
        write_member(out, i > 0 ? "," : "", strings[i]);
    }
    fputs("]", out);
}

/* Only a column that holds ids by itself is of their type. */
static void write_watch(FILE *out, const cp_watch *watch)
{
    bool holds_ids = watch->maps == NULL && watch->column_count == 1;
    write_member(out, "{\"entity\":", watch->entity);
    write_member(out, ",\"id_type\":", holds_ids ? watch->id_type : "");
    write_member(out, ",\"table\":", watch->table);
    write_list(out, ",\"columns\":", watch->columns, watch->column_count);
    if (watch->has_reads) {
        write_list(out, ",\"reads\":", watch->reads, watch->reads_count);
    }
    write_member(out, ",\"channel\":", watch->channels[0]);
    write_member(out, ",\"deleted\":", watch->channel_count > 1 ? watch->channels[1] : "");
    fputs("}", out);
}

char *watched_describe(const cp_config *config)
{
    char *json = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&json, &size);
    if (out == NULL) {
        return NULL;
    }
    cp_watch watch = {.size = sizeof watch};
    fputs("[", out);
    for (size_t i = 0; cp_config_watch(config, i, &watch, NULL) == CP_OK; i++) {
        fputs(i > 0 ? "," : "", out);
        write_watch(out, &watch);
    }
    fputs("]", out);
    if (fclose(out) != 0) {
        free(json);
        return NULL;
    }
    return json;
}
