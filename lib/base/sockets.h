/*
 * Which sockets a syncer has open to its servers, for one purpose: a forked child has copies of them, and while it has,
 * the servers do not notice when the parent dies.
 */
#ifndef CPI_SOCKETS_H
#define CPI_SOCKETS_H

#include <pthread.h>
#include <sys/types.h>

/* Two for each of 64 workers, as many for a verification, and those of the other threads. */
enum { CPI_SOCKETS_MAX = 320 };

struct cpi_sockets {
    pthread_mutex_t mutex;
    struct cpi_socket {
        unsigned fd; /* plus one; 0: free */
        ino_t inode; /* a socket's own: the same number may be another file by now */
    } slots[CPI_SOCKETS_MAX];
};

void cpi_sockets_init(struct cpi_sockets *sockets);
void cpi_sockets_fini(struct cpi_sockets *sockets);

/* Any thread. Notes an open socket; the result is for cpi_sockets_remove(), before it is closed. 0: there is no room,
 * and it is not noted. */
unsigned cpi_sockets_add(struct cpi_sockets *sockets, int fd);
void cpi_sockets_remove(struct cpi_sockets *sockets, unsigned note);

/* In a forked child only: closes its copies, which says nothing to the servers. Waits for nobody: the thread that had
 * the mutex may not be in this process. */
void cpi_sockets_close_copies(struct cpi_sockets *sockets);

#endif
