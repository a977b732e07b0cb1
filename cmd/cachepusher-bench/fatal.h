#ifndef BENCH_FATAL_H
#define BENCH_FATAL_H

/* "cachepusher-bench: …" on stderr, and the end: exit code 1. Any thread. */
_Noreturn void fatal(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same line without the end, and progress: one that overwrites itself on a terminal, and is not shown elsewhere.
 * Before something else is printed to the terminal it has to be cleared; tables do that. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
void progress(const char *format, ...) __attribute__((format(printf, 1, 2)));
void progress_clear(void);

#endif
