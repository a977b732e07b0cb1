/* The state of a daemon, for a terminal. */
#ifndef CMD_STATUS_TERMINAL_H
#define CMD_STATUS_TERMINAL_H

#include <jansson.h>

#include <stdbool.h>

/* `before` is what it was `seconds` ago, for rates; NULL: it is not known. */
void terminal_show(const json_t *status, const json_t *before, double seconds, bool coloured);

/* Ids that fail. more: how many there are besides. */
void terminal_show_parked(const json_t *parked, double more, bool retried);

#endif
