#include "document/made.h"

#include <stdlib.h>
#include <string.h>

/* ---- a version as lines ---- */

struct lines {
    char **items;
    size_t count;
};

static const char *describe(const struct made *made, struct memory *memory)
{
    struct writing writing;
    writing_begin(&writing);
    json_t *entity = json_loads(made->entity, 0, NULL);
    json_t *watches = json_object_get(entity, "watch");
    const char *list = json_string_value(json_object_get(entity, "list"));
    const char *id_type = json_string_value(json_object_get(entity, "id_type"));
    fprintf(writing.stream, "ids: %s\n%s\nlist: %s\n", id_type != NULL ? id_type : "", made->body,
            list != NULL ? list : "");
    for (size_t i = 0; i < json_array_size(watches); i++) {
        char *watch = json_dumps(json_array_get(watches, i), JSON_PRESERVE_ORDER);
        fprintf(writing.stream, "watch: %s\n", watch != NULL ? watch : "");
        free(watch);
    }
    json_decref(entity);
    return writing_end(&writing, memory);
}

static struct lines split(const char *text, struct memory *memory)
{
    char *copy = memory_print(memory, "%s", text);
    struct lines lines = {.items = memory_take(memory, (strlen(text) + 1) * sizeof *lines.items)};
    for (char *line = strtok_r(copy, "\n", &copy); line != NULL; line = strtok_r(NULL, "\n", &copy)) {
        lines.items[lines.count++] = line;
    }
    return lines;
}

/* ---- the longest common subsequence ---- */

static unsigned *measure(const struct lines *before, const struct lines *after, struct memory *memory)
{
    size_t width = after->count + 1;
    unsigned *lengths = memory_take(memory, (before->count + 1) * width * sizeof *lengths);
    for (size_t i = before->count; i-- > 0;) {
        for (size_t k = after->count; k-- > 0;) {
            unsigned down = lengths[(i + 1) * width + k];
            unsigned right = lengths[i * width + k + 1];
            lengths[i * width + k] = strcmp(before->items[i], after->items[k]) == 0
                                         ? lengths[(i + 1) * width + k + 1] + 1
                                     : down > right ? down
                                                    : right;
        }
    }
    return lengths;
}

static void note(json_t *rows, char sign, const char *line, struct memory *memory)
{
    plan_add(rows, "note", memory_print(memory, "%c %s", sign, line), NULL);
}

void made_show_difference(json_t *rows, const char *entity, const struct made *before, const struct made *after,
                          struct memory *memory)
{
    struct lines old = split(describe(before, memory), memory);
    struct lines new = split(describe(after, memory), memory);
    const unsigned *lengths = measure(&old, &new, memory);
    size_t width = new.count + 1;
    size_t i = 0;
    size_t k = 0;
    plan_add(
        rows, "note",
        memory_print(memory,
                     "%s is not as it was set up before; a daemon goes on with that until it is restarted:", entity),
        NULL);
    while (i < old.count || k < new.count) {
        if (i < old.count && k < new.count &&strcmp(old.items[i], new.items[k]) == 0) {
            i++;
            k++;
        } else if (i < old.count && (k == new.count || lengths[(i + 1) * width + k] >= lengths[i * width + k + 1])) {
            note(rows, '-', old.items[i++], memory);
        } else {
            note(rows, '+', new.items[k++], memory);
        }
    }
}
