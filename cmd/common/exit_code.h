#ifndef CMD_EXIT_CODE_H
#define CMD_EXIT_CODE_H

/* Scripts and service managers rely on these; help.c lists them. A second signal kills: 128 + its number in a shell. */
enum exit_code { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* Of verify, for which a bad command line is one more reason why it cannot tell. */
enum verify_exit_code { EXIT_EQUAL = 0, EXIT_DIFFERS = 1, EXIT_CANNOT_TELL = 2 };

#endif
