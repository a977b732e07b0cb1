/* A proposal as a configuration file: JSON for people, 120 columns wide. */
#ifndef CMD_GENERATE_WRITE_H
#define CMD_GENERATE_WRITE_H

#include "generate/proposal.h"

#include <stdio.h>

/* postgres: the connection string to write into it; NULL: it is nobody's business. */
void write_configuration(FILE *out, const struct proposal *proposal, const char *postgres);

#endif
