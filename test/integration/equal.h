/* Whether Redis holds what Postgres says it should: every document byte for byte, and nothing else. */
#ifndef EQUAL_H
#define EQUAL_H

#include "harness.h"

/* A kind of document. */
struct kind {
    const char *before;    /* of the key, after f->prefix */
    const char *after;     /* the id */
    const char *documents; /* a query: id as text, document as text or null for "no key" */
};

/* The customer example. */
extern const struct kind customers;

/* Waits until Redis holds exactly the documents of these kinds and the unmanaged keys under f->base. */
void expect_equal(struct fixture *f, const struct kind *kinds, size_t count);
void expect_customers(struct fixture *f);

/* The same without waiting. */
void require_customers(struct fixture *f);

/* Waits until the customer's key holds this; NULL: until there is no key. */
void expect_document(struct fixture *f, long long id, const char *document);

/* The keys under f->base, unmanaged ones included. */
size_t count_keys(struct fixture *f);

#endif
