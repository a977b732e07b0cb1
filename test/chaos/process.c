#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { MAX_ARGUMENTS = 64 };

static const char server_user[] = "postgres";

static bool is_other_user(enum process_user user)
{
    return user == AS_SERVER && geteuid() == 0;
}

void process_start(struct process *process, const char *log, enum process_user user, const char *const *argv)
{
    static const char *const apart[] = {"setpriv", "--pdeathsig", "KILL"};
    static const char dashes[] = "--";
    static const char *const other[] = {"--reuid", server_user, "--regid", server_user, "--init-groups"};
    char *words[MAX_ARGUMENTS];
    size_t count = 0;
    for (size_t i = 0; i < sizeof apart / sizeof *apart; i++) {
        words[count++] = (char *)(uintptr_t)apart[i];
    }
    for (size_t i = 0; i < sizeof other / sizeof *other && is_other_user(user); i++) {
        words[count++] = (char *)(uintptr_t)other[i];
    }
    words[count++] = (char *)(uintptr_t)dashes;
    for (size_t i = 0; argv[i] != NULL; i++) {
        if (count + 1 == MAX_ARGUMENTS) {
            die("too many arguments for %s", argv[0]);
        }
        words[count++] = (char *)(uintptr_t)argv[i];
    }
    words[count] = NULL;

    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log, O_WRONLY | O_CREAT | O_APPEND, 0644);
    posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    posix_spawn_file_actions_addchdir_np(&actions, "/");
    posix_spawnattr_t attributes; /* a session of its own: Ctrl-C is for us alone; and we ignore SIGPIPE, it does not */
    posix_spawnattr_init(&attributes);
    sigset_t defaults;
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF);

    FORMAT(process->log, "%s", log);
    process->status = 0;
    int failed = posix_spawnp(&process->pid, words[0], &actions, &attributes, words, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (failed != 0) {
        die("cannot start %s: %s", argv[0], strerror(failed));
    }
}

static bool has_ended(void *context)
{
    struct process *process = context;
    if (process->pid != 0 && waitpid(process->pid, &process->status, WNOHANG) == process->pid) {
        process->pid = 0;
    }
    return process->pid == 0;
}

bool process_is_running(struct process *process)
{
    return !has_ended(process);
}

bool process_wait(struct process *process, int timeout_ms)
{
    return wait_until(has_ended, process, timeout_ms);
}

void process_signal(const struct process *process, int signal_number)
{
    if (process->pid != 0 && kill(process->pid, signal_number) != 0) {
        die("signal %d: %s", signal_number, strerror(errno));
    }
}

void process_kill(struct process *process)
{
    process_signal(process, SIGKILL);
    if (!process_wait(process, 10000)) {
        die("kill -9 has no effect");
    }
}

void process_run(const char *log, enum process_user user, const char *const *argv)
{
    struct process process = {0};
    process_start(&process, log, user, argv);
    if (!process_wait(&process, 60000) || process.status != 0) {
        char how[64];
        die("%s failed: %s; see %s", argv[0], process_ending(&process, how, sizeof how), log);
    }
}

const char *process_ending(const struct process *process, char *buffer, size_t size)
{
    if (WIFSIGNALED(process->status)) {
        snprintf(buffer, size, "signal %d", WTERMSIG(process->status));
    } else {
        snprintf(buffer, size, "exit code %d", WEXITSTATUS(process->status));
    }
    return buffer;
}

void make_directory(const char *path)
{
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        die("mkdir %s: %s", path, strerror(errno));
    }
    if (is_other_user(AS_SERVER)) {
        const struct passwd *user = getpwnam(server_user);
        if (user == NULL || chown(path, user->pw_uid, user->pw_gid) != 0) {
            die("chown %s: %s", path, strerror(errno));
        }
    }
}
