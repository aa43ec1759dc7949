#include "demo.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <sodium.h>

#include "session.h"
#include "template.h"

/* The clients of files/demo/region.jsonl.in, which registers their keys. */
static const char *const client_names[] = {"hospital-adapter",     "pharmacy-adapter",  "homecare-adapter",
                                           "gp-software",          "pharmacy-software", "homecare-software",
                                           "coordinator-software", "insurer-software",  "carer-app"};
enum { CLIENTS = sizeof client_names / sizeof client_names[0] };

struct demo {
    const char *dir;
    uint8_t public_keys[CLIENTS][CAREHUB_KEY_BYTES];
};

static int make_directory(const char *path)
{
    if (mkdir(path, 0700) == 0)
        return EXIT_OK;
    return fail(EXIT_NO, errno == EEXIST ? "Nothing is overwritten: choose another directory." : NULL,
                "cannot make %s: %s", path, strerror(errno));
}

static int make_client(struct demo *demo, size_t i, const struct conf *hub)
{
    char path[SESSION_PATH_BYTES];
    struct carehub_keypair pair;
    snprintf(path, sizeof path, "%s/clients/%s", demo->dir, client_names[i]);
    int code = make_directory(path);
    if (code)
        return code;
    snprintf(path, sizeof path, "%s/clients/%s/client.key", demo->dir, client_names[i]);
    if (carehub_keygen(&pair) != CAREHUB_OK || carehub_key_save(&pair, path) != CAREHUB_OK)
        return fail(EXIT_NO, NULL, "%s", carehub_error());
    memcpy(demo->public_keys[i], pair.public_key, CAREHUB_KEY_BYTES);
    sodium_memzero(&pair, sizeof pair);
    struct conf conf = *hub;
    snprintf(conf.client, sizeof conf.client, "%s", client_names[i]);
    conf.key_file = "client.key";
    conf.spool = "spool";
    snprintf(path, sizeof path, "%s/clients/%s/carehub.conf", demo->dir, client_names[i]);
    return conf_write(&conf, path);
}

/* @KEY client@: its public key, in the base64 that bytes have in JSON. */
static bool fill(void *ctx, const char *name, const char *argument, char value[TEMPLATE_VALUE_BYTES])
{
    const struct demo *demo = ctx;
    if (strcmp(name, "KEY") != 0)
        return false;
    for (size_t i = 0; i < CLIENTS; i++)
        if (strcmp(client_names[i], argument) == 0) {
            sodium_bin2base64(value, TEMPLATE_VALUE_BYTES, demo->public_keys[i], CAREHUB_KEY_BYTES,
                              sodium_base64_VARIANT_ORIGINAL);
            return true;
        }
    return false;
}

static int write_file(struct demo *demo, const char *name)
{
    char path[SESSION_PATH_BYTES], source[SESSION_PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", demo->dir, name);
    snprintf(source, sizeof source, "demo/%s", name);
    char *text = template_fill(embedded(source), fill, demo);
    if (strstr(name, ".hl7")) /* segments end with a carriage return (HL7 v2.5.1, 2.5.2) */
        for (char *c = text; (c = strchr(c, '\n')); c++)
            *c = '\r';
    int code = file_write(path, 0600, text, strlen(text));
    free(text);
    return code;
}

int demo_make(const char *dir, const struct conf *hub)
{
    static const char *const folders[] = {"", "/clients", "/events", "/messages"};
    static const char *const files[] = {"region.jsonl",           "events/fall.json",       "events/inclusion.json",
                                        "events/medication.json", "messages/discharge.hl7", "messages/scheme-1.xml",
                                        "messages/scheme-2.xml",  "messages/fall.json",     "hospital.conf",
                                        "pharmacy.conf",          "homecare.conf"};
    char path[SESSION_PATH_BYTES], root[SESSION_PATH_BYTES - 8];
    struct demo demo = {.dir = root};
    snprintf(root, sizeof root, "%s/demo", dir);
    int code = EXIT_OK;
    for (size_t i = 0; i < sizeof folders / sizeof folders[0] && code == EXIT_OK; i++) {
        snprintf(path, sizeof path, "%.900s%s", root, folders[i]);
        code = make_directory(path);
    }
    for (size_t i = 0; i < CLIENTS && code == EXIT_OK; i++)
        code = make_client(&demo, i, hub);
    for (size_t i = 0; i < sizeof files / sizeof files[0] && code == EXIT_OK; i++)
        code = write_file(&demo, files[i]);
    return code;
}
