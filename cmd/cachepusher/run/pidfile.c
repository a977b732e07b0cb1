#include "run/pidfile.h"

#include "common/complain.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CONTENT_BYTES = 32, TRIES = 100 };

enum verdict { LOCKED, AGAIN, REFUSED };

static bool read_content(int fd, char *content)
{
    ssize_t length = pread(fd, content, CONTENT_BYTES - 1, 0);
    content[length > 0 ? length : 0] = '\0';
    return length != -1;
}

/* Empty, or a number and a newline: anything else is a file that somebody named by mistake. */
static bool is_pid(const char *content)
{
    size_t digits = strspn(content, "0123456789");
    return strspn(content + digits, "\n") == strlen(content + digits);
}

static enum verdict refuse_live(const char *path, int fd)
{
    char content[CONTENT_BYTES];
    if (errno != EWOULDBLOCK) {
        complain("--pidfile: %s: cannot be locked: %s", path, strerror(errno));
    } else if (read_content(fd, content) && atol(content) > 0) {
        complain("--pidfile: %s: already running, as process %ld", path, atol(content));
    } else {
        complain("--pidfile: %s: already running", path);
    }
    return REFUSED;
}

/* Between our open() and our lock the file's owner may have removed it; the lock would then be on a file that nobody
 * else can see. */
static bool is_in_place(const char *path, int fd)
{
    struct stat ours;
    struct stat there;
    return fstat(fd, &ours) == 0 && stat(path, &there) == 0 && ours.st_dev == there.st_dev &&
           ours.st_ino == there.st_ino;
}

static enum verdict lock(const char *path, int fd)
{
    struct stat status;
    char content[CONTENT_BYTES];
    if (fstat(fd, &status) == -1 || !S_ISREG(status.st_mode)) {
        complain("--pidfile: %s: not a regular file", path);
        return REFUSED;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) == -1) {
        return refuse_live(path, fd);
    }
    if (!is_in_place(path, fd)) {
        return AGAIN;
    }
    if (!read_content(fd, content) || !is_pid(content)) {
        complain("--pidfile: %s: holds something other than a process id; left alone", path);
        return REFUSED;
    }
    return LOCKED;
}

static bool write_pid(const char *path, int fd)
{
    char content[CONTENT_BYTES];
    int length = snprintf(content, sizeof content, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) == 0 && pwrite(fd, content, (size_t)length, 0) == length) {
        return true;
    }
    complain("--pidfile: %s: %s", path, strerror(errno));
    unlink(path);
    return false;
}

bool pidfile_open(struct pidfile *pidfile, const char *path)
{
    *pidfile = (struct pidfile){.fd = -1};
    for (int i = 0; path != NULL && i < TRIES; i++) {
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);
        if (fd == -1) {
            complain("--pidfile: %s: %s", path, strerror(errno));
            return false;
        }
        enum verdict verdict = lock(path, fd);
        if (verdict == LOCKED && write_pid(path, fd)) {
            *pidfile = (struct pidfile){.path = path, .fd = fd};
            return true;
        }
        close(fd);
        if (verdict != AGAIN) {
            return false;
        }
    }
    if (path != NULL) {
        complain("--pidfile: %s: comes and goes", path);
    }
    return path == NULL;
}

void pidfile_close(struct pidfile *pidfile)
{
    if (pidfile->path != NULL) {
        unlink(pidfile->path); /* while the lock is held: later it could be a successor's */
        close(pidfile->fd);
        *pidfile = (struct pidfile){.fd = -1};
    }
}
