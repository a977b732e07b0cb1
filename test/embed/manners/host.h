/* What the cases of a host share: a syncer of the customer example, and statements and commands by psql and redis-cli.
 * Whatever is not as it should be ends the program. */
#ifndef HOST_H
#define HOST_H

#include <cachepusher.h>

void expect(bool so, const char *what);
void check(cp_code code, const cp_error *err);

int64_t deadline_ms(void);
void wait_more(int64_t until_ms, const char *what);

void sql(const char *statements);
void wait_for_sql(const char *condition);
void redis(const char *command);
void wait_for_redis(const char *command, const char *answer);

cp_config *make_config(void);

/* Created, started and ready. config is the syncer's. */
cp_syncer *run_with(cp_config *config, const cp_callbacks *callbacks);
cp_syncer *run_syncer(const cp_callbacks *callbacks);

/* Renames a customer, and waits until Redis has it. */
void expect_customer(cp_syncer *syncer, int id, const char *name);

/* Stopped, with everything settled, and destroyed. */
void end_syncer(cp_syncer *syncer);

#endif
