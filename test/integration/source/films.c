#include "films.h"

#include "equal.h"
#include "servers.h"
#include "sources.h"

#include <stdio.h>

static const char tables[] =
    "set client_min_messages = warning;"
    "create table film (film_id integer primary key, title text);"
    "create table agency (agency_id integer primary key, name text);"
    "create table actor (actor_id integer primary key, name text, agency_id integer);"
    "create table film_actor (actor_id integer, film_id integer, primary key (actor_id, film_id));"
    "create index on film_actor (film_id); create index on actor (agency_id);"
    "create table gate ();"
    "create function film_get_many(ids integer[]) returns table (id integer, document json) language sql stable as $$"
    " select f.film_id, json_build_object('film_id', f.film_id, 'title', f.title, 'actors', (select"
    "  json_agg(json_build_object('name', a.name, 'agency', g.name) order by a.actor_id) from film_actor fa"
    "  join actor a using (actor_id) left join agency g using (agency_id) where fa.film_id = f.film_id))"
    " from film f where f.film_id = any (ids) $$;"
    "select cachepusher.watch('film', 'film_id', 'film_changed');"
    "select cachepusher.watch('film_actor', 'film_id', 'film_changed');"
    "select cachepusher.watch('actor', 'actor_id', 'cachepusher:actor.actor_id');"
    "select cachepusher.watch('agency', 'agency_id', 'agency_changed');"
    "insert into agency select i, 'agency ' || i from generate_series(1, 9) i;";

const char films_entities[] =
    "{\"entities\": [{\"name\": \"film\", \"key\": \"{prefix}:film:{id}\", \"channels\": [\"film_changed\"],"
    " \"watch\": [" WATCHES("film", "film_id") "," WATCHES(
        "film_actor", "film_id") ","
                                 " {\"table\": \"actor\", \"column\": \"actor_id\", \"maps\": \"select film_id from "
                                 "films_of($1) as f(film_id)\"},"
                                 " {\"table\": \"agency\", \"column\": \"agency_id\", \"channel\": \"agency_changed\", "
                                 "\"maps\": \"select fa.film_id"
                                 " from actor a join film_actor fa using (actor_id) where a.agency_id = any ($1) -- "
                                 "those of its actors\"}],"
                                 " \"fetch_many\": \"film_get_many\", \"list\": \"select film_id from film\"}]}";

void define_films_of(struct fixture *f, const char *statements)
{
    sqlf(f,
         "create or replace function films_of(ids integer[]) returns setof integer language plpgsql stable as $$ begin"
         " %s return query select film_id from film_actor where actor_id = any (ids); end $$",
         statements);
}

struct fixture *open_films(int n)
{
    struct fixture *f = fixture_open();
    sql(f, tables);
    define_films_of(f, "");
    sqlf(f,
         "insert into film select i, 'film ' || i from generate_series(1, %d) i;"
         "insert into actor select i, 'actor ' || i, 1 + i %% 9 from generate_series(1, %d) i;"
         "insert into film_actor select i, i from generate_series(1, %d) i",
         n, n, n);
    return f;
}

void expect_films(struct fixture *f)
{
    static const struct kind films = {":film:", "",
                                      "select id, document from film_get_many((select array_agg(film_id) from film))"};
    expect_equal(f, &films, 1);
}

PGconn *hold_mapping(struct fixture *f)
{
    PGconn *holder = connect_again(f);
    define_films_of(f, "perform from gate;");
    sql_on(holder, "begin; lock table gate in access exclusive mode");
    return holder;
}
