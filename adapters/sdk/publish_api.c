/* publish_api.c - what publishers call. Any thread. */
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "eventid.h"
#include "publication.h"
#include "waiter.h"

void carehub_new_id(uint8_t id[CAREHUB_ID_BYTES])
{
    /* Fails only where the system has no random source, or a clock in the year 10889: nothing can go on then. */
    if (eventid_new(id) != EVENTID_OK)
        abort();
}

static int hand_over(carehub_client *c, const uint8_t *event, size_t size, carehub_confirm_fn *fn, void *arg)
{
    if (c->spool) {
        int result = spool_append(c->spool, event, size, fn, arg);
        if (result == CAREHUB_OK)
            client_wake(c);
        return result;
    }
    struct publication *p = publication_of_event(event, size);
    if (!p)
        return error_set(CAREHUB_OUT_OF_MEMORY, "out of memory");
    p->fn = fn;
    p->arg = arg;
    return publish_enqueue(c, p);
}

int carehub_publish_bytes(carehub_client *c, const uint8_t *event, size_t size, carehub_confirm_fn *fn, void *arg)
{
    uint8_t id[CAREHUB_ID_BYTES];
    if (!c || !event)
        return error_set(CAREHUB_INVALID_ARGUMENT, "carehub_publish: client and event are needed");
    if (size > EVENT_MAX_BYTES)
        return error_set(CAREHUB_INVALID_ARGUMENT, "the event has %zu bytes; at most %d are allowed", size,
                         EVENT_MAX_BYTES);
    if (!event_find_id(event, size, id) || !eventid_valid(id))
        return error_set(CAREHUB_INVALID_ARGUMENT,
                         "the event has no valid id: 16 bytes, UUID version 7 or 8 (see carehub_new_id)");
    return hand_over(c, event, size, fn, arg);
}

/* Fills in an empty id: in the copy, and where its owner has room for it. */
static void fill_id(ProtobufCBinaryData *id, uint8_t own_room[CAREHUB_ID_BYTES])
{
    if (id->len != 0)
        return;
    uint8_t *place = id->data ? id->data : own_room;
    carehub_new_id(place);
    *id = (ProtobufCBinaryData){CAREHUB_ID_BYTES, place};
}

int carehub_publish(carehub_client *c, const Carehub__V1__Event *event, carehub_confirm_fn *fn, void *arg)
{
    uint8_t id[CAREHUB_ID_BYTES];
    if (!c || !event)
        return error_set(CAREHUB_INVALID_ARGUMENT, "carehub_publish: client and event are needed");
    Carehub__V1__Event copy = *event; /* shallow: to fill in the id */
    fill_id(&copy.id, id);
    size_t size = protobuf_c_message_get_packed_size(&copy.base);
    uint8_t *bytes = malloc(size);
    if (!bytes)
        return error_set(CAREHUB_OUT_OF_MEMORY, "out of memory");
    protobuf_c_message_pack(&copy.base, bytes);
    int result = carehub_publish_bytes(c, bytes, size, fn, arg);
    free(bytes);
    return result;
}

int carehub_publish_group(carehub_client *c, const Carehub__V1__Item *const *items, size_t n, carehub_confirm_fn *fn,
                          void *arg)
{
    if (!c || !items || n == 0 || n > GROUP_MAX_ITEMS)
        return error_set(CAREHUB_INVALID_ARGUMENT, "a group has 1 to %d items", GROUP_MAX_ITEMS);
    struct publication *p = publication_of_items(items, n);
    if (!p)
        return error_set(CAREHUB_INVALID_ARGUMENT, "%s", carehub_error());
    p->fn = fn;
    p->arg = arg;
    return publish_enqueue(c, p);
}

/* ---- The blocking forms ----------------------------------------------------------------------------------------- */

static void answer_waiter(void *arg, int status, const Carehub__V1__Confirmation *confirmation)
{
    waiter_answer(arg, status, confirmation ? &confirmation->base : NULL);
}

/* Waits for a publication that was handed over with answer_waiter, if it was. */
static int await(struct waiter *waiter, int handed_over, int timeout_ms, ProtobufCMessage **confirmation)
{
    if (handed_over != CAREHUB_OK) {
        waiter_drop(waiter);
        waiter_drop(waiter);
        return handed_over;
    }
    return waiter_wait(waiter, timeout_ms, confirmation);
}

int carehub_publish_wait(carehub_client *c, const Carehub__V1__Event *event, int timeout_ms, uint64_t *place)
{
    if (c && client_on_own_thread(c))
        return error_set(CAREHUB_WOULD_DEADLOCK, "carehub_publish_wait was called from a callback");
    struct waiter *waiter = waiter_new();
    if (!waiter)
        return CAREHUB_OUT_OF_MEMORY;
    ProtobufCMessage *message = NULL;
    int result = await(waiter, carehub_publish(c, event, answer_waiter, waiter), timeout_ms, &message);
    if (message && place)
        *place = ((const Carehub__V1__Confirmation *)message)->place;
    if (message)
        protobuf_c_message_free_unpacked(message, NULL);
    return result;
}

int carehub_submit_fact(carehub_client *c, Carehub__V1__Fact *fact, int timeout_ms,
                        Carehub__V1__Confirmation **confirmation)
{
    if (confirmation)
        *confirmation = NULL;
    if (!c || !fact)
        return error_set(CAREHUB_INVALID_ARGUMENT, "carehub_submit_fact: client and fact are needed");
    if (client_on_own_thread(c))
        return error_set(CAREHUB_WOULD_DEADLOCK, "carehub_submit_fact was called from a callback");
    uint8_t id[CAREHUB_ID_BYTES];
    Carehub__V1__Fact copy = *fact;
    fill_id(&copy.id, id);
    Carehub__V1__Item item = CAREHUB__V1__ITEM__INIT;
    item.item_case = CAREHUB__V1__ITEM__ITEM_FACT;
    item.fact = &copy;
    const Carehub__V1__Item *items[] = {&item};
    struct waiter *waiter = waiter_new();
    if (!waiter)
        return CAREHUB_OUT_OF_MEMORY;
    ProtobufCMessage *message = NULL;
    int handed_over = carehub_publish_group(c, items, 1, answer_waiter, waiter);
    int result = await(waiter, handed_over, timeout_ms, &message);
    if (confirmation)
        *confirmation = (Carehub__V1__Confirmation *)message;
    else if (message)
        protobuf_c_message_free_unpacked(message, NULL);
    return result;
}

/* ---- The spool, seen from outside ------------------------------------------------------------------------------- */

int carehub_spool_status(carehub_client *c, struct carehub_spool_status *status)
{
    if (!c || !status)
        return error_set(CAREHUB_INVALID_ARGUMENT, "carehub_spool_status: client and status are needed");
    *status = (struct carehub_spool_status){0};
    if (c->spool)
        spool_status(c->spool, status);
    return CAREHUB_OK;
}

void carehub_spool_on_settled(carehub_client *c, carehub_settled_fn *fn, void *arg)
{
    pthread_mutex_lock(&c->lock);
    c->publish_inbox.on_settled = fn;
    c->publish_inbox.on_settled_arg = arg;
    pthread_mutex_unlock(&c->lock);
}
