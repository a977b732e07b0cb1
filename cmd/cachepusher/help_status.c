/* --help of the commands that ask a daemon. */
#include "help.h"

#define AT                                                                                                             \
    "  --admin ADDRESS      where the daemon answers: HOST:PORT, :PORT or unix:PATH, as given to run\n"                \
    "                       (default: $CP_ADMIN, else unix:/run/cachepusher/admin.sock)\n"

const struct help_parts help_of_status = {
    .usage = "usage: cachepusher status [OPTION...]\n"
             "\n"
             "Shows what a daemon that runs with --admin is doing: its state and what is in the way, how far it\n"
             "is behind, what waits in each lane, what each thread does, and what fails.\n"
             "\n",
    .work = AT "  --watch              again each second, in place, with rates; Ctrl-C ends it\n"
               "  --json               print what the daemon says, as one JSON object\n"
               "\n",
    .log = "",
    .rest = "Exit codes: 0 ready, or standing by; 1 not ready; 2 the daemon does not answer, or bad usage.\n"
            "\n"
            "Examples:\n"
            "  cachepusher status --watch\n"
            "  cachepusher status --admin :9464 --json | jq .state\n",
};

const struct help_parts help_of_parked = {
    .usage = "usage: cachepusher parked [OPTION...]\n"
             "\n"
             "Lists ids whose document cannot be read, or is refused by Redis, with the reason. The daemon tries\n"
             "them again by itself, less and less often; --retry has it done now, say once a function is mended.\n"
             "\n",
    .work = AT "  --entity NAME        only those of an entity\n"
               "  --id ID              only this one\n"
               "  --retry              have those that are listed tried again now\n"
               "  --json               print one JSON object\n"
               "\n",
    .log = "",
    .rest = "Exit codes: 0 nothing fails; 1 something does; 2 the daemon does not answer, or bad usage.\n"
            "\n"
            "Examples:\n"
            "  cachepusher parked --entity customer\n"
            "  cachepusher parked --retry --admin :9464\n",
};
