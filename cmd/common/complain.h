#ifndef CMD_COMPLAIN_H
#define CMD_COMPLAIN_H

/* One line on stderr that starts with the program's name: for what goes wrong before there is a log, or beside it. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
