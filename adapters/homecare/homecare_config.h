// The settings of the home-care format: who sends, and whom our messages come from.
#ifndef CAREHUB_HOMECARE_CONFIG_H
#define CAREHUB_HOMECARE_CONFIG_H

#include "carehub_adapter.h"
#include "fhir_read.h"
#include "settings.h"

enum { HOMECARE_SENDERS_MAX = 64, HOMECARE_RULES_MAX = 64 };

struct homecare_sender {
    const char *name; // of its section; part of every id
    struct setting_list peers;
    char *actor, *role;
    int confirm_by_spool;
    size_t n_rules;
    struct fhir_rule rules[HOMECARE_RULES_MAX];
};

struct homecare {
    char *endpoint, *name; // what our messages say of their source
    char *default_sender;
    char *plugin;                           // the host's; not used here
    const struct homecare_sender *fallback; // that default_sender names, or NULL
    size_t n_senders;
    struct homecare_sender *senders[HOMECARE_SENDERS_MAX];
};

// NULL with the reason.
struct homecare *homecare_config_read(const struct carehub_setting *section, const char *folder,
                                      char error[CAREHUB_ERROR_BYTES]);
void homecare_config_destroy(struct homecare **self);

// Whose messages a peer's are: the sender that lists it, or has its name; for one that was not authenticated the
// default sender. NULL: nobody's.
const struct homecare_sender *homecare_sender_of(const struct homecare *self, const char *peer);

#endif
