#ifndef BENCH_HELP_H
#define BENCH_HELP_H

/* Prints what a command measures and its options; NULL: lists the commands. */
void help_print(const char *command);

#endif
