// pb_drop_unknown: the part of pbcheck.h that works on unpacked messages.
#include "pbcheck.h"

#include <stdlib.h>

// A message, and the place in it from which on the search for messages within goes on.
struct place {
    ProtobufCMessage *message;
    unsigned field;
    size_t element;
};

static void free_unknown(ProtobufCMessage *m)
{
    for (unsigned i = 0; i < m->n_unknown_fields; i++)
        free(m->unknown_fields[i].data);
    free(m->unknown_fields);
    m->unknown_fields = NULL;
    m->n_unknown_fields = 0;
}

static const void *member(const ProtobufCMessage *m, unsigned offset)
{
    return (const char *)m + offset;
}

// The message in a singular field, or NULL when it is not set.
static ProtobufCMessage *singular(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *field)
{
    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0 &&
        *(const uint32_t *)member(m, field->quantifier_offset) != field->id)
        return NULL; // the place holds another member of the oneof
    return *(ProtobufCMessage *const *)member(m, field->offset);
}

// The next message directly within, or NULL when there is none left.
static ProtobufCMessage *next_within(struct place *p)
{
    const ProtobufCMessageDescriptor *type = p->message->descriptor;

    for (; p->field < type->n_fields; p->field++, p->element = 0) {
        const ProtobufCFieldDescriptor *field = &type->fields[p->field];
        if (field->type != PROTOBUF_C_TYPE_MESSAGE)
            continue;
        if (field->label == PROTOBUF_C_LABEL_REPEATED) {
            if (p->element < *(const size_t *)member(p->message, field->quantifier_offset))
                return (*(ProtobufCMessage * *const *)member(p->message, field->offset))[p->element++];
        } else if (p->element++ == 0) {
            ProtobufCMessage *within = singular(p->message, field);
            if (within)
                return within;
        }
    }
    return NULL;
}

bool pb_drop_unknown(ProtobufCMessage *m)
{
    struct place places[PBCHECK_DEPTH_MAX];
    unsigned depth = 1;
    bool whole = true;

    free_unknown(m);
    places[0] = (struct place){.message = m};
    while (depth > 0) {
        ProtobufCMessage *within = next_within(&places[depth - 1]);
        if (!within) {
            depth--;
            continue;
        }
        if (depth == PBCHECK_DEPTH_MAX) {
            whole = false;
            continue;
        }
        free_unknown(within);
        places[depth++] = (struct place){.message = within};
    }
    return whole;
}
