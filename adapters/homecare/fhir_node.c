#include "fhir_node.h"

#include <stdio.h>
#include <string.h>

#include <json-c/json_object.h>

// Resources nest no deeper than Bundle, entry, resource, contained and a few elements.
#define PATH_STEPS_MAX 24

struct fhir_node fhir_root(struct json_object *json, const char *name)
{
    return (struct fhir_node){.json = json, .name = name, .name_len = strlen(name), .index = -1};
}

struct fhir_node fhir_get(const struct fhir_node *from, const char *name)
{
    struct fhir_node node = {.from = from, .name = name, .name_len = strlen(name), .index = -1};
    if (json_object_is_type(from->json, json_type_object))
        json_object_object_get_ex(from->json, name, &node.json);
    return node;
}

struct fhir_node fhir_choice(const struct fhir_node *from, const char *choice, const char *name)
{
    struct fhir_node node = fhir_get(from, name);
    node.name_len = strlen(choice);
    return node;
}

size_t fhir_count(struct problems *problems, const struct fhir_node *array, size_t max)
{
    if (array->json == NULL)
        return 0;
    if (!json_object_is_type(array->json, json_type_array)) {
        FHIR_PROBLEM(problems, PROBLEM_ERROR, PROBLEM_STRUCTURE, array, "this must be an array");
        return 0;
    }
    size_t count = json_object_array_length(array->json);
    if (count > max) {
        FHIR_PROBLEM(problems, PROBLEM_ERROR, PROBLEM_TOO_COSTLY, array, "%zu elements; at most %zu are taken", count,
                     max);
        return max;
    }
    return count;
}

struct fhir_node fhir_at(const struct fhir_node *array, size_t index)
{
    struct fhir_node node = *array;
    node.index = (ptrdiff_t)index;
    node.json = json_object_array_get_idx(array->json, index);
    return node;
}

bool fhir_is_object(struct problems *problems, const struct fhir_node *node)
{
    if (node->json == NULL)
        return false;
    if (json_object_is_type(node->json, json_type_object))
        return true;
    FHIR_PROBLEM(problems, PROBLEM_ERROR, PROBLEM_STRUCTURE, node, "this must be an object");
    return false;
}

static const char *string_of(struct problems *problems, const struct fhir_node *node, size_t max_bytes)
{
    if (node->json == NULL)
        return "";
    if (!json_object_is_type(node->json, json_type_string)) {
        FHIR_PROBLEM(problems, PROBLEM_ERROR, PROBLEM_STRUCTURE, node, "this must be a string");
        return "";
    }
    if ((size_t)json_object_get_string_len(node->json) > max_bytes) {
        FHIR_PROBLEM(problems, PROBLEM_ERROR, PROBLEM_TOO_LONG, node, "longer than %zu bytes, which is the most here",
                     max_bytes);
        return "";
    }
    return json_object_get_string(node->json);
}

const char *fhir_text_max(struct problems *problems, const struct fhir_node *from, const char *name, size_t max_bytes)
{
    struct fhir_node node = fhir_get(from, name);
    return string_of(problems, &node, max_bytes);
}

const char *fhir_text(struct problems *problems, const struct fhir_node *from, const char *name)
{
    return fhir_text_max(problems, from, name, FHIR_TEXT_MAX_BYTES);
}

bool fhir_time(struct problems *problems, const struct fhir_node *node, struct fhir_time *time)
{
    const char *text = string_of(problems, node, FHIR_TEXT_MAX_BYTES);
    if (text[0] == '\0')
        return false;
    if (fhir_time_parse(text, time))
        return true;
    FHIR_PROBLEM(problems, PROBLEM_ERROR, PROBLEM_VALUE, node,
                 "not a date or time of FHIR, such as 2026-03-01 or 2026-03-01T12:05:00+01:00");
    return false;
}

void fhir_path(const struct fhir_node *node, char path[PROBLEM_EXPRESSION_CHARS])
{
    const struct fhir_node *steps[PATH_STEPS_MAX];
    size_t count = 0, used = 0;
    for (; node != NULL && count < PATH_STEPS_MAX; node = node->from)
        steps[count++] = node;
    path[0] = '\0';
    while (count > 0 && used < PROBLEM_EXPRESSION_CHARS) {
        const struct fhir_node *step = steps[--count];
        int len = snprintf(path + used, PROBLEM_EXPRESSION_CHARS - used, "%s%.*s", used > 0 ? "." : "",
                           (int)step->name_len, step->name);
        used += (size_t)len;
        if (step->index >= 0 && used < PROBLEM_EXPRESSION_CHARS)
            used += (size_t)snprintf(path + used, PROBLEM_EXPRESSION_CHARS - used, "[%td]", step->index);
    }
}
