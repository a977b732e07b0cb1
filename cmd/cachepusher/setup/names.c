#include "setup/names.h"

#include "common/complain.h"

bool names_read(struct names *names, const cp_config *config)
{
    cp_error err;
    if (cp_config_get(config, "source", names->source, sizeof names->source, &err) == CP_OK &&
        cp_config_get(config, "source_announce", names->announce, sizeof names->announce, &err) == CP_OK &&
        cp_config_get(config, "source_slot", names->slot, sizeof names->slot, &err) == CP_OK &&
        cp_config_get(config, "source_publication", names->publication, sizeof names->publication, &err) == CP_OK) {
        return true;
    }
    complain("%s", err.message);
    return false;
}
