/* Of several names the one that was most likely meant by another: for messages. */
#ifndef CPI_NEAREST_H
#define CPI_NEAREST_H

/* name has to outlive it; the rest begins as zero. */
struct cpi_nearest {
    const char *name;
    const char *found; /* NULL: none is near */
    unsigned distance; /* of found: how many letters have to be changed, added or left out */
};

/* candidate has to outlive it, too. */
void cpi_nearest_offer(struct cpi_nearest *nearest, const char *candidate);

#endif
