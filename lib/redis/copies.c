#include "redis/copies.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_BYTES = 4096, KEEP_BYTES = 4 * 1024 * 1024 };

bool cpi_copies_add(struct cpi_copies *copies, const char *document, size_t length, size_t *at)
{
    struct cpi_output *output = &copies->output;
    if (copies->used + length > output->capacity || output->bytes == NULL) {
        size_t capacity = 2 * (copies->used + length) + FIRST_BYTES;
        char *bytes = realloc(output->bytes, capacity);
        if (bytes == NULL) {
            return false;
        }
        *output = (struct cpi_output){.bytes = bytes, .capacity = capacity};
    }
    memcpy(output->bytes + copies->used, document, length);
    *at = copies->used;
    copies->used += length;
    return true;
}

void cpi_copies_clear(struct cpi_copies *copies)
{
    copies->used = 0;
}

void cpi_copies_fini(struct cpi_copies *copies)
{
    free(copies->output.bytes);
    *copies = (struct cpi_copies){.used = 0};
}

void cpi_copies_lend(struct cpi_copies *copies, struct cpi_output *output)
{
    *output = copies->output;
    copies->output = (struct cpi_output){0};
}

/* Memory for large documents is not kept. */
void cpi_copies_give_back(struct cpi_copies *copies, struct cpi_output *output)
{
    if (output->capacity <= KEEP_BYTES) {
        copies->output = *output;
    } else {
        free(output->bytes);
    }
    *output = (struct cpi_output){0};
}
