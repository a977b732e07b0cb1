#include "sources/source.h"

#include "fatal.h"
#include "servers/postgres_files.h"

#include <stddef.h>
#include <string.h>

static const char *const source_names[SOURCES] = {[SOURCE_NOTIFY] = "notify",
                                                  [SOURCE_MESSAGES] = "messages",
                                                  [SOURCE_TABLES] = "tables",
                                                  [SOURCE_WAL2JSON] = "wal2json"};

const char *source_name(enum source source)
{
    return source_names[source];
}

bool sources_parse(const char *names, bool chosen[SOURCES])
{
    memset(chosen, 0, SOURCES * sizeof *chosen);
    for (;;) {
        size_t length = strcspn(names, ",");
        int source = 0;
        while (source < SOURCES &&
               (strlen(source_names[source]) != length || strncmp(source_names[source], names, length) != 0)) {
            source++;
        }
        if (source == SOURCES) {
            return false;
        }
        chosen[source] = true;
        if (names[length] == '\0') {
            return true;
        }
        names += length + 1;
    }
}

bool sources_are_possible(const bool chosen[SOURCES])
{
    char path[POSTGRES_PATH];
    if (!chosen[SOURCE_WAL2JSON]) {
        return true;
    }
    if (!postgres_file("lib/wal2json.so", path)) {
        complain(
            "wal2json is missing (Debian: postgresql-15-wal2json); --sources notify,messages,tables leaves it out");
        return false;
    }
    return postgres_program("pg_recvlogical", "postgresql-client", path);
}
