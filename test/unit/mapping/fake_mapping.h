/*
 * A Postgres for the mapper, in memory: value 7 is mapped to documents 7000000, 7000001, ... in pages as they are.
 * Zero, with `documents` of each value, is a server that does as it should.
 */
#ifndef FAKE_MAPPING_H
#define FAKE_MAPPING_H

#include "postgres/mapping.h"

enum { FAKE_FIRST = 1000000 };

struct fake_mapping {
    int64_t documents; /* of each value */
    int64_t many;      /* this value has so many instead: */
    int64_t many_documents;
    enum cpi_failure open_failure;
    enum cpi_failure prepare_failure;
    int64_t broken; /* a statement with this value in it fails by itself */
    int64_t lethal; /* the connection is lost */
    int64_t odd;    /* gives an id that is none */

    bool open;
    unsigned opened;
    unsigned prepared;
    unsigned runs;
    uint32_t last_n;

    int64_t next; /* of the page under way */
    int64_t end;
    uint32_t rows;
    int64_t values[64];
    uint32_t value; /* which of these */
    uint32_t n;
};

extern const struct cpi_mapping_ops fake_mapping_ops;

#endif
