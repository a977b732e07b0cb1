/* One suite to a file. */
#ifndef TESTS_H
#define TESTS_H

#include "cachepusher.h"

#include <check.h>

Suite *configuration_suite(void);
Suite *parts_suite(void);
Suite *syncer_suite(void);
Suite *store_suite(void);
Suite *dropping_suite(void);
Suite *holding_suite(void);
Suite *transform_suite(void);

/* Starts, however often that fails for want of memory. */
void start_at_last(cp_syncer *syncer);

#endif
