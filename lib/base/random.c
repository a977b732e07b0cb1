#include "base/random.h"

#include "base/assert.h"
#include "base/error.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

/* Up to so many bytes getrandom(2) gives all or none, and no signal interrupts it. */
enum { BYTES_MAX = 256 };

uint64_t cpi_random_next(uint64_t *state)
{
    uint64_t value = *state += UINT64_C(0x9E3779B97F4A7C15);
    value = (value ^ (value >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94D049BB133111EB);
    return value ^ (value >> 31);
}

cp_code cpi_random_bytes(void *out, size_t size, cp_error *err)
{
    CPI_ASSERT(size <= BYTES_MAX);
    if (getrandom(out, size, 0) != (ssize_t)size) {
        return cpi_error(err, CP_ERR_SYSTEM, true, "getrandom: %s", strerror(errno));
    }
    return CP_OK;
}
