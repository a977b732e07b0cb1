/* Asks a daemon's admin server (admin/admin.h). */
#ifndef CMD_STATUS_CLIENT_H
#define CMD_STATUS_CLIENT_H

#include <stddef.h>

/* An address is written as for --admin. body: of a POST; NULL: a GET. The answer's code, such as 200, with its body in
 * *answer, from malloc; 0: there was none, and the reason has been told. */
int client_ask(const char *address, const char *path, const char *body, char **answer);

#endif
