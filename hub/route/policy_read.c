/* policy_read.c - reads a policy file: section by section, all or nothing. */
#include "policy_internal.h"

#include <czmq.h>
#include <stdarg.h>

#include "policy_syntax.h"

enum {
    HOUR_MS = 3600 * 1000,
    DURATION_MAX = 1000,
    TYPES_OBLIGATORY = 25, /* a policy that was adopted before a type existed stays sound: nobody gets that type */
};

/* What a reader of one part works on. */
struct reader {
    struct policy *policy;
    char *error;
};

__attribute__((format(printf, 2, 3))) static bool refuse(const struct reader *reader, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(reader->error, POLICY_ERROR_BYTES, format, args);
    va_end(args);
    return false;
}

static bool has_value(zconfig_t *item)
{
    const char *value = zconfig_value(item);
    return value && *value;
}

/* A name that is only listed: no value, nothing below it. */
static bool is_bare(const struct reader *reader, const char *section, zconfig_t *item)
{
    if (has_value(item))
        return refuse(reader, "%s/%s: takes no value: write the name alone", section, zconfig_name(item));
    if (zconfig_child(item))
        return refuse(reader, "%s/%s: nothing may stand below it", section, zconfig_name(item));
    return true;
}

/* Role and policy names: a to z, 0 to 9, '-'. */
static bool name_valid(const char *name)
{
    size_t length = strlen(name);
    return length > 0 && length <= NAME_MAX_BYTES && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == length;
}

static bool read_hold_days(struct reader *reader, const char *value)
{
    char *end;
    errno = 0;
    long days = strtol(value, &end, 10);
    if (errno || end == value || *end || days < 1 || days > HOLD_MAX_DAYS)
        return refuse(reader, "policy/hold-days: '%.40s' is not a number of days: use 1 to %d", value, HOLD_MAX_DAYS);
    reader->policy->hold_ms = days * DAY_MS;
    return true;
}

static bool read_report_names(struct reader *reader, const char *value)
{
    static const char *const words[] = {[REPORT_NAMES_PERSON] = "person",
                                        [REPORT_NAMES_ROLE] = "role-and-organisation",
                                        [REPORT_NAMES_ORGANISATION] = "organisation"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (streq(words[i], value)) {
            reader->policy->report_names = (enum policy_report_names)i;
            return true;
        }
    return refuse(
        reader, "policy/report-names: '%.40s' is not known: use person, role-and-organisation or organisation", value);
}

static bool read_header(struct reader *reader, zconfig_t *section)
{
    struct policy *policy = reader->policy;
    bool hold_days = false, report_names = false;
    for (zconfig_t *item = zconfig_child(section); item; item = zconfig_next(item)) {
        const char *name = zconfig_name(item), *value = zconfig_value(item);
        if (zconfig_child(item))
            return refuse(reader, "policy/%s: nothing may stand below it", name);
        if (streq(name, "name") && !*policy->name) {
            if (!name_valid(value))
                return refuse(reader, "policy/name: '%.40s' is not a name: use a to z, 0 to 9 and '-', at most %d",
                              value, NAME_MAX_BYTES);
            memcpy(policy->name, value, strlen(value) + 1);
        } else if (streq(name, "hold-days") && !hold_days) {
            if (!read_hold_days(reader, value))
                return false;
            hold_days = true;
        } else if (streq(name, "report-names") && !report_names) {
            if (!read_report_names(reader, value))
                return false;
            report_names = true;
        } else {
            return refuse(reader, "policy/%s: unknown, or there twice: use name, hold-days and report-names, once each",
                          name);
        }
    }
    return *policy->name || refuse(reader, "policy/name: missing: give this policy a name");
}

static void add_role(struct policy *policy, const char *role)
{
    size_t length = strlen(role), slot = policy_role_slot(policy, role);
    memcpy(policy->roles[policy->n_roles], role, length + 1);
    policy->role_lengths[policy->n_roles] = (uint8_t)length;
    policy->role_table[slot] = (uint8_t)++policy->n_roles;
}

static bool read_roles(struct reader *reader, zconfig_t *section)
{
    for (zconfig_t *item = zconfig_child(section); item; item = zconfig_next(item)) {
        const char *role = zconfig_name(item);
        if (!is_bare(reader, "roles", item))
            return false;
        if (!name_valid(role))
            return refuse(reader, "roles/%.80s: not a role's name: use a to z, 0 to 9 and '-', at most %d", role,
                          NAME_MAX_BYTES);
        if (policy_role(reader->policy, role) != POLICY_ROLE_UNKNOWN)
            return refuse(reader, "roles/%s: declared twice", role);
        if (reader->policy->n_roles == POLICY_ROLES_MAX)
            return refuse(reader, "roles/%s: too many roles: at most %d", role, POLICY_ROLES_MAX);
        add_role(reader->policy, role);
    }
    return reader->policy->n_roles > 0 || refuse(reader, "roles: empty: declare the roles that the matrix speaks of");
}

/* The type that `item` is named after; 0 and an error if there is none, or it is in `seen` already. */
static Carehub__V1__EventType read_type(const struct reader *reader, const char *section, zconfig_t *item,
                                        uint32_t *seen)
{
    const char *name = zconfig_name(item);
    Carehub__V1__EventType type = event_type_by_name(name);
    if (!(type >= 1 && (int)type <= EVENT_TYPE_MAX)) {
        refuse(reader, "%s/%s: not an event type: use names such as %s", section, name, event_type_name(2));
        return 0;
    }
    if (*seen >> type & 1) {
        refuse(reader, "%s/%s: there twice", section, name);
        return 0;
    }
    *seen |= 1u << type;
    return type;
}

static bool read_after_death(struct reader *reader, zconfig_t *section)
{
    for (zconfig_t *item = zconfig_child(section); item; item = zconfig_next(item))
        if (!is_bare(reader, "after-death", item) ||
            !read_type(reader, "after-death", item, &reader->policy->after_death))
            return false;
    return true;
}

static bool read_erasure(struct reader *reader, zconfig_t *section)
{
    for (zconfig_t *item = zconfig_child(section); item; item = zconfig_next(item))
        if (!is_bare(reader, "erasure", item) || !read_type(reader, "erasure", item, &reader->policy->retracts_erased))
            return false;
    return true;
}

/* Takes one word of a cell; false if it is none, or stands where it may not. */
static bool cell_word(struct policy_cell *cell, bool first, const char *word, size_t length)
{
    static const char *const levels[] = {"none", "administrative", "care", "clinical"};
    if (first) {
        for (size_t level = 0; level < sizeof levels / sizeof *levels; level++)
            if (strlen(levels[level]) == length && memcmp(levels[level], word, length) == 0) {
                cell->level = (uint8_t)level;
                return true;
            }
        return false;
    }
    const struct {
        const char *name;
        bool *flag;
    } flags[] = {{"by relation", &cell->by_relation}, {"restricted", &cell->restricted}, {"personal", &cell->personal}};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (strlen(flags[i].name) == length && memcmp(flags[i].name, word, length) == 0) {
            bool fresh = !*flags[i].flag && cell->level != CAREHUB__V1__LEVEL__LEVEL_NONE;
            *flags[i].flag = true;
            return fresh;
        }
    return false;
}

/* "clinical, by relation, personal": a level, then what else, behind commas. */
static bool cell_parse(const char *text, struct policy_cell *cell)
{
    *cell = (struct policy_cell){0};
    for (bool first = true;; first = false) {
        size_t length = strcspn(text, ",");
        const char *next = text + length;
        while (length > 0 && *text == ' ')
            text++, length--;
        while (length > 0 && text[length - 1] == ' ')
            length--;
        if (!cell_word(cell, first, text, length))
            return false;
        if (!*next)
            return true;
        text = next + 1;
    }
}

static bool read_row(struct reader *reader, zconfig_t *row, Carehub__V1__EventType type)
{
    struct policy *policy = reader->policy;
    bool seen[POLICY_ROLES_MAX] = {false};
    if (has_value(row))
        return refuse(reader, "matrix/%s: takes no value: its roles stand below it", zconfig_name(row));
    for (zconfig_t *item = zconfig_child(row); item; item = zconfig_next(item)) {
        const char *name = zconfig_name(item), *value = zconfig_value(item);
        int role = policy_role(policy, name);
        if (role == POLICY_ROLE_UNKNOWN)
            return refuse(reader, "matrix/%s/%s: role '%s' is not declared: add it under 'roles', or mend the spelling",
                          zconfig_name(row), name, name);
        if (seen[role])
            return refuse(reader, "matrix/%s/%s: there twice", zconfig_name(row), name);
        seen[role] = true;
        if (!cell_parse(value, &policy->cells[type][role]))
            return refuse(reader,
                          "matrix/%s/%s: '%.60s' is not a cell: use none, administrative, care or clinical, with "
                          "'by relation', 'restricted', 'personal' behind it, separated by commas (behind none: "
                          "nothing)",
                          zconfig_name(row), name, value);
        if (policy->cells[type][role].by_relation)
            policy->by_relation |= 1u << type;
    }
    return true;
}

static bool read_matrix(struct reader *reader, zconfig_t *section)
{
    uint32_t seen = 0;
    for (zconfig_t *row = zconfig_child(section); row; row = zconfig_next(row)) {
        Carehub__V1__EventType type = read_type(reader, "matrix", row, &seen);
        if (type == 0 || !read_row(reader, row, type))
            return false;
    }
    for (int type = 1; type <= TYPES_OBLIGATORY; type++)
        if (!(seen >> type & 1))
            return refuse(reader, "matrix/%s: no row: add one (without roles below it nobody gets this type)",
                          event_type_name((Carehub__V1__EventType)type));
    return true;
}

/* "15 months", "4 hours": a whole number and a unit, into days and months, or milliseconds if ms is not NULL. */
static bool duration_parse(const char *text, int *days, int *months, int64_t *ms)
{
    static const struct {
        const char *name;
        int days, months, hours;
    } units[] = {{"hour", 0, 0, 1}, {"day", 1, 0, 24}, {"week", 7, 0, 7 * 24}, {"month", 0, 1, 0}, {"year", 0, 12, 0}};
    char *end;
    errno = 0;
    long count = strtol(text, &end, 10);
    if (errno || end == text || *end != ' ' || count < 1 || count > DURATION_MAX)
        return false;
    size_t length = strlen(++end);
    length -= length > 1 && end[length - 1] == 's';
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strlen(units[i].name) != length || memcmp(units[i].name, end, length) != 0)
            continue;
        if (ms) {
            *ms = count * units[i].hours * HOUR_MS;
            return units[i].hours > 0;
        }
        *days = (int)count * units[i].days;
        *months = (int)count * units[i].months;
        return units[i].days > 0 || units[i].months > 0;
    }
    return false;
}

static bool read_relations(struct reader *reader, zconfig_t *section)
{
    struct policy *policy = reader->policy;
    for (zconfig_t *item = zconfig_child(section); item; item = zconfig_next(item)) {
        const char *name = zconfig_name(item);
        if (!name_valid(name))
            return refuse(reader, "relations/%.80s: not a kind of proof: use a to z, 0 to 9 and '-', at most %d", name,
                          NAME_MAX_BYTES);
        if (policy->n_proofs == POLICY_PROOFS_MAX)
            return refuse(reader, "relations/%s: too many kinds of proof: at most %d", name, POLICY_PROOFS_MAX);
        for (int i = 0; i < policy->n_proofs; i++)
            if (streq(policy->proofs[i].name, name))
                return refuse(reader, "relations/%s: there twice", name);
        struct policy_proof *proof = &policy->proofs[policy->n_proofs++];
        memcpy(proof->name, name, strlen(name) + 1);
        if (!duration_parse(zconfig_value(item), &proof->days, &proof->months, NULL))
            return refuse(reader,
                          "relations/%s: '%.40s' is no length of time: use days, weeks, months or years, as in "
                          "'15 months'",
                          name, zconfig_value(item));
    }
    return true;
}

static bool read_unread_row(struct reader *reader, zconfig_t *row, Carehub__V1__EventType type)
{
    for (zconfig_t *item = zconfig_child(row); item; item = zconfig_next(item)) {
        int role = policy_role(reader->policy, zconfig_name(item));
        if (role == POLICY_ROLE_UNKNOWN)
            return refuse(reader, "unread/%s/%s: this role is not declared: add it under 'roles', or mend the spelling",
                          zconfig_name(row), zconfig_name(item));
        if (!duration_parse(zconfig_value(item), NULL, NULL, &reader->policy->unread_ms[type][role]))
            return refuse(reader,
                          "unread/%s/%s: '%.40s' is no length of time: use hours, days or weeks, as in '4 hours'",
                          zconfig_name(row), zconfig_name(item), zconfig_value(item));
    }
    return true;
}

static bool read_unread(struct reader *reader, zconfig_t *section)
{
    uint32_t seen = 0;
    for (zconfig_t *row = zconfig_child(section); row; row = zconfig_next(row)) {
        Carehub__V1__EventType type = read_type(reader, "unread", row, &seen);
        if (type == 0 || !read_unread_row(reader, row, type))
            return false;
    }
    return true;
}

static bool read_next_in_line(struct reader *reader, zconfig_t *section)
{
    for (zconfig_t *item = zconfig_child(section); item; item = zconfig_next(item)) {
        int role = policy_role(reader->policy, zconfig_name(item));
        if (!is_bare(reader, "next-in-line", item))
            return false;
        if (role == POLICY_ROLE_UNKNOWN)
            return refuse(reader,
                          "next-in-line/%s: this role is not declared: add it under 'roles', or mend the spelling",
                          zconfig_name(item));
        for (int i = 0; i < reader->policy->n_next; i++)
            if (reader->policy->next[i] == role)
                return refuse(reader, "next-in-line/%s: there twice", zconfig_name(item));
        reader->policy->next[reader->policy->n_next++] = role;
    }
    return true;
}

static bool read_late_joiner(struct reader *reader, zconfig_t *section)
{
    uint32_t seen = 0;
    for (zconfig_t *item = zconfig_child(section); item; item = zconfig_next(item)) {
        Carehub__V1__EventType type = read_type(reader, "late-joiner", item, &seen);
        if (type == 0)
            return false;
        if (!duration_parse(zconfig_value(item), NULL, NULL, &reader->policy->late_ms[type]))
            return refuse(reader,
                          "late-joiner/%s: '%.40s' is no length of time: use hours, days or weeks, as in '30 days'",
                          zconfig_name(item), zconfig_value(item));
    }
    return true;
}

/* In this order of reading: all others speak of the roles. */
static const struct {
    const char *name;
    bool (*read)(struct reader *, zconfig_t *);
    bool obligatory;
} sections[] = {
    {"policy", read_header, true},
    {"roles", read_roles, true},
    {"after-death", read_after_death, true},
    {"matrix", read_matrix, true},
    {"relations", read_relations, false},
    {"unread", read_unread, false},
    {"next-in-line", read_next_in_line, false},
    {"late-joiner", read_late_joiner, false},
    {"erasure", read_erasure, false},
};

enum { SECTIONS = sizeof sections / sizeof *sections };

static bool read_sections(struct reader *reader, zconfig_t *root)
{
    zconfig_t *found[SECTIONS] = {NULL};
    for (zconfig_t *item = zconfig_child(root); item; item = zconfig_next(item)) {
        const char *name = zconfig_name(item);
        size_t i = 0;
        while (i < SECTIONS && !streq(sections[i].name, name))
            i++;
        if (i == SECTIONS)
            return refuse(
                reader,
                "%s: unknown section: use policy, roles, after-death and matrix, and if wanted relations, unread, "
                "next-in-line, late-joiner and erasure",
                name);
        if (found[i])
            return refuse(reader, "%s: this section is there twice: put them together", name);
        if (has_value(item))
            return refuse(reader, "%s: a section takes no value: its content stands below it", name);
        found[i] = item;
    }
    for (size_t i = 0; i < SECTIONS; i++) {
        if (!found[i] && !sections[i].obligatory)
            continue;
        if (!found[i])
            return refuse(reader, "%s: this section is missing", sections[i].name);
        if (!sections[i].read(reader, found[i]))
            return false;
    }
    return true;
}

/* zconfig's tree of the text; NULL and an error if it is not well-formed. */
static zconfig_t *load(const struct reader *reader, const char *text, size_t size)
{
    if (size > POLICY_MAX_BYTES) {
        refuse(reader, "the policy has %zu bytes: at most %d are allowed", size, POLICY_MAX_BYTES);
        return NULL;
    }
    if (!policy_syntax(text, size, reader->error, POLICY_ERROR_BYTES))
        return NULL;
    char *copy = strndup(text, size);
    zconfig_t *root = copy ? zconfig_str_load(copy) : NULL;
    free(copy);
    if (!root)
        refuse(reader, "the policy could not be read: out of memory, or a form that CZMQ's reader does not take");
    return root;
}

struct policy *policy_read(const char *text, size_t size, char error[POLICY_ERROR_BYTES])
{
    struct reader reader = {.policy = calloc(1, sizeof(struct policy)), .error = error};
    *error = '\0';
    if (!reader.policy) {
        refuse(&reader, "out of memory");
        return NULL;
    }
    reader.policy->hold_ms = HELD_DEADLINE_MS;
    zconfig_t *root = load(&reader, text, size);
    if (!root || !read_sections(&reader, root))
        policy_destroy(&reader.policy);
    zconfig_destroy(&root);
    return reader.policy;
}
