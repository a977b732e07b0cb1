#include "postgres/id_array.h"

#include <arpa/inet.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

enum { INT8_OID = 20, TEXT_OID = 25, INT8_ARRAY_OID = 1016, TEXT_ARRAY_OID = 1009 }; /* pg_type.dat; for ever */

/* The format of array_recv(). */
enum { ARRAY_HEADER = 5 * 4 };

static bool reserve(struct cpi_id_array *array, size_t more)
{
    if (array->length + more <= array->capacity) {
        return true;
    }
    size_t capacity = 2 * (array->length + more);
    char *bytes = realloc(array->bytes, capacity);
    if (bytes == NULL) {
        return false;
    }
    array->bytes = bytes;
    array->capacity = capacity;
    return true;
}

static void put_u32(char *at, uint32_t value)
{
    uint32_t network = htonl(value);
    memcpy(at, &network, sizeof network);
}

bool cpi_id_array_clear(struct cpi_id_array *array, enum cpi_id_type type)
{
    array->length = 0;
    array->count = 0;
    array->text = cpi_id_is_text(type);
    if (!reserve(array, ARRAY_HEADER)) {
        return false;
    }
    array->length = ARRAY_HEADER;
    return true;
}

bool cpi_id_array_add(struct cpi_id_array *array, const union cpi_id *id)
{
    uint64_t number = 0;
    size_t length = sizeof number;
    if (array->text) {
        length = strlen(id->text);
    } else {
        number = htobe64((uint64_t)id->number);
    }
    if (!reserve(array, 4 + length)) {
        return false;
    }
    put_u32(array->bytes + array->length, (uint32_t)length);
    memcpy(array->bytes + array->length + 4, array->text ? id->text : (const char *)&number, length);
    array->length += 4 + length;
    array->count++;
    return true;
}

struct cpi_pg_parameter cpi_id_array_parameter(struct cpi_id_array *array)
{
    /* dimensions, has nulls, element type, then of the one dimension: length and lower bound. add() has made room. */
    put_u32(array->bytes, 1);
    put_u32(array->bytes + 4, 0);
    put_u32(array->bytes + 8, array->text ? TEXT_OID : INT8_OID);
    put_u32(array->bytes + 12, array->count);
    put_u32(array->bytes + 16, 1);
    return (struct cpi_pg_parameter){
        .type = array->text ? TEXT_ARRAY_OID : INT8_ARRAY_OID, .value = array->bytes, .length = array->length};
}

void cpi_id_array_fini(struct cpi_id_array *array)
{
    free(array->bytes);
    *array = (struct cpi_id_array){0};
}
