/*
 * Which documents exist according to Postgres: statements around an entity's listing query.
 *
 * The query becomes a subselect that the planner flattens. So pages become range scans of the id's index, and looking
 * for missing ids becomes one index probe each.
 */
#ifndef CPI_LISTING_H
#define CPI_LISTING_H

#include "postgres/fetch.h"

/* Ids to a page. */
enum { CPI_LISTING_PAGE = 8192 };

/* The first ids after `after` (NULL: from the start), in order, and before them those that Postgres takes to be equal
 * to it; binary. This is keyset paging: no transaction stays open between pages, and a page can be requested again on
 * another connection. */
struct cpi_rows *cpi_listing_page(struct cpi_pg *pg, const struct cpi_entity *entity, const union cpi_id *after,
                                  cp_error *err);

/* The last row of a page that is behind `after`: where the next page continues. -1: there is none, or no next page. */
int cpi_listing_last(const struct cpi_rows *page);

/* The ids of the array that the query does not list. */
struct cpi_rows *cpi_listing_missing(struct cpi_pg *pg, const struct cpi_entity *entity, struct cpi_id_array *ids,
                                     cp_error *err);

/* How many ids the planner expects the query to list. */
cp_code cpi_listing_estimate(struct cpi_pg *pg, const struct cpi_entity *entity, uint64_t *count, cp_error *err);

/* Whether the statements above would work: the query parses, its column sorts and compares as the entity's id type
 * does, and we may read what it reads. */
cp_code cpi_listing_check(struct cpi_pg *pg, const struct cpi_entity *entity, cp_error *err);

/* Whether a column of this type gives ids of that one, which the message names. */
cp_code cpi_listing_check_type(struct cpi_pg *pg, enum cpi_id_type id_type, cpi_oid type, cp_error *err);

#endif
