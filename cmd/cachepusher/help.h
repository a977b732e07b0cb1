#ifndef CMD_HELP_H
#define CMD_HELP_H

#include "options.h"

void help_print(void);
void help_print_command(enum command command);

#endif
