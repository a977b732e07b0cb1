#ifndef CMD_PIDFILE_H
#define CMD_PIDFILE_H

#include <stdbool.h>

/*
 * A file that holds our process id, locked as long as we live. The lock tells whether the process is alive, not the
 * number in the file: that one may long be another program's.
 */
struct pidfile {
    const char *path; /* NULL: none is wanted */
    int fd;
};

/* `path` may be NULL and has to outlive the pidfile. Takes over a file that a dead process has left. Call it after the
 * last fork. False: the reason has been told. */
bool pidfile_open(struct pidfile *pidfile, const char *path);

/* Removes the file. */
void pidfile_close(struct pidfile *pidfile);

#endif
