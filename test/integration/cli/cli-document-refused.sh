#!/bin/bash
# Tests what declared documents are refused, and that what is nearly so works.
#
# Usage: scripts/with-servers test/integration/cli/cli-document-refused.sh DIRECTORY_OF_THE_COMMANDS
#
# Prints a line for each check. The replication slots that it makes are gone at the end.

# shellcheck disable=SC2317 # check and wait_for call functions it takes for unreachable
set -euo pipefail
case ${1-} in '' | -h | --help) sed -n '2,/^$/s/^# \{0,1\}//p' "$0" && exit ;; esac

bin=$(cd "$1" && pwd)
command=$bin/cachepusher
repo=$(cd "$(dirname "$0")/../../.." && pwd)
dir=$(mktemp -d /tmp/cp-cli.XXXXXX)
name=clid_$$
prefix=$name
dsn="host=$PGHOST port=${PGPORT-5432} user=$PGUSER dbname=$name"
redis_uri=$CP_REDIS
export LC_ALL=C.UTF-8 CP_DSN=$dsn CP_REDIS=$redis_uri
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/cli-lib.sh"
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/cli-document-lib.sh"
cd "$dir"

takes() { # DOCUMENT [COLUMN]: as entity "doc"
    declare_to good.json doc "${2-{id\}}" "$1"
    setup good.json
}
fetch() { sql "select entity ->> 'fetch_many' from cachepusher.document where name = 'doc' order by made_at desc limit 1"; }
documents() { sql "select document from $(fetch)('$1')"; } # IDS
refuses() { # PATTERN DOCUMENT [COLUMN]
    declare_to bad.json bad "${3-{id\}}" "$2"
    made >before
    exits 1 "^cachepusher: $1" "$command" setup --config bad.json || return 1
    made >after
    cmp before after >>why
}
createdb -T template0 "$name"

# ---- what is refused ----

sql "create table language (language_id int primary key, name text not null);
     create table film (film_id int generated always as identity primary key, title text not null, rating text,
         language_id int not null references language, original_id int references language, active boolean not null,
         released date);
     create table actor (actor_id int primary key, first_name text, last_name text);
     create table film_actor (film_id int references film, actor_id int references actor, primary key (film_id, actor_id));
     create table inventory (inventory_id int primary key, film_id int references film, store_id int);
     insert into language values (1, 'l');
     insert into film (title, language_id, active, released)
         select 'film ' || i, 1, i % 3 > 0, '2020-01-01' from generate_series(1, 10) i;
     insert into inventory select i, 1 + i % 10, i % 3 from generate_series(1, 30) i;
     create table alone (id int primary key, film_id int, tags int[]); create view v as select film_id, title from film;
     create table keyless (film_id int references film, note text);
     create table moment (at timestamptz primary key, film_id int references film);
     create table pairs (a date, b int, primary key (a, b)); create table plain (x int);
     create table node (id int primary key, a int references node, b int references node);
     create function reads() returns int language sql stable as 'select count(*)::int from film'"
d='entities\[0\]\.document'
check "a member that is unknown" refuses "$d\.colums: unknown; did you mean columns\?" '{"table": "film", "colums": []}'
check "one that is like none" refuses "$d\.lists: unknown; expected table, key, columns, where or include" \
    '{"table": "film", "lists": []}'
check "one of an include" refuses "$d\.include\[0\]\.key: unknown; expected name, table, .*depth or include" \
    '{"table": "film", "include": [{"name": "x", "table": "actor", "key": "y"}]}'
check "a table that is not there" refuses "$d\.table: there is no table flim that this role can see" '{"table": "flim"}'
check "a name that is none" refuses "$d\.table: \"film f\" is not the name of a table" '{"table": "film f"}'
check "a column that is not there" refuses "$d\.columns\[1\]: table film has no column tilte" \
    '{"table": "film", "columns": ["title", "tilte"]}'
check "columns that are no array" refuses "$d\.columns: expected \"\\*\" or an array of columns" '{"table": "film", "columns": 3}'
check "a member twice" refuses "$d\.columns\[1\]: there is a member \"title\" already" \
    '{"table": "film", "columns": ["title", {"name": "title", "sql": "rating"}]}'
check "an include without a name" refuses "$d\.include\[0\]: name is missing" '{"table": "film", "include": [{"table": "inventory"}]}'
check "a foreign key that is not the only one" \
    refuses "$d\.include\[0\]: several foreign keys connect language and film: \"by\" has to name the columns of one of: film \(language_id\), film \(original_id\)" \
    '{"table": "film", "include": [{"name": "l", "table": "language", "one": true}]}'
check "none of that name" refuses "$d\.include\[0\]\.by: no foreign key between language and film has rating; expected .*film \(original_id\)" \
    '{"table": "film", "include": [{"name": "l", "table": "language", "one": true, "by": "rating"}]}'
check "one is not a list" refuses "$d\.include\[0\]: film refers to language, so there is one: say \"one\": true" \
    '{"table": "film", "include": [{"name": "l", "table": "language", "by": "language_id"}]}'
check "no foreign key" refuses "$d\.include\[0\]: there is no foreign key between alone and film .*arrays of ids" \
    '{"table": "film", "include": [{"name": "l", "table": "alone"}]}'
check "a link table that is none" refuses "$d\.include\[0\]\.through: inventory has no foreign key to actor" \
    '{"table": "film", "include": [{"name": "l", "table": "actor", "through": "inventory"}]}'
check "a link table of the same table twice" refuses "$d\.include\[0\]\.through: several foreign keys are possible: .*\"by\".*node \(a\), node \(b\)" \
    '{"table": "node", "include": [{"name": "l", "table": "node", "through": "node"}]}'
check "depth of another table" refuses "$d\.include\[0\]: depth is for a table that is included in itself, and inventory is included in film" \
    '{"table": "film", "include": [{"name": "l", "table": "inventory", "depth": 2}]}'
check "no bound" refuses "$d\.include\[0\]\.depth: expected a number of levels, 1 to 16" \
    '{"table": "node", "include": [{"name": "l", "table": "node", "by": "a", "depth": 99}]}'
check "rows that nothing puts in order" refuses "$d\.include\[0\]: table keyless has neither a primary key nor a unique index" \
    '{"table": "film", "include": [{"name": "l", "table": "keyless"}]}'
check "no key" refuses "$d\.key: plain has no primary key" '{"table": "plain"}'
check "a key that is none" refuses "$d\.key: several rows of film may have the same" '{"table": "film", "key": "title"}'
check "a key whose text is not steady" refuses "$d\.key: at is of type timestamp with time zone" '{"table": "moment"}'
check "one in a composite key" refuses "$d\.key: a is of type date" '{"table": "pairs"}'
check "a template of other columns" refuses "entities\[0\]\.key: the template .*expected \{id\}, or the key's columns: \{film_id\}" \
    '{"table": "film"}' '{title}'
check "a view" refuses "$d\.table: v is a view, whose changes no trigger sees" '{"table": "v", "key": "film_id"}'
check "a filter of another table" refuses "$d\.where: exists .*: Postgres: cannot use subquery" \
    '{"table": "film", "where": "exists (select from actor)"}'
check "a filter that is no SQL" refuses "$d\.where: activ: Postgres: column \"activ\" does not exist" '{"table": "film", "where": "activ"}'
check "a filter that is no condition" refuses "$d\.where: title: Postgres: argument of CHECK must be type boolean" \
    '{"table": "film", "where": "title"}'
check "an expression of chance" refuses "$d\.columns\[0\]\.sql: random\(\): it calls random\(\), which is volatile" \
    '{"table": "film", "columns": [{"name": "x", "sql": "random()"}]}'
check "one of the time" refuses "$d\.where: now\(\) > .*: it calls now\(\), whose result may change" \
    "{\"table\": \"film\", \"where\": \"now() > '2020-01-01'\"}"
check "one of the day" refuses "$d\.where: .*: the time, the user or the schema of a session" \
    "{\"table\": \"film\", \"where\": \"current_date > '2020-01-01'\"}"
check "a function that may read tables" refuses "$d\.columns\[0\]\.sql: reads\(\): it calls public.reads\(\), which is not immutable" \
    '{"table": "film", "columns": [{"name": "x", "sql": "reads()"}]}'
check "an aggregate" refuses "$d\.columns\[0\]\.sql: count\(\*\): Postgres: aggregate functions are not allowed" \
    '{"table": "film", "columns": [{"name": "x", "sql": "count(*)"}]}'
check "an order of nothing" refuses "$d\.include\[0\]\.order: 1: it reads no column of inventory" \
    '{"table": "film", "include": [{"name": "l", "table": "inventory", "order": "1"}]}'
check "an order by what another member is called" refuses "$d\.include\[0\]\.order: it reads column store_id, and another member" \
    '{"table": "film", "include": [{"name": "l", "table": "inventory", "order": "store_id", "columns": [{"name": "store_id", "column": "film_id"}]}]}'
check "columns of the link table" refuses "$d\.include\[0\]\.order: film_id: Postgres: column \"film_id\" does not exist" \
    '{"table": "film", "include": [{"name": "l", "table": "actor", "through": "film_actor", "order": "film_id"}]}'

check "a query of its own table" refuses "$d\.columns\[0\]\.sql: .*: Postgres: cannot use subquery" \
    '{"table": "film", "columns": [{"name": "n", "sql": "(select max(k.title) from public.film k)"}]}'
check "a query in an order" refuses "$d\.include\[0\]\.order: .*: it reads rows of a query" \
    '{"table": "film", "include": [{"name": "l", "table": "inventory", "order": "store_id, (select 1)"}]}'
check "a filter that ends early" refuses "$d\.where: .*: Postgres: syntax error" \
    '{"table": "film", "where": "true) union all select film_id from public.film where (true"}'
check "one that is two" refuses "$d\.where: .*: expected one expression and no more" \
    '{"table": "film", "where": "active), check (true"}'
check "an expression that is two" refuses "$d\.columns\[0\]\.sql: .*: expected one expression and no more" \
    '{"table": "film", "columns": [{"name": "n", "sql": "active) and (active"}]}'
for clause in 'limit 1' 'offset 1' 'for update' 'fetch first row only'; do
    check "an order with $clause" refuses "$d\.include\[0\]\.order: .*: expected what stands behind ORDER BY" \
        "{\"table\": \"film\", \"include\": [{\"name\": \"l\", \"table\": \"inventory\", \"order\": \"store_id $clause\"}]}"
done
check "a set in an order" refuses "$d\.include\[0\]\.order: .*: an aggregate, a window or a set" \
    '{"table": "film", "include": [{"name": "l", "table": "inventory", "order": "store_id, generate_series(1, 2)"}]}'
for moment in "released <= 'today'" "released <= date ' Now'" "released < E'tod\\\\x61y'" "released < any ('{yesterday}')"; do
    check "a date that moves: $moment" refuses "$d\.where: .*: next to a date or a time, a word like now" \
        "{\"table\": \"film\", \"where\": \"$moment\"}"
done
check "a date out of a text" refuses "$d\.where: .*: it makes date of a text" '{"table": "film", "where": "released < title::date"}'
check "an object's number" refuses "$d\.columns\[0\]\.sql: .*: it names an object of the database" \
    "{\"table\": \"film\", \"columns\": [{\"name\": \"n\", \"sql\": \"'film'::regclass::oid\"}]}"
check "an object's number, out of a text" refuses "$d\.columns\[0\]\.sql: .*: it calls regclass\(text\)" \
    '{"table": "film", "columns": [{"name": "n", "sql": "title::regclass::oid"}]}'
check "a table as XML" refuses "$d\.columns\[0\]\.sql: .*: it calls table_to_xml" \
    "{\"table\": \"film\", \"columns\": [{\"name\": \"n\", \"sql\": \"table_to_xml('film', true, true, '')\"}]}"

# ---- expressions that work, whatever search_path is ----

comments='{"table": "film", "where": "active -- so", "columns": ["film_id", {"name": "today", "sql": "title || '"' today'"' -- so"}],
    "include": [{"name": "copies", "table": "inventory", "columns": ["inventory_id"], "order": "store_id desc -- so"}]}'
check "comments end with their text" takes "$comments"
check "and take nothing with them" test "$(documents '{1,3}')" == \
    '{"film_id":1,"today":"film 1 today","copies":[{"inventory_id":20},{"inventory_id":10},{"inventory_id":30}]}'
sql "create schema app; create schema evil; create extension citext schema app;
     create type app.mood as enum ('sad', 'glad');
     create table app.person (id int primary key, name varchar(20), email app.citext, mood app.mood);
     insert into app.person values (1, 'Bob', 'B@x', 'glad'), (2, 'Eve', 'e@x', 'sad');
     create function app.loud(text) returns text language sql immutable as 'select pg_catalog.upper(\$1)';
     create function evil.upper(varchar) returns text language sql immutable as 'select ''evil''::text';
     create function evil.concat(varchar, text) returns text language sql immutable as 'select ''evil''::text';
     create function evil.same(app.mood[], app.mood[]) returns bool language sql immutable as 'select false';
     create operator evil.= (function = evil.same, leftarg = app.mood[], rightarg = app.mood[]);
     create function evil.loud(text) returns text language sql immutable as 'select ''evil''::text'"
person='{"table": "person", "where": "email = '"'b@X' and array[mood] = array['glad']::app.mood[]"'", "columns": ["id", {"name": "loud", "sql": "loud(name) || concat(upper(name), '"''::text"') || concat(name, '"':'::text"')"},
    {"name": "since", "sql": "'"date '2020-02-01' + id"'"}]}'
export PGOPTIONS='-c search_path=app,public -c datestyle=sql,dmy'
check "names that search_path finds" takes "${person/2020-02-01/01/02/2020}"
export PGOPTIONS='-c search_path=evil,public'
check "mean the same with another one" test "$(documents '{1,2}')" == '{"id":1,"loud":"BOBBOBBob:","since":"2020-02-02"}'
listed() { [[ $(sql "$(sql "select entity ->> 'list' from cachepusher.document where name = 'doc' order by made_at desc limit 1")") == 1 ]]; }
check "also in what is listed" listed
export PGOPTIONS='-c search_path=evil,public,pg_catalog'
check "or where Postgres' own names come last" test "$(documents '{1,2}')" == '{"id":1,"loud":"BOBBOBBob:","since":"2020-02-02"}'
unset PGOPTIONS

# ---- what rows hang on ----

sql "create table day (day date primary key, holiday text);
     create table visit (id int primary key, day date references day, tenant int, unique (tenant, day));
     create table visitor (id int primary key, tenant int, day date, foreign key (tenant, day) references visit (tenant, day));
     create table tag (tags int[] primary key); create table tagged (id int primary key, tags int[] references tag)"
steady='its text is not the same in every session'
check "a date to hang on" refuses "$d\.include\[0\]: it hangs on column day of day, which is of type date: $steady" \
    '{"table": "visit", "include": [{"name": "day", "table": "day", "one": true}]}'
check "one in two columns" refuses "$d\.include\[0\]: it hangs on column day of visitor, .*: $steady" \
    '{"table": "visit", "include": [{"name": "visitors", "table": "visitor"}]}'
check "an array to hang on" refuses "$d\.include\[0\]: it hangs on column tags of tag, .*: $steady" \
    '{"table": "tagged", "include": [{"name": "tag", "table": "tag", "one": true}]}'

sql "create collation blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
     create table blind_parent (code text collate blind primary key, v int);
     create table blind_child (id int primary key, code text collate blind references blind_parent, v int);
     create table seeing_child (id int primary key, code text references blind_parent, v int);
     create table city (name app.citext primary key, v int);
     create table house (id int primary key, city app.citext references city, v int);
     create table wide (id bigint primary key, v int); create table narrow (id int primary key, wide int references wide);
     insert into blind_parent values ('abc', 1); insert into blind_child values (1, 'ABC', 1);
     insert into seeing_child values (1, 'Abc', 1); insert into city values ('Bonn', 1); insert into house values (1, 'BONN', 1);
     insert into wide values (1, 1), (30000000000, 1); insert into narrow values (1, 1)"
printf '{"prefix": "%s", "entities": [
    {"name": "parent", "key": "{prefix}:parent:{code}", "document": {"table": "blind_parent", "include": [
        {"name": "blind", "table": "blind_child"}, {"name": "seeing", "table": "seeing_child"}]}},
    {"name": "child", "key": "{prefix}:child:{id}", "document": {"table": "seeing_child", "include": [
        {"name": "parent", "table": "blind_parent", "one": true}]}},
    {"name": "city", "key": "{prefix}:city:{name}", "document": {"table": "city", "include": [
        {"name": "houses", "table": "house"}]}},
    {"name": "house", "key": "{prefix}:house:{id}", "document": {"table": "house", "columns": ["id", "v"], "include": [
        {"name": "city", "table": "city", "one": true}]}},
    {"name": "narrow", "key": "{prefix}:narrow:{id}", "document": {"table": "narrow", "columns": ["id"], "include": [
        {"name": "wide", "table": "wide", "one": true}]}}
]}' "$prefix" >equal.json
check "keys that are equal though their texts are not" setup equal.json
value() { [[ $(redis get "$prefix:$1") == "$2" ]]; } # KEY DOCUMENT
parents() { # V_OF_PARENTS [V_OF_CHILDREN]
    local v=${2-$1}
    value parent:abc "{\"code\":\"abc\",\"v\":$1,\"blind\":[{\"id\":1,\"code\":\"ABC\",\"v\":$v}],\"seeing\":[{\"id\":1,\"code\":\"Abc\",\"v\":$v}]}" &&
        value child:1 "{\"id\":1,\"code\":\"Abc\",\"v\":$v,\"parent\":{\"code\":\"abc\",\"v\":$1}}"
}
cities() { # V_OF_CITIES [V_OF_HOUSES]
    local v=${2-$1}
    value city:Bonn "{\"name\":\"Bonn\",\"v\":$1,\"houses\":[{\"id\":1,\"city\":\"BONN\",\"v\":$v}]}" &&
        value house:1 "{\"id\":1,\"v\":$v,\"city\":{\"name\":\"Bonn\",\"v\":$1}}"
}
start_ready --config equal.json
check "by a collation" parents 1
check "by their type" cities 1
sql "update blind_child set v = 2; update seeing_child set v = 2; update house set v = 2" # a parent's own would hide it
check "changes below are followed: by a collation" wait_for parents 1 2
check "by their type" wait_for cities 1 2
sql "update blind_parent set v = 2; update city set v = 2; update wide set v = 2"
check "changes above: by a collation" wait_for parents 2
check "by their type" wait_for cities 2
check "and from what is wider" wait_for value narrow:1 '{"id":1,"wide":{"id":1,"v":2}}'
check "the daemon had no trouble" lacks ' warn ' log
check "and ends" stop
uses_index() { # ENTITY IDS INDEX
    [[ $(PGOPTIONS='-c enable_seqscan=off' sql "explain (costs off) select * from $(sql "select entity ->> 'fetch_many' from cachepusher.document where name = '$1'")('$2')") == *"$3"* ]]
}
check "the index of such a type is used" uses_index city '{bonn}' city_pkey

# ---- tables that are none, templates, rights ----

sql "create table ancestor (id int primary key, v int); create table heir (w int) inherits (ancestor);
     create table tenanted (tenant_id int, id int, v int, primary key (tenant_id, id)); insert into tenanted values (1, 2, 3)"
check "a table that others inherit from" refuses "$d\.table: other tables inherit from ancestor" '{"table": "ancestor"}'
for template in '{id}:{nonsense}' '{tenant_id}' '{tenant_id}:{id}:{v}' '{id}:{tenant_id}' '{id}:{id}'; do
    check "a template of $template" refuses "entities\[0\]\.key: the template .* has other columns than the key" \
        '{"table": "tenanted"}' "$template"
done
check "one of the key" takes '{"table": "tenanted"}' '{tenant_id}:{id}'
check "a column may be called id" test "$(documents '{1:2}')" == '{"tenant_id":1,"id":2,"v":3}'
check "one of {id}" takes '{"table": "tenanted"}' '{id}'
sql "delete from cachepusher.document"

printf '{"prefix": "%s", "entities": [{"name": "v", "key": "{prefix}:v:{film_id}", "watch": [{"table": "public.film", "column": "film_id"}],
    "document": {"table": "v", "key": "film_id", "where": "title <> '"''"'"}}]}' "$prefix" >view.json
for source in notify wal; do
    check "$source: a view whose tables are listed" setup view.json --source "$source"
    start_ready --config view.json --source "$source"
    sql "update film set title = '$source' where film_id = 1; update film set title = '' where film_id = 2"
    check "is followed" wait_for value v:1 "{\"film_id\":1,\"title\":\"$source\"}"
    check "and filtered" wait_for value v:2 ''
    sql "update film set title = 'again' where film_id = 2"
    check "and comes back" wait_for value v:2 '{"film_id":2,"title":"again"}'
    stop
    sed 's/"where": "[^"]*"/"columns": ["title", "film_id"]/' view.json >view2.json
    check "another version" setup view2.json --source "$source"
    check "is taken away" call "$command" teardown --config view2.json --source "$source"
done

sql "set client_min_messages = warning; drop schema cachepusher cascade; create role ${name}_owner login; create schema owned authorization ${name}_owner;
     grant create on database $name to ${name}_owner; revoke temporary on database $name from public;
     create table owned.thing (id int primary key, v int); alter table owned.thing owner to ${name}_owner"
export CP_DSN="${dsn/user=$PGUSER/user=${name}_owner}"
check "what an owner needs to have expressions checked" \
    refuses "$d\.where: .*grant temporary on database $name to ${name}_owner" '{"table": "owned.thing", "where": "v > 0"}'
export CP_DSN=$dsn
sql "grant temporary on database $name to ${name}_owner"
export CP_DSN="${dsn/user=$PGUSER/user=${name}_owner}"
check "and has then" takes '{"table": "owned.thing", "where": "v > 0"}'
export CP_DSN=$dsn
sql "drop owned by ${name}_owner cascade; drop role ${name}_owner"

if ((failures > 0)); then
    echo "$failures failed"
    exit 1
fi
