/* A password in a file: its first line. Any thread. */
#ifndef CPI_SECRET_H
#define CPI_SECRET_H

#include "cachepusher.h"

enum { CPI_SECRET_BYTES = 1024 };

/* Reads the file that a setting names; a path without a '/' in front is looked up in systemd's $CREDENTIALS_DIRECTORY,
 * where that is set. *is_open, unless it is NULL: everybody may read it. CP_ERR_CONFIG with a message that names
 * setting and file where it cannot be read, or has no password in it; retriable, since somebody may be replacing it.
 * The caller wipes the password. */
cp_code cpi_secret_read(const char *setting, const char *path, char password[CPI_SECRET_BYTES], bool *is_open,
                        cp_error *err);

void cpi_secret_wipe(char password[CPI_SECRET_BYTES]);

#endif
