#ifndef BENCH_FATAL_H
#define BENCH_FATAL_H

/* Prints "cachepusher-bench: …" to stderr and exits with 1. Any thread. */
_Noreturn void fatal(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same line without exiting; and progress, a line that overwrites itself on a terminal and is not shown elsewhere.
 * It has to be cleared before anything else is printed to the terminal; tables do that. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
void progress(const char *format, ...) __attribute__((format(printf, 1, 2)));
void progress_clear(void);

#endif
