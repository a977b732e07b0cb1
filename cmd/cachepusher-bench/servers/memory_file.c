#include "servers/memory_file.h"

#include "fatal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void memory_file_create(struct memory_file *file, const char *text)
{
    size_t length = strlen(text);
    file->fd = memfd_create("cachepusher-bench", MFD_CLOEXEC);
    if (file->fd < 0 || write(file->fd, text, length) != (ssize_t)length) {
        fatal("a file in memory: %s", strerror(errno));
    }
    snprintf(file->path, sizeof file->path, "/proc/%d/fd/%d", (int)getpid(), file->fd);
}

void memory_file_close(struct memory_file *file)
{
    close(file->fd);
    file->fd = -1;
}
