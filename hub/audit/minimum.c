#include "minimum.h"

#include <stdio.h>
#include <string.h>

#define HEADER "carehub minimum index 1\n"

size_t minimum_text(const struct minimum *minimum, char text[MINIMUM_BYTES])
{
    return (size_t)snprintf(text, MINIMUM_BYTES, HEADER "%s\n%llu\n", minimum->origin,
                            (unsigned long long)minimum->index);
}

bool minimum_note_parse(const char *bytes, size_t size, struct note *note, struct minimum *minimum)
{
    char again[MINIMUM_BYTES];
    if (!note_parse(bytes, size, note) || note->text_size <= sizeof HEADER - 1)
        return false;
    const char *origin = note->text + sizeof HEADER - 1, *end = note->text + note->text_size;
    const char *newline = memchr(origin, '\n', (size_t)(end - origin));
    if (!newline || newline == origin || newline - origin >= NOTE_NAME_BYTES || newline + 1 == end)
        return false;
    memcpy(minimum->origin, origin, (size_t)(newline - origin));
    minimum->origin[newline - origin] = '\0';
    if (!decimal_read(newline + 1, (size_t)(end - newline) - 2, &minimum->index))
        return false;
    /* The one way to write it: header and line ends included. */
    return minimum_text(minimum, again) == note->text_size && memcmp(again, note->text, note->text_size) == 0;
}
