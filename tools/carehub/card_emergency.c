/* Emergency accesses, as a table: see card.h. */
#include "card.h"
#include "story_parts.h"

struct table *emergency_table(struct style style)
{
    static const char *const codes[] = {"grant", "role",    "patient",       "from", "until",
                                        "state", "purpose", "justification", "place"};
    static const char *headings[TABLE_COLUMNS_MAX + 1]; /* the table borrows them */
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        headings[i] = text_named(style, "card", codes[i]);
    return table_new(headings);
}

void emergency_row(struct table *table, const Carehub__V1__EmergencyAccess *access, struct style style)
{
    char from[DATE_CHARS], until[DATE_CHARS];
    const char *state = access->in_force ? "card.in-force" : access->over ? "card.past" : "card.to-come";
    table_cell(table, TONE_STRONG, "%s", access->actor);
    table_cell(table, TONE_PLAIN, "%s", story_role(access->role, style));
    table_cell(table, TONE_STRONG, "P%llu", (unsigned long long)access->patient);
    table_cell(table, TONE_PLAIN, "%s", date_text(style, access->from_ms, from));
    table_cell(table, TONE_PLAIN, "%s", date_text(style, access->until_ms, until));
    table_cell(table, access->in_force ? TONE_WAIT : TONE_PLAIN, "%s", text_find(style, state));
    table_cell(table, TONE_PLAIN, "%s", access->purpose);
    table_cell(table, TONE_PLAIN, "%s", access->justification);
    table_cell(table, TONE_DIM, "#%llu", (unsigned long long)access->place);
}

void emergency_print(const struct table *table, FILE *out, struct style style)
{
    if (table_rows(table) == 0)
        fprintf(out, "%s\n", text_find(style, "card.no-emergencies"));
    else
        table_print(table, out, style);
}
