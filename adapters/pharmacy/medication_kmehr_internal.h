// Between the files of the KMEHR writer; no part of its interface.
#ifndef CAREHUB_MEDICATION_KMEHR_INTERNAL_H
#define CAREHUB_MEDICATION_KMEHR_INTERNAL_H

#include <libxml/tree.h>

#include "carehub/v1/bodies.pb-c.h"
#include "medication_kmehr.h"

// ---- Elements (medication_kmehr.c). NULL for a parent gives NULL: memory ran out, as the document is asked at the end

struct kmehr_writer {
    xmlNs *ns;
    bool no_memory; // sticky
};

// An element with a text, or without one when it is NULL. What XML has no place for is left out of it.
xmlNode *kmehr_put(struct kmehr_writer *w, xmlNode *parent, const char *name, const char *text);
void kmehr_set(struct kmehr_writer *w, xmlNode *node, const char *name, const char *value);
// <name S="scheme" SV="version">value</name>
void kmehr_put_coded(struct kmehr_writer *w, xmlNode *parent, const char *name, const char *scheme, const char *version,
                     const char *value);
void kmehr_put_number(struct kmehr_writer *w, xmlNode *parent, unsigned number); // the id that is unique in its parent
void kmehr_put_text(struct kmehr_writer *w, xmlNode *parent, const char *name, const char *text); // with a language

// The date, and the time where it is known, as elements. time may be NULL: nothing.
void kmehr_put_time(struct kmehr_writer *w, xmlNode *parent, const Carehub__V1__Time *time);

// ---- Items (medication_kmehr_item.c)

// The contents that say which product it is.
void kmehr_put_medicine(struct kmehr_writer *w, xmlNode *item, const Carehub__V1__Medicine *medicine);

// How it is taken: frequency with posology or regimen, and then route and instructions, as the XSD has them one after
// the other. What a regimen cannot say in full is told in words instead.
void kmehr_put_posology(struct kmehr_writer *w, xmlNode *item, const Carehub__V1__Posology *posology);

#endif
