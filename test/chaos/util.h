/* What the whole chaos test shares: time, random numbers, and messages. */
#ifndef UTIL_H
#define UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PATH_BYTES = 160 };

/* Milliseconds of the monotonic clock. */
int64_t now_ms(void);

/* Seconds since the run began, for messages. */
double elapsed_s(int64_t at_ms);

/* The next random number from 0 to sides - 1; *state is the generator's state. */
uint32_t roll(uint64_t *state, uint32_t sides);

/* A factor for the time the product may take: more under a sanitizer. */
int slowness(void);

/* Checks the condition until it holds or the time has passed. Returns whether it holds. */
bool wait_until(bool (*holds)(void *context), void *context, int timeout_ms);

/* A line on standard output, with the time. Any thread. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The product is at fault. The first message is kept as the reason; the run goes on until the main thread checks. */
void blame(const char *format, ...) __attribute__((format(printf, 1, 2)));
bool is_blamed(void);
const char *reason(void);

/* The test itself cannot go on. Exits with 2; everything it has started dies with it. */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define FORMAT(buffer, ...) format_into(buffer, sizeof(buffer), __VA_ARGS__)

/* snprintf() that ends the test if there is too little room. */
void format_into(char *buffer, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
