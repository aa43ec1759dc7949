/* A format for the tests of the host: what it is like follows from the macros that it is built with. */
#include <carehub_adapter.h>

#include <stdlib.h>
#include <string.h>

#ifndef PLUGIN_ABI
#define PLUGIN_ABI CAREHUB_FORMAT_ABI
#endif
#ifndef PLUGIN_NAME
#define PLUGIN_NAME "tiny"
#endif
#ifndef PLUGIN_TRANSLATE
#define PLUGIN_TRANSLATE translate
#endif
#ifndef PLUGIN_SYMBOL
#define PLUGIN_SYMBOL carehub_format
#endif

static void *configure(const struct carehub_setting *section, const char *folder, char error[CAREHUB_ERROR_BYTES])
{
    (void)folder;
    for (const struct carehub_setting *item = section->first; item; item = item->next)
        if (strcmp(item->name, "greeting") == 0)
            return strdup(item->value);
    strcpy(error, "needs 'greeting'");
    return NULL;
}

void translate(const void *self, struct carehub_message *message, struct carehub_memory *memory);
void translate(const void *self, struct carehub_message *message, struct carehub_memory *memory)
{
    (void)self;
    (void)memory;
    message->verdict = CAREHUB_MESSAGE_NOTHING;
}

CAREHUB_FORMAT_EXPORT const struct carehub_format PLUGIN_SYMBOL = {
    .abi = PLUGIN_ABI, .name = PLUGIN_NAME, .configure = configure, .destroy = free, .translate = PLUGIN_TRANSLATE};
