#include "policy.h"

#include <czmq.h>
#include <stdarg.h>

#include "hub_limits.h"
#include "policy_syntax.h"

enum {
    ROLE_TABLE_SLOTS = 256, /* a power of two, four times the roles: a probe or two finds any */
    HOLD_MAX_DAYS = 365
};

_Static_assert(EVENT_TYPE_MAX < 32, "sets of types are 32 bits wide");

struct policy {
    char name[NAME_MAX_BYTES + 1];
    int64_t hold_ms;
    uint32_t after_death; /* bit n: type n */
    uint32_t by_relation; /* bit n: some role gets type n on the relation alone */
    int n_roles;
    char roles[POLICY_ROLES_MAX][NAME_MAX_BYTES + 1];
    uint8_t role_lengths[POLICY_ROLES_MAX];
    uint8_t role_table[ROLE_TABLE_SLOTS]; /* open addressing; role + 1, 0: empty */
    struct policy_cell cells[EVENT_TYPE_MAX + 1][POLICY_ROLES_MAX];
};

static const struct policy_cell CELL_NONE = {0};

/* ---- Asking ----------------------------------------------------------------------------------------------------- */

/* The length and both ends of a role's name tell roles apart well enough; where they do not, one more probe
 * does. */
static size_t role_hash(const char *role, size_t length)
{
    uint64_t head = 0, tail = 0;
    if (length >= sizeof head) {
        memcpy(&head, role, sizeof head);
        memcpy(&tail, role + length - sizeof tail, sizeof tail);
    } else {
        for (size_t i = 0; i < length; i++)
            head = head << 8 | (uint8_t)role[i];
    }
    return (size_t)((head * 31 + tail + length) * 0x9e3779b97f4a7c15u >> 56) %
           ROLE_TABLE_SLOTS; /* the upper bits are the mixed ones */
}

const char *policy_name(const struct policy *policy)
{
    return policy->name;
}

int policy_role(const struct policy *policy, const char *role)
{
    size_t length = strlen(role), slot = role_hash(role, length);
    for (; policy->role_table[slot]; slot = (slot + 1) % ROLE_TABLE_SLOTS) {
        int found = policy->role_table[slot] - 1;
        if (policy->role_lengths[found] == length && memcmp(policy->roles[found], role, length) == 0)
            return found;
    }
    return POLICY_ROLE_UNKNOWN;
}

const char *policy_role_name(const struct policy *policy, int role)
{
    return role >= 0 && role < policy->n_roles ? policy->roles[role] : NULL;
}

static bool type_valid(Carehub__V1__EventType type)
{
    return (int)type >= 1 && (int)type <= EVENT_TYPE_MAX;
}

const struct policy_cell *policy_cell(const struct policy *policy, int role, Carehub__V1__EventType type)
{
    return role >= 0 && role < policy->n_roles && type_valid(type) ? &policy->cells[type][role] : &CELL_NONE;
}

bool policy_after_death(const struct policy *policy, Carehub__V1__EventType type)
{
    return type_valid(type) && (policy->after_death >> type & 1);
}

bool policy_any_by_relation(const struct policy *policy, Carehub__V1__EventType type)
{
    return type_valid(type) && (policy->by_relation >> type & 1);
}

int64_t policy_hold_ms(const struct policy *policy)
{
    return policy->hold_ms;
}

/* ---- Reading ---------------------------------------------------------------------------------------------------- */

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

static bool read_header(struct reader *reader, zconfig_t *section)
{
    struct policy *policy = reader->policy;
    bool hold_days = false;
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
        } else {
            return refuse(reader, "policy/%s: unknown, or there twice: use name and hold-days, once each", name);
        }
    }
    return *policy->name || refuse(reader, "policy/name: missing: give this policy a name");
}

static void add_role(struct policy *policy, const char *role)
{
    size_t length = strlen(role), slot = role_hash(role, length);
    memcpy(policy->roles[policy->n_roles], role, length + 1);
    policy->role_lengths[policy->n_roles] = (uint8_t)length;
    while (policy->role_table[slot])
        slot = (slot + 1) % ROLE_TABLE_SLOTS;
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
    if (!type_valid(type)) {
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
    *cell = CELL_NONE;
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
    for (int type = 1; type <= EVENT_TYPE_MAX; type++)
        if (!(seen >> type & 1))
            return refuse(reader, "matrix/%s: no row: add one (without roles below it nobody gets this type)",
                          event_type_name((Carehub__V1__EventType)type));
    return true;
}

/* All obligatory, in this order of reading: the matrix speaks of the roles. */
static const struct {
    const char *name;
    bool (*read)(struct reader *, zconfig_t *);
} sections[] = {
    {"policy", read_header}, {"roles", read_roles}, {"after-death", read_after_death}, {"matrix", read_matrix}};

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
            return refuse(reader, "%s: unknown section: use policy, roles, after-death and matrix", name);
        if (found[i])
            return refuse(reader, "%s: this section is there twice: put them together", name);
        if (has_value(item))
            return refuse(reader, "%s: a section takes no value: its content stands below it", name);
        found[i] = item;
    }
    for (size_t i = 0; i < SECTIONS; i++) {
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

void policy_destroy(struct policy **policy)
{
    free(*policy);
    *policy = NULL;
}
