#include "card.h"

#include "facts.h"
#include "story_parts.h"

/* Headings of a table, in the reader's language: at most TABLE_COLUMNS_MAX of them, ends with NULL. */
static struct table *table_of(struct style style, const char *headings[TABLE_COLUMNS_MAX + 1])
{
    for (size_t i = 0; headings[i]; i++)
        headings[i] = text_named(style, "card", headings[i]);
    return table_new(headings);
}

static const char *say(struct style style, const char *code)
{
    return text_find(style, code);
}

static const char *person_text(struct style style, const char *code, uint64_t number, uint64_t place,
                               char text[TEXT_BYTES])
{
    char patient[24], at[24];
    snprintf(patient, sizeof patient, "P%llu", (unsigned long long)number);
    snprintf(at, sizeof at, "%llu", (unsigned long long)place);
    return text_fill(style, text, code, "patient", patient, "place", at, NULL);
}

void card_head(const Carehub__V1__PatientAnswer *patient, FILE *out, struct style style)
{
    char text[TEXT_BYTES], date[DATE_CHARS];
    uint64_t place = patient->at_place ? patient->at_place : patient->from_place;
    fprintf(out, "%s%s%s", tone_on(style, TONE_STRONG), person_text(style, "card.as-of", patient->number, place, text),
            tone_off(style, TONE_STRONG));
    if (patient->at_ms)
        fprintf(out, " (%s)",
                text_fill(style, text, "card.as-of-time", "date", date_text(style, patient->at_ms, date), NULL));
    if (patient->deceased)
        fprintf(out, ", %s", say(style, "card.deceased"));
    fputc('\n', out);
    if (patient->merged_into)
        fprintf(out, "%s\n", person_text(style, "card.merged-into", patient->merged_into, 0, text));
    for (size_t i = 0; i < patient->n_merged; i++)
        fprintf(out, "%s\n", person_text(style, "card.merged", patient->merged[i], 0, text));
}

/* Since when and until when it holds, and when it was recorded: what was recorded later did not count before. */
static void cells_dates(struct table *table, struct style style, int64_t from_ms, int64_t until_ms, int64_t recorded_ms,
                        uint64_t since)
{
    char from[DATE_CHARS], until[DATE_CHARS], recorded[DATE_CHARS];
    table_cell(table, TONE_PLAIN, "%s", date_text(style, from_ms ? from_ms : recorded_ms, from));
    table_cell(table, TONE_PLAIN, "%s", date_text(style, until_ms, until));
    table_cell(table, TONE_PLAIN, "%s", date_text(style, recorded_ms, recorded));
    table_cell(table, TONE_DIM, "#%llu", (unsigned long long)since);
}

static const Carehub__V1__PatientCard__Member *member_of(const Carehub__V1__ListedMember *listed)
{
    static const Carehub__V1__PatientCard__Member none = CAREHUB__V1__PATIENT_CARD__MEMBER__INIT;
    return listed->member ? listed->member : &none;
}

static void cells_actor(struct table *table, struct style style, const Carehub__V1__ListedMember *listed)
{
    table_cell(table, TONE_STRONG, "%s", listed->actor);
    table_cell(table, TONE_PLAIN, "%s", listed->display);
    table_cell(table, TONE_PLAIN, "%s", story_role(member_of(listed)->role, style));
}

/* "care data; fall, message to the team": what the membership is limited to; empty: nothing. */
static void scope_text(struct style style, const Carehub__V1__PatientCard__Member *m, char text[TEXT_BYTES])
{
    size_t used = (size_t)snprintf(text, TEXT_BYTES, "%s", m->max_level ? story_level(m->max_level, style) : "");
    for (size_t i = 0; i < m->n_types && used < TEXT_BYTES; i++)
        used += (size_t)snprintf(text + used, TEXT_BYTES - used, "%s%s",
                                 i      ? ", "
                                 : used ? "; "
                                        : "",
                                 story_type((Carehub__V1__EventType)m->types[i], style));
}

static bool any_scope(const Carehub__V1__PatientAnswer *patient)
{
    for (size_t i = 0; i < patient->n_members; i++)
        if (member_of(patient->members[i])->max_level || member_of(patient->members[i])->n_types)
            return true;
    return false;
}

void card_team(const Carehub__V1__PatientAnswer *patient, FILE *out, struct style style)
{
    const char *headings[TABLE_COLUMNS_MAX + 1] = {"member", "name",     "role",  "basis", "from",
                                                   "until",  "recorded", "place", "scope"};
    bool scoped = any_scope(patient);
    if (!scoped)
        headings[8] = NULL;
    if (patient->n_members == 0) {
        fprintf(out, "%s\n", say(style, "card.no-team"));
        return;
    }
    struct table *table = table_of(style, headings);
    for (size_t i = 0; i < patient->n_members; i++) {
        const Carehub__V1__PatientCard__Member *m = member_of(patient->members[i]);
        cells_actor(table, style, patient->members[i]);
        table_cell(table, TONE_PLAIN, "%s%s%s",
                   text_enum(style, "basis", &carehub__v1__relation_basis__descriptor, (int)m->basis),
                   *m->proof ? ", " : "", *m->proof ? text_named(style, "proof", m->proof) : "");
        cells_dates(table, style, m->from_ms, m->until_ms, patient->members[i]->recorded_ms, m->since);
        char scope[TEXT_BYTES];
        scope_text(style, m, scope);
        if (scoped)
            table_cell(table, TONE_PLAIN, "%s", *scope ? scope : say(style, "card.by-policy"));
    }
    table_print(table, out, style);
    table_destroy(&table);
}

/* A ceiling that is not set is the highest. */
static const char *ceiling_text(struct style style, Carehub__V1__Level level)
{
    return story_level(level ? level : CAREHUB__V1__LEVEL__LEVEL_CLINICAL, style);
}

void card_consents(const Carehub__V1__PatientAnswer *patient, FILE *out, struct style style)
{
    const char *headings[TABLE_COLUMNS_MAX + 1] = {"consent", "up-to",    "given-by", "from",
                                                   "until",   "recorded", "place"};
    if (patient->n_consents == 0) {
        fprintf(out, "%s\n", say(style, "card.no-consent"));
        return;
    }
    struct table *table = table_of(style, headings);
    for (size_t i = 0; i < patient->n_consents; i++) {
        const Carehub__V1__PatientCard__Consent *c = patient->consents[i];
        int64_t recorded_ms = i < patient->n_consents_recorded_ms ? patient->consents_recorded_ms[i] : 0;
        for (size_t p = 0; p < c->n_purposes; p++) {
            table_cell(table, TONE_STRONG, "%s", text_named(style, "purpose", c->purposes[p]));
            table_cell(table, TONE_PLAIN, "%s", ceiling_text(style, c->classes));
            table_cell(table, TONE_PLAIN, "%s", *c->given_by ? text_named(style, "giver", c->given_by) : "");
            cells_dates(table, style, c->from_ms, c->until_ms, recorded_ms, c->since);
        }
    }
    table_print(table, out, style);
    table_destroy(&table);
}

void card_excluded(const Carehub__V1__PatientAnswer *patient, FILE *out, struct style style)
{
    char text[TEXT_BYTES];
    if (patient->n_excluded == 0)
        fprintf(out, "%s\n", say(style, "card.no-excluded"));
    for (size_t i = 0; i < patient->n_excluded; i++) {
        put_safe(out, text_fill(style, text, "card.excluded", "actor", patient->excluded[i], NULL));
        fputc('\n', out);
    }
}

static const char *who_text(struct style style, const char *actor, const char *role, char text[TEXT_BYTES])
{
    if (*actor && *role)
        return text_fill(style, text, "card.as-role", "actor", actor, "role", story_role(role, style), NULL);
    snprintf(text, TEXT_BYTES, "%s", *actor ? actor : *role ? story_role(role, style) : say(style, "card.everyone"));
    return text;
}

void card_settings(const Carehub__V1__PatientAnswer *patient, FILE *out, struct style style)
{
    const char *headings[TABLE_COLUMNS_MAX + 1] = {"setting", "who",   "type",     "gets",
                                                   "from",    "until", "recorded", "place"};
    if (patient->n_settings == 0) {
        fprintf(out, "%s\n", say(style, "card.no-settings"));
        return;
    }
    struct table *table = table_of(style, headings);
    for (size_t i = 0; i < patient->n_settings; i++) {
        const Carehub__V1__PatientCard__Setting *s = patient->settings[i]->setting;
        char who[TEXT_BYTES], gets[TEXT_BYTES];
        table_cell(table, TONE_STRONG, "%s", s->name);
        table_cell(table, TONE_PLAIN, "%s", who_text(style, patient->settings[i]->actor, s->role, who));
        table_cell(table, TONE_PLAIN, "%s",
                   s->type ? story_type((Carehub__V1__EventType)s->type, style) : say(style, "card.all-types"));
        table_cell(table, TONE_PLAIN, "%s",
                   s->level == CAREHUB__V1__LEVEL__LEVEL_NONE
                       ? story_level(s->level, style) /* no "at most" is needed then */
                       : text_fill(style, gets, s->relaxes ? "card.at-least" : "card.at-most", "level",
                                   story_level(s->level, style), NULL));
        cells_dates(table, style, s->from_ms, s->until_ms, patient->settings[i]->recorded_ms, s->since);
    }
    table_print(table, out, style);
    table_destroy(&table);
}

static const char *grant_text(struct style style, const Carehub__V1__PatientCard__Member *m, char text[TEXT_BYTES])
{
    const char *kind = text_enum(style, "grant", &carehub__v1__grant_kind__descriptor, (int)m->grant);
    if (!*m->purpose)
        return kind;
    return text_fill(style, text, "card.kind-for", "kind", kind, "purpose", text_named(style, "purpose", m->purpose),
                     NULL);
}

void card_grants(const Carehub__V1__PatientAnswer *patient, FILE *out, struct style style)
{
    const char *headings[TABLE_COLUMNS_MAX + 1] = {"grant", "name",  "role",     "kind", "up-to",
                                                   "from",  "until", "recorded", "place"};
    if (patient->n_grants == 0) {
        fprintf(out, "%s\n", say(style, "card.no-grants"));
        return;
    }
    struct table *table = table_of(style, headings);
    for (size_t i = 0; i < patient->n_grants; i++) {
        const Carehub__V1__PatientCard__Member *m = member_of(patient->grants[i]);
        cells_actor(table, style, patient->grants[i]);
        char kind[TEXT_BYTES];
        table_cell(table, TONE_PLAIN, "%s", grant_text(style, m, kind));
        table_cell(table, TONE_PLAIN, "%s",
                   m->max_level ? story_level(m->max_level, style) : say(style, "card.by-policy"));
        cells_dates(table, style, m->from_ms, m->until_ms, patient->grants[i]->recorded_ms, m->since);
    }
    table_print(table, out, style);
    table_destroy(&table);
}

void card_all(const Carehub__V1__PatientAnswer *patient, FILE *out, struct style style)
{
    static card_fn *const parts[] = {card_consents, card_team, card_grants, card_excluded, card_settings};
    card_head(patient, out, style);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        fputc('\n', out);
        parts[i](patient, out, style);
    }
}

/* As of an earlier moment, a part says so first. */
static void show_as_of(const Carehub__V1__PatientAnswer *patient, card_fn *show, struct style style)
{
    if (patient->at_place && show != card_all)
        card_head(patient, stdout, style);
    show(patient, stdout, style);
}

int show_patient(const struct args *args, card_fn *show)
{
    struct session session = {0};
    Carehub__V1__Answer *answer = NULL;
    int code = session_open(&session, args);
    if (code == EXIT_OK)
        code = ask_patient(&session, args_value(args, 0), args_option(args, "at"), &answer);
    if (code == EXIT_OK && session.json)
        print_json(&answer->patient->base);
    else if (code == EXIT_OK)
        show_as_of(answer->patient, show, session.style);
    answer_free(&answer);
    session_close(&session);
    return code;
}
