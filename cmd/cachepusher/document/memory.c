#include "document/memory.h"

#include "common/complain.h"
#include "common/exit_code.h"

#include <jansson.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct memory_block {
    struct memory_block *next;
    void *kept;
    void (*release)(void *kept);
    alignas(max_align_t) char data[];
};

static void need(bool is_there)
{
    if (!is_there) {
        complain("out of memory");
        exit(EXIT_FAILED);
    }
}

void *memory_take(struct memory *memory, size_t size)
{
    struct memory_block *block = calloc(1, sizeof *block + size);
    need(block != NULL);
    block->next = memory->blocks;
    memory->blocks = block;
    return block->data;
}

char *memory_print(struct memory *memory, const char *format, ...)
{
    va_list arguments;
    struct writing writing;
    writing_begin(&writing);
    va_start(arguments, format);
    vfprintf(writing.stream, format, arguments);
    va_end(arguments);
    return writing_end(&writing, memory);
}

void memory_keep(struct memory *memory, void *kept, void (*release)(void *kept))
{
    memory_take(memory, 0);
    memory->blocks->kept = kept;
    memory->blocks->release = release;
}

static void *allocate(size_t size)
{
    void *block = malloc(size);
    need(block != NULL || size == 0);
    return block;
}

void memory_serve_jansson(void)
{
    json_set_alloc_funcs(allocate, free);
}

void memory_fini(struct memory *memory)
{
    while (memory->blocks != NULL) {
        struct memory_block *next = memory->blocks->next;
        if (memory->blocks->release != NULL) {
            memory->blocks->release(memory->blocks->kept);
        }
        free(memory->blocks);
        memory->blocks = next;
    }
}

void writing_begin(struct writing *writing)
{
    *writing = (struct writing){0};
    writing->stream = open_memstream(&writing->data, &writing->size);
    need(writing->stream != NULL);
}

char *writing_end(struct writing *writing, struct memory *memory)
{
    need(fclose(writing->stream) == 0);
    char *text = memory_take(memory, writing->size + 1);
    memcpy(text, writing->data, writing->size + 1);
    free(writing->data);
    return text;
}
