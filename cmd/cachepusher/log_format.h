#ifndef CMD_LOG_FORMAT_H
#define CMD_LOG_FORMAT_H

#include "cachepusher.h"
#include "common/escape.h"

/* A message of the log as a line, or as what the journal takes (journal.h); none of them ends with a newline. */

enum { LINE_BYTES = 4096 };

extern const char *const log_level_names[];
extern const int log_priorities[]; /* of syslog(3) */

void format_text(struct text *line, const cp_log_entry *entry);
void format_json(struct text *line, const cp_log_entry *entry);
void format_journal(struct text *line, const cp_log_entry *entry);

#endif
