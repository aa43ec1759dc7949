#include "hl7v2_write.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE 4096u

static const struct hl7v2_delimiters delimiters = {
    .field = '|', .component = '^', .repetition = '~', .escape = '\\', .subcomponent = '&'};

void hl7v2_writer_init(struct hl7v2_writer *self, size_t max_bytes)
{
    *self = (struct hl7v2_writer){.max_bytes = max_bytes > 0 ? max_bytes : HL7V2_MESSAGE_MAX_BYTES};
}

void hl7v2_writer_clear(struct hl7v2_writer *self)
{
    free(self->text);
    *self = (struct hl7v2_writer){.max_bytes = self->max_bytes};
}

// Room for so many bytes more, and a zero. False, and sticky, when there is none.
static bool reserve(struct hl7v2_writer *self, size_t more)
{
    if (self->status != HL7V2_WRITE_OK)
        return false;
    if (more > self->max_bytes - self->len) {
        self->status = HL7V2_WRITE_TOO_LARGE;
        return false;
    }
    size_t size = self->size > 0 ? self->size : FIRST_SIZE;
    while (size <= self->len + more)
        size *= 2;
    if (size == self->size)
        return true;
    char *grown = realloc(self->text, size);
    if (grown == NULL) {
        self->status = HL7V2_WRITE_NO_MEMORY;
        return false;
    }
    self->text = grown;
    self->size = size;
    return true;
}

static void put(struct hl7v2_writer *self, const char *bytes, size_t len)
{
    if (!reserve(self, len))
        return;
    memcpy(self->text + self->len, bytes, len);
    self->len += len;
}

static void put_repeated(struct hl7v2_writer *self, char delimiter, unsigned count)
{
    while (count-- > 0 && self->status == HL7V2_WRITE_OK)
        put(self, &delimiter, 1);
}

static void end_segment(struct hl7v2_writer *self)
{
    if (self->in_segment)
        put(self, "\r", 1);
    self->in_segment = false;
}

void hl7v2_write_segment(struct hl7v2_writer *self, const char *name)
{
    static const char msh[] = "MSH|^~\\&";
    assert(strlen(name) == 3);
    end_segment(self);
    bool header = strcmp(name, "MSH") == 0;
    put(self, header ? msh : name, header ? sizeof msh - 1 : 3);
    self->last = hl7v2_at(header ? 2 : 0, 1, 1, 1);
    self->in_segment = true;
}

// Moves on to a position by the separators that lie in between.
static void move_to(struct hl7v2_writer *self, struct hl7v2_place place)
{
    struct hl7v2_place *last = &self->last;
    assert(self->in_segment && place.field >= last->field);
    assert(place.repetition > 0 && place.component > 0 && place.subcomponent > 0);
    put_repeated(self, delimiters.field, place.field - last->field);
    if (place.field > last->field)
        *last = hl7v2_at(place.field, 1, 1, 1);
    else
        assert(place.repetition > last->repetition ||
               (place.repetition == last->repetition &&
                (place.component > last->component ||
                 (place.component == last->component && place.subcomponent > last->subcomponent))));
    put_repeated(self, delimiters.repetition, place.repetition - last->repetition);
    if (place.repetition > last->repetition)
        last->component = last->subcomponent = 1;
    put_repeated(self, delimiters.component, place.component - last->component);
    if (place.component > last->component)
        last->subcomponent = 1;
    put_repeated(self, delimiters.subcomponent, place.subcomponent - last->subcomponent);
    *last = place;
}

static void put_escaped(struct hl7v2_writer *self, const char *text)
{
    size_t len = hl7v2_escape(&delimiters, text, NULL, 0);
    if (!reserve(self, len))
        return;
    hl7v2_escape(&delimiters, text, self->text + self->len, len + 1);
    self->len += len;
}

void hl7v2_write_formatted(struct hl7v2_writer *self, struct hl7v2_place place, const char *text)
{
    if (text[0] == '\0')
        return;
    move_to(self, place);
    if (strcmp(text, "\"\"") == 0)
        put(self, "\\X2222\\", 7);
    else
        put_escaped(self, text);
}

void hl7v2_write(struct hl7v2_writer *self, struct hl7v2_place place, const char *text)
{
    if (strpbrk(text, "\r\n") == NULL) {
        hl7v2_write_formatted(self, place, text);
        return;
    }
    char *line = strdup(text);
    if (line == NULL) {
        self->status = HL7V2_WRITE_NO_MEMORY;
        return;
    }
    for (char *c = line; (c = strpbrk(c, "\r\n")) != NULL;)
        *c = ' ';
    hl7v2_write_formatted(self, place, line);
    free(line);
}

void hl7v2_write_number(struct hl7v2_writer *self, struct hl7v2_place place, unsigned long number)
{
    char text[32];
    snprintf(text, sizeof text, "%lu", number);
    hl7v2_write(self, place, text);
}

void hl7v2_write_null(struct hl7v2_writer *self, struct hl7v2_place place)
{
    move_to(self, place);
    put(self, "\"\"", 2);
}

char *hl7v2_writer_take(struct hl7v2_writer *self, size_t *len)
{
    end_segment(self);
    char *text = NULL;
    if (reserve(self, 0)) {
        text = self->text;
        text[self->len] = '\0';
        *len = self->len;
        self->text = NULL;
    }
    free(self->text);
    self->text = NULL;
    self->len = self->size = 0;
    return text;
}
