#include "servers/postgres_files.h"

#include "servers/process.h"

#include <glob.h>
#include <stdio.h>
#include <string.h>

bool postgres_file(const char *name, char path[POSTGRES_PATH])
{
    char pattern[POSTGRES_PATH];
    glob_t found = {0};
    snprintf(pattern, sizeof pattern, "/usr/lib/postgresql/*/%s", name);
    bool is_there = glob(pattern, 0, NULL, &found) == 0;
    if (is_there) {
        const char *newest = found.gl_pathv[0];
        for (size_t i = 1; i < found.gl_pathc; i++) {
            newest = strverscmp(found.gl_pathv[i], newest) > 0 ? found.gl_pathv[i] : newest;
        }
        snprintf(path, POSTGRES_PATH, "%s", newest);
    }
    globfree(&found);
    return is_there;
}

bool postgres_program(const char *name, const char *package, char path[POSTGRES_PATH])
{
    char below[POSTGRES_PATH];
    snprintf(below, sizeof below, "bin/%s", name);
    snprintf(path, POSTGRES_PATH, "%s", name);
    return postgres_file(below, path) || process_is_installed(name, package);
}
