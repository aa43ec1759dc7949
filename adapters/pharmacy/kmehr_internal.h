// Between the files of the KMEHR reader; no part of its interface.
#ifndef CAREHUB_KMEHR_INTERNAL_H
#define CAREHUB_KMEHR_INTERNAL_H

#include <libxml/tree.h>

#include "kmehr.h"
#include "scheme_build.h"

enum { KMEHR_VALUE_BYTES = 256 }; // of codes, ids and dates, which are short

typedef Carehub__Pharmacy__V1__Scheme KmehrScheme;
typedef Carehub__Pharmacy__V1__Line KmehrLine;

struct kmehr_reader {
    const struct kmehr_options *options;
    struct medication_error *error;
    struct medication_remarks *remarks; // may be NULL
};

// ---- The document (kmehr_xml.c)

// NULL with *error. Freed with xmlFreeDoc.
xmlDoc *kmehr_parse(const void *bytes, size_t len, struct medication_error *error);

// Whether the message is as the schema says. False with *error.
bool kmehr_validate(const struct kmehr_schema *schema, xmlNode *message, struct medication_error *error);

// ---- Elements (kmehr_node.c): those of KMEHR's namespace only

bool kmehr_is(const xmlNode *node, const char *name);
xmlNode *kmehr_child(const xmlNode *node, const char *name); // the first; NULL when node is NULL or has none
xmlNode *kmehr_next(const xmlNode *node, const char *name);  // the next beside it
size_t kmehr_count(const xmlNode *node, const char *name);

// The text in an element, without blanks around it, cut to fit; "" when node is NULL. False when it had to be cut.
bool kmehr_value(const xmlNode *node, char *out, size_t size);

// The same, whole; to be freed with xmlFree. NULL without memory.
char *kmehr_text(const xmlNode *node);

// The attribute's value, or "".
bool kmehr_attribute(const xmlNode *node, const char *name, char out[KMEHR_VALUE_BYTES]);
bool kmehr_attribute_is(const xmlNode *node, const char *name, const char *value);

// The first child `name` whose S is `scheme`, from the first child on. NULL when there is none.
xmlNode *kmehr_coded(const xmlNode *node, const char *name, const char *scheme);

// Whether node has a cd of the scheme with this value, in any case.
bool kmehr_has_code(const xmlNode *node, const char *scheme, const char *value);

// ---- What is wrong (kmehr_node.c)

// Fills in where it is. node may be NULL: the whole.
void kmehr_describe(const xmlNode *node, enum medication_fault fault, const char *rule, const char *text,
                    struct medication_error *error);

// Always false.
bool kmehr_fail(struct kmehr_reader *r, const xmlNode *node, const char *rule, const char *text);
bool kmehr_no_memory(struct kmehr_reader *r);

// A remark; false when the reader is strict.
bool kmehr_remark(struct kmehr_reader *r, const xmlNode *node, const char *rule, const char *text);

// ---- Items (kmehr_item.c, kmehr_regimen.c)

// Reads the item of a medicationschemeelement into line.
bool kmehr_read_medication(struct kmehr_reader *r, const xmlNode *item, KmehrLine *line);

// Reads beginmoment and endmoment or duration. begin or end stays "" where there is none.
bool kmehr_read_period(struct kmehr_reader *r, const xmlNode *item, char **begin, char **end);

// Reads frequency, posology or regimen, route and instruction.
bool kmehr_read_posology(struct kmehr_reader *r, const xmlNode *item, Carehub__V1__Posology *posology);
bool kmehr_read_regimen(struct kmehr_reader *r, const xmlNode *regimen, Carehub__V1__Posology *posology);

#endif
