#ifndef FAKEDATA_COPY_H
#define FAKEDATA_COPY_H

#include "db.h"

#include <stddef.h>

/*
 * Rows on their way into one `copy … from stdin`, in its text format. After copy_begin() has
 * answered DB_OK, copy_end() must be called once, whatever happened in between.
 */
struct copy {
    struct db *db;
    size_t used;
    char buffer[64 * 1024];
};

enum db_status copy_begin(struct copy *copy, struct db *db, const char *sql);

/* Fields of the row, in order. A NULL text is SQL's null. */
void copy_int(struct copy *copy, int value);
void copy_text(struct copy *copy, const char *text);

enum db_status copy_end_row(struct copy *copy);

/* With a reason, the server throws the rows away and the transaction has failed. */
enum db_status copy_end(struct copy *copy, const char *reason);

#endif
