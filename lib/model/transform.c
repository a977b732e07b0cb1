#include "model/transform.h"

#include "base/error.h"
#include "base/pulse.h"

#include <stdlib.h>

/* The host may have left it empty, or without an end. */
static cp_code say_failed(cp_error *why, cp_error *err)
{
    why->message[sizeof why->message - 1] = '\0';
    return cpi_error(err, CP_ERR_PARKED, true, "transform: %s",
                     why->message[0] != '\0' ? why->message : "it fails without a reason");
}

static cp_code have_it_made(const struct cpi_transform *transform, const cp_document *document, cp_output *out,
                            cp_error *err)
{
    cp_error why = {.code = CP_OK};
    *out = (cp_output){.size = sizeof *out};
    cpi_pulse_does("having a document transformed");
    if (transform->make(transform->context, document, out, &why) != CP_OK) {
        return say_failed(&why, err);
    }
    out->length = out->bytes != NULL ? out->length : 0;
    return CP_OK;
}

cp_code cpi_transform_run(const struct cpi_transform *transform, const struct cpi_entity *entity,
                          const union cpi_id *id, const char *document, size_t length, cp_output *out, cp_error *err)
{
    if (transform->make == NULL || document == NULL) {
        *out = (cp_output){.size = sizeof *out, .bytes = document, .length = length};
        return CP_OK;
    }
    char digits[CPI_ID_NUMBER_BYTES];
    char *key = cpi_key_text(&entity->key, entity->id_type, id);
    if (key == NULL) {
        return cpi_error_memory(err);
    }
    cp_document given = {.size = sizeof given,
                         .entity = entity->name,
                         .key = key,
                         .bytes = length,
                         .exists = true,
                         .id = cpi_id_text(entity->id_type, id, digits),
                         .document = document};
    cp_code code = have_it_made(transform, &given, out, err);
    free(key);
    return code;
}

void cpi_transform_release(const cp_output *out)
{
    if (out->release != NULL) {
        out->release(out->held);
    }
}
