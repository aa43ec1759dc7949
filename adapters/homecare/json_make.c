#include "json_make.h"

#include <json-c/json_object.h>

static struct json_object *made(struct maker *m, struct json_object *value)
{
    m->no_memory = m->no_memory || value == NULL;
    return value;
}

struct json_object *make_object(struct maker *m)
{
    return made(m, json_object_new_object());
}

struct json_object *make_array(struct maker *m)
{
    return made(m, json_object_new_array());
}

struct json_object *make_string(struct maker *m, const char *text)
{
    return made(m, json_object_new_string(text));
}

void make_put(struct maker *m, struct json_object *object, const char *name, struct json_object *value)
{
    if (object != NULL && value != NULL && json_object_object_add(object, name, value) == 0)
        return;
    json_object_put(value);
    m->no_memory = true;
}

void make_push(struct maker *m, struct json_object *array, struct json_object *value)
{
    if (array != NULL && value != NULL && json_object_array_add(array, value) == 0)
        return;
    json_object_put(value);
    m->no_memory = true;
}

void make_text(struct maker *m, struct json_object *object, const char *name, const char *text)
{
    if (text != NULL && text[0] != '\0')
        make_put(m, object, name, make_string(m, text));
}

struct json_object *make_done(struct maker *m, struct json_object *tree)
{
    if (!m->no_memory)
        return tree;
    json_object_put(tree);
    return NULL;
}
