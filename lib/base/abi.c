#include "base/abi.h"

#include "base/error.h"

#include <string.h>

/* A size has room for one member at least. No struct of the header is anywhere near the upper bound, so that what is
 * above was never set. */
enum { SIZE_MIN = 2 * sizeof(size_t), SIZE_LIMIT = 4096 };

static size_t size_of(const void *callers)
{
    size_t size;
    memcpy(&size, callers, sizeof size);
    return size;
}

cp_code cpi_abi_check(const void *callers, const char *type, cp_error *err)
{
    if (callers == NULL) {
        return cpi_error(err, CP_ERR_ARGUMENT, false, "no %s given (NULL)", type);
    }
    size_t size = size_of(callers);
    if (size < SIZE_MIN || size > SIZE_LIMIT) {
        return cpi_error(err, CP_ERR_ARGUMENT, false, "%s.size is %zu; set it to sizeof(%s)", type, size, type);
    }
    return CP_OK;
}

cp_code cpi_abi_read(void *own, size_t own_size, const void *callers, const char *type, cp_error *err)
{
    cp_code code = cpi_abi_check(callers, type, err);
    if (code != CP_OK) {
        return code;
    }
    size_t size = size_of(callers);
    for (size_t i = own_size; i < size; i++) {
        if (((const unsigned char *)callers)[i] != 0) {
            return cpi_error(err, CP_ERR_ARGUMENT, false,
                             "%s asks for something that version " CP_VERSION " of the library does not know", type);
        }
    }
    memset(own, 0, own_size);
    memcpy(own, callers, size < own_size ? size : own_size);
    memcpy(own, &own_size, sizeof own_size);
    return CP_OK;
}

void cpi_abi_write(void *callers, const void *own, size_t own_size)
{
    size_t size = size_of(callers);
    size_t known = size < own_size ? size : own_size;
    memcpy((char *)callers + sizeof size, (const char *)own + sizeof size, known - sizeof size);
    memset((char *)callers + known, 0, size - known);
}
