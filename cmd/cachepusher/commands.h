#ifndef CMD_COMMANDS_H
#define CMD_COMMANDS_H

#include "options.h"

/* Each takes config and returns the program's exit code. */
int run(const struct options *options, cp_config *config);
int warmup(const struct options *options, cp_config *config);
int verify(const struct options *options, cp_config *config);
int setup(const struct options *options, cp_config *config);
int teardown(const struct options *options, cp_config *config);
int slot(const struct options *options, cp_config *config);
int status(const struct options *options, cp_config *config);
int parked(const struct options *options, cp_config *config);
int generate(const struct options *options, cp_config *config);
int doctor(const struct options *options, cp_config *config);

#endif
