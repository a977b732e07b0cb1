/* Files of the source tree that cmd/common/embed.cmake makes part of the program, so that it works where it is
 * installed. */
#ifndef BENCH_EMBEDDED_H
#define BENCH_EMBEDDED_H

extern const char embedded_with_servers[];    /* scripts/with-servers */
extern const char embedded_cachepusher_sql[]; /* db/cachepusher.sql */
extern const char embedded_schema_sql[];      /* db/schema.sql */

#endif
