/*
 * Structs of the public header that may grow: each begins with its size, and caller and library may know different
 * versions of it. Whoever adds a member puts it at the very end, and not where padding was: what an old caller has
 * there is undefined.
 *
 * `type` is the struct's name, for messages. All of it is for the caller's thread.
 */
#ifndef CPI_ABI_H
#define CPI_ABI_H

#include "cachepusher.h"

/* CP_ERR_ARGUMENT unless the caller's struct is there and its size can be true. */
cp_code cpi_abi_check(const void *callers, const char *type, cp_error *err);

/* Makes `own` of the caller's struct: what its size does not cover is zero. CP_ERR_ARGUMENT, too, when it asks for
 * something that this library does not know: bytes beyond own_size that are not zero. */
cp_code cpi_abi_read(void *own, size_t own_size, const void *callers, const char *type, cp_error *err);

/* Copies as much of `own` as the caller's size covers; what the caller knows beyond is zero. The size stays the
 * caller's. It has been checked. */
void cpi_abi_write(void *callers, const void *own, size_t own_size);

#endif
