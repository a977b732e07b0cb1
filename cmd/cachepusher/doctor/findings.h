/* What the doctor has found: a line a point as soon as it is known, or one JSON object. */
#ifndef CMD_DOCTOR_FINDINGS_H
#define CMD_DOCTOR_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>

enum verdict { VERDICT_OK, VERDICT_WARNING, VERDICT_WRONG, VERDICTS };

struct findings {
    bool as_json;
    bool has_colours;
    const char *group;       /* that the next point belongs to */
    bool is_group_told;      /* its heading has been printed */
    size_t counts[VERDICTS]; /* of the points so far */
};

void findings_begin(struct findings *findings, bool as_json);

/* Of a static name. */
void findings_group(struct findings *findings, const char *group);

/* cure: a command, or what else mends it; NULL: none is known, or none is needed. */
void findings_add(struct findings *findings, enum verdict verdict, const char *point, const char *cure,
                  const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Prints the summary. Returns the program's exit code. */
int findings_end(const struct findings *findings);

#endif
