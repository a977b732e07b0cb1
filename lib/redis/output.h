/*
 * What a round has sent to Redis, lent to whoever wants to look at the documents again once they are acknowledged. They
 * are not copied for it: it is the connection's output buffer, which does without meanwhile.
 */
#ifndef CPI_OUTPUT_H
#define CPI_OUTPUT_H

#include <stddef.h>

struct cpi_output {
    char *bytes; /* NULL: nothing has been lent */
    size_t capacity;
};

#endif
