/* One suite to a file. */
#ifndef TESTS_H
#define TESTS_H

#include <check.h>

Suite *configuration_suite(void);
Suite *parts_suite(void);
Suite *syncer_suite(void);

#endif
