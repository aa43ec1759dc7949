/* spool_tags.c - a ring of callbacks, in the order of their records. */
#include "spool_internal.h"

#include <stdlib.h>

enum { TAGS_FIRST = 1024 };

static struct spool_tag *tag_at(struct spool *s, uint64_t position)
{
    return &s->tags[position & (s->tags_room - 1)];
}

bool tag_room(struct spool *s)
{
    if (s->tags_end - s->tags_head < s->tags_room)
        return true;
    size_t room = s->tags_room ? 2 * s->tags_room : TAGS_FIRST;
    struct spool_tag *tags = malloc(room * sizeof *tags);
    if (!tags)
        return false;
    for (uint64_t i = s->tags_head; i < s->tags_end; i++)
        tags[i & (room - 1)] = *tag_at(s, i);
    free(s->tags);
    s->tags = tags;
    s->tags_room = room;
    return true;
}

void tag_add(struct spool *s, uint64_t number, carehub_confirm_fn *fn, void *arg)
{
    *tag_at(s, s->tags_end++) = (struct spool_tag){number, fn, arg};
}

void tag_cancel(struct spool *s, uint64_t first, uint64_t last)
{
    for (uint64_t i = s->tags_end; i > s->tags_head && tag_at(s, i - 1)->number >= first; i--)
        if (tag_at(s, i - 1)->number <= last)
            tag_at(s, i - 1)->fn = NULL;
}

void tag_take(struct spool *s, uint64_t number, carehub_confirm_fn **fn, void **arg)
{
    *fn = NULL;
    *arg = NULL;
    while (s->tags_head < s->tags_end && tag_at(s, s->tags_head)->number <= number) {
        const struct spool_tag *tag = tag_at(s, s->tags_head++);
        if (tag->number == number) {
            *fn = tag->fn;
            *arg = tag->arg;
        }
    }
}

void spool_abandon(struct spool *s)
{
    pthread_mutex_lock(&s->lock);
    while (s->tags_head < s->tags_end && tag_at(s, s->tags_head)->number <= s->durable) {
        struct spool_tag tag = *tag_at(s, s->tags_head++);
        pthread_mutex_unlock(&s->lock);
        if (tag.fn)
            tag.fn(tag.arg, CAREHUB_CLOSED, NULL);
        pthread_mutex_lock(&s->lock);
    }
    pthread_mutex_unlock(&s->lock);
}
