/* publisher_news.c - what the library says of publications, on its own thread, and how the loop hears of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log_line.h"
#include "publisher_internal.h"

/* ---- What the library says (its thread) ------------------------------------------------------------------------- */

/* In a group the field begins with the item: "items[1].patient". */
static bool is_about_patient(const char *field)
{
    const char *dot = strncmp(field, "items[", 6) == 0 ? strchr(field, '.') : NULL;
    return strncmp(dot ? dot + 1 : field, "patient", 7) == 0;
}

static enum carehub_fault fault_of(const Carehub__V1__Error *error)
{
    switch (error->code) {
    case CAREHUB__V1__ERROR_CODE__ID_CONFLICT:
        return CAREHUB_FAULT_DUPLICATE;
    case CAREHUB__V1__ERROR_CODE__CORRECTION_UNKNOWN:
        return CAREHUB_FAULT_ORIGINAL;
    case CAREHUB__V1__ERROR_CODE__NOT_ALLOWED:
    case CAREHUB__V1__ERROR_CODE__NOT_ENROLLED:
    case CAREHUB__V1__ERROR_CODE__REVOKED:
        return CAREHUB_FAULT_NOT_ALLOWED;
    default:
        if (error->retry)
            return CAREHUB_FAULT_UNAVAILABLE;
        return is_about_patient(error->field) ? CAREHUB_FAULT_IDENTITY : CAREHUB_FAULT_CONTENT;
    }
}

static void describe(struct news *news, int status, const Carehub__V1__Confirmation *confirmation)
{
    const Carehub__V1__Error *error = confirmation ? confirmation->error : NULL;
    if (status == CAREHUB_OK)
        return;
    news->fault = CAREHUB_FAULT_UNAVAILABLE;
    snprintf(news->text, sizeof news->text, "the hub could not be asked: %s; send it again", carehub_strerror(status));
    if (status != CAREHUB_REFUSED || !error)
        return;
    const ProtobufCEnumValue *code =
        protobuf_c_enum_descriptor_get_value(&carehub__v1__error_code__descriptor, (int)error->code);
    news->fault = fault_of(error);
    news->final = !error->retry;
    snprintf(news->code, sizeof news->code, "%s", code ? code->name : "refused");
    snprintf(news->text, sizeof news->text, "the hub refuses it: %s%s%s", error->field, error->field[0] ? ": " : "",
             error->text);
}

static void bring(struct publisher *self, const uint8_t id[CAREHUB_ID_BYTES], bool group, int status,
                  const Carehub__V1__Confirmation *confirmation)
{
    struct news *news = calloc(1, sizeof *news);
    if (!news)
        abort(); /* an outcome must not get lost, and nobody can be told here */
    memcpy(news->id, id, CAREHUB_ID_BYTES);
    news->group = group;
    describe(news, status, confirmation);
    pthread_mutex_lock(&self->lock);
    *self->news_end = news;
    self->news_end = &news->next;
    pthread_mutex_unlock(&self->lock);
    uv_async_send(&self->async);
}

/* With a spool the library tells of every event by its id, those of an earlier process included. */
void publisher_on_settled(void *arg, const uint8_t id[CAREHUB_ID_BYTES], int status,
                          const Carehub__V1__Confirmation *confirmation)
{
    bring(arg, id, false, status, confirmation);
}

/* Without one, and for groups, each publication has its callback. The ticket stays until the news of it has been heard.
 */
void publisher_on_confirm(void *arg, int status, const Carehub__V1__Confirmation *confirmation)
{
    struct ticket *t = arg;
    bring(t->publisher, t->parts[0].id, t->group, status, confirmation);
}

void publisher_on_state(void *arg, enum carehub_state state, const char *error)
{
    struct publisher *self = arg;
    atomic_store(&self->state, (int)state);
    if (state == CAREHUB_CONNECTED)
        LOG_LINE(LOG_LEVEL_INFO, "connected to the hub");
    else if (state != CAREHUB_CONNECTING)
        LOG_LINE(LOG_LEVEL_WARNING, "%s: %s",
                 state == CAREHUB_NOT_ADMITTED ? "the hub does not admit this adapter" : "the hub cannot be reached",
                 error ? error : "no reason was given");
}

void publisher_on_warning(void *arg, const char *text)
{
    (void)arg;
    LOG_LINE(LOG_LEVEL_WARNING, "%s", text);
}

/* ---- Hearing of it (the loop) ----------------------------------------------------------------------------------- */

static void hear(struct publisher *self, const struct news *news)
{
    struct ticket *t = ticket_find(self, news->id);
    if (t && t->group != news->group)
        t = NULL; /* of what an earlier process left in the spool */
    if (news->final && t)
        ticket_refused(t, news->code, news->text);
    else if (news->final)
        self->refused(self->arg, news->id, news->code, news->text);
    if (!t)
        return;
    ticket_tell(t, false, news->fault, news->text);
    if (t->in_lane)
        t->settled = true;
    else
        ticket_drop(t);
}

void publisher_on_async(uv_async_t *async)
{
    struct publisher *self = (struct publisher *)async;
    pthread_mutex_lock(&self->lock);
    struct news *news = self->news;
    self->news = NULL;
    self->news_end = &self->news;
    pthread_mutex_unlock(&self->lock);
    for (struct news *next; news; news = next) {
        next = news->next;
        hear(self, news);
        free(news);
    }
}
