#include "fault.h"

#include <signal.h>
#include <string.h>

static const struct fault *const parts[] = {daemon_faults,   redis_faults, failover_faults,
                                            postgres_faults, link_faults,  wal_faults};

const struct fault *fault_at(size_t index)
{
    for (size_t part = 0; part < sizeof parts / sizeof *parts; part++) {
        for (const struct fault *fault = parts[part]; fault->name != NULL; fault++) {
            if (index-- == 0) {
                return fault;
            }
        }
    }
    return NULL;
}

size_t fault_count(void)
{
    size_t count = 0;
    while (fault_at(count) != NULL) {
        count++;
    }
    return count;
}

const struct fault *fault_find(const char *name, size_t length)
{
    const struct fault *fault;
    for (size_t i = 0; (fault = fault_at(i)) != NULL; i++) {
        if (strlen(fault->name) == length && strncmp(fault->name, name, length) == 0) {
            return fault;
        }
    }
    return NULL;
}

void strike_stop(struct strike *strike, pid_t pid)
{
    if (strike->stopped_count < (int)(sizeof strike->stopped / sizeof *strike->stopped) && kill(pid, SIGSTOP) == 0) {
        strike->stopped[strike->stopped_count++] = pid;
    }
}

void strike_continue(struct strike *strike)
{
    while (strike->stopped_count > 0) {
        kill(strike->stopped[--strike->stopped_count], SIGCONT);
    }
}
