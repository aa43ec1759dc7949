#include "items.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool items_add(struct items *self, bool is_fact, const uint8_t id[EVENTID_BYTES], const uint8_t original[EVENTID_BYTES],
               uint8_t *bytes, size_t len, const char *episode)
{
    struct item *item = self->count < CAREHUB_ITEMS_MAX ? calloc(1, sizeof *item) : NULL;
    if (!item) {
        free(bytes);
        return false;
    }
    item->is_fact = is_fact;
    memcpy(item->id, id, EVENTID_BYTES);
    memcpy(item->original, original, EVENTID_BYTES);
    item->bytes = bytes;
    item->len = len;
    snprintf(item->episode, sizeof item->episode, "%s", episode ? episode : "");
    self->list[self->count++] = item;
    self->n_facts += is_fact;
    return true;
}

void items_clear(struct items *self)
{
    for (size_t i = 0; i < self->count; i++) {
        free(self->list[i]->bytes);
        free(self->list[i]);
    }
    *self = (struct items){0};
}
