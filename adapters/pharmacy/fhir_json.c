// JSON as bytes, its members, and saying where something is.
#include "fhir_internal.h"

#include <stdio.h>
#include <string.h>

#include <json-c/json_tokener.h>

#include "jsonlex.h"
#include "utf8.h"

static const char no_memory[] = "the adapter is out of memory; send it again";

// ---- Parsing

static size_t line_at(const char *text, size_t offset)
{
    size_t line = 1;
    for (size_t i = 0; i < offset; i++)
        line += text[i] == '\n';
    return line;
}

static struct json_object *refuse(struct medication_error *error, enum medication_fault fault, const char *rule,
                                  const char *text, size_t line)
{
    *error = (struct medication_error){.fault = fault, .rule = rule, .line = line};
    snprintf(error->text, sizeof error->text, "%s", text);
    return NULL;
}

static struct json_object *refuse_syntax(struct medication_error *error, enum json_tokener_error code, size_t line)
{
    if (code == json_tokener_error_depth)
        return refuse(error, MEDICATION_FAULT_SIZE, "depth", "it is more than 32 levels deep", line);
    if (code == json_tokener_continue)
        return refuse(error, MEDICATION_FAULT_SYNTAX, "json", "it ends before it should; it may have been cut short",
                      line);
    return refuse(error, MEDICATION_FAULT_SYNTAX, "json", "it is not JSON here (RFC 8259)", line);
}

static struct json_object *tokenise(const char *text, size_t len, struct medication_error *error)
{
    struct json_tokener *tokener = json_tokener_new_ex(FHIR_MEDICATION_DEPTH_MAX);
    if (tokener == NULL)
        return refuse(error, MEDICATION_FAULT_MEMORY, "memory", no_memory, 0);
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
    struct json_object *root = json_tokener_parse_ex(tokener, text, (int)len);
    enum json_tokener_error code = json_tokener_get_error(tokener);
    size_t end = json_tokener_get_parse_end(tokener);
    json_tokener_free(tokener);
    for (size_t i = end; code == json_tokener_success && i < len; i++)
        if (strchr(" \t\r\n", text[i]) == NULL)
            code = json_tokener_error_parse_unexpected;
    if (code == json_tokener_success && json_object_is_type(root, json_type_object))
        return root;
    json_object_put(root);
    if (code == json_tokener_success)
        return refuse(error, MEDICATION_FAULT_SYNTAX, "json", "a FHIR resource is a JSON object", 1);
    return refuse_syntax(error, code, line_at(text, end < len ? end : len));
}

struct json_object *fhir_parse(const void *bytes, size_t len, struct medication_error *error)
{
    const char *text = bytes, *expected;
    if (len > FHIR_MEDICATION_MAX_BYTES)
        return refuse(error, MEDICATION_FAULT_SIZE, "bytes", "it has more than 4 MiB", 0);
    if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
        text += 3;
        len -= 3;
    }
    size_t valid = utf8_valid_prefix(text, len);
    if (valid < len)
        return refuse(error, MEDICATION_FAULT_SYNTAX, "utf-8", "there are bytes here that are not UTF-8",
                      line_at(text, valid));
    valid = jsonlex_valid_prefix(text, len, &expected);
    if (valid < len)
        return refuse(error, MEDICATION_FAULT_SYNTAX, "json", "a string or number here is not JSON (RFC 8259)",
                      line_at(text, valid));
    return tokenise(text, len, error);
}

// ---- Path

size_t fhir_enter(struct fhir_reader *r, const char *name, size_t index)
{
    size_t before = strlen(r->path), room = sizeof r->path - before;
    if (index == FHIR_WHOLE)
        snprintf(r->path + before, room, "%s%s", before > 0 ? "." : "", name);
    else
        snprintf(r->path + before, room, "%s%s[%zu]", before > 0 ? "." : "", name, index);
    return before;
}

void fhir_leave(struct fhir_reader *r, size_t before)
{
    r->path[before] = '\0';
}

// ---- What is wrong

static void describe(struct fhir_reader *r, const char *name, enum medication_fault fault, const char *rule,
                     const char *text, struct medication_error *error)
{
    size_t before = strlen(r->path);
    if (name != NULL)
        before = fhir_enter(r, name, FHIR_WHOLE);
    *error = (struct medication_error){.fault = fault, .rule = rule, .resource = r->type};
    snprintf(error->path, sizeof error->path, "%s", r->path);
    snprintf(error->text, sizeof error->text, "%s", text);
    fhir_leave(r, before);
}

bool fhir_fail(struct fhir_reader *r, const char *name, const char *rule, const char *text)
{
    describe(r, name, MEDICATION_FAULT_CONTENT, rule, text, r->error);
    return false;
}

bool fhir_no_memory(struct fhir_reader *r)
{
    refuse(r->error, MEDICATION_FAULT_MEMORY, "memory", no_memory, 0);
    return false;
}

bool fhir_remark(struct fhir_reader *r, const char *name, const char *rule, const char *text)
{
    if (r->options->strict)
        return fhir_fail(r, name, rule, text);
    if (r->remarks == NULL)
        return true;
    if (r->remarks->count < MEDICATION_REMARKS_MAX)
        describe(r, name, MEDICATION_FAULT_CONTENT, rule, text, &r->remarks->at[r->remarks->count++]);
    else
        r->remarks->beyond++;
    return true;
}

// ---- Members

struct json_object *fhir_look(struct json_object *within, const char *name)
{
    struct json_object *member = NULL;
    if (json_object_is_type(within, json_type_object))
        json_object_object_get_ex(within, name, &member);
    return member;
}

const char *fhir_peek(struct json_object *within, const char *name)
{
    struct json_object *member = fhir_look(within, name);
    return json_object_is_type(member, json_type_string) ? json_object_get_string(member) : "";
}

bool fhir_object(struct fhir_reader *r, struct json_object *within, const char *name, struct json_object **out)
{
    *out = fhir_look(within, name);
    return *out == NULL || json_object_is_type(*out, json_type_object) ||
           fhir_fail(r, name, "type", "FHIR has a JSON object here");
}

bool fhir_array(struct fhir_reader *r, struct json_object *within, const char *name, struct json_object **out,
                size_t *n)
{
    *out = fhir_look(within, name);
    *n = 0;
    if (*out == NULL)
        return true;
    if (!json_object_is_type(*out, json_type_array))
        return fhir_fail(r, name, "type", "FHIR has a JSON array here");
    *n = json_object_array_length(*out);
    return true;
}

bool fhir_string(struct fhir_reader *r, struct json_object *within, const char *name, const char **out)
{
    struct json_object *member = fhir_look(within, name);
    *out = "";
    if (member == NULL)
        return true;
    if (!json_object_is_type(member, json_type_string))
        return fhir_fail(r, name, "type", "FHIR has a JSON string here");
    *out = json_object_get_string(member);
    return true;
}

// json-c keeps the digits of a number with a fraction or exponent.
bool fhir_number(struct fhir_reader *r, struct json_object *within, const char *name, const char **out)
{
    struct json_object *member = fhir_look(within, name);
    *out = "";
    if (member == NULL)
        return true;
    if (!json_object_is_type(member, json_type_int) && !json_object_is_type(member, json_type_double))
        return fhir_fail(r, name, "type", "FHIR has a JSON number here");
    *out = json_object_get_string(member);
    return *out != NULL || fhir_no_memory(r);
}

struct json_object *fhir_extension(struct json_object *within, const char *ending, size_t *from)
{
    struct json_object *all = fhir_look(within, "extension");
    size_t n = json_object_is_type(all, json_type_array) ? json_object_array_length(all) : 0, end = strlen(ending);
    while (*from < n) {
        struct json_object *extension = json_object_array_get_idx(all, (*from)++);
        const char *url = fhir_peek(extension, "url");
        if (strlen(url) >= end && strcmp(url + strlen(url) - end, ending) == 0)
            return extension;
    }
    return NULL;
}

bool fhir_set(struct fhir_reader *r, char **field, const char *text)
{
    return scheme_set(field, text) || fhir_no_memory(r);
}
