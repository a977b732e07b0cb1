#include "run/detach.h"

#include "common/complain.h"
#include "common/exit_code.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The first child only leads the new session; the daemon, which does not, can never acquire a terminal. */
static pid_t fork_twice(void)
{
    pid_t child = fork();
    if (child != 0) {
        return child;
    }
    setsid();
    pid_t daemon = fork();
    if (daemon == -1) {
        complain("cannot detach: %s", strerror(errno));
    }
    if (daemon != 0) {
        _exit(daemon == -1 ? EXIT_FAILED : EXIT_DONE);
    }
    return 0;
}

static int wait_for_daemon(int status_fd, pid_t child)
{
    unsigned char status = EXIT_FAILED;
    ssize_t length;
    int child_status;
    while (waitpid(child, &child_status, 0) == -1 && errno == EINTR) {
    }
    do {
        length = read(status_fd, &status, sizeof status);
    } while (length == -1 && errno == EINTR);
    if (length != 1 && WIFEXITED(child_status) && WEXITSTATUS(child_status) == EXIT_DONE) {
        complain("the daemon died while starting");
    }
    return status;
}

static void leave_terminal(int status_fd)
{
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null_fd != -1) {
        dup2(null_fd, STDIN_FILENO);
        dup2(null_fd, STDOUT_FILENO);
        close(null_fd);
    }
    if (chdir("/") == -1) {
        complain("cannot change to /: %s", strerror(errno));
        detach_failed(&(struct detach){.status_fd = status_fd}, EXIT_FAILED);
        _exit(EXIT_FAILED);
    }
}

enum detach_side detach_begin(struct detach *detach, bool wanted, int *exit_code)
{
    int fds[2];
    detach->status_fd = -1;
    if (!wanted) {
        return DETACH_DAEMON;
    }
    *exit_code = EXIT_FAILED;
    if (pipe2(fds, O_CLOEXEC) == -1) {
        complain("cannot detach: %s", strerror(errno));
        return DETACH_PARENT;
    }
    fflush(NULL); /* what is buffered would be written by both */
    pid_t child = fork_twice();
    if (child == 0) {
        close(fds[0]);
        detach->status_fd = fds[1];
        leave_terminal(fds[1]);
        return DETACH_DAEMON;
    }
    close(fds[1]);
    if (child == -1) {
        complain("cannot detach: %s", strerror(errno));
    } else {
        *exit_code = wait_for_daemon(fds[0], child);
    }
    close(fds[0]);
    return DETACH_PARENT;
}

/* With SIGPIPE ignored, a parent that is gone is an error of write(). */
static bool tell(struct detach *detach, int exit_code)
{
    unsigned char status = (unsigned char)exit_code;
    ssize_t length;
    do {
        length = write(detach->status_fd, &status, sizeof status);
    } while (length == -1 && errno == EINTR);
    close(detach->status_fd);
    detach->status_fd = -1;
    return length == 1;
}

bool detach_started(struct detach *detach, int log_fd)
{
    if (detach->status_fd == -1) {
        return true;
    }
    int fd = log_fd != -1 ? log_fd : open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (fd != -1) {
        dup2(fd, STDERR_FILENO);
    }
    if (fd != log_fd) {
        close(fd);
    }
    return tell(detach, EXIT_DONE);
}

bool detach_is_pending(const struct detach *detach)
{
    return detach->status_fd != -1;
}

void detach_failed(struct detach *detach, int exit_code)
{
    if (detach->status_fd != -1) {
        tell(detach, exit_code == EXIT_DONE ? EXIT_FAILED : exit_code);
    }
}
