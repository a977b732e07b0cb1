#include "base/secret.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void find(const char *path, char found[PATH_MAX])
{
    const char *credentials = getenv("CREDENTIALS_DIRECTORY");
    if (*path != '/' && credentials != NULL && *credentials != '\0') {
        snprintf(found, PATH_MAX, "%s/%s", credentials, path);
    } else {
        snprintf(found, PATH_MAX, "%s", path);
    }
}

/* What the file holds, as far as there is room; -1: errno says why. */
static ssize_t read_all(int fd, char *buffer, size_t size)
{
    size_t length = 0;
    ssize_t n = 1;
    while (length < size && n != 0) {
        n = read(fd, buffer + length, size - length);
        if (n == -1 && errno != EINTR) {
            return -1;
        }
        length += n > 0 ? (size_t)n : 0;
    }
    return (ssize_t)length;
}

/* Of what was read, the first line; what is wrong with it, or NULL. */
static const char *cut_line(char *password, size_t length)
{
    char *end = memchr(password, '\n', length);
    if (end == NULL && length == CPI_SECRET_BYTES) {
        return "its first line is longer than a password";
    }
    password[end != NULL ? (size_t)(end - password) : length] = '\0';
    if (end != NULL ? strlen(password) != (size_t)(end - password) : strlen(password) != length) {
        return "there is a zero byte in its first line";
    }
    return password[0] == '\0' ? "its first line is empty" : NULL;
}

cp_code cpi_secret_read(const char *setting, const char *path, char password[CPI_SECRET_BYTES], bool *is_open,
                        cp_error *err)
{
    char found[PATH_MAX];
    struct stat status = {0};
    find(path, found);
    int fd = open(found, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t length = fd != -1 ? read_all(fd, password, CPI_SECRET_BYTES) : -1;
    const char *wrong = length == -1 ? strerror(errno) : cut_line(password, (size_t)length);
    if (fd != -1) {
        fstat(fd, &status);
        close(fd);
    }
    if (is_open != NULL) {
        *is_open = (status.st_mode & S_IROTH) != 0;
    }
    return wrong == NULL ? CP_OK : cpi_error(err, CP_ERR_CONFIG, true, "%s: %s: %s", setting, found, wrong);
}

void cpi_secret_wipe(char password[CPI_SECRET_BYTES])
{
    explicit_bzero(password, CPI_SECRET_BYTES);
}
