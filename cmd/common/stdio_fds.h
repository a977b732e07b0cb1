#ifndef CMD_STDIO_FDS_H
#define CMD_STDIO_FDS_H

/* Makes sure that descriptors 0 to 2 are open, before any other is: else a socket or a file would get one of these
 * numbers, and what is meant for stdout or stderr would be written into it. One that was closed can be neither read
 * from nor written to afterwards, so that whoever prints finds out. */
void stdio_make_sure(void);

#endif
