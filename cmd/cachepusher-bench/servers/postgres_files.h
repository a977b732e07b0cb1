/* Files of Postgres that Debian keeps out of PATH, in a directory for each version. */
#ifndef BENCH_POSTGRES_FILES_H
#define BENCH_POSTGRES_FILES_H

#include <stdbool.h>

enum { POSTGRES_PATH = 256 };

/* That of the newest version. name: "bin/pgbench". False: there is none, and path is what it was. */
bool postgres_file(const char *name, char path[POSTGRES_PATH]);

/* A program, from there or from PATH. False: there is none; which Debian package to install has been reported. */
bool postgres_program(const char *name, const char *package, char path[POSTGRES_PATH]);

#endif
