/* The socket that the admin server listens at. */
#ifndef CMD_ADMIN_LISTEN_H
#define CMD_ADMIN_LISTEN_H

#include <stdbool.h>
#include <sys/types.h>

struct listen_socket {
    int fd;       /* -1: none */
    char *path;   /* of a Unix socket, from malloc; NULL for TCP */
    dev_t device; /* where that is, and which: it may have been replaced by somebody else's */
    ino_t inode;
    bool is_loopback;
};

/* See admin_open(). False: the reason has been told. */
bool listen_open(struct listen_socket *socket, const char *address);

/* Closes it unless fd has been given away (-1), and removes the path. */
void listen_close(struct listen_socket *socket);

#endif
