/* Statements and commands that have to succeed, and a private Redis. */
#ifndef SERVERS_H
#define SERVERS_H

#include "harness.h"

/* ---- Postgres ---- */

PGconn *connect_postgres(const char *dsn);

/* Another connection to the fixture's database. It is closed with the fixture. */
PGconn *connect_again(struct fixture *f);
PGconn *connect_to(struct fixture *f, const char *dsn);
void disconnect(struct fixture *f, PGconn *pg);

/* Runs statements as they are; the first that fails, fails the test. */
void sql_on(PGconn *pg, const char *statements);
void sql(struct fixture *f, const char *statements);

/* The same with a format, for statements with a number or a name. */
void sqlf(struct fixture *f, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The first column of the first row. */
long long sql_number(struct fixture *f, const char *statement);

/* Blocks every fetch, but neither listing nor writing customers, until the connection commits. */
void hold_fetches(PGconn *pg);
void release_fetches(PGconn *pg);

/* From then on a new connection with this application_name is held in the first function it calls, until it is
 * released. */
void hold_connections(struct fixture *f, PGconn *holder, const char *name);
void release_connections(PGconn *holder);

/* From then on customer_get_many(), which syncers with the default configuration call, calls customer_get(). */
void fetch_by_customer_get(struct fixture *f);

/* The same, and customer_good() stays the original function, whatever customer_get() becomes. */
void keep_customer_get(struct fixture *f);

/* customer_get() runs these PL/pgSQL statements, then returns what customer_good() returns. */
void define_customer_get(struct fixture *f, const char *statements);

/* ---- Redis ---- */

redisContext *connect_redis(const char *address);

/* A command that must not return an error. The caller frees the reply. */
redisReply *redis_do(struct fixture *f, const char *format, ...);

/* The same if only success matters. */
void redis_run(struct fixture *f, const char *format, ...);
long long redis_number(struct fixture *f, const char *format, ...);

/* The text of a string reply. The caller frees it. */
char *redis_text(struct fixture *f, const char *format, ...);

/* Sets an unmanaged key under f->base, which syncers have to leave alone; expect_*() checks it. */
void add_stranger(struct fixture *f, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- a private Redis instead of the shared one, for what would harm other tests ---- */

void own_redis_start(struct fixture *f);

/* The same with further arguments, ended by NULL. They come first, where a configuration file has its place. */
void own_redis_start_as(struct fixture *f, const char *const *arguments);

/* The test's own connection goes on as another user, whatever becomes of the default one, the syncers'. */
void become_admin(struct fixture *f);

/* kill -9; its data is gone. own_redis_start() starts it again at the same address, empty. */
void own_redis_kill(struct fixture *f);

/* ---- a pgbouncer in transaction mode ---- */

/* dsn: the fixture's database through it. It ends with the fixture. */
void own_pooler_start(struct fixture *f, char *dsn, size_t size);

/* ---- connections ---- */

/* Kills the syncers' connections whose name in CLIENT LIST begins like this: of all syncers at this Redis, so it has to
   be the test's own. Returns how many. */
int kill_redis_clients(struct fixture *f, const char *name);

/* Terminates the syncers' sessions in the fixture's database whose application_name matches. */
int terminate_backends(struct fixture *f, const char *name_like);

#endif
