/*
 * Allocations that fail on demand: those of the library and no others. The tests here are linked with a copy of it in
 * which malloc is called failing_malloc, and so on (see CMakeLists.txt); libpq, hiredis, jansson and the tests
 * themselves allocate as ever.
 *
 * jansson is left alone on purpose: its lexer does not look whether its buffer could grow, and would give us a
 * truncated id, or read past the end, instead of an error. Where it fails at once it can be trusted; test_parts.c has
 * that case.
 */
#ifndef FAILING_H
#define FAILING_H

#include <stddef.h>

/* From now on, in any thread: the nth allocation fails, and no other. */
void fail_nth(unsigned n);

/* Every kth fails. */
void fail_every(unsigned k);

/* The first at each place in the code fails; a place is the address that the allocation returns to. */
void fail_each_place(void);

/* None fails any more. Returns how many have, since one of the above was called. */
unsigned fail_none(void);

/* How many have, so far. */
unsigned failed_so_far(void);

/* What the library calls. */
void *failing_malloc(size_t size);
void *failing_calloc(size_t count, size_t size);
void *failing_realloc(void *memory, size_t size);
void *failing_aligned_alloc(size_t alignment, size_t size);
char *failing_strdup(const char *text);
char *failing_strndup(const char *text, size_t length);
int failing_asprintf(char **text, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
