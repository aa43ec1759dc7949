#include "host_config.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log_line.h"
#include "outlet.h"
#include "settings.h"
#include "subscription.h"

static const char *const log_levels[] = {"error", "warning", "info", "debug", NULL}; /* as in enum log_level */

static const struct setting_rule rules[] = {
    {"state-dir", SETTING_PATH, offsetof(struct host_config, state_dir), 0, 0, NULL, true, "state"},
    {"status-file", SETTING_PATH, offsetof(struct host_config, status_file), 0, 0, NULL, false, NULL},
    {"endpoint-file", SETTING_PATH, offsetof(struct host_config, endpoint_file), 0, 0, NULL, false, NULL},
    {"confirm-timeout-ms", SETTING_NUMBER, offsetof(struct host_config, confirm_timeout_ms), 100, 600 * 1000, NULL,
     false, NULL},
    {"remember-days", SETTING_NUMBER, offsetof(struct host_config, remember_days), 1, 3650, NULL, false, NULL},
    {"log-level", SETTING_CHOICE, offsetof(struct host_config, log_level), 0, 0, log_levels, false, NULL},
    {"hub", SETTING_SECTION, 0, 0, 0, NULL, false, NULL},
    {"format", SETTING_SECTION, 0, 0, 0, NULL, false, NULL},
    {"in", SETTING_SECTION, 0, 0, 0, NULL, false, NULL},
    {"out", SETTING_SECTION, 0, 0, 0, NULL, false, NULL},
    {"subscriptions", SETTING_SECTION, 0, 0, 0, NULL, false, NULL},
};
enum { RULES = sizeof rules / sizeof rules[0] };

/* ---- Sections --------------------------------------------------------------------------------------------------- */

static bool read_hub(struct host_config *config, char error[CAREHUB_ERROR_BYTES])
{
    struct {
        char *client_config;
    } hub = {0};
    static const struct setting_rule hub_rules[] = {
        {"client-config", SETTING_PATH, 0, 0, 0, NULL, true,
         "hospital-adapter/carehub.conf: the file with endpoint, hub-key and key-file that the client was enrolled "
         "with"}};
    const struct carehub_setting *section = setting_named(config->tree, "hub");
    if (!section)
        return settings_complain(error, "", "section 'hub' is missing");
    bool ok = settings_read(section, "hub", config->folder, hub_rules, 1, &hub, error);
    if (ok) {
        config->has_hub = carehub_options_load(&config->hub, hub.client_config) == CAREHUB_OK;
        ok = config->has_hub || settings_complain(error, "hub", "%s", carehub_error());
    }
    settings_clear(hub_rules, 1, &hub);
    return ok;
}

static bool read_format(struct host_config *config, char error[CAREHUB_ERROR_BYTES])
{
    const struct carehub_setting *section = setting_named(config->tree, "format");
    const struct carehub_setting *plugin = setting_named(section, "plugin");
    char why[CAREHUB_ERROR_BYTES];
    if (!plugin || plugin->value[0] == '\0')
        return settings_complain(error, "",
                                 "section 'format' with 'plugin' is missing, such as plugin = hospital; see "
                                 "carehub-adapter --list-plugins");
    if (!plugin_load(&config->plugin, plugin->value, config->folder, why))
        return settings_complain(error, "format", "%s", why);
    return plugin_configure(&config->plugin, section, config->folder, why) ||
           settings_complain(error, "format", "%s", why);
}

static bool read_in(struct host_config *config, const struct carehub_setting *section, char error[CAREHUB_ERROR_BYTES])
{
    const struct carehub_setting *name = setting_named(section, "transport");
    const struct transport_in_options options = {.section = section, .folder = config->folder};
    if (config->n_in == HOST_IN_MAX)
        return settings_complain(error, "in", "can be given at most %d times", HOST_IN_MAX);
    struct host_in *in = &config->in[config->n_in++];
    in->section = section;
    in->transport = name ? transport_in_named(name->value) : NULL;
    if (!in->transport)
        return settings_complain(error, "in", "setting 'transport' has to be mllp, http or folder");
    if (!config->plugin.format->translate)
        return settings_complain(error, "in", "the format %s takes nothing in", config->plugin.format->name);
    return in->transport->check(&options, error);
}

static bool read_out(struct host_config *config, const struct carehub_setting *section, char error[CAREHUB_ERROR_BYTES])
{
    if (config->n_out == HOST_OUT_MAX)
        return settings_complain(error, "out", "can be given at most %d times", HOST_OUT_MAX);
    config->out[config->n_out++] = section;
    return outlet_check(config->plugin.format, section, config->folder, error);
}

static const struct carehub_setting *http_section(const struct host_config *config)
{
    for (size_t i = 0; i < config->n_in; i++)
        if (config->in[i].transport == &transport_in_http)
            return config->in[i].section;
    return NULL;
}

/* Listens on all addresses: that is none by which others could call it. */
static bool is_nameless(const struct carehub_setting *http)
{
    const struct carehub_setting *endpoint = setting_named(http, "endpoint");
    return endpoint && (strncmp(endpoint->value, "0.0.0.0:", 8) == 0 || strncmp(endpoint->value, "[::]:", 5) == 0);
}

static bool read_subscriptions(struct host_config *config, char error[CAREHUB_ERROR_BYTES])
{
    config->subscriptions = setting_named(config->tree, "subscriptions");
    if (!config->subscriptions)
        return true;
    const struct carehub_setting *http = http_section(config);
    if (!http)
        return settings_complain(error, "subscriptions", "they need an 'in' with transport = http to be asked for");
    if (is_nameless(http) && !setting_named(config->subscriptions, "base-url"))
        return settings_complain(error, "subscriptions",
                                 "needs 'base-url', by which subscribers call this server, such as "
                                 "https://adapter.example/fhir: its 'in' listens on all addresses");
    return subscriptions_check(config->subscriptions, config->folder, config->plugin.format, error);
}

static bool read_ways(struct host_config *config, char error[CAREHUB_ERROR_BYTES])
{
    for (const struct carehub_setting *item = config->tree->first; item; item = item->next) {
        if (strcmp(item->name, "in") == 0 && !read_in(config, item, error))
            return false;
        if (strcmp(item->name, "out") == 0 && !read_out(config, item, error))
            return false;
    }
    if (config->n_in == 0 && config->n_out == 0)
        return settings_complain(error, "", "there is neither a section 'in' nor 'out', so there is nothing to do");
    return read_subscriptions(config, error);
}

static bool check_spool(const struct host_config *config, char error[CAREHUB_ERROR_BYTES])
{
    const struct plugin *plugin = &config->plugin;
    return !plugin->format->needs_spool || !plugin->format->needs_spool(plugin->self) || config->hub.spool_dir ||
           settings_complain(error, "hub",
                             "a sender has confirm = spool, so the client's configuration needs "
                             "'spool-dir'");
}

/* ---- The file --------------------------------------------------------------------------------------------------- */

static bool read_all(struct host_config *config, enum host_config_use use, char error[CAREHUB_ERROR_BYTES])
{
    if (use != HOST_CONFIG_FORMAT && !settings_read(config->tree, "", config->folder, rules, RULES, config, error))
        return false;
    if (use == HOST_CONFIG_KEPT)
        return read_hub(config, error);
    if (use != HOST_CONFIG_STATE && !read_format(config, error))
        return false;
    return use != HOST_CONFIG_RUN ||
           (read_hub(config, error) && read_ways(config, error) && check_spool(config, error));
}

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return !slash ? strdup(".") : slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

bool host_config_load(struct host_config *config, const char *path, enum host_config_use use,
                      char error[CAREHUB_ERROR_BYTES])
{
    char why[CAREHUB_ERROR_BYTES] = "out of memory";
    *config = (struct host_config){.confirm_timeout_ms = 20000, .remember_days = 400, .log_level = LOG_LEVEL_INFO};
    config->tree = settings_tree_load(path, error);
    if (!config->tree)
        return false;
    config->folder = folder_of(path);
    if (config->folder && read_all(config, use, why))
        return true;
    host_config_free(config);
    return settings_complain(error, path, "%s", why);
}

void host_config_free(struct host_config *config)
{
    plugin_unload(&config->plugin);
    if (config->has_hub)
        carehub_options_free(&config->hub);
    settings_clear(rules, RULES, config);
    free(config->folder);
    settings_tree_free(&config->tree);
    *config = (struct host_config){0};
}
