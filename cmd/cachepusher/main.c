#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "cachepusher.h"

#include "commands.h"
#include "common/complain.h"
#include "common/exit_code.h"
#include "common/stdio_fds.h"
#include "help.h"
#include "options.h"

/* 1 would mean: differs, or is not ready. */
static int exit_code_failed(enum command command)
{
    bool compares = command == COMMAND_VERIFY || command == COMMAND_STATUS || command == COMMAND_PARKED;
    return compares ? (int)EXIT_CANNOT_TELL : (int)EXIT_FAILED;
}

static int execute(const struct options *options)
{
    cp_config *config = NULL;
    char why[WHY_BYTES];
    bool asks = options->command == COMMAND_STATUS || options->command == COMMAND_PARKED; /* whoever is configured */
    enum options_verdict verdict = asks ? OPTIONS_GO : options_make_config(options, &config, why);
    if (verdict != OPTIONS_GO) {
        complain("%s", why);
        cp_config_destroy(config);
        return verdict == OPTIONS_FAILED ? exit_code_failed(options->command) : EXIT_USAGE;
    }
    static int (*const commands[])(const struct options *, cp_config *) = {
        [COMMAND_RUN] = run,          [COMMAND_WARMUP] = warmup,     [COMMAND_VERIFY] = verify,
        [COMMAND_SETUP] = setup,      [COMMAND_TEARDOWN] = teardown, [COMMAND_SLOT] = slot,
        [COMMAND_DOCTOR] = doctor,    [COMMAND_STATUS] = status,     [COMMAND_PARKED] = parked,
        [COMMAND_GENERATE] = generate};
    return commands[options->command](options, config);
}

static void print_version(void)
{
    printf("cachepusher %s\n", cp_version());
}

static int run_command(enum command command, int argc, char **argv)
{
    struct options options;
    int exit_code = EXIT_USAGE;
    switch (options_parse(command, argc, argv, &options)) {
    case OPTIONS_GO:
        exit_code = execute(&options);
        break;
    case OPTIONS_HELP:
        help_print_short(command);
        exit_code = EXIT_DONE;
        break;
    case OPTIONS_HELP_ALL:
        help_print_command(command);
        exit_code = EXIT_DONE;
        break;
    case OPTIONS_VERSION:
        print_version();
        exit_code = EXIT_DONE;
        break;
    case OPTIONS_FAILED:
        exit_code = exit_code_failed(command);
        break;
    case OPTIONS_WRONG:
        break;
    }
    options_fini(&options);
    return exit_code;
}

/* COMMANDS if there is none of that name. */
static enum command find_command(const char *name)
{
    unsigned command = 0;
    while (command < COMMANDS && strcmp(name, command_name((enum command)command)) != 0) {
        command++;
    }
    return (enum command)command;
}

static int dispatch(int argc, char **argv)
{
    const char *first = argc > 1 ? argv[1] : "";
    bool wants_help = strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0 || strcmp(first, "help") == 0;
    bool wants_version = strcmp(first, "--version") == 0 || strcmp(first, "-V") == 0;
    enum command command = find_command(first);
    if (command != COMMANDS) {
        return run_command(command, argc - 1, argv + 1);
    }
    if (strcmp(first, "help") == 0 && argc == 3 && find_command(argv[2]) != COMMANDS) {
        help_print_short(find_command(argv[2]));
        return EXIT_DONE;
    }
    if (wants_help || wants_version) {
        if (argc > 2) {
            complain("%s: expected %s behind it; try 'cachepusher --help'", first,
                     strcmp(first, "help") == 0 ? "nothing, or a command," : "nothing");
            return EXIT_USAGE;
        }
        if (wants_help) {
            help_print();
        } else {
            print_version();
        }
        return EXIT_DONE;
    }
    if (argc < 2) {
        complain("expected a command; try 'cachepusher --help'");
    } else {
        /* Not all of what may be a connection string. */
        complain("%.*s: %s; try 'cachepusher --help'", (int)strcspn(first, "=:@"), first,
                 *first == '-' ? "expected a command before any option" : "not a command");
    }
    return EXIT_USAGE;
}

/* The system is to have back what a burst needed: left alone, glibc takes the first large block that is freed for a
 * sign that such blocks had better be kept (mallopt(3), M_MMAP_THRESHOLD). Sets of a million ids are larger than this,
 * the buffers of an ordinary batch smaller. */
static void keep_memory_low(void)
{
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, 1024 * 1024);
    mallopt(M_TRIM_THRESHOLD, 512 * 1024); /* the former would leave it at 128 KiB, about a batch, for each thread */
#endif
}

int main(int argc, char **argv)
{
    stdio_make_sure();
    keep_memory_low();
    int exit_code = dispatch(argc, argv);
    bool is_verify = argc > 1 && strcmp(argv[1], "verify") == 0;

    /* 1 of verify is a report, too. */
    if ((fflush(stdout) == EOF || ferror(stdout) != 0) && (exit_code == EXIT_DONE || (is_verify && exit_code == 1))) {
        complain("cannot write to stdout");
        exit_code = is_verify ? (int)EXIT_CANNOT_TELL : (int)EXIT_FAILED;
    }
    return exit_code;
}
