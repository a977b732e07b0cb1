/* What is wrong with a declaration, and where. */
#ifndef CMD_DOCUMENT_REFUSE_H
#define CMD_DOCUMENT_REFUSE_H

#include <stdbool.h>

/* Tells "PATH: problem", and returns false. */
bool refuse(const char *path, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same of a member that nobody knows: which one was meant, or what there is. expected: "a, b or c". */
bool refuse_unknown(const char *path, const char *name, const char *expected);

#endif
