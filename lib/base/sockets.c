#include "base/sockets.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void cpi_sockets_init(struct cpi_sockets *sockets)
{
    memset(sockets, 0, sizeof *sockets);
    pthread_mutex_init(&sockets->mutex, NULL);
}

void cpi_sockets_fini(struct cpi_sockets *sockets)
{
    pthread_mutex_destroy(&sockets->mutex);
}

unsigned cpi_sockets_add(struct cpi_sockets *sockets, int fd)
{
    struct stat file;
    if (fd < 0 || fstat(fd, &file) != 0) {
        return 0;
    }
    unsigned i = 0;
    pthread_mutex_lock(&sockets->mutex);
    while (i < CPI_SOCKETS_MAX && sockets->slots[i].fd != 0) {
        i++;
    }
    if (i < CPI_SOCKETS_MAX) {
        sockets->slots[i] = (struct cpi_socket){.fd = (unsigned)fd + 1, .inode = file.st_ino};
    }
    pthread_mutex_unlock(&sockets->mutex);
    return i < CPI_SOCKETS_MAX ? i + 1 : 0;
}

void cpi_sockets_remove(struct cpi_sockets *sockets, unsigned note)
{
    if (note == 0) {
        return;
    }
    pthread_mutex_lock(&sockets->mutex);
    sockets->slots[note - 1] = (struct cpi_socket){0};
    pthread_mutex_unlock(&sockets->mutex);
}

void cpi_sockets_close_copies(struct cpi_sockets *sockets)
{
    for (unsigned i = 0; i < CPI_SOCKETS_MAX; i++) {
        int fd = (int)sockets->slots[i].fd - 1;
        struct stat file;
        if (fd >= 0 && fstat(fd, &file) == 0 && S_ISSOCK(file.st_mode) && file.st_ino == sockets->slots[i].inode) {
            close(fd);
        }
    }
}
