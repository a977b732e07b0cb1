#ifndef CMD_JOURNAL_H
#define CMD_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>

/*
 * systemd's journal, which keeps a message's priority and fields. libsystemd is linked in any case (sd_notify(3)) and
 * sends both in one call; a "<3>" before each line of stderr, the other way, would keep the priority alone.
 */

/* Whether what is written to stderr arrives there: systemd says so in JOURNAL_STREAM. */
bool journal_is_stderr(void);

/* Sends fields, NAME=VALUE with a newline between: PRIORITY, then MESSAGE, then others. They are cut apart where they
 * stand. Where the journal cannot be reached, the message goes to stderr with its priority as sd-daemon(3) has it. */
void journal_send(char *fields);

#endif
