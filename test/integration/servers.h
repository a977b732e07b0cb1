/* Statements and commands that have to succeed, and a Redis of the test's own. */
#ifndef SERVERS_H
#define SERVERS_H

#include "harness.h"

/* ---- Postgres ---- */

PGconn *connect_postgres(const char *dsn);

/* One more connection to the fixture's database, closed with the fixture. */
PGconn *connect_again(struct fixture *f);
void disconnect(struct fixture *f, PGconn *pg);

/* Statements as they stand; the first failing one fails the test. */
void sql_on(PGconn *pg, const char *statements);
void sql(struct fixture *f, const char *statements);

/* The same with a format, for statements that need a number or a name. */
void sqlf(struct fixture *f, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The first column of the first row. */
long long sql_number(struct fixture *f, const char *statement);

/* Blocks every fetch, but neither listing nor writing customers, until the connection commits. */
void hold_fetches(PGconn *pg);
void release_fetches(PGconn *pg);

/* A connection of this application_name that is made from then on is not ready before it is released: what is held is the
 * first function that it calls. */
void hold_connections(struct fixture *f, PGconn *holder, const char *name);
void release_connections(PGconn *holder);

/* From then on customer_get_many(), which the syncers of the default configuration call, calls customer_get(). */
void fetch_by_customer_get(struct fixture *f);

/* That, and customer_good() is the function as it was, whatever customer_get() becomes. */
void keep_customer_get(struct fixture *f);

/* customer_get() with these statements of PL/pgSQL in front of what customer_good() returns. */
void define_customer_get(struct fixture *f, const char *statements);

/* ---- Redis ---- */

redisContext *connect_redis(const char *address);

/* A command that does not answer with an error. The caller frees. */
redisReply *redis_do(struct fixture *f, const char *format, ...);

/* The same where only success matters. */
void redis_run(struct fixture *f, const char *format, ...);
long long redis_number(struct fixture *f, const char *format, ...);

/* The text of a reply that is a string. The caller frees. */
char *redis_text(struct fixture *f, const char *format, ...);

/* Sets a key under f->base that the syncers have to leave alone; expect_*() looks after it. */
void add_stranger(struct fixture *f, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- a Redis of the test's own, instead of the shared one, for what would harm other tests ---- */

void own_redis_start(struct fixture *f);

/* kill -9; what it held is gone. own_redis_start() starts it again at the same address, empty. */
void own_redis_kill(struct fixture *f);

/* The name of the syncers' connections in CLIENT LIST begins so. Returns how many were killed. */
int kill_redis_clients(struct fixture *f, const char *name);

/* Of the syncers in the fixture's database whose application_name is like this. */
int terminate_backends(struct fixture *f, const char *name_like);

#endif
