#include "fatal.h"
#include "servers/process.h"

#include <ctype.h>
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct relative {
    pid_t pid;
    pid_t parent;
    unsigned long long ticks; /* its own and of the children it has waited for */
    bool counted;
};

struct family {
    struct relative *items;
    size_t count;
    size_t capacity;
};

/* proc(5): the name, in parentheses, can hold anything, so that fields are counted from its end. False: it has ended.
 */
static bool read_stat(pid_t pid, struct relative *relative)
{
    char path[64];
    char line[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return false;
    }
    size_t length = fread(line, 1, sizeof line - 1, file);
    fclose(file);
    line[length] = '\0';
    const char *fields = strrchr(line, ')');
    int parent;
    unsigned long long user;
    unsigned long long system;
    unsigned long long children_user;
    unsigned long long children_system;
    if (fields == NULL || sscanf(fields, ") %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %llu %llu", &parent,
                                 &user, &system, &children_user, &children_system) != 5) {
        return false;
    }
    *relative =
        (struct relative){.pid = pid, .parent = parent, .ticks = user + system + children_user + children_system};
    return true;
}

static void add(struct family *family, const struct relative *relative)
{
    if (family->count == family->capacity) {
        family->capacity = family->capacity == 0 ? 256 : 2 * family->capacity;
        struct relative *items = realloc(family->items, family->capacity * sizeof *items);
        if (items == NULL) {
            fatal("out of memory");
        }
        family->items = items;
    }
    family->items[family->count++] = *relative;
}

static void read_all(struct family *family)
{
    DIR *directory = opendir("/proc");
    if (directory == NULL) {
        fatal("/proc cannot be read: mount -t proc proc /proc");
    }
    struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        struct relative relative;
        if (isdigit((unsigned char)entry->d_name[0]) && read_stat(atoi(entry->d_name), &relative)) {
            add(family, &relative);
        }
    }
    closedir(directory);
}

/* Its own and its descendants'. */
static unsigned long long sum(struct family *family, pid_t pid)
{
    unsigned long long ticks = 0;
    for (size_t i = 0; i < family->count; i++) {
        struct relative *relative = &family->items[i];
        if (relative->counted) {
            continue;
        }
        if (relative->pid == pid) {
            relative->counted = true;
            ticks += relative->ticks;
        } else if (relative->parent == pid) {
            ticks += sum(family, relative->pid);
        }
    }
    return ticks;
}

double process_tree_cpu_s(pid_t pid)
{
    if (pid == 0) {
        return 0;
    }
    struct family family = {0};
    read_all(&family);
    unsigned long long ticks = sum(&family, pid);
    free(family.items);
    return (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

/* ---- memory ---- */

static double read_status_mib(pid_t pid, const char *name)
{
    char path[64];
    char line[256];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "r");
    double mib = NAN;
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0) {
            mib = strtod(line + strlen(name), NULL) / 1024;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return mib;
}

double process_resident_mib(pid_t pid)
{
    return read_status_mib(pid, "VmRSS:");
}

double process_peak_mib(pid_t pid)
{
    return read_status_mib(pid, "VmHWM:");
}
