#ifndef CMD_DETACH_H
#define CMD_DETACH_H

#include <stdbool.h>

/*
 * Going into the background. The process that the user has started stays until the daemon tells it how its start went,
 * and exits with that; till then the daemon keeps the terminal's stderr for its complaints.
 */
struct detach {
    int status_fd; /* -1: not detached, or told already */
};

enum detach_side { DETACH_DAEMON, DETACH_PARENT };

/* Forks: call it before there are threads, temporary files or handlers. In the parent it returns once the daemon has
 * told, with *exit_code set; in the daemon at once. The daemon's directory is "/". When `wanted` is false, nothing
 * happens and the caller is the daemon. */
enum detach_side detach_begin(struct detach *detach, bool wanted, int *exit_code);

/* The daemon works: lets go of the parent and the terminal. From now on stderr is log_fd, or nothing when that is -1.
 * Nothing when called again. False: the parent has been interrupted and nobody wants the daemon any more. */
bool detach_started(struct detach *detach, int log_fd);

/* Whether a parent still waits. */
bool detach_is_pending(const struct detach *detach);

/* The daemon ends without having started; EXIT_DONE, too, is a failure to whoever waits for one. Nothing after
 * detach_started(). */
void detach_failed(struct detach *detach, int exit_code);

#endif
