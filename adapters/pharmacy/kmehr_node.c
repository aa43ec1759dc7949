// Finding one's way in a KMEHR document, and saying where something is.
#include "kmehr_internal.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

bool kmehr_is(const xmlNode *node, const char *name)
{
    return node->type == XML_ELEMENT_NODE && node->ns != NULL && node->ns->href != NULL &&
           strcmp((const char *)node->ns->href, KMEHR_NAMESPACE) == 0 && strcmp((const char *)node->name, name) == 0;
}

static xmlNode *from(xmlNode *node, const char *name)
{
    while (node != NULL && !kmehr_is(node, name))
        node = node->next;
    return node;
}

xmlNode *kmehr_child(const xmlNode *node, const char *name)
{
    return node != NULL ? from(node->children, name) : NULL;
}

xmlNode *kmehr_next(const xmlNode *node, const char *name)
{
    return from(node->next, name);
}

size_t kmehr_count(const xmlNode *node, const char *name)
{
    size_t count = 0;
    for (const xmlNode *child = kmehr_child(node, name); child != NULL; child = kmehr_next(child, name))
        count++;
    return count;
}

char *kmehr_text(const xmlNode *node)
{
    return (char *)xmlNodeGetContent(node);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool kmehr_value(const xmlNode *node, char *out, size_t size)
{
    out[0] = '\0';
    char *text = node != NULL ? kmehr_text(node) : NULL;
    if (text == NULL)
        return true;
    const char *begin = text;
    size_t len = strlen(text);
    for (; len > 0 && is_blank(*begin); len--)
        begin++;
    while (len > 0 && is_blank(begin[len - 1]))
        len--;
    bool fits = len < size;
    if (!fits) {
        len = size - 1;
        while (len > 0 && ((unsigned char)begin[len] & 0xC0) == 0x80)
            len--;
    }
    memcpy(out, begin, len);
    out[len] = '\0';
    xmlFree(text);
    return fits;
}

bool kmehr_attribute(const xmlNode *node, const char *name, char out[KMEHR_VALUE_BYTES])
{
    xmlChar *value = xmlGetNoNsProp(node, (const xmlChar *)name);
    int len = snprintf(out, KMEHR_VALUE_BYTES, "%s", value != NULL ? (const char *)value : "");
    xmlFree(value);
    return len < KMEHR_VALUE_BYTES;
}

bool kmehr_attribute_is(const xmlNode *node, const char *name, const char *value)
{
    char text[KMEHR_VALUE_BYTES];
    kmehr_attribute(node, name, text);
    return strcmp(text, value) == 0;
}

xmlNode *kmehr_coded(const xmlNode *node, const char *name, const char *scheme)
{
    xmlNode *child = kmehr_child(node, name);
    while (child != NULL && !kmehr_attribute_is(child, "S", scheme))
        child = kmehr_next(child, name);
    return child;
}

bool kmehr_has_code(const xmlNode *node, const char *scheme, const char *value)
{
    for (xmlNode *cd = kmehr_child(node, "cd"); cd != NULL; cd = kmehr_next(cd, "cd")) {
        char code[KMEHR_VALUE_BYTES];
        kmehr_value(cd, code, sizeof code);
        if (kmehr_attribute_is(cd, "S", scheme) && strcasecmp(code, value) == 0)
            return true;
    }
    return false;
}

// ---- What is wrong

// Its place among those of its name, from 1; 0 when it is the only one.
static size_t place(const xmlNode *node)
{
    size_t before = 0, after = 0;
    for (const xmlNode *other = node->prev; other != NULL; other = other->prev)
        before += other->type == XML_ELEMENT_NODE && xmlStrEqual(other->name, node->name);
    for (const xmlNode *other = node->next; other != NULL && after == 0; other = other->next)
        after += other->type == XML_ELEMENT_NODE && xmlStrEqual(other->name, node->name);
    return before + after > 0 ? before + 1 : 0;
}

// A prefix of the path; false when it does not fit any more.
static bool prepend(char path[MEDICATION_PATH_BYTES], const char *step)
{
    size_t step_len = strlen(step), len = strlen(path);
    if (step_len + len >= MEDICATION_PATH_BYTES)
        return false;
    memmove(path + step_len, path, len + 1);
    memcpy(path, step, step_len);
    return true;
}

static void write_path(const xmlNode *node, char path[MEDICATION_PATH_BYTES])
{
    path[0] = '\0';
    bool fits = true;
    for (; fits && node != NULL && node->type == XML_ELEMENT_NODE; node = node->parent) {
        char step[96];
        size_t at = place(node);
        if (at > 0)
            snprintf(step, sizeof step, "/%.64s[%zu]", (const char *)node->name, at);
        else
            snprintf(step, sizeof step, "/%.64s", (const char *)node->name);
        fits = prepend(path, step);
    }
}

void kmehr_describe(const xmlNode *node, enum medication_fault fault, const char *rule, const char *text,
                    struct medication_error *error)
{
    *error = (struct medication_error){.fault = fault, .rule = rule};
    snprintf(error->text, sizeof error->text, "%s", text);
    if (node != NULL && node->type == XML_ATTRIBUTE_NODE)
        node = node->parent;
    if (node == NULL)
        return;
    long line = xmlGetLineNo(node);
    error->line = line > 0 ? (size_t)line : 0;
    write_path(node, error->path);
}

bool kmehr_fail(struct kmehr_reader *r, const xmlNode *node, const char *rule, const char *text)
{
    kmehr_describe(node, MEDICATION_FAULT_CONTENT, rule, text, r->error);
    return false;
}

bool kmehr_no_memory(struct kmehr_reader *r)
{
    kmehr_describe(NULL, MEDICATION_FAULT_MEMORY, "memory", "the adapter is out of memory; send it again", r->error);
    return false;
}

bool kmehr_remark(struct kmehr_reader *r, const xmlNode *node, const char *rule, const char *text)
{
    if (r->options->strict)
        return kmehr_fail(r, node, rule, text);
    if (r->remarks == NULL)
        return true;
    if (r->remarks->count < MEDICATION_REMARKS_MAX)
        kmehr_describe(node, MEDICATION_FAULT_CONTENT, rule, text, &r->remarks->at[r->remarks->count++]);
    else
        r->remarks->beyond++;
    return true;
}
