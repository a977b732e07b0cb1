#ifndef CMD_HELP_H
#define CMD_HELP_H

#include "options.h"

/* What is said of a command, in the order in which it is printed, with the settings in between. */
struct help_parts {
    const char *usage;
    const char *work;
    const char *log;
    const char *rest;
};

/* Of the commands that look after the database: help_setup.c. */
extern const struct help_parts help_of_generate;
extern const struct help_parts help_of_setup;
extern const struct help_parts help_of_teardown;
extern const struct help_parts help_of_slot;
extern const struct help_parts help_of_doctor;

/* Of those that ask a daemon: help_status.c. They have no settings. */
extern const struct help_parts help_of_status;
extern const struct help_parts help_of_parked;

void help_print(void);
void help_print_short(enum command command); /* fits a terminal */
void help_print_command(enum command command);

#endif
