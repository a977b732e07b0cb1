/* What is wrong with a declaration, and where. */
#ifndef CMD_DOCUMENT_REFUSE_H
#define CMD_DOCUMENT_REFUSE_H

#include <stdbool.h>

/* Tells "PATH: problem", and returns false. */
bool refuse(const char *path, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
