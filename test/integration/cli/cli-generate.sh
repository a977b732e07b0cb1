#!/bin/bash
# Tests cachepusher generate: what it proposes for small schemas of several shapes.
#
# Usage: scripts/with-servers test/integration/cli/cli-generate.sh DIRECTORY_OF_THE_COMMANDS
#
# Prints a line for each check.

# shellcheck disable=SC2317 # check calls functions it takes for unreachable
set -euo pipefail
case ${1-} in '' | -h | --help) sed -n '2,/^$/s/^# \{0,1\}//p' "$0" && exit ;; esac

bin=$(cd "$1" && pwd)
command=$bin/cachepusher
repo=$(cd "$(dirname "$0")/../../.." && pwd)
dir=$(mktemp -d /tmp/cp-cli.XXXXXX)
name=clig_$$
prefix=$name
dsn="host=$PGHOST port=${PGPORT-5432} user=$PGUSER dbname=$name"
redis_uri=$CP_REDIS
export LC_ALL=C.UTF-8 CP_DSN=$dsn
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/cli-lib.sh"
cd "$dir"

begin_anew() { # SQL
    dropdb --if-exists --force "$name"
    createdb -T template0 "$name"
    sql "$1"
}
# JSON whose lines are not too long, and with no member twice, which JSON readers take amiss.
is_pleasant() {
    local unique=
    (($(sql 'show server_version_num') < 160000)) || unique='is json object with unique keys'
    awk 'length > 120 { print "too long: " $0; long = 1 } END { exit long }' out >>why &&
        sql "select \$json\$$(<out)\$json\$::text::json::text $unique" >/dev/null &&
        [[ -z $unique || $(sql "select \$json\$$(<out)\$json\$ $unique") == t ]]
}
proposes() { # TABLE [OPTION...]
    call "$command" generate "$@"
    ((code == 0)) && [[ ! -s err ]] && is_pleasant
}
tree() { # each include: its path, and what says how it hangs there
    sql "with recursive nodes (path, node) as (
             select '', \$json\$$(<out)\$json\$::jsonb #> '{entities,0,document}'
             union all
             select path || '/' || (e ->> 'name'), e from nodes, jsonb_array_elements(node -> 'include') as e
         )
         select path || ' ' || coalesce((
             select string_agg(key || '=' || (value #>> '{}'), ' ' order by key) from jsonb_each(node)
             where key in ('table', 'one', 'by', 'through', 'depth', 'order')), '')
         from nodes where path <> ''"
}
columns() { # PATH...: of the include of that path, or the document
    local where='{entities,0,document' index
    for index; do where+=",include,$index"; done
    sql "select string_agg(c, ' ') from json_array_elements_text(\$json\$$(<out)\$json\$::json #> '$where,columns}') as c"
}
has_tree() { # TABLE EXPECTED: the whole tree
    proposes "$1" && diff <(sed 's/^ *//; /^$/d' <<<"$2") <(tree) >>why
}
has_columns() { # EXPECTED INDEX...
    [[ $(columns "${@:2}") == "$1" ]] || { columns "${@:2}" >>why && return 1; }
}
says() { grep -qE -- "$1" out; }                         # PATTERN
key_is() { says "\"key\": \"$1\"" && says "\"key\": $2"; } # TEMPLATE COLUMNS: as they are written
writes() { # TABLE: exactly what stands on standard input, but for the connection
    proposes "$1" && diff - <(grep -v '"postgres":' out) >>why
}

# ---- usage ----

createdb -T template0 "$name"
sql 'create table t (id int primary key)'
check "generate --help" prints '^usage: cachepusher generate TABLE ' "$command" generate --help
check "no table" exits 2 "^cachepusher: generate: expected the name of a table; try " "$command" generate
check "two tables" exits 2 '^cachepusher: argument 2: expected one table' "$command" generate t u
check "--depth nine" exits 2 '^cachepusher: --depth: "9" is not a number from 0 to 5$' "$command" generate t --depth 9
check "--depth of nothing" exits 2 '^cachepusher: --depth: "" is not a number' "$command" generate t --depth ''
check "generate takes no --dry-run" exits 2 '^cachepusher: --dry-run: ' "$command" generate --dry-run t
check "generate takes no --redis" exits 2 '^cachepusher: --redis: ' "$command" generate --redis x t
check "Postgres is away" exits 1 '^cachepusher: Postgres: ' "$command" generate t --dsn "host=$dir"
check "a table that is not there" exits 1 '^cachepusher: film: there is no such table that this role can see$' \
    "$command" generate film
check "what is no name" exits 1 '^cachepusher: Postgres: ' "$command" generate '"'
check "a table of Postgres itself" exits 1 'there is no such table' "$command" generate pg_catalog.pg_class
has_connection() { proposes t --dsn "$dsn" && says "\"postgres\": \"$dsn\","; }
check "the connection goes into the file" has_connection
hides_password() { proposes t --dsn "$dsn password=se-cret" && lacks se-cret out && says '"// postgres": '; }
check "but not with its password" hides_password
reads_config() {
    printf '{ "postgres": "%s" }' "$dsn" >at.json
    call env -u CP_DSN "$command" generate t --config at.json
    ((code == 0)) && says '"table": "t"'
}
check "it can come from a file" reads_config
smallest() {
    writes t <<'END'
{
    "//": "Proposed by cachepusher generate for public.t, from its foreign keys. All of it may be changed: leave out",
    "// 1": "what nobody reads, name what is missing. Then: cachepusher setup --config FILE, and cachepusher run",
    "// 2": "--config FILE.",
    "name": "t",
    "entities": [
        {
            "name": "t",
            "key": "t:{id}",
            "document": {
                "table": "t", "key": "id",
                "columns": ["id"]
            }
        }
    ]
}
END
}
check "the smallest file" smallest

# ---- a film rental ----

begin_anew "
    create table language (language_id serial primary key, name text not null);
    create table actor (actor_id serial primary key, first_name text, last_name text);
    create table category (category_id serial primary key, name text, parent_id int references category);
    create table film (film_id serial primary key, title text not null, language_id int not null references language,
        original_language_id int references language, fulltext tsvector);
    create table film_actor (actor_id int references actor, film_id int references film, last_update timestamptz,
        primary key (actor_id, film_id));
    create table film_category (film_id int references film, category_id int references category,
        primary key (film_id, category_id));
    create table country (country_id serial primary key, country text);
    create table city (city_id serial primary key, city text, country_id int references country);
    create table address (address_id serial primary key, address text, city_id int references city);
    create table staff (staff_id serial primary key, name text, password text, picture bytea, store_id int);
    create table store (store_id serial primary key, manager_staff_id int references staff,
        address_id int references address);
    alter table staff add foreign key (store_id) references store;
    create table inventory (inventory_id serial primary key, film_id int references film, store_id int references store);
    create table customer (customer_id serial primary key, name text, api_token text, address_id int references address);
    create table rental (rental_id serial primary key, inventory_id int references inventory,
        customer_id int references customer);
    create table payment (payment_id serial primary key, rental_id int references rental, amount numeric);
    create view films as select * from film"
film_tree='/language by=language_id one=true table=language
    /original_language by=original_language_id one=true table=language
    /actor table=actor through=film_actor
    /category table=category through=film_category
    /inventory table=inventory
    /inventory/store one=true table=store
    /inventory/rental table=rental
    /inventory/rental/customer one=true table=customer'
check "lookups, link tables, lists within lists" has_tree film "$film_tree"
check "a lookup stands for its column, and tsvector is left out" has_columns 'film_id title'
check "so does the parent" has_columns 'inventory_id' 4
check "what is left out is said" says '"// columns": "left out: fulltext \(tsvector\)"'
check "and what is too deep" says '"// include": "left out: payment \(deeper than --depth 2 goes\)"'
check "the customer keeps the id of an address that is too deep" has_columns 'customer_id name address_id' 4 1 0
store_tree='/manager_staff by=manager_staff_id one=true table=staff
    /address one=true table=address
    /inventory table=inventory
    /staff by=store_id table=staff
    /address/city one=true table=city
    /inventory/film one=true table=film
    /inventory/rental table=rental
    /inventory/rental/customer one=true table=customer'
check "foreign keys both ways" has_tree store "$store_tree"
check "passwords and pictures are left out" has_columns 'staff_id name store_id' 0
check "and said" says 'left out: password \(looks private\), picture \(bytea\)'
check "a list for each of two foreign keys" has_tree language '/film_by_language by=language_id table=film
    /film_by_original_language by=original_language_id table=film
    /film_by_language/actor table=actor through=film_actor
    /film_by_language/category table=category through=film_category
    /film_by_language/inventory table=inventory
    /film_by_original_language/actor table=actor through=film_actor
    /film_by_original_language/category table=category through=film_category
    /film_by_original_language/inventory table=inventory
    /film_by_language/inventory/store one=true table=store
    /film_by_original_language/inventory/store one=true table=store'
check "a tree within the table" has_tree category '/children by=parent_id depth=3 table=category
    /film table=film through=film_category
    /film/language by=language_id one=true table=language
    /film/original_language by=original_language_id one=true table=language'
depth() { # N LINES
    proposes film --depth "$1" && tree >>why && (($(wc -l <why) == $2))
}
check "--depth 0" depth 0 2
check "--depth 1" depth 1 6
check "--depth 3" depth 3 11
check "a view" exits 1 '^cachepusher: public.films is a view, ' "$command" generate films
sql "insert into language (name) values ('en'), ('de'); insert into film (title, language_id)
     select 'film ' || n, 1 from generate_series(1, 5000) n; analyze"
too_many() { proposes language && [[ -z $(tree) ]] && says 'left out: film \(about 2500 rows in each document\)'; }
check "lists that are too long" too_many

# ---- composite keys, tenants, quoted names ----

begin_anew '
    create schema saas;
    create table saas.tenant (tenant_id uuid primary key, name text);
    create table saas.customer (tenant_id uuid references saas.tenant, customer_id int, name text,
        primary key (tenant_id, customer_id));
    create table saas.product (tenant_id uuid references saas.tenant, product_id int, name text,
        primary key (tenant_id, product_id));
    create table saas."Order" (tenant_id uuid references saas.tenant, order_id int, customer_id int, "Placed ""At""" date,
        primary key (tenant_id, order_id), foreign key (tenant_id, customer_id) references saas.customer);
    create table saas.order_line (tenant_id uuid references saas.tenant, order_id int, line_no int, product_id int,
        quantity int, primary key (tenant_id, order_id, line_no),
        foreign key (tenant_id, order_id) references saas."Order",
        foreign key (tenant_id, product_id) references saas.product);
    create table saas.tag (tenant_id uuid references saas.tenant, tag_id int, label text, primary key (tenant_id, tag_id));
    create table saas.order_tag (tenant_id uuid references saas.tenant, order_id int, tag_id int,
        primary key (tenant_id, order_id, tag_id), foreign key (tenant_id, order_id) references saas."Order",
        foreign key (tenant_id, tag_id) references saas.tag);
    create table saas.shipment (tenant_id uuid, "from order" int, to_order int, id int primary key,
        foreign key (tenant_id, "from order") references saas."Order",
        foreign key (tenant_id, to_order) references saas."Order")'
order() {
    writes 'saas."Order"' <<'END'
{
    "//": "Proposed by cachepusher generate for saas.\"Order\", from its foreign keys. All of it may be changed: leave",
    "// 1": "out what nobody reads, name what is missing. Then: cachepusher setup --config FILE, and cachepusher run",
    "// 2": "--config FILE.",
    "name": "Order",
    "entities": [
        {
            "name": "Order",
            "key": "Order:{tenant_id}:{order_id}",
            "document": {
                "table": "saas.\"Order\"", "key": ["tenant_id", "order_id"],
                "columns": ["tenant_id", "order_id", "\"Placed \"\"At\"\"\""],
                "include": [
                    {"name": "tenant", "table": "saas.tenant", "one": true, "columns": ["tenant_id", "name"]},
                    {
                        "name": "customer", "table": "saas.customer", "one": true,
                        "columns": ["tenant_id", "customer_id", "name"]
                    },
                    {
                        "name": "order_line", "table": "saas.order_line",
                        "columns": ["line_no", "quantity"],
                        "include": [
                            {
                                "name": "product", "table": "saas.product", "one": true,
                                "columns": ["tenant_id", "product_id", "name"]
                            }
                        ]
                    },
                    {
                        "name": "tag", "table": "saas.tag", "through": "saas.order_tag",
                        "columns": ["tenant_id", "tag_id", "label"]
                    },
                    {
                        "name": "shipment_by_from order", "table": "saas.shipment",
                        "by": ["tenant_id", "\"from order\""],
                        "columns": ["to_order", "id"]
                    },
                    {
                        "name": "shipment_by_to_order", "table": "saas.shipment", "by": ["tenant_id", "to_order"],
                        "columns": ["\"from order\"", "id"]
                    }
                ]
            }
        }
    ]
}
END
}
check "composite keys" order
check "a tenant has what hangs on nothing else of it" has_tree saas.tenant '/customer table=saas.customer
    /product table=saas.product
    /tag table=saas.tag
    /customer/Order table=saas."Order"
    /product/order_line table=saas.order_line
    /tag/Order table=saas."Order" through=saas.order_tag
    /product/order_line/order one=true table=saas."Order"
    /tag/Order/customer one=true table=saas.customer'
sql "alter database $name set search_path = saas"
unqualified() { proposes '"Order"' && says '"table": "\\"Order\\"", ' && says '"through": "order_tag",'; }
check "names that search_path finds need no schema" unqualified
sql "create table \"Größe in ß%\" (\"A b\" int, \"C{d}\" text, primary key (\"A b\", \"C{d}\"))"
odd() { proposes '"Größe in ß%"' && key_is 'Gr____e_in____:{id}' '\["\\"A b\\"", "\\"C\{d\}\\""\]'; }
check "names that are no good for a key" odd

# ---- a message board: people, self references, links within a table ----

begin_anew '
    create table users (id bigserial primary key, login text, "passwordHash" text, "ApiKeys" text, salt text, secretary text,
        tokens_left int, pincode text, manager_id bigint references users);
    create table follows (follower_id bigint references users, followed_id bigint references users,
        primary key (follower_id, followed_id));
    create table user_tokens (id bigserial primary key, user_id bigint references users, value text);
    create table profile (user_id bigint primary key references users, bio text, last_seen_at timestamptz);
    create table premium (user_id bigint not null unique references users);
    create table thread (id bigserial primary key, title text, author_id bigint references users);
    create table post (id bigserial primary key, thread_id bigint references thread, author_id bigint references users,
        reply_to bigint references post, body text);
    create table vote (post_id bigint not null references post, value int, at json);
    create table log (at timestamptz, line text);
    create table event (gid uuid not null unique, at timestamptz) partition by list (gid);
    create table event_1 partition of event default'
check "people" has_tree users '/followed table=users through={"by": "follower_id", "to": "followed_id", "table": "follows"}
    /follower table=users through={"by": "followed_id", "to": "follower_id", "table": "follows"}
    /post table=post
    /premium one=true table=premium
    /profile one=true table=profile
    /thread table=thread
    /reports by=manager_id depth=3 table=users
    /post/thread one=true table=thread
    /post/vote order=value, at::text table=vote
    /thread/post table=post'
check "private columns by their words" has_columns 'id login secretary tokens_left pincode manager_id'
check "private tables" says 'left out: user_tokens \(looks private\)'
check "a table that is one to one shows no column twice" has_columns bio 4
check "unless it has no other" has_columns user_id 3
check "what changes with each visit" says 'left out: last_seen_at \(changes with each visit\)'
check "replies" has_tree post '/thread one=true table=thread
    /author one=true table=users
    /replies by=reply_to depth=3 table=post
    /vote order=value, at::text table=vote
    /thread/author one=true table=users'
check "no primary key" exits 1 '^cachepusher: public.log has no primary key.*alter table public.log add primary key' \
    "$command" generate log
unique_key() { proposes event && key_is 'event:{id}' '"gid"'; }
check "another key does, too" unique_key
check "a partition" exits 1 '^cachepusher: public.event_1 is a partition: ' "$command" generate event_1

# ---- shapes of object-relational mappers: quoted names, link tables without a primary key ----

begin_anew '
    create domain code as text;
    create table "Posts" ("postId" code primary key, "blogId" int);
    create table "Tags" ("tagId" serial primary key, label text);
    create table "_PostsToTags" ("A" code not null references "Posts", "B" int not null references "Tags");
    create index on "_PostsToTags" ("A");
    create table "Blogs" (id int primary key, "ownerPassHash" text, data jsonb);
    alter table "Posts" add foreign key ("blogId") references "Blogs" on delete cascade;
    create table "Sections" (id int primary key, "blogId" int references "Blogs", "order" int,
        "parentId" int references "Sections")'
check "a link table without a key" has_tree '"Posts"' '/blog one=true table="Blogs"
    /Tags table="Tags" through="_PostsToTags"'
check "columns are quoted" has_columns '"postId"'
check "a tree that hangs on something" has_tree '"Sections"' '/blog one=true table="Blogs"
    /children by="parentId" depth=3 table="Sections"'
check "a word of SQL is quoted" has_columns 'id "order" "parentId"'

# ---- a table that everything references ----

begin_anew "create table hub (id int primary key, spoke_1 text)"
sql "do \$\$ begin for n in 1..60 loop
         execute format('create table spoke_%s (id int primary key, hub_id int references hub)', n);
     end loop; end \$\$"
many() { proposes hub && (($(tree | wc -l) == 32)) && says 'there are 32 includes already\), and more"'; }
check "a bounded number of includes" many
check "two members of a name" says '"name": "spoke_1_by_hub"'

if ((failures > 0)); then
    echo "$failures failed"
    exit 1
fi
