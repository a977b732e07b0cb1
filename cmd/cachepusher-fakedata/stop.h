#ifndef FAKEDATA_STOP_H
#define FAKEDATA_STOP_H

#include <stdbool.h>

/*
 * SIGINT and SIGTERM stay blocked and are collected only where the program looks for them, between
 * two transactions or while it waits: no handler, and no moment in which a signal goes unseen.
 */
void stop_init(void);

/* True once a signal has come, and from then on. */
bool stop_requested(void);

/* Sleeps until clock_now_s() reaches `when_s`. False if a signal came first. */
bool stop_wait_until(double when_s);

/* Seconds on the monotonic clock. */
double clock_now_s(void);

#endif
