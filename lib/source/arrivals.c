#include "source/source.h"

#include <stdlib.h>

bool cpi_arrivals_init(struct cpi_arrivals *arrivals, size_t entity_count)
{
    *arrivals = (struct cpi_arrivals){.everything = calloc(entity_count, sizeof *arrivals->everything),
                                      .again = calloc(entity_count, sizeof *arrivals->again),
                                      .lost = calloc(entity_count, sizeof *arrivals->lost),
                                      .unreadable = calloc(entity_count, sizeof *arrivals->unreadable)};
    return arrivals->everything != NULL && arrivals->again != NULL && arrivals->lost != NULL &&
           arrivals->unreadable != NULL;
}

void cpi_arrivals_fini(struct cpi_arrivals *arrivals, const struct cpi_entity *entities)
{
    cpi_events_fini(&arrivals->events, entities);
    free(arrivals->everything);
    free(arrivals->again);
    free(arrivals->lost);
    free(arrivals->unreadable);
}
