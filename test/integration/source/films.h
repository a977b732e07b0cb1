/* Films, whose documents show what is two and three tables away: rows that only a mapping finds the documents of. */
#ifndef FILMS_H
#define FILMS_H

#include "harness.h"

/* The tables and functions; films and actors 1 to n, and agencies 1 to 9. Actor i plays in film i. */
struct fixture *open_films(int n);

/* Of the whole database. What maps actors is films_of(), which tests replace. */
extern const char films_entities[];

void expect_films(struct fixture *f);

/* films_of() runs these PL/pgSQL statements first; its argument is "ids". */
void define_films_of(struct fixture *f, const char *statements);

/* Another connection keeps films_of() from returning until it commits. */
PGconn *hold_mapping(struct fixture *f);

#endif
