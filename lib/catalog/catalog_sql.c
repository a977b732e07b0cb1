#include "catalog/catalog_sql.h"

const char *const cpi_catalog_aspects[CPI_LOOK_COLUMNS] = {[CPI_LOOK_NAME] = "name",
                                                           [CPI_LOOK_FIRST] = "definition",
                                                           "columns",
                                                           "partitions",
                                                           "row-level security",
                                                           "contents",
                                                           "contents",
                                                           "triggers",
                                                           "labels",
                                                           "namesakes in search_path",
                                                           "settings"};

/* To plan a look takes longer than to make it; Postgres 11 has no such setting. Indexes are used whatever the catalogs'
 * statistics say: those of a table with many new partitions call for a whole scan for each of them. */
const char cpi_catalog_pin_sql[] =
    "select pg_catalog.current_setting('search_path'), pg_catalog.current_schemas(true)::pg_catalog.text,"
    " pg_catalog.set_config('enable_seqscan', 'off', true),"
    " pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true),"
    " (select pg_catalog.set_config(s.name, 'force_generic_plan', true) from (values ('plan_cache_mode')) as s(name)"
    "   where pg_catalog.current_setting(s.name, true) is not null)";

/* A parsed query holds where its words stood, which differs between "create" and "create or replace". */
#define WITHOUT_PLACES(query) "regexp_replace(" query ", ':(location|stmt_location|stmt_len) -?[0-9]+', '', 'g')"

/* A column that was given its own type again with USING has another xmin and nothing else; so has a generated one's new
 * expression. A definition that is replaced by the same one counts as none: so are functions deployed.
 *
 * watch() makes a function for each column, and on a table a trigger of it for each of four kinds of statement, which
 * are bits of tgtype; where a partitioned table has triggers for each row, they are its partitions', but for TRUNCATE.
 *
 * What is called by its name alone is another thing once something of that name comes earlier in search_path, or a
 * function with better fitting arguments anywhere in it: "namesakes".
 *
 * "settings": those of the application's own, with a dot in their names, are in no view and can only be asked for by
 * name.
 *
 * "contents": a materialized view's file, which REFRESH replaces, and its counters, for REFRESH CONCURRENTLY. */
/* clang-format off */
const char cpi_catalog_look_at_relations_sql[] =
    "with path as (select s.oid, array_position($3::name[], s.nspname) as place from pg_namespace s"
    "   where s.nspname = any ($3::name[])),"
    " things as (select (v >> 32)::int as class, (v & 4294967295)::oid as oid from unnest($1::int8[]) v),"
    " functions as (select p.oid, p.proname, p.pronamespace, p.prosrc,"
    "   md5(" WITHOUT_PLACES("(to_jsonb(p) - array['proacl', 'proowner', 'procost', 'prorows'])::text")
    "   || coalesce((select to_jsonb(a)::text from pg_aggregate a where a.aggfnoid = p.oid), '')) as print from pg_proc p"
    "   where p.oid in (select oid from things where class = 2)"
    "      or p.proname = any (select (parse_ident(f))[cardinality(parse_ident(f))]::name from unnest($2::text[]) f)"
    "      or p.proname = any (select k.proname from pg_proc k where k.oid in (select oid from things where class = 2)))"
    " select 1::int8 << 32 | c.oid::int8 as thing, c.oid::regclass::text, case"
    "   when made.disabled then 'a trigger that announces its changes is disabled'"
    "   when made.missing then 'a trigger that announces its changes is missing'"
    "   when made.strange and not c.relispartition then 'the function of its triggers is not as cachepusher.watch() made it'"
    "   when exists (select from pg_inherits i join pg_trigger t on t.tgrelid = i.inhparent where i.inhrelid = c.oid"
    "     and starts_with(t.tgname::text, 'cachepusher_') and not exists (select from pg_trigger own"
    "     where own.tgrelid = c.oid and own.tgname = t.tgname)) then 'it lacks the triggers of the table it is part of'"
    "   when made.functions > 0 and not made.for_rows and exists (select from pg_subscription_rel s where s.srrelid = c.oid)"
    "     then 'a subscription writes to it, which fires triggers for each row only, and it has none'"
    "   end,"
    "  case when c.relkind in ('r', 'p') and not c.relispartition then made.functions end,"
    "  (select md5(string_agg(" WITHOUT_PLACES("r.ev_action::text") ", ',' order by r.oid)) from pg_rewrite r where r.ev_class = c.oid),"
    "  (select md5(string_agg(concat_ws(' ', a.attname, a.atttypid, a.atttypmod, a.xmin, (select d.xmin::text"
    "     from pg_attrdef d where d.adrelid = a.attrelid and d.adnum = a.attnum"
    "     and to_jsonb(a) ->> 'attgenerated' <> '')), ',' order by a.attnum))"
    "   from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped),"
    "  (select md5(string_agg(i.inhrelid::text, ',' order by i.inhrelid)) from pg_inherits i where i.inhparent = c.oid),"
    "  concat(c.relrowsecurity, c.relforcerowsecurity, (select md5(string_agg(concat(p.oid, ' ', p.xmin), ','"
    "   order by p.oid)) from pg_policy p where p.polrelid = c.oid)),"
    "  case when c.relkind = 'm' then c.relfilenode::text end,"
    "  case when c.relkind = 'm' then concat_ws(' ', pg_stat_get_tuples_inserted(c.oid),"
    "   pg_stat_get_tuples_updated(c.oid), pg_stat_get_tuples_deleted(c.oid)) end,"
    "  (select md5(string_agg(concat_ws(' ', t.tgname, t.tgenabled, t.tgfoid, t.tgargs, (select md5(p.prosrc)"
    "   from pg_proc p where p.oid = t.tgfoid)), ',' order by t.tgname)) from pg_trigger t where t.tgrelid = c.oid and not t.tgisinternal),"
    "  null,"
    "  case when not c.relispartition then (select k.oid::text from path join pg_class k on k.relnamespace = path.oid"
    "   and k.relname = c.relname order by path.place limit 1) end, null"
    " from pg_class c cross join lateral (select count(*) as functions, bool_or(t.disabled) as disabled,"
    "   bool_or(t.for_rows) as for_rows,"
    "   bool_or(t.kinds <> 60 and not (t.kinds = 32 and position('for each row' in t.prosrc) > 0)) as missing,"
    "   bool_or(position('made by cachepusher.watch()' in t.prosrc) = 0) as strange"
    "   from (select p.prosrc, bit_or(t.tgtype::int) & 60 as kinds, bool_or(t.tgtype & 1 = 1) as for_rows,"
    "     bool_or(t.tgenabled in ('D', 'R')) as disabled from pg_trigger t join pg_proc p on p.oid = t.tgfoid"
    "     where t.tgrelid = c.oid and starts_with(t.tgname::text, 'cachepusher_') group by p.oid, p.prosrc) t) made"
    " where c.oid in (select oid from things where class = 1)";

const char cpi_catalog_look_at_others_sql[] =
    " union all"
    " select 2::int8 << 32 | f.oid::int8, f.oid::regprocedure::text, null, null, f.print, null, null, null, null,"
    "  null, null, null, (select md5(string_agg(k.oid::text, ',' order by k.oid)) from functions k"
    "   where k.proname = f.proname and k.pronamespace in (select oid from path)),"
    "  case when position('current_setting' in lower(f.prosrc)) > 0 then (select md5(string_agg(concat_ws('=', s.name,"
    "   current_setting(s.name, true)), ',' order by s.name)) from (select distinct w[1] as name"
    "   from regexp_matches(f.prosrc, '''([[:alpha:]_][[:alnum:]_$]*(?:[.][[:alpha:]_][[:alnum:]_$]*)+)''', 'g') w) s) end"
    " from functions f where f.oid in (select oid from things where class = 2)"
    " union all"
    " select 3::int8 << 32 | e.n - 1, e.name, null, null, (select md5(string_agg(concat_ws(' ', f.oid, f.print), ','"
    "   order by f.oid))"
    " from functions f join pg_namespace s on s.oid = f.pronamespace"
    "   where f.proname = e.parts[cardinality(e.parts)]::name"
    "     and (case when cardinality(e.parts) > 1 then s.nspname = e.parts[1]::name"
    "          else s.nspname = any ($3::name[]) end)),"
    "  null, null, null, null, null, null, null, null, null"
    " from (select n, name, parse_ident(name) as parts from unnest($2::text[]) with ordinality u(name, n)) e"
    " union all"
    " select 4::int8 << 32 | t.oid::int8, format_type(t.oid, null), null, null, null, null, null, null, null, null, null,"
    "  (select md5(string_agg(l.enumlabel::text, ',' order by l.enumsortorder)) from pg_enum l where l.enumtypid = t.oid), null, null"
    " from pg_type t where t.oid in (select oid from things where class = 4)"
    " union all"
    " select 5::int8 << 32 | o.oid::int8, o.oid::regoperator::text, null, null, o.oprcode::oid::text, null, null, null,"
    "  null, null, null, null, (select md5(string_agg(k.oid::text, ',' order by k.oid)) from pg_operator k"
    "   where k.oprname = o.oprname and k.oprnamespace in (select oid from path)), null"
    " from pg_operator o where o.oid in (select oid from things where class = 5)"
    " order by 1";
/* clang-format on */

/* Settings that only decide how fast something is are left out. */
const char cpi_catalog_session_sql[] =
    " select md5(concat_ws(' ', $1::text,"
    "  (select string_agg(coalesce(current_setting(s, true), ''), ' ' order by s) from unnest(array['TimeZone',"
    "    'DateStyle', 'IntervalStyle', 'extra_float_digits', 'bytea_output', 'lc_monetary', 'lc_numeric', 'lc_time',"
    "    'xmlbinary', 'default_text_search_config', 'timezone_abbreviations', 'standard_conforming_strings']) s),"
    "  (select string_agg(concat_ws(' ', d.setrole, d.setdatabase, c), ',' order by d.setrole, d.setdatabase, c)"
    "   from pg_db_role_setting d, unnest(d.setconfig) c where d.setrole in (0, r.oid) and d.setdatabase in (0,"
    "    (select oid from pg_database where datname = current_database()))"
    "    and c !~ '^(log_|work_mem|maintenance_|enable_|jit|max_parallel|[a-z_]*_cost|application_name)'),"
    "  r.rolsuper, r.rolbypassrls, (with recursive m(oid) as (select r.oid union"
    "   select a.roleid from m join pg_auth_members a on a.member = m.oid)"
    "   select string_agg(m.oid::text, ',' order by m.oid) from m)))"
    " from pg_roles r where r.rolname = session_user";

/* What is named by a word of a function's source may be used by it, as far as anybody knows. So may an operator whose
 * name is anywhere in it; those of extensions written in C (12: internal, 13: C) only change with the extension. */
/* clang-format off */
#define WORDS_OF(source) \
    "(select distinct w[1] as word from regexp_matches(" source ", '[[:alpha:]_][[:alnum:]_$]*', 'g') w) words"
#define USED_BY(source) \
    "select 2, q.oid from " WORDS_OF(source) " join pg_proc q on q.proname in (words.word::name, lower(words.word)::name)" \
    "  where q.oid >= 16384" \
    " union all select 1, q.oid from " WORDS_OF(source) " join pg_class q on q.relname in (words.word::name," \
    "  lower(words.word)::name) where q.oid >= 16384" \
    " union all select 5, o.oid from operators o where position(o.oprname::text in " source ") > 0"

/* Classes of pg_depend's objects are ours. */
#define CLASS_OF_DEPENDENCY \
    "case d.refclassid when 'pg_class'::regclass::oid then 1 when 'pg_proc'::regclass::oid then 2" \
    " when 'pg_operator'::regclass::oid then 5 end"
#define KNOWN_DEPENDENCY \
    "d.refclassid in ('pg_proc'::regclass::oid, 'pg_class'::regclass::oid, 'pg_operator'::regclass::oid)"

const char cpi_catalog_learn_sql[] =
    "with recursive operators as (select o.oid, o.oprname from pg_operator o join pg_proc p on p.oid = o.oprcode"
    "  where o.oid >= 16384 and p.prolang not in (12, 13)),"
    " hang(class, oid) as ("
    "(select 1, l.relation from pg_locks l where l.pid = pg_backend_pid() and l.locktype = 'relation'"
    "  and l.database = (select oid from pg_database where datname = current_database()) and l.relation >= 16384"
    " union"
    " select 1, t.tgrelid from pg_trigger t, unnest($2::text[]) channel where not t.tgisinternal"
    "  and position(convert_to(channel, getdatabaseencoding()) || '\\x00'::bytea in t.tgargs) > 0"
    " union (" USED_BY("$1::text") "))"
    " union select n.* from hang h cross join lateral ("
    "(" USED_BY("(select p.prosrc from pg_proc p where h.class = 2 and p.oid = h.oid)") ")"
    " union all select " CLASS_OF_DEPENDENCY ", d.refobjid from pg_depend d where h.class = 2"
    "  and d.classid = 'pg_proc'::regclass::oid and d.objid = h.oid and " KNOWN_DEPENDENCY
    " union all select 2, f.oid from pg_aggregate a, unnest(array[a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggmtransfn,"
    "  a.aggminvtransfn, a.aggmfinalfn]::oid[]) f(oid) where h.class = 2 and a.aggfnoid = h.oid and f.oid >= 16384"
    " union all select 2, o.oprcode::oid from pg_operator o where h.class = 5 and o.oid = h.oid"
    " union all select " CLASS_OF_DEPENDENCY ", d.refobjid from pg_rewrite r join pg_depend d"
    "  on d.classid = 'pg_rewrite'::regclass::oid and d.objid = r.oid"
    "  where h.class = 1 and r.ev_class = h.oid and " KNOWN_DEPENDENCY
    " union all select 1, i.inhrelid from pg_inherits i where h.class = 1 and i.inhparent = h.oid"
    " union all select 1, i.inhparent from pg_inherits i where h.class = 1 and i.inhrelid = h.oid"
    " union all select 4, a.atttypid from pg_attribute a where h.class = 1 and a.attrelid = h.oid and a.attnum > 0"
    "  and not a.attisdropped and a.atttypid >= 16384"
    " union all select x.class, x.oid from pg_type t cross join lateral"
    "  (values (4, t.typelem), (4, t.typbasetype), (1, t.typrelid)) x(class, oid)"
    "  where h.class = 4 and t.oid = h.oid and x.oid >= 16384"
    " union all select 2, x.castfunc from pg_cast x where h.class = 4 and x.castsource = h.oid and x.castfunc >= 16384"
    ") n)"
    " select h.class::int8 << 32 | h.oid::int8 from hang h where h.oid >= 16384 and case h.class"
    "  when 1 then exists (select from pg_class c where c.oid = h.oid and c.relkind in ('r', 'p', 'm', 'v', 'c', 'f')"
    "   and c.relpersistence <> 't')"
    "  when 2 then exists (select from pg_proc p where p.oid = h.oid)"
    "  when 5 then true"
    "  else exists (select from pg_type t where t.oid = h.oid and t.typtype = 'e') end"
    " order by 1";
/* clang-format on */
