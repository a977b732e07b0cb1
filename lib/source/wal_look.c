#include "source/wal_look.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

cp_code cpi_array_add(char **array, const char *element, cp_error *err)
{
    size_t length = *array != NULL ? strlen(*array) : 0;
    char *grown = realloc(*array, length + 2 * strlen(element) + 4);
    if (grown == NULL) {
        return cpi_error_memory(err);
    }
    *array = grown;
    char *at = grown + length;
    *at++ = length == 0 ? '{' : ',';
    *at++ = '"';
    for (; *element != '\0'; element++) {
        if (*element == '"' || *element == '\\') {
            *at++ = '\\';
        }
        *at++ = *element;
    }
    memcpy(at, "\"", 2);
    return CP_OK;
}

char *cpi_array_close(const char *array)
{
    const char *begun = array != NULL ? array : "{";
    char *closed = malloc(strlen(begun) + 2);
    if (closed != NULL) {
        strcpy(closed, begun);
        strcat(closed, "}");
    }
    return closed;
}

/* The bytes of the names $n of columns in hexadecimal, with commas between them and nothing for one that is not there;
 * and what else is wanted of those columns. Null if there are none. */
#define NAMES_OF(n, also)                                                                                              \
    " cross join lateral (select pg_catalog.string_agg(coalesce(pg_catalog.encode(pg_catalog.convert_to("              \
    "   a.attname::pg_catalog.text, pg_catalog.getdatabaseencoding()), 'hex'), ''), ',' order by k.place) as "         \
    "names" also "  from pg_catalog.unnest($" n "::pg_catalog.text[]) with ordinality as k(name, place)"               \
    "  left join pg_catalog.pg_attribute as a on a.attrelid operator(pg_catalog.=) c.oid and not a.attisdropped"       \
    "   and a.attnum operator(pg_catalog.>) 0::pg_catalog.int2"                                                        \
    "   and a.attname operator(pg_catalog.=) (pg_catalog.parse_ident(k.name))[1]::pg_catalog.name) as "

#define ALSO_OF_IDS                                                                                                    \
    ", pg_catalog.array_agg(a.attnum) as attnums, pg_catalog.string_agg(coalesce((with recursive"                      \
    "    bases(oid, base) as ("                                                                                        \
    "    select t.oid, t.typbasetype from pg_catalog.pg_type as t where t.oid operator(pg_catalog.=) a.atttypid"       \
    "    union all select t.oid, t.typbasetype from pg_catalog.pg_type as t, bases as b"                               \
    "    where t.oid operator(pg_catalog.=) b.base)"                                                                   \
    "   select a.atttypid from bases as b"                                                                             \
    "   where b.oid operator(pg_catalog.=) 'pg_catalog.bpchar'::pg_catalog.regtype::pg_catalog.oid)"                   \
    "   ::pg_catalog.text, '0'), ',' order by k.place) as padded"

/* clang-format off */
/* $1 table, $2 columns, $4 what documents read, all as in SQL; $3 publication. A row for the table and each that
 * inherits from it, or is a partition of it; the table itself comes first. A partition's rows come as its root's, if
 * the publication is so. Names are bytes in the server's own encoding, which the stream has (wal_stream.h). */
static const char look_sql[] =
    "with recursive members(oid) as ("
    "  select pg_catalog.to_regclass($1::pg_catalog.text)::pg_catalog.oid"
    "  union select i.inhrelid from pg_catalog.pg_inherits as i, members as m"
    "  where i.inhparent operator(pg_catalog.=) m.oid)"
    " select c.oid, pg_catalog.encode(pg_catalog.convert_to(n.nspname operator(pg_catalog.||) '.'"
    "   operator(pg_catalog.||) c.relname, pg_catalog.getdatabaseencoding()), 'escape'),"
    " ids.names,"
    " c.oid::pg_catalog.regclass,"
    " exists (select from pg_catalog.pg_publication_tables as p"
    "   where p.pubname operator(pg_catalog.=) $3::pg_catalog.text"
    "   and (pg_catalog.to_jsonb(p) operator(pg_catalog.->>) 'rowfilter') is null and exists (select from "
    "pg_catalog.pg_class as pc,"
    "     pg_catalog.pg_namespace as pn where pn.nspname operator(pg_catalog.=) p.schemaname"
    "     and pc.relname operator(pg_catalog.=) p.tablename and pc.relnamespace operator(pg_catalog.=) pn.oid"
    "     and (pc.oid operator(pg_catalog.=) c.oid or (c.relispartition and pc.oid operator(pg_catalog.=) any ("
    "       select relid from pg_catalog.pg_partition_ancestors(c.oid) as t(relid)))))),"
    " c.relkind operator(pg_catalog.<>) 'p'::pg_catalog.\"char\""
    " and c.relreplident operator(pg_catalog.<>) 'f'::pg_catalog.\"char\" and not"
    "   exists (select from pg_catalog.pg_index as i where i.indrelid operator(pg_catalog.=) c.oid"
    "   and (c.relreplident operator(pg_catalog.=) 'd'::pg_catalog.\"char\" and i.indisprimary"
    "     or c.relreplident operator(pg_catalog.=) 'i'::pg_catalog.\"char\" and i.indisreplident)"
    "   and ids.attnums operator(pg_catalog.<@) (i.indkey::pg_catalog.int2[])),"
    " ids.padded,"
    " case when c.relkind operator(pg_catalog.=) 'f'::pg_catalog.\"char\" then 'foreign'"
    "   when c.relkind operator(pg_catalog.=) 'p'::pg_catalog.\"char\" then null" /* it has no rows of its own */
    "   when c.relpersistence operator(pg_catalog.=) 'u'::pg_catalog.\"char\" then 'unlogged'"
    "   when c.relpersistence operator(pg_catalog.=) 't'::pg_catalog.\"char\" then 'temporary' end,"
    " reads.names"
    " from members as m"
    " join pg_catalog.pg_class as c on c.oid operator(pg_catalog.=) m.oid"
    " join pg_catalog.pg_namespace as n on n.oid operator(pg_catalog.=) c.relnamespace"
    NAMES_OF("2", ALSO_OF_IDS) "ids"
    NAMES_OF("4", "") "reads"
    " order by c.oid operator(pg_catalog.<>) pg_catalog.to_regclass($1::pg_catalog.text)::pg_catalog.oid, c.oid";
/* clang-format on */

/* Names as the text of an array, from malloc; NULL: out of memory. */
static char *array_of(const struct cpi_names *names)
{
    char *array = NULL;
    cp_error err;
    for (size_t i = 0; i < names->count; i++) {
        if (cpi_array_add(&array, names->items[i], &err) != CP_OK) {
            free(array);
            return NULL;
        }
    }
    char *closed = cpi_array_close(array);
    free(array);
    return closed;
}

struct cpi_rows *cpi_wal_look(const struct cpi_watch *watch, const char *publication, struct cpi_pg *pg, cp_error *err)
{
    char *columns = array_of(&watch->columns);
    char *reads = array_of(&watch->reads);
    struct cpi_pg_parameter parameters[] = {
        {.value = watch->table}, {.value = columns}, {.value = publication}, {.value = reads}};
    struct cpi_rows *rows = NULL;
    if (columns == NULL || reads == NULL) {
        cpi_pg_no_memory(pg, err);
    } else {
        rows = cpi_pg_query(pg, look_sql, parameters, 4, false, err);
    }
    free(columns);
    free(reads);
    return rows;
}
