/* Where a daemon answers: HOST:PORT, [HOST]:PORT, :PORT of 127.0.0.1, or unix:PATH. */
#ifndef CMD_ADMIN_ADDRESS_H
#define CMD_ADMIN_ADDRESS_H

#include <stdbool.h>

enum { ADDRESS_HOST_BYTES = 256 };

/* The path of unix:PATH; NULL: it is another address. */
const char *address_path(const char *address);

/* The host and the port of any other one; *port points into address. False: it is none. */
bool address_split(const char *address, char host[ADDRESS_HOST_BYTES], const char **port);

#endif
