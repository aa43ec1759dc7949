/* Facts by which something goes for good: a person or what names an actor, asked for by a registrar and confirmed by an
 * auditor who is another client; and keys. What they set going is in erasure.c and key_changes.c. */
#include "keeping/erasure.h"
#include "facts.h"

#define MESSAGE(context, type) ((const Carehub__V1__##type *)(context)->message)

enum { ERASURES_ASKED_MAX = 1000 };

static bool check_reason(struct fact_context *context, const char *reason)
{
    return reason[0] != '\0' && strlen(reason) <= TEXT_MAX_BYTES
               ? true
               : REFUSE(context, INVALID, "reason", "say why, in 1 to %d bytes: it is recorded", TEXT_MAX_BYTES);
}

/* ---- Erasure ---------------------------------------------------------------------------------------------------- */

static bool check_erasure_requested(struct fact_context *context)
{
    const Carehub__V1__ErasureRequested *asked = MESSAGE(context, ErasureRequested);
    struct core *core = context->core;
    if (!check_reason(context, asked->reason))
        return false;
    if ((asked->patient != NULL) == (asked->actor_name[0] != '\0'))
        return REFUSE(context, INVALID, "patient", "name a patient or an actor, one of them");
    if (store_work_count(core->store, WORK_ERASURE_ASKED) >= ERASURES_ASKED_MAX)
        return REFUSE(context, TOO_MANY, "patient", "%d erasures wait to be confirmed, the most", ERASURES_ASKED_MAX);
    if (asked->patient)
        return true;
    context->actor = registry_actor_named(&core->registry, asked->actor_name);
    if (!context->actor)
        return REFUSE(context, UNKNOWN_NAME, "actorName", "there is no actor “%.*s”", NAME_MAX_BYTES,
                      asked->actor_name);
    return actor_is_natural(context->actor->card)
               ? true
               : REFUSE(context, INVALID, "actorName",
                        "%s is an organisation; only what names a natural person is erased", asked->actor_name);
}

static void apply_erasure_requested(struct fact_context *context)
{
    Carehub__V1__ErasureCard card = CAREHUB__V1__ERASURE_CARD__INIT;
    uint64_t number = context->person ? context->person->number : 0;
    card.n_numbers = number != 0;
    card.numbers = &number;
    card.actor = context->actor ? context->actor->number : 0;
    card.requested = context->place;
    card.requested_by = context->client ? context->client->number : 0;
    card.requested_ms = context->core->now_ms;
    erasure_asked(context->core, &card);
}

static bool check_erasure_confirmed(struct fact_context *context)
{
    uint64_t place = MESSAGE(context, ErasureConfirmed)->request;
    int64_t lapses_ms;
    const Carehub__V1__ErasureCard *card = erasure_find(context->core, place, &lapses_ms);
    if (!card || lapses_ms <= context->core->now_ms)
        return REFUSE(context, UNKNOWN_NAME, "request",
                      "no erasure that was asked for at #%llu waits to be confirmed; one lapses after %d days",
                      (unsigned long long)place, ERASURE_LAPSES_DAYS);
    if (context->client && context->client->number == card->requested_by)
        return REFUSE(context, NOT_ALLOWED, "request",
                      "client %s asked for it itself: it takes two, and the other one confirms",
                      context->client->card->name);
    if (card->n_numbers == 0)
        return true;
    const struct person *person = person_deciding(context->core, card->numbers[0]);
    uint64_t numbers[PERSON_NUMBERS_MAX];
    if (!person)
        return REFUSE(context, UNKNOWN_NAME, "request", "this person has been erased already");
    return person_numbers(context->core, person->number, numbers) < PERSON_NUMBERS_MAX ||
           REFUSE(context, TOO_MANY, "request",
                  "%d records or more have been merged into this person: separate those that are not the person's "
                  "first",
                  PERSON_NUMBERS_MAX);
}

static void apply_erasure_confirmed(struct fact_context *context)
{
    erasure_begin(context->core, MESSAGE(context, ErasureConfirmed)->request, context->place,
                  context->client ? context->client->number : 0);
}

/* ---- Keys ------------------------------------------------------------------------------------------------------- */

static bool check_destroy(struct fact_context *context, uint32_t epoch)
{
    struct core *core = context->core;
    if (context->client && !client_has_role(context->client, CAREHUB__V1__OPERATOR_ROLE__REGISTRAR))
        return REFUSE(context, NOT_ALLOWED, "what",
                      "destroying an epoch's key needs the role REGISTRAR as well: what was copied with it is gone");
    if (!vault_epoch_key(core->vault, epoch))
        return REFUSE(context, UNKNOWN_NAME, "epoch", "there is no epoch %u, or its key has been destroyed", epoch);
    if (epoch == vault_epoch_current(core->vault))
        return REFUSE(context, INVALID, "epoch",
                      "epoch %u is in use; begin a new one first (carehub keys rotate-epoch)", epoch);
    return !keys_rewrapping(core)
               ? true
               : REFUSE(context, BUSY, "epoch", "subjects' keys are still being wrapped anew; see carehub keys list");
}

static bool check_keys_rotated(struct fact_context *context)
{
    const Carehub__V1__KeysRotated *change = MESSAGE(context, KeysRotated);
    size_t n;
    if (!check_reason(context, change->reason))
        return false;
    switch (change->what) {
    case CAREHUB__V1__KEYS_ROTATED__WHAT__EPOCH:
        vault_epochs(context->core->vault, &n);
        return n < VAULT_EPOCHS_MAX ? true
                                    : REFUSE(context, TOO_MANY, "what",
                                             "there are %d epochs, the most: destroy old ones", VAULT_EPOCHS_MAX);
    case CAREHUB__V1__KEYS_ROTATED__WHAT__MASTER:
        return keys_may_change_master(context->core, context->error);
    case CAREHUB__V1__KEYS_ROTATED__WHAT__DESTROY_EPOCH:
        return check_destroy(context, change->epoch);
    default:
        return REFUSE(context, INVALID, "what", "EPOCH, MASTER or DESTROY_EPOCH");
    }
}

static void apply_keys_rotated(struct fact_context *context)
{
    keys_change_later(context->core, context->place, MESSAGE(context, KeysRotated));
}

#define KIND(name) CAREHUB__V1__FACT__FACT_##name
#define ROLE(name) CAREHUB__V1__OPERATOR_ROLE__##name

const struct fact_kind erasure_facts[] = {
    {KIND(ERASURE_REQUESTED), ROLE(REGISTRAR), check_erasure_requested, apply_erasure_requested, false, false},
    {KIND(ERASURE_CONFIRMED), ROLE(AUDITOR), check_erasure_confirmed, apply_erasure_confirmed, false, true},
    {KIND(KEYS_ROTATED), ROLE(OPERATOR), check_keys_rotated, apply_keys_rotated, false, true},
};
const size_t n_erasure_facts = sizeof erasure_facts / sizeof *erasure_facts;
