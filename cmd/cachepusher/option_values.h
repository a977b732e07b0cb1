/* What flags are given: each reads its value, or says what was expected and returns false. */
#ifndef CMD_OPTION_VALUES_H
#define CMD_OPTION_VALUES_H

#include "options.h"

/* Seconds, as "1.5". */
bool value_grace(const char *value, int *grace_ms);
bool value_sample(const char *value, uint64_t *sample);
bool value_depth(const char *value, size_t *depth);
bool value_log_format(const char *value, enum log_format *format);

/* Paths are made absolute, and take the place of those that were given before. */
bool value_pidfile(const char *value, struct options *options);
bool value_admin(struct options *options, const char *value);

#endif
