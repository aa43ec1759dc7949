#include "host_config.h"

#include <arpa/inet.h>
#include <czmq.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "mllp.h"

static const char in_clear[] = "yes, in clear";

struct reading {
    struct host_config *config;
    const char *path; /* of the file */
    const char *section;
    char *error;
};

static bool complain(const struct reading *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool complain(const struct reading *r, const char *format, ...)
{
    int used = snprintf(r->error, FORMAT_ERROR_BYTES, "%s: %s%s", r->path, r->section, r->section[0] ? ": " : "");
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(r->error + used, used < FORMAT_ERROR_BYTES ? (size_t)(FORMAT_ERROR_BYTES - used) : 0, format, arguments);
    va_end(arguments);
    return false;
}

/* ---- Values ----------------------------------------------------------------------------------------------------- */

/* Where a setting's value goes. The reader of its kind says what is wrong with a value. */
struct setting {
    const char *name;
    bool (*read)(const struct reading *r, const char *name, const char *value, void *place);
    size_t offset;
    int64_t min, max; /* of numbers */
};

static bool read_path(const struct reading *r, const char *name, const char *value, void *place)
{
    const char *slash = strrchr(r->path, '/');
    int folder = slash && value[0] != '/' ? (int)(slash - r->path) + 1 : 0;
    (void)name;
    free(*(char **)place);
    return asprintf((char **)place, "%.*s%s", folder, r->path, value) > 0 || complain(r, "out of memory");
}

static bool read_level(const struct reading *r, const char *name, const char *value, void *place)
{
    return log_level_by_name(value, place) || complain(r, "setting '%s' has to be error, warning, info or debug", name);
}

static bool read_number(const struct reading *r, const struct setting *setting, const char *value, int64_t *place)
{
    char *end;
    errno = 0;
    *place = strtoll(value, &end, 10);
    return (errno == 0 && end != value && *end == '\0' && *place >= setting->min && *place <= setting->max) ||
           complain(r, "setting '%s' has to be a number from %lld to %lld", setting->name, (long long)setting->min,
                    (long long)setting->max);
}

static bool is_loopback(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET)
        return (ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24) == 127;
    return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

/* ADDRESS:PORT, with an IPv6 address in brackets. */
static bool parse_endpoint(const char *text, struct sockaddr_storage *address)
{
    const char *colon = strrchr(text, ':');
    char host[64], *end;
    bool six = text[0] == '[';
    if (!colon || (six && (colon == text || colon[-1] != ']')))
        return false;
    size_t len = (size_t)(colon - text) - (six ? 2 : 0);
    unsigned long port = strtoul(colon + 1, &end, 10);
    if (len >= sizeof host || colon[1] == '\0' || *end != '\0' || port > 65535)
        return false;
    memcpy(host, text + (six ? 1 : 0), len);
    host[len] = '\0';
    return (six ? uv_ip6_addr(host, (int)port, (struct sockaddr_in6 *)address)
                : uv_ip4_addr(host, (int)port, (struct sockaddr_in *)address)) == 0;
}

static bool read_endpoint(const struct reading *r, const char *name, const char *value, void *place)
{
    struct host_listen *listen = place;
    free(listen->endpoint);
    listen->endpoint = strdup(value);
    return (listen->endpoint && parse_endpoint(value, &listen->address)) ||
           complain(r, "setting '%s' has to be ADDRESS:PORT, such as 127.0.0.1:2575 or [::1]:2575", name);
}

static bool read_in_clear(const struct reading *r, const char *name, const char *value, void *place)
{
    *(bool *)place = strcmp(value, in_clear) == 0;
    return *(bool *)place ||
           complain(r, "setting '%s' has to be \"%s\", in so many words: MLLP encrypts nothing", name, in_clear);
}

/* ---- Settings of a section -------------------------------------------------------------------------------------- */

static bool read_item(const struct reading *r, zconfig_t *item, const struct setting *settings, size_t n, void *base)
{
    const char *name = zconfig_name(item), *value = zconfig_value(item);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(settings[i].name, name) != 0)
            continue;
        if (!value || !*value)
            return complain(r, "setting '%s' has no value; give it one or remove the line", name);
        void *place = (char *)base + settings[i].offset;
        return settings[i].read ? settings[i].read(r, name, value, place) : read_number(r, &settings[i], value, place);
    }
    return complain(r, "there is no setting '%s'", name);
}

static bool read_listen(struct reading *r, zconfig_t *section)
{
    static const struct setting settings[] = {
        {"endpoint", read_endpoint, 0, 0, 0},
        {"beyond-loopback", read_in_clear, offsetof(struct host_listen, beyond_loopback), 0, 0},
        {"connections-max", NULL, offsetof(struct host_listen, connections_max), 1, 1000},
        {"message-max-bytes", NULL, offsetof(struct host_listen, message_max_bytes), 1024, 16 << 20},
        {"idle-timeout-ms", NULL, offsetof(struct host_listen, idle_timeout_ms), 0, 7LL * 86400 * 1000},
        {"frame-timeout-ms", NULL, offsetof(struct host_listen, frame_timeout_ms), 100, 3600 * 1000},
    };
    struct host_config *config = r->config;
    r->section = "listen";
    if (config->n_listen == HOST_LISTEN_MAX)
        return complain(r, "at most %d times", HOST_LISTEN_MAX);
    struct host_listen *listen = &config->listen[config->n_listen++];
    *listen = (struct host_listen){.connections_max = 64,
                                   .message_max_bytes = MLLP_FRAME_MAX_BYTES,
                                   .idle_timeout_ms = 3600 * 1000,
                                   .frame_timeout_ms = 60 * 1000};
    for (zconfig_t *item = zconfig_child(section); item; item = zconfig_next(item))
        if (!read_item(r, item, settings, sizeof settings / sizeof settings[0], listen))
            return false;
    if (!listen->endpoint)
        return complain(r, "needs 'endpoint', such as 127.0.0.1:2575");
    return listen->beyond_loopback || is_loopback(&listen->address) ||
           complain(r,
                    "%s can be reached from other machines, and MLLP encrypts nothing: listen on 127.0.0.1 behind a "
                    "tunnel, or add: beyond-loopback = \"%s\"",
                    listen->endpoint, in_clear);
}

/* The client's options: their own file, or the same names right here. */
static bool read_hub(struct reading *r, zconfig_t *section)
{
    const char *file = zconfig_get(section, "client-config", NULL);
    char *path = NULL;
    r->section = "hub";
    if (!file)
        return complain(r, "needs 'client-config', the file with endpoint, hub-key and key-file that the client was "
                           "enrolled with");
    if (!read_path(r, "client-config", file, &path))
        return false;
    bool ok = carehub_options_load(&r->config->hub, path) == CAREHUB_OK;
    free(path);
    r->config->has_hub = ok;
    return ok || complain(r, "%s", carehub_error());
}

static bool read_root(struct reading *r, zconfig_t *root, bool hub)
{
    static const struct setting settings[] = {
        {"state-dir", read_path, offsetof(struct host_config, state_dir), 0, 0},
        {"status-file", read_path, offsetof(struct host_config, status_file), 0, 0},
        {"endpoint-file", read_path, offsetof(struct host_config, endpoint_file), 0, 0},
        {"confirm-timeout-ms", NULL, offsetof(struct host_config, confirm_timeout_ms), 100, 600 * 1000},
        {"remember-days", NULL, offsetof(struct host_config, remember_days), 1, 3650},
        {"log-level", read_level, offsetof(struct host_config, log_level), 0, 0},
    };
    for (zconfig_t *item = zconfig_child(root); item; item = zconfig_next(item)) {
        const char *name = zconfig_name(item);
        bool ok = true;
        r->section = "";
        if (strcmp(name, "listen") == 0)
            ok = read_listen(r, item);
        else if (strcmp(name, "hub") == 0)
            ok = !hub || read_hub(r, item);
        else if (!zconfig_child(item)) /* other sections are the format's */
            ok = read_item(r, item, settings, sizeof settings / sizeof settings[0], r->config);
        if (!ok)
            return false;
    }
    r->section = "";
    return (r->config->state_dir || complain(r, "setting 'state-dir' is missing")) &&
           (!hub || r->config->has_hub || complain(r, "section 'hub' is missing")) &&
           (r->config->n_listen > 0 || complain(r, "section 'listen' is missing"));
}

/* ---- The file --------------------------------------------------------------------------------------------------- */

static zconfig_t *load_file(struct reading *r)
{
    FILE *file = fopen(r->path, "re");
    char *text = file ? calloc(1, HOST_CONFIG_MAX_BYTES + 1) : NULL;
    zconfig_t *root = NULL;
    if (!file) {
        complain(r, "cannot be opened: %s", strerror(errno));
        return NULL;
    }
    size_t size = text ? fread(text, 1, HOST_CONFIG_MAX_BYTES, file) : 0;
    bool whole = text && !ferror(file) && feof(file) && strlen(text) == size;
    fclose(file);
    if (whole)
        root = zconfig_str_load(text); /* tells on stderr which line it does not understand */
    if (!root)
        complain(r, "is not in the form of sections and 'setting = value', indented by fours, of at most %d bytes",
                 HOST_CONFIG_MAX_BYTES);
    free(text);
    return root;
}

bool host_config_load(struct host_config *config, const char *path, const struct format *format, bool hub,
                      char error[FORMAT_ERROR_BYTES])
{
    struct reading r = {.config = config, .path = path, .section = "", .error = error};
    char format_error[FORMAT_ERROR_BYTES] = "";
    *config = (struct host_config){.confirm_timeout_ms = 20000, .remember_days = 400, .log_level = LOG_LEVEL_INFO};
    zconfig_t *root = load_file(&r);
    bool ok = root && read_root(&r, root, hub);
    if (ok) {
        config->format_settings = format->configure(root, format_error);
        r.section = "";
        ok = config->format_settings || complain(&r, "%s", format_error);
    }
    if (ok && hub && format->needs_spool(config->format_settings) && !config->hub.spool_dir) {
        r.section = "hub";
        ok = complain(&r, "a sender has confirm = spool, so the client's configuration needs 'spool-dir'");
    }
    if (root)
        zconfig_destroy(&root);
    if (!ok)
        host_config_free(config, format);
    return ok;
}

void host_config_free(struct host_config *config, const struct format *format)
{
    for (size_t i = 0; i < config->n_listen; i++)
        free(config->listen[i].endpoint);
    if (config->has_hub)
        carehub_options_free(&config->hub);
    if (config->format_settings)
        format->destroy(&config->format_settings);
    free(config->state_dir);
    free(config->status_file);
    free(config->endpoint_file);
    *config = (struct host_config){0};
}
