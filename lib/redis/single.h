/* The target that is one Redis server. */
#ifndef CPI_SINGLE_H
#define CPI_SINGLE_H

#include "redis/target.h"

struct cpi_target *cpi_single_create(const struct cpi_target_options *options);

#endif
