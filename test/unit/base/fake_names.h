/*
 * Names of hosts without a resolver: the test program has a getaddrinfo() of its own. Numeric addresses are what they
 * are; "one.test" is 192.0.2.1, "two.test" 192.0.2.2 and 192.0.2.3, "slow.test" is 192.0.2.9 but hangs until it is
 * released, and nothing else is known.
 */
#ifndef FAKE_NAMES_H
#define FAKE_NAMES_H

/* From here on slow.test hangs. */
void fake_names_hang(void);

/* Waits until this many lookups hang. */
void fake_names_await(unsigned hanging);

/* Ends what hangs, and waits until getaddrinfo() has returned to all. */
void fake_names_release(void);

#endif
