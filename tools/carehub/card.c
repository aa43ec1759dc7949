#include "card.h"

#include "catalogue.h"
#include "facts.h"

static const char *until(int64_t ms, char text[WHEN_CHARS])
{
    if (ms)
        return when_text(ms, text);
    snprintf(text, WHEN_CHARS, "no end");
    return text;
}

void card_head(const Carehub__V1__PatientAnswer *patient, FILE *out, struct style style)
{
    fprintf(out, "%sP%llu%s%s, as of #%llu\n", tone_on(style, TONE_STRONG), (unsigned long long)patient->number,
            tone_off(style, TONE_STRONG), patient->deceased ? ", deceased" : "",
            (unsigned long long)patient->from_place);
    if (patient->merged_into)
        fprintf(out, "merged into P%llu, whose team and consent decide instead\n",
                (unsigned long long)patient->merged_into);
    for (size_t i = 0; i < patient->n_merged; i++)
        fprintf(out, "P%llu is the same person, merged into this one\n", (unsigned long long)patient->merged[i]);
}

static void cells_actor(struct table *table, const Carehub__V1__ListedMember *listed)
{
    table_cell(table, TONE_STRONG, "%s", listed->actor);
    table_cell(table, TONE_PLAIN, "%s", listed->display);
    table_cell(table, TONE_PLAIN, "%s", listed->member ? listed->member->role : "");
}

void card_team(const Carehub__V1__PatientAnswer *patient, FILE *out, struct style style)
{
    static const char *const headings[] = {"member", "name", "role", "basis", "until", "place", NULL};
    if (patient->n_members == 0) {
        fputs("No care team.\n", out);
        return;
    }
    struct table *table = table_new(headings);
    for (size_t i = 0; i < patient->n_members; i++) {
        const Carehub__V1__PatientCard__Member *m = patient->members[i]->member;
        char text[ENUM_CHARS], when[WHEN_CHARS];
        cells_actor(table, patient->members[i]);
        table_cell(table, TONE_PLAIN, "%s%s%s",
                   m ? enum_text(&carehub__v1__relation_basis__descriptor, m->basis, text) : "",
                   m && *m->proof ? ", " : "", m ? m->proof : "");
        table_cell(table, TONE_PLAIN, "%.19s", m ? until(m->until_ms, when) : "");
        table_cell(table, TONE_DIM, "#%llu", m ? (unsigned long long)m->since : 0);
    }
    table_print(table, out, style);
    table_destroy(&table);
}

void card_consents(const Carehub__V1__PatientAnswer *patient, FILE *out, struct style style)
{
    static const char *const headings[] = {"consent for", "up to", "given by", "until", "place", NULL};
    if (patient->n_consents == 0) {
        fputs("No consent.\n", out);
        return;
    }
    struct table *table = table_new(headings);
    for (size_t i = 0; i < patient->n_consents; i++) {
        const Carehub__V1__PatientCard__Consent *c = patient->consents[i];
        char when[WHEN_CHARS];
        for (size_t p = 0; p < c->n_purposes; p++) {
            table_cell(table, TONE_STRONG, "%s", c->purposes[p]);
            table_cell(table, TONE_PLAIN, "%s", c->classes ? level_text(c->classes) : "clinical");
            table_cell(table, TONE_PLAIN, "%s", c->given_by);
            table_cell(table, TONE_PLAIN, "%.19s", until(c->until_ms, when));
            table_cell(table, TONE_DIM, "#%llu", (unsigned long long)c->since);
        }
    }
    table_print(table, out, style);
    table_destroy(&table);
}

void card_excluded(const Carehub__V1__PatientAnswer *patient, FILE *out, struct style style)
{
    (void)style;
    if (patient->n_excluded == 0)
        fputs("Nobody is excluded.\n", out);
    for (size_t i = 0; i < patient->n_excluded; i++) {
        put_safe(out, patient->excluded[i]);
        fputs(" is excluded by the person\n", out);
    }
}

void card_settings(const Carehub__V1__PatientAnswer *patient, FILE *out, struct style style)
{
    static const char *const headings[] = {"setting", "who", "type", "gets", "until", "place", NULL};
    if (patient->n_settings == 0) {
        fputs("No restrictions or relaxations.\n", out);
        return;
    }
    struct table *table = table_new(headings);
    for (size_t i = 0; i < patient->n_settings; i++) {
        const Carehub__V1__PatientCard__Setting *s = patient->settings[i]->setting;
        const char *actor = patient->settings[i]->actor, *type = event_type_name((Carehub__V1__EventType)s->type);
        char when[WHEN_CHARS];
        table_cell(table, TONE_STRONG, "%s", s->name);
        table_cell(table, TONE_PLAIN, "%s%s%s",
                   *actor     ? actor
                   : *s->role ? ""
                              : "everyone",
                   *actor && *s->role ? " as " : "", s->role);
        table_cell(table, TONE_PLAIN, "%s", type ? type : "all");
        table_cell(table, TONE_PLAIN, "%s %s", s->relaxes ? "up to" : "at most",
                   s->level ? level_text(s->level) : "nothing");
        table_cell(table, TONE_PLAIN, "%.19s", until(s->until_ms, when));
        table_cell(table, TONE_DIM, "#%llu", (unsigned long long)s->since);
    }
    table_print(table, out, style);
    table_destroy(&table);
}

void card_grants(const Carehub__V1__PatientAnswer *patient, FILE *out, struct style style)
{
    static const char *const headings[] = {"grant to", "name", "role", "kind", "up to", "until", "place", NULL};
    if (patient->n_grants == 0) {
        fputs("No grants.\n", out);
        return;
    }
    struct table *table = table_new(headings);
    for (size_t i = 0; i < patient->n_grants; i++) {
        const Carehub__V1__PatientCard__Member *m = patient->grants[i]->member;
        char text[ENUM_CHARS], when[WHEN_CHARS];
        cells_actor(table, patient->grants[i]);
        table_cell(table, TONE_PLAIN, "%s", m ? enum_text(&carehub__v1__grant_kind__descriptor, m->grant, text) : "");
        table_cell(table, TONE_PLAIN, "%s", m && m->max_level ? level_text(m->max_level) : "as the policy says");
        table_cell(table, TONE_PLAIN, "%.19s", m ? until(m->until_ms, when) : "");
        table_cell(table, TONE_DIM, "#%llu", m ? (unsigned long long)m->since : 0);
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
        show(answer->patient, stdout, session.style);
    answer_free(&answer);
    session_close(&session);
    return code;
}
