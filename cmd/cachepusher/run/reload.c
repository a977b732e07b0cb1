#include "run/reload.h"

#include "common/complain.h"

#include <stdio.h>
#include <string.h>

bool reload_init(struct reload *reload, const struct options *options, struct logger *logger)
{
    char why[WHY_BYTES];
    *reload = (struct reload){.options = options, .logger = logger};
    if (options_make_config(options, &reload->config, why) != OPTIONS_GO) {
        complain("%s", why);
        return false;
    }
    return true;
}

void reload_fini(struct reload *reload)
{
    cp_config_destroy(reload->config);
    reload->config = NULL;
}

static void take_log_level(struct reload *reload, const cp_config *fresh, const char *signal)
{
    char value[16];
    cp_level before = options_log_level(reload->config);
    cp_level level = options_log_level(fresh);
    if (cp_config_get(fresh, "log_level", value, sizeof value, NULL) == CP_OK &&
        cp_config_set(reload->config, "log_level", value, NULL) == CP_OK) {
        logger_set_level(reload->logger, level > before ? level : before); /* for this line */
        logger_printf(reload->logger, CP_LOG_INFO, "%s: log_level is %s", signal, value);
        logger_set_level(reload->logger, level);
    }
}

static void refuse(const struct reload *reload, const char *name, const char *signal)
{
    logger_printf(reload->logger, CP_LOG_WARN, "%s: %s has changed in the configuration; it takes a restart", signal,
                  name);
}

void reload_now(struct reload *reload, const char *signal)
{
    cp_config *fresh = NULL;
    char why[WHY_BYTES];
    if (options_make_config(reload->options, &fresh, why) != OPTIONS_GO) {
        logger_printf(reload->logger, CP_LOG_ERROR, "%s: %s; going on with the configuration as it was", signal, why);
        cp_config_destroy(fresh);
        return;
    }
    for (size_t i = 0; i < cp_setting_count(); i++) {
        const cp_setting *setting = cp_setting_describe(i);
        if (setting->of_entity || cp_config_same(reload->config, fresh, setting->name)) {
            continue;
        }
        if (strcmp(setting->name, "log_level") == 0) {
            take_log_level(reload, fresh, signal);
        } else {
            refuse(reload, setting->name, signal);
        }
    }
    if (!cp_config_same(reload->config, fresh, "entities")) {
        refuse(reload, "entities", signal);
    }
    cp_config_destroy(fresh);
}
