#!/bin/bash
# Tests declared documents: what cachepusher setup makes of them, and that a daemon follows them, over both sources.
#
# Usage: scripts/with-servers test/integration/cli/cli-document.sh DIRECTORY_OF_THE_COMMANDS
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

begin_anew() {
    drop_slots
    dropdb --force "$name"
    createdb -T template0 "$name"
    forget_keys "$name"
}
runs_nothing() { # FILE [OPTION...]: but notes
    setup "$@" && grep -q 'nothing to do' out && ! grep -qv -e '^-- ' -e 'nothing to do' out && [[ ! -s err ]]
}
fetch() { sql "select entity ->> 'fetch_many' from cachepusher.document where name = '$1' order by made_at desc limit 1"; }
documents() { sql "select document from $(fetch "$1")('$2')"; } # NAME IDS
changes_nothing() { # COMMAND...
    made >before
    call "$@"
    made >after
    ((code == 0)) && cmp before after >>why
}
written() { grep -qF -- "$1" out; }
equal() { "$command" verify --config "$1" "${@:2}" </dev/null >verified 2>&1; } # FILE: Redis and Postgres

createdb -T template0 "$name"

# ---- the customer example, declared ----

load_schema "$name"
sql "insert into customer (id_customer, name) select i, case when i % 10 > 0 then E'cust\"ömer\t' || i end
     from generate_series(1, 500) i;
     insert into address (description, fk_customer) select 'street \\ ' || i, nullif(i % 450, 0) from generate_series(1, 2000) i"
customer='{"table": "customer", "key": "id_customer", "columns": ["id_customer", "name"], "include": [
    {"name": "addresses", "table": "address", "columns": ["id_address", "description"], "order": "id_address"}]}'
declare_to customer.json customer '{id}' "$customer"
check "it is not set up yet" exits 1 'entities\[0\].document \(customer\) is not set up as declared here: run cachepusher setup' \
    "$command" warmup --config customer.json
check "the declared customer" setup customer.json
same_bytes() {
    [[ $(sql "select count(*) from (select * from customer_get_many(array(select id_customer from customer))) a
              full join $(fetch customer)(array(select id_customer from customer)) b using (id)
              where a.document::text is distinct from b.document::text") == 0 ]] &&
        [[ $(sql "select count(*) from $(fetch customer)(array(select id_customer from customer))") == 500 ]]
}
check "has the bytes of the one by hand" same_bytes
sql 'analyze customer, address' # or a plan could change from one look to the next
plan() { sql "explain (costs off) select * from $1('{1,2,3}')"; }
same_plan() { diff <(plan customer_get_many) <(plan "$(fetch customer)") >>why; }
check "and its plan: it is inlined" same_plan
check "nobody there has no document" test -z "$(documents customer '{9999}')"
check "twice" runs_nothing customer.json
declare_to other.json customer '{id}' "${customer/\"name\"], \"include/\"name\", \"touched_at\"], \"include}"
check "another declaration is not that one" exits 1 'entities\[0\].document \(customer\) is not set up as declared here' \
    "$command" warmup --config other.json
check "comments and order do not count" runs_nothing <(sed 's/"table": "customer",/"\/\/": "ours", "table": "customer",/' customer.json)

# ---- a film, by notifications ----

begin_anew
films() {
    sql "create table language (language_id int primary key, name text not null, last_update timestamptz);
         create table film (film_id int generated always as identity primary key, title text not null, rating text,
             language_id int not null references language, original_id int references language,
             active boolean not null default true, views int not null default 0);
         create table actor (actor_id int primary key, first_name text, last_name text);
         create table film_actor (film_id int references film on delete cascade, actor_id int references actor,
             primary key (film_id, actor_id));
         create table store (store_id smallint primary key, city text);
         create table inventory (inventory_id int primary key, film_id int references film on delete cascade,
             store_id smallint references store);
         insert into language select i, 'language ' || i from generate_series(1, 3) i;
         insert into film (title, language_id, active) select 'film ' || i, 1 + i % 3, i % 10 > 0 from generate_series(1, 100) i;
         insert into actor select i, 'f' || i, 'l' || i % 7 from generate_series(1, 40) i;
         insert into film_actor select f, 1 + (f * 7 + k * 3) % 40 from generate_series(1, 100) f, generate_series(1, 4) k;
         insert into store values (1, 'Bonn'), (2, 'Ulm');
         insert into inventory select i, 1 + i % 100, 1 + i % 2 from generate_series(300, 1, -1) i"
}
film='{"table": "film", "where": "active", "columns": ["film_id", {"name": "name", "column": "title"}, "rating",
        {"name": "loud", "sql": "upper(title)"}], "include": [
    {"name": "actors", "table": "actor", "through": "film_actor", "order": "last_name desc"},
    {"name": "language", "table": "language", "one": true, "by": "language_id", "columns": ["name"]},
    {"name": "copies", "table": "inventory", "columns": ["inventory_id"], "order": "store_id", "include": [
        {"name": "store", "table": "store", "one": true}]}]}'
declare_to film.json film '{id}' "$film"
films
check "a dry run changes nothing" changes_nothing "$command" setup --config film.json --dry-run
check "it prints the function" written 'create or replace function cachepusher.film_'
check "setup" setup film.json
by_hand="select row_to_json(d) from (select f.film_id, f.title as name, f.rating, upper(f.title) as loud,
    array(select a from (select actor.* from actor join film_actor using (actor_id) where film_actor.film_id = f.film_id
                         order by last_name desc, actor_id) as a) as actors,
    (select l from (select name from language where language.language_id = f.language_id) as l) as language,
    array(select c from (select i.inventory_id, (select s from store s where s.store_id = i.store_id) as store
                         from inventory i where i.film_id = f.film_id order by i.store_id, i.inventory_id) as c) as copies
    from film f where f.active and f.film_id = any (array(select generate_series(1, 100))) order by film_id) as d"
as_by_hand() { diff <(sql "$by_hand") <(sql "select document from $(fetch film)(array(select generate_series(1, 100))) order by id") >>why; }
check "the documents are as one would write them" as_by_hand
check "twice" runs_nothing film.json
indexes_are_told_of() { written '-- create index concurrently on public.film_actor (actor_id, film_id): documents of film need it'; }
check "indexes that are missing are told of" indexes_are_told_of
check "and not made" test "$(sql "select count(*) from pg_index where not indisprimary and indrelid > 16384")" == 0
check "--indexes makes them" setup film.json --indexes
made_indexes() {
    [[ $(sql "select count(*) from pg_index where not indisprimary and indisvalid and indrelid > 16384
              and indrelid::regclass::text ~ '^(film|film_actor|inventory)$'") == 4 ]] &&
        setup film.json --indexes && (($(wc -l <out) == 1))
}
check "once" made_indexes
sql "create table cascade (id int primary key, film_id int references film)" # nobody declared it
start_ready --config film.json
check "a daemon has all of them" equal film.json
sql "update film set title = 'new', rating = 'G' where film_id = 1; delete from film where film_id = 2;
     insert into film (title, language_id) values ('newer', 1); update film set active = not active where film_id in (3, 10);
     delete from film_actor where film_id = 4; update inventory set film_id = 6 where film_id = 5;
     insert into inventory values (1000, 7, 1)"
check "it follows what has the film's id" wait_for equal film.json
gone() { [[ $(redis exists "$prefix:film:2") == 0 && $(redis exists "$prefix:film:3") == 0 && $(redis exists "$prefix:film:10") == 1 ]]; }
check "a film that does not satisfy the filter has no document" gone
maps() {
    sql "update actor set last_name = 'zz' where actor_id = 5; update language set name = 'other' where language_id = 2;
         update store set city = 'Köln'" && wait_for equal film.json
}
check "it follows what is mapped to films" maps

# ---- it changes while a daemon runs ----

before=$(fetch film)
sed 's/"rating",/"rating", "views",/' film.json >film2.json
check "what has changed is shown" changes_nothing "$command" setup --config film2.json --dry-run
shown() {
    grep -qE '^-- - +select f.film_id, f.title as name, f.rating, \(pg_catalog.upper' out &&
        grep -qE '^-- \+ +select f.film_id, f.title as name, f.rating, f.views, \(pg_catalog.upper' out
}
check "line by line" shown
check "the daemon's version stays" setup film2.json
versions() { [[ $(fetch film) != "$before" && $(sql "select count(*) from $before('{1}')") == 1 ]]; }
check "beside the new one" versions
sql "update film set title = 'while' where film_id = 11; update film set views = 7 where film_id = 12"
still_right() { [[ $(redis get "$prefix:film:11") == "$(sql "select document from $before('{11}')")" ]]; }
check "the daemon goes on with it" wait_for still_right
check "and ends" stop
start_ready --config film2.json
check "one that is started has the new one" wait_for equal film2.json
sql "update film set views = 8 where film_id = 12"
check "and follows it" wait_for equal film2.json
check "twice" runs_nothing film2.json
check "back to the one that reads less" setup film.json
second=$(sql "select entity ->> 'fetch_many' from cachepusher.document order by made_at limit 1")
sleep 2 # new triggers have everything read again, which is not what is looked at here
sql "update film set views = 9 where film_id = 12"
reads_more() { [[ $(redis get "$prefix:film:12") == "$(sql "select document from $second('{12}')")" ]]; }
check "the daemon still sees what that does not read" wait_for reads_more
check "and forth" setup film2.json
sql "alter table film add column length int"
sed -z 's/"columns": \["film_id"[^]]*\]/"columns": "*"/' film.json >film3.json
check "a third one" setup film3.json
third=$(fetch film)
kept() { [[ -n $(sql "select to_regproc('$before')") && $(sql "select count(*) from cachepusher.document") == 3 ]]; }
check "drops none" kept
sql "update film set title = 'third' where film_id = 12"
check "and the daemon goes on" wait_for reads_more
older() {
    for ((i = 1; i <= 6; i++)); do
        sed "s/\"rating\"/{\"name\": \"v$i\", \"column\": \"length\"}/" film.json >film_n.json
        setup film_n.json || return 1
    done
    [[ -n $(sql "select to_regproc('$before')") ]] && setup film3.json && sed 's/"v6"/"v7"/' film_n.json >film_m.json &&
        setup film_m.json && written 'film: older than the last 8 versions' && [[ -z $(sql "select to_regproc('$before')") ]] &&
        [[ $(sql "select count(*) from cachepusher.document") == 9 ]] && setup film3.json && [[ $(fetch film) == "$third" ]]
}
check "many drop the first" older
stop
start_ready --config film3.json
sql "alter table film add column extra text default 'x'"
check "a column more is a change without one of the file" setup film3.json
another() { [[ $(fetch film) != "$third" ]] && grep -qE '^-- \+ .*f.extra' out; }
check "with a function of its own" another
sql "update film set extra = 'y' where film_id = 13; update film set title = 'last' where film_id = 14"
goes_on() { [[ $(redis get "$prefix:film:14") == "$(sql "select document from $third('{14}')")" ]]; }
check "the daemon goes on" wait_for goes_on
stop
start_ready --config film3.json
check "until it is started again" wait_for equal film3.json
stop
sql "alter table film drop column length"
check "what former versions read may be gone" setup film3.json
check "somebody changes the function" sql "create or replace function $(fetch film)(ids integer[])
    returns table (id integer, document json) language sql stable as 'select 1, null::json'"
check "setup sees it" setup film3.json
mended() { written '-- - select 1, null::json' && runs_nothing film3.json; }
check "and mends it" mended

# ---- teardown ----

check "teardown dry" changes_nothing "$command" teardown --config film3.json --dry-run
check "teardown" call "$command" teardown --config film3.json
nothing_is_left() {
    [[ -z $(sql "select nspname from pg_namespace where nspname = 'cachepusher' union all
                 select proname from pg_proc where proname like 'cachepusher%' union all
                 select tgname from pg_trigger where not tgisinternal") ]]
}
check "nothing is left" nothing_is_left
check "teardown again" prints 'nothing to do' "$command" teardown --config film3.json

# ---- several configurations of the same tables ----

declare_to title.json film '{id}' '{"table": "film", "columns": ["film_id", "title"]}'
declare_to rating.json rating '{id}' '{"table": "film", "columns": ["film_id", "rating"]}'
check "one" setup title.json
start_ready --config title.json
check "its daemon has all of them" equal title.json
check "another one, which reads something else" setup rating.json
sleep 2 # new triggers have everything read again, which is not what is looked at here
sql "update film set title = 'two' where film_id = 1"
check "the first one's daemon still follows" wait_for redis_has film:1 '"two"'
check "nothing is to be done for it" runs_nothing title.json
check "nor for the other" runs_nothing rating.json
channel=cachepusher:public.film.film_id
# An entity by hand, with the channel and the watch that are given.
by_hand_to() { # FILE MEMBER
    printf '{"entities": [{"name": "hand", "key": "hand:{id}", "channels": ["film_changed"], "id_type": "integer",
        "fetch": "f", "list": "select 1", "watch": [{"table": "public.film", "column": "film_id"%s}]}]}' "$2" >"$1"
}
by_hand_to hand.json ''
not_another_channel() {
    made >before
    exits 1 "triggers of public.film \(film_id\) announce on $channel, which document film of another configuration needs, and this configuration would have them announce on film_changed: .*\"channel\": \"$channel\"" \
        "$command" setup --config hand.json || return 1
    made >after
    cmp before after >>why
}
check "a third one may not take their channel away" not_another_channel
by_hand_to ours.json ", \"channel\": \"$channel\""
check "with theirs it may" setup ours.json
check "the first one's triggers read all from then on, and it says so" runs_nothing title.json
check "at length" written '-- the triggers of public.film (film_id) announce every update, which this configuration does not need'
stays() { # FILE WHAT...: teardown leaves the triggers and says why
    call "$command" teardown --config "$1" && ((code == 0)) &&
        [[ $(sql "select count(*) from pg_trigger where not tgisinternal") == 4 ]] || return 1
    for each in "${@:2}"; do written "$each" || return 1; done
}
check "teardown leaves what others need" stays ours.json '-- the triggers of public.film (film_id) stay: document film is made' \
    '-- the triggers of public.film (film_id) stay: document rating is' '-- schema cachepusher stays: document film is in it, and 2 more'
check "also that of a declared one" stays rating.json '-- the triggers of public.film (film_id) stay: document film is made' \
    'drop function if exists cachepusher.rating_'
sql "update film set title = 'three' where film_id = 1"
check "the first one's daemon follows to the end" wait_for redis_has film:1 '"three"'
stop
declare_to store.json store '{id}' '{"table": "store"}'
check "one of other tables" setup store.json
check "takes away its own" call "$command" teardown --config title.json
leaves_the_schema() {
    written 'drop function public.cachepusher_film__film_id() cascade' && written '-- schema cachepusher stays: document store is in it' &&
        runs_nothing store.json
}
check "and leaves the schema" leaves_the_schema
by_hand_to former.json ', "channel": "film_changed"'
check "a channel by hand" setup former.json
check "can be another" setup hand.json
check "unless a document hangs on it" setup title.json
sql "select cachepusher.watch('film', 'film_id', 'by_hand')" >/dev/null
check "which is named" exits 1 'document film of another configuration needs, and this configuration' "$command" setup --config hand.json
check "the last one" call "$command" teardown --config title.json
check "of all" call "$command" teardown --config store.json
check "leaves nothing" nothing_is_left

# ---- over the write-ahead log ----

wal=(--source wal)
check "wal: setup" setup film2.json "${wal[@]}"
check "wal: twice" runs_nothing film2.json "${wal[@]}"
start_ready --config film2.json "${wal[@]}"
check "wal: a daemon has all of them" equal film2.json "${wal[@]}"
sql "update film set title = 'wal' where film_id = 21; delete from film_actor where film_id = 24;
     update inventory set film_id = 26 where film_id = 25; update film set views = views + 1"
check "wal: it follows" wait_for equal film2.json "${wal[@]}"
sql "update actor set first_name = 'wal' where actor_id = 9; update store set city = 'Trier' where store_id = 1"
check "wal: what is mapped, too" wait_for equal film2.json "${wal[@]}"
check "wal: a new version" setup film3.json "${wal[@]}"
sql "update film set title = 'between' where film_id = 31; update film set extra = 'z' where film_id = 32"
stop
sql "update film set extra = 'away' where film_id = 33"
start_ready --config film3.json "${wal[@]}"
check "wal: started again with it, it has all of it" wait_for equal film3.json "${wal[@]}"
sql "update film set extra = 'later' where film_id = 34"
check "wal: and follows" wait_for equal film3.json "${wal[@]}"
stop
check "wal: teardown" call "$command" teardown --config film3.json "${wal[@]}"
check "wal: nothing is left" nothing_is_left

# ---- it waits ----

start --config film.json --wait --admin "unix:$dir/admin.sock"
answers() { # CODE PATH
    [[ $(curl -s -o answer -w '%{http_code}' --unix-socket admin.sock "http://x$2") == "$1" ]]
}
check "the admin server answers already" wait_for answers 200 /livez
check "that it is not ready" answers 503 /readyz
check "run --wait tells what is missing" wait_for logged 'waiting: .*\(film\) is not set up as declared here'
check "until it is there" setup film.json
check "and goes on" wait_for logged ' ready: '
check "which the admin server says" wait_for answers 200 /readyz
check "with all of them" wait_for equal film.json
stop

# ---- keys and names ----

begin_anew
sql "create table tenant (tenant_id int primary key, name text);
     create table product (tenant_id int references tenant, sku text, name text, primary key (tenant_id, sku));
     create table orders (tenant_id int references tenant, order_id bigint, status text, primary key (tenant_id, order_id));
     create table line (tenant_id int, order_id bigint, line_no int, sku text, primary key (tenant_id, order_id, line_no),
         foreign key (tenant_id, order_id) references orders on delete cascade,
         foreign key (tenant_id, sku) references product);
     insert into tenant select i, 't' || i from generate_series(1, 3) i;
     insert into product select t, 's:%' || p, 'p' || p from generate_series(1, 3) t, generate_series(1, 10) p;
     insert into orders select t, o, 'new' from generate_series(1, 3) t, generate_series(1, 40) o;
     insert into line select t, o, n, 's:%' || 1 + (o + n) % 10 from generate_series(1, 3) t, generate_series(1, 40) o,
         generate_series(1, 3) n;
     create table account (id bigint primary key, gid uuid not null unique default gen_random_uuid(), email text);
     create table post (id bigint primary key, account_id bigint references account, body text);
     insert into account (id, email) select i, 'm' || i from generate_series(1, 20) i;
     insert into post select i, 1 + i % 20, 'b' || i from generate_series(1, 60) i;
     create table category (id int primary key, parent_id int references category, name text);
     insert into category select i, nullif(i / 3, 0), 'c' || i from generate_series(1, 50) i;
     create schema \"My Schema\";
     create table \"My Schema\".\"Big Table\" (\"Id\" smallint primary key, document text, line text, \"select\" int,
         wanted_id int, ids int);
     create table \"My Schema\".child (id int primary key, \"Parent Id\" smallint references \"My Schema\".\"Big Table\",
         line text, document int);
     insert into \"My Schema\".\"Big Table\" select i, 'd', 'l', 1, 2, 3 from generate_series(1, 10) i;
     insert into \"My Schema\".child select i, 1 + i % 10, 'cl', 5 from generate_series(1, 30) i;
     create table code (code varchar(10) primary key, num numeric unique not null);
     insert into code select 'c' || i, i / 8.0 from generate_series(1, 20) i"
printf '{"prefix": "%s", "entities": [
    {"name": "order", "key": "{prefix}:order:{tenant_id}:{order_id}", "document": {"table": "orders", "include": [
        {"name": "lines", "table": "line", "columns": ["line_no"], "include": [
            {"name": "product", "table": "product", "one": true, "columns": ["sku", "name"]}]},
        {"name": "tenant", "table": "tenant", "one": true}]}},
    {"name": "product", "key": "{prefix}:product:{id}", "document": {"table": "product"}},
    {"name": "tenant", "key": "{prefix}:tenant:{tenant_id}", "document": {"table": "tenant", "include": [
        {"name": "orders", "table": "orders", "columns": ["order_id"], "include": [
            {"name": "lines", "table": "line", "columns": ["sku"]}]}]}},
    {"name": "account", "key": "{prefix}:account:{gid}", "document": {"table": "account", "key": "gid", "include": [
        {"name": "posts", "table": "post", "columns": ["body"]}]}},
    {"name": "category", "key": "{prefix}:category:{id}", "document": {"table": "category", "columns": ["name"], "include": [
        {"name": "children", "table": "category", "by": "parent_id", "depth": 3, "columns": ["name"]},
        {"name": "parent", "table": "category", "one": true, "columns": ["name"]}]}},
    {"name": "Big-One", "key": "{prefix}:big:{id}", "document": {"table": "\\"My Schema\\".\\"Big Table\\"", "include": [
        {"name": "The \\"children\\"", "table": "\\"My Schema\\".child"},
        {"name": "last", "table": "\\"My Schema\\".child", "one": true, "order": "id desc"}]}},
    {"name": "code", "key": "{prefix}:code:{code}", "document": {"table": "code"}},
    {"name": "number", "key": "{prefix}:number:{num}", "document": {"table": "code", "key": "num", "columns": ["code"]}}
]}' "$prefix" >keys.json
check "keys of all kinds" setup keys.json
check "twice" runs_nothing keys.json
composite() {
    [[ $(documents order '{1:5,01:5,1:5:3,x,1:}') == '{"tenant_id":1,"order_id":5,"status":"new","lines":[{"line_no":1,"product":{"sku":"s:%7","name":"p7"}},{"line_no":2,"product":{"sku":"s:%8","name":"p8"}},{"line_no":3,"product":{"sku":"s:%9","name":"p9"}}],"tenant":{"tenant_id":1,"name":"t1"}}' ]]
}
check "a composite key" composite
check "with what is escaped in it" test "$(documents product '{2:s%3A%251}')" == '{"tenant_id":2,"sku":"s:%1","name":"p1"}'
nested() {
    [[ $(documents category '{2}') == '{"name":"c2","children":[{"name":"c6","children":[{"name":"c18","children":[]},{"name":"c19","children":[]},{"name":"c20","children":[]}]},{"name":"c7","children":[{"name":"c21","children":[]},{"name":"c22","children":[]},{"name":"c23","children":[]}]},{"name":"c8","children":[{"name":"c24","children":[]},{"name":"c25","children":[]},{"name":"c26","children":[]}]}],"parent":null}' ]]
}
check "a self reference, three levels" nested
named() {
    [[ $(documents Big-One '{1}') == '{"Id":1,"document":"d","line":"l","select":1,"wanted_id":2,"ids":3,"The \"children\"":[{"id":10,"Parent Id":1,"line":"cl","document":5},{"id":20,"Parent Id":1,"line":"cl","document":5},{"id":30,"Parent Id":1,"line":"cl","document":5}],"last":{"id":30,"Parent Id":1,"line":"cl","document":5}}' ]]
}
check "names that SQL would take for others" named
uses_index() { # NAME IDS INDEX
    [[ $(PGOPTIONS='-c enable_seqscan=off' sql "explain (costs off) select * from $(fetch "$1")('$2')") == *"$3"* ]]
}
check "the index of a composite key is used" uses_index order '{1:5}' orders_pkey
check "that of a varchar" uses_index code '{c1}' code_pkey
check "that of a number" uses_index number '{1}' code_num_key
check "that of a smallint" uses_index Big-One '{1}' 'Big Table_pkey'
start_ready --config keys.json
check "a daemon has all of them" equal keys.json
check "under keys with the values in them" test "$(redis exists "$prefix:order:1:5" "$prefix:product:2:s%3A%251")" == 2
sql "update orders set status = 'sent' where order_id = 7; delete from orders where order_id = 8;
     insert into line values (1, 9, 9, 's:%1'); update account set gid = gen_random_uuid() where id = 3;
     update category set name = 'other' where id in (5, 35); update category set parent_id = 4 where id = 6;
     update \"My Schema\".child set \"Parent Id\" = 2; update code set num = 77 where code = 'c1';
     update product set name = 'mapped' where sku = 's:%3'; update tenant set name = 'mapped' where tenant_id = 2;
     update post set body = 'mapped', account_id = 5 where account_id = 4; update line set sku = 's:%2' where tenant_id = 3"
check "it follows" wait_for equal keys.json
check "and ends" stop

if ((failures > 0)); then
    echo "$failures failed"
    exit 1
fi
