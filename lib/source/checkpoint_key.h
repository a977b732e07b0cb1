/*
 * The key in Redis that holds a checkpoint, beside the marker.
 */
#ifndef CPI_CHECKPOINT_KEY_H
#define CPI_CHECKPOINT_KEY_H

#include "env.h"

enum { CPI_CHECKPOINT_KEY_BYTES = CPI_MARKER_KEY_BYTES + 8 };

/* As targets take one: all of it stands before an id that is empty. It points into itself, and must not be copied. */
struct cpi_checkpoint_key {
    char text[CPI_CHECKPOINT_KEY_BYTES];
    struct cpi_key key;
};

void cpi_checkpoint_key_make(struct cpi_checkpoint_key *key, const struct cpi_env *env);

/* What stands in the key, from malloc; NULL: nothing, or nothing of ours. The target is open. */
cp_code cpi_checkpoint_key_read(const struct cpi_checkpoint_key *key, struct cpi_target *target, char **text,
                                cp_error *err);

/* text NULL: deletes it. The target is open and admitted. */
cp_code cpi_checkpoint_key_write(const struct cpi_checkpoint_key *key, struct cpi_target *target, const char *text,
                                 cp_error *err);

/* Deletes the key there may be, through a target that is open and admitted: documents are about to be deleted. */
cp_code cpi_checkpoint_forget(const struct cpi_env *env, struct cpi_target *target, cp_error *err);

/* The same of one that was made with another configuration, by whoever writes documents and no checkpoint: what they
 * are like then is none of what it speaks of. Holds the lease, and connects by itself. */
cp_code cpi_checkpoint_forget_others(const struct cpi_env *env, cp_error *err);

#endif
