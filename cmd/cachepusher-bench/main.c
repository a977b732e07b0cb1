#include "commands.h"
#include "fatal.h"
#include "options.h"
#include "report/plot.h"
#include "report/report.h"
#include "servers/servers.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_USAGE = 2 };

/* one of the two is set; the second needs no servers */
static const struct command {
    const char *name;
    void (*with_servers)(struct servers *, const struct options *, struct report *);
    void (*alone)(const struct options *, struct report *);
    bool (*is_possible)(const struct options *); /* NULL: always */
    bool (*plot)(const struct report *, const char *);
} commands[] = {
    {"warmup", bench_warmup, NULL, warmup_is_possible, plot_warmup},
    {"latency", bench_latency, NULL, latency_is_possible, plot_latency},
    {"burst", bench_burst, NULL, burst_is_possible, NULL},
    {"source-cost", bench_source_cost, NULL, source_cost_is_possible, NULL},
    {"ring", NULL, bench_ring, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static const struct command *find_command(const char *name)
{
    const struct command *command = commands;
    while (command->name != NULL && strcmp(command->name, name) != 0) {
        command++;
    }
    return command->name == NULL ? NULL : command;
}

/* Fails before minutes are spent on a report that cannot be written. Removes a file that it has created. */
static bool can_write(const char *flag, const char *path)
{
    if (path == NULL || strcmp(path, "-") == 0) {
        return true;
    }
    bool is_there = access(path, F_OK) == 0;
    FILE *file = fopen(path, "a");
    if (file == NULL || fclose(file) != 0) {
        complain("%s %s: %s", flag, path, strerror(errno));
        return false;
    }
    if (!is_there) {
        unlink(path);
    }
    return true;
}

static bool run(const struct command *command, const struct options *options, int argc, char **argv)
{
    struct servers servers;
    bool has_servers = command->with_servers != NULL;
    if (has_servers && !servers_open(&servers, options, argv)) {
        return false;
    }
    struct report *report = report_create(command->name, argc, argv);
    if (options->json != NULL && strcmp(options->json, "-") == 0) {
        report_silence(report);
    }
    if (has_servers) {
        report_servers(report, servers.postgres_version, servers.redis_version);
        command->with_servers(&servers, options, report);
    } else {
        command->alone(options, report);
    }
    bool ok = options->json == NULL || report_write_json(report, options->json);
    ok = (options->plot == NULL || command->plot(report, options->plot)) && ok;
    report_destroy(report);
    return (!has_servers || servers_close()) && ok;
}

int main(int argc, char **argv)
{
    struct options options;
    switch (options_parse(argc, argv, &options)) {
    case OPTIONS_DONE:
        return EXIT_SUCCESS;
    case OPTIONS_WRONG:
        return EXIT_USAGE;
    case OPTIONS_RUN:
        break;
    }
    const struct command *command = find_command(options.command);
    if (command == NULL || !can_write("--json", options.json) || !can_write("--plot", options.plot) ||
        (options.plot != NULL && !plot_is_possible()) ||
        (command->is_possible != NULL && !command->is_possible(&options))) {
        return EXIT_FAILURE;
    }
    signal(SIGPIPE, SIG_IGN); /* from a server that is gone: the error message says more */
    bool ok = run(command, &options, argc, argv);
    if (fflush(stdout) == EOF || ferror(stdout) != 0) {
        complain("standard output cannot be written");
        ok = false;
    }
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
