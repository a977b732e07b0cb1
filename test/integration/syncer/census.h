/* What of a process a library could leave behind. */
#ifndef CENSUS_H
#define CENSUS_H

#include <stddef.h>

/* Threads of this process, or those alone whose name begins with prefix. */
size_t count_threads(const char *prefix);

/* Open descriptors of this process. */
size_t count_descriptors(void);

#endif
