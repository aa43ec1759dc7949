#include "rx.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rx_internal.h"

#define CODE_BYTES 16u

// ---- Which messages, and what an order's control code does

static bool has_segment(const struct hl7v2_message *message, const char *name)
{
    return hl7v2_segment_find(message, name, 0) >= 0;
}

bool rx_takes(const struct hl7v2_message *message)
{
    static const struct {
        const char *type, *trigger;
    } kinds[] = {{"RDE", "O11"}, {"RDE", "O01"}, {"RDS", "O13"}, {"RDS", "O01"}, {"OMP", "O09"}, {"ORM", "O01"}};
    char type[CODE_BYTES], trigger[CODE_BYTES];
    hl7v2_text(message, "MSH-9.1", type, sizeof type, NULL);
    hl7v2_text(message, "MSH-9.2", trigger, sizeof trigger, NULL);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].type, type) == 0 && strcmp(kinds[i].trigger, trigger) == 0)
            return strcmp(type, "ORM") != 0 || has_segment(message, "RXO") || has_segment(message, "RXE");
    return false;
}

enum effect { NO_EFFECT, STARTS, STOPS, SUSPENDS, RESUMES, CHANGES };

static enum effect effect_of(const struct adt_job *job, const struct rx_group *group)
{
    static const struct {
        const char *code;
        enum effect effect;
    } controls[] =
        {
            {"NW", STARTS},  {"OP", STARTS},   {"RO", STARTS},   {"PY", STARTS},   {"CA", STOPS},   {"OC", STOPS},
            {"CR", STOPS},   {"DC", STOPS},    {"OD", STOPS},    {"DR", STOPS},    {"RP", STOPS},   {"RQ", STOPS},
            {"RU", STOPS},   {"HD", SUSPENDS}, {"OH", SUSPENDS}, {"HR", SUSPENDS}, {"RL", RESUMES}, {"OE", RESUMES},
            {"OR", RESUMES}, {"XO", CHANGES},  {"XX", CHANGES},  {"XR", CHANGES},
        },
      statuses[] = {{"CA", STOPS}, {"DC", STOPS}, {"RP", STOPS}, {"HD", SUSPENDS}};
    char code[CODE_BYTES], status[CODE_BYTES];
    adt_copy(job, adt_at(job, group->orc, 1, 1), code, sizeof code);
    adt_copy(job, adt_at(job, group->orc, 5, 1), status, sizeof status);
    for (size_t i = 0; i < sizeof controls / sizeof controls[0]; i++)
        if (strcmp(controls[i].code, code) == 0)
            return controls[i].effect;
    for (size_t i = 0; strcmp(code, "SC") == 0 && i < sizeof statuses / sizeof statuses[0]; i++)
        if (strcmp(statuses[i].code, status) == 0)
            return statuses[i].effect;
    return NO_EFFECT;
}

struct mapping {
    struct adt_job *job;
    struct carehub_memory *memory;
    Carehub__V1__Event *event;
    Carehub__V1__MedicationChanged *body;
    bool dispensing; // RDS
    const char *why; // of the first order that changes nothing
    bool notable;
    ptrdiff_t first_orc; // of the orders that changed
};

// ---- One order

// What the message says of an order.
struct order {
    const struct rx_group *group;
    enum effect effect;
    struct rx_numbers numbers;
    Carehub__V1__MedicationChange *known;  // the order as it stood, or NULL
    Carehub__V1__MedicationChange *change; // the order as it stands now, then (present) what people are told
};

static bool same_product(const Carehub__V1__Medicine *a, const Carehub__V1__Medicine *b)
{
    for (size_t i = 0; i < a->n_codes; i++)
        for (size_t k = 0; k < b->n_codes; k++)
            if (strcmp(a->codes[i]->system, b->codes[k]->system) == 0 &&
                strcmp(a->codes[i]->code, b->codes[k]->code) == 0)
                return true;
    return (a->n_codes == 0 || b->n_codes == 0) && strcmp(a->name, b->name) == 0;
}

static bool same_taking(const Carehub__V1__MedicationChange *a, const Carehub__V1__MedicationChange *b)
{
    return adt_message_same((const ProtobufCMessage *)a->posology, (const ProtobufCMessage *)b->posology) &&
           adt_message_same((const ProtobufCMessage *)a->from, (const ProtobufCMessage *)b->from) &&
           adt_message_same((const ProtobufCMessage *)a->until, (const ProtobufCMessage *)b->until);
}

// What kind of change a changed order is; KIND_UNSPECIFIED if nothing differs from what is known.
static Carehub__V1__MedicationChange__Kind compare(struct adt_job *job, struct order *order)
{
    Carehub__V1__MedicationChange *now = order->change, *before = order->known;
    if (before == NULL) {
        adt_remark(job, "previous-order-unknown");
        return CAREHUB__V1__MEDICATION_CHANGE__KIND__POSOLOGY_CHANGED;
    }
    if (before->kind == CAREHUB__V1__MEDICATION_CHANGE__KIND__STOPPED) // it is given again
        return CAREHUB__V1__MEDICATION_CHANGE__KIND__ADDED;
    bool product = before->medicine == NULL || same_product(now->medicine, before->medicine);
    bool taking = same_taking(now, before);
    if (!product)
        now->previous_medicine = adt_message_copy(job, (ProtobufCMessage *)before->medicine);
    if (!taking)
        now->previous_posology = adt_message_copy(job, (ProtobufCMessage *)before->posology);
    return !product  ? CAREHUB__V1__MEDICATION_CHANGE__KIND__PRODUCT_CHANGED
           : !taking ? CAREHUB__V1__MEDICATION_CHANGE__KIND__POSOLOGY_CHANGED
                     : CAREHUB__V1__MEDICATION_CHANGE__KIND__KIND_UNSPECIFIED;
}

// The kind of change that an effect is, given what is known of the order. KIND_UNSPECIFIED: it is that way already.
static Carehub__V1__MedicationChange__Kind decide(struct adt_job *job, struct order *order)
{
    Carehub__V1__MedicationChange__Kind before =
        order->known != NULL ? order->known->kind : CAREHUB__V1__MEDICATION_CHANGE__KIND__KIND_UNSPECIFIED;
    bool stopped = before == CAREHUB__V1__MEDICATION_CHANGE__KIND__STOPPED;
    bool running = before == CAREHUB__V1__MEDICATION_CHANGE__KIND__ADDED ||
                   before == CAREHUB__V1__MEDICATION_CHANGE__KIND__RESUMED;
    switch (order->effect) {
    case STOPS:
        return stopped ? CAREHUB__V1__MEDICATION_CHANGE__KIND__KIND_UNSPECIFIED
                       : CAREHUB__V1__MEDICATION_CHANGE__KIND__STOPPED;
    case SUSPENDS:
        return stopped || before == CAREHUB__V1__MEDICATION_CHANGE__KIND__SUSPENDED
                   ? CAREHUB__V1__MEDICATION_CHANGE__KIND__KIND_UNSPECIFIED
                   : CAREHUB__V1__MEDICATION_CHANGE__KIND__SUSPENDED;
    case RESUMES: // an order that was changed may have been on hold all the while
        return running || stopped ? CAREHUB__V1__MEDICATION_CHANGE__KIND__KIND_UNSPECIFIED
                                  : CAREHUB__V1__MEDICATION_CHANGE__KIND__RESUMED;
    case STARTS:
        if (order->known == NULL)
            return CAREHUB__V1__MEDICATION_CHANGE__KIND__ADDED;
        if (!stopped)
            adt_remark(job, "order-number-known");
        return compare(job, order);
    case CHANGES:
        return compare(job, order);
    case NO_EFFECT:
        break;
    }
    return CAREHUB__V1__MEDICATION_CHANGE__KIND__KIND_UNSPECIFIED;
}

// A change of the timing alone, without RXO, RXE or RXD: dose, route and instructions are still those of the order.
// Doses at set times are not: they would contradict the new timing.
static void inherit(struct adt_job *job, const struct rx_group *group, Carehub__V1__Posology *posology,
                    const Carehub__V1__Posology *known)
{
    Carehub__V1__Posology *copy = NULL;
    if (group->rxo >= 0 || group->rxe >= 0 || group->rxd >= 0 || (copy = adt_message_copy(job, &known->base)) == NULL)
        return;
    if (posology->text[0] == '\0')
        adt_set_text(job, &posology->text, copy->text);
    if (posology->n_regimen == 0 && copy->n_regimen == 1 && copy->regimen[0]->time_of_day[0] == '\0') {
        posology->regimen = copy->regimen;
        posology->n_regimen = 1;
        copy->regimen = NULL;
        copy->n_regimen = 0;
    }
    if (posology->route == NULL) {
        posology->route = copy->route;
        copy->route = NULL;
    }
    carehub__v1__posology__free_unpacked(copy, NULL);
}

// Fills in the change with what the message says; what it leaves out is as it was known.
static void read_change(struct adt_job *job, struct order *order)
{
    const struct rx_group *group = order->group;
    Carehub__V1__MedicationChange *change = order->change, *known = order->known;
    char reason[ADT_TEXT_MAX_BYTES / 2 + 1];
    bool content = order->effect == STARTS || order->effect == CHANGES;
    if (content || known == NULL) { // a stop or hold of an order that is known does not change what was ordered
        change->medicine = rx_medicine(job, group);
        change->posology = rx_posology(job, group);
    }
    if (change->medicine == NULL && known != NULL)
        change->medicine = adt_message_copy(job, (ProtobufCMessage *)known->medicine);
    if (change->posology == NULL && known != NULL)
        change->posology = adt_message_copy(job, (ProtobufCMessage *)known->posology);
    else if (known != NULL && known->posology != NULL)
        inherit(job, group, change->posology, known->posology);
    if (content)
        rx_period(job, group, &change->from, &change->until);
    else if (known != NULL) {
        change->from = adt_time_copy(job, known->from);
        change->until = adt_time_copy(job, known->until);
    }
    rx_reason(job, group, order->effect == STARTS, reason, sizeof reason);
    adt_set_text(job, &change->reason, reason);
    adt_set_text(job, &change->line_id, rx_line(&order->numbers));
}

// Since when the change holds. Of a new order that is when it starts; of all else ORC-15, else when it was decided.
static void present(struct adt_job *job, const struct order *order)
{
    Carehub__V1__MedicationChange *change = order->change;
    bool starts = change->kind == CAREHUB__V1__MEDICATION_CHANGE__KIND__ADDED;
    bool content = order->effect == STARTS || order->effect == CHANGES;
    if (!content && change->until != NULL) {
        carehub__v1__time__free_unpacked(change->until, NULL);
        change->until = NULL;
    }
    if (starts && change->from != NULL)
        return;
    if (!adt_take_time(job, &change->from, adt_at(job, order->group->orc, 15, 1)) && !content)
        adt_take_time(job, &change->from, adt_at(job, order->group->orc, 9, 1));
}

// Why nothing comes of an order; NULL when something does, and its change then has a kind.
static const char *why_not(const struct mapping *self, struct order *order)
{
    bool known = order->known != NULL && order->known->kind != CAREHUB__V1__MEDICATION_CHANGE__KIND__STOPPED;
    if (self->dispensing && known && order->effect == STARTS)
        return "order-dispensed";
    if (order->change->medicine == NULL)
        return order->effect == STARTS ? "no-medicine" : "order-unknown";
    order->change->kind = decide(self->job, order);
    return order->change->kind == CAREHUB__V1__MEDICATION_CHANGE__KIND__KIND_UNSPECIFIED ? "order-unchanged" : NULL;
}

static void say_why(struct mapping *self, const char *why)
{
    if (self->why == NULL)
        self->why = why;
    self->notable = self->notable || strcmp(why, "order-unknown") == 0 || strcmp(why, "no-medicine") == 0;
}

static void map_order(struct mapping *self, struct order *order)
{
    rx_read_numbers(self->job, order->group->orc, &order->numbers);
    order->known = rx_recall(self->job, self->memory, &order->numbers, self->event->patient);
    order->change = adt_message_new(self->job, &carehub__v1__medication_change__descriptor);
    if (order->change == NULL)
        return;
    read_change(self->job, order);
    const char *why = why_not(self, order);
    if (why != NULL) {
        say_why(self, why);
        return;
    }
    rx_keep(self->job, self->memory, &order->numbers, self->event->patient, order->change);
    present(self->job, order);
    if (self->body->n_changes == 0)
        self->first_orc = order->group->orc;
    self->body->changes[self->body->n_changes++] = order->change;
    order->change = NULL;
}

// ---- The message

// ORC-29 says for whom an order is; before v2.6, what the visit is. What leaves the hospital says so in ORC-1.
static bool is_inpatient(const struct adt_job *job, const struct rx_group *group)
{
    char type[CODE_BYTES], control[CODE_BYTES];
    adt_copy(job, adt_at(job, group->orc, 29, 1), type, sizeof type);
    adt_copy(job, adt_at(job, group->orc, 1, 1), control, sizeof control);
    if (type[0] == '\0')
        adt_copy(job, adt_get(job, "PV1", 2, 1), type, sizeof type);
    return strcmp(type, "I") == 0 && strcmp(control, "OP") != 0 && strcmp(control, "PY") != 0;
}

static void map_orders(struct mapping *self)
{
    struct rx_group group;
    size_t at = 0, looked_up = 0;
    while (rx_next_group(self->job, &at, &group) && !self->job->no_memory) {
        struct order order = {.group = &group, .effect = effect_of(self->job, &group)};
        if (order.effect == NO_EFFECT) {
            say_why(self, "order-control");
            continue;
        }
        if (self->job->in->sender->skip_inpatient_orders && is_inpatient(self->job, &group)) {
            say_why(self, "order-inpatient");
            continue;
        }
        if (looked_up++ == RX_ORDERS_MAX) {
            adt_remark(self->job, "orders-cut");
            break;
        }
        map_order(self, &order);
        if (order.known != NULL)
            carehub__v1__medication_change__free_unpacked(order.known, NULL);
        if (order.change != NULL)
            carehub__v1__medication_change__free_unpacked(order.change, NULL);
    }
}

static bool make_body(struct mapping *self)
{
    Carehub__V1__Event *event = self->event;
    self->body = adt_message_new(self->job, &carehub__v1__medication_changed__descriptor);
    if (self->body == NULL)
        return false;
    event->type = CAREHUB__V1__EVENT_TYPE__MEDICATION_CHANGED;
    event->body_case = CAREHUB__V1__EVENT__BODY_MEDICATION_CHANGED;
    event->medication_changed = self->body;
    self->body->changes = calloc(RX_ORDERS_MAX, sizeof(Carehub__V1__MedicationChange *));
    if (self->body->changes == NULL)
        self->job->no_memory = true;
    return self->body->changes != NULL;
}

static void drop_posology(Carehub__V1__Posology **posology)
{
    if (*posology != NULL)
        carehub__v1__posology__free_unpacked(*posology, NULL);
    *posology = NULL;
}

// The hub takes events of 64 KiB. A message of very many long orders is told of in less detail: a refusal would stop
// the sender's feed, and the orders' medicines are what matters most.
static void fit(struct mapping *self)
{
    Carehub__V1__MedicationChanged *body = self->body;
    if (protobuf_c_message_get_packed_size(&body->base) <= RX_BODY_MAX_BYTES)
        return;
    adt_remark(self->job, "previous-posologies-cut");
    for (size_t i = 0; i < body->n_changes; i++)
        drop_posology(&body->changes[i]->previous_posology);
    if (protobuf_c_message_get_packed_size(&body->base) <= RX_BODY_MAX_BYTES)
        return;
    adt_remark(self->job, "posologies-cut");
    for (size_t i = 0; i < body->n_changes; i++)
        drop_posology(&body->changes[i]->posology);
}

// When it was decided: ORC-9, else when the message was made, else when it came in.
static void finish(struct mapping *self)
{
    struct adt_job *job = self->job;
    Carehub__V1__Event *event = self->event;
    if (!adt_take_time(job, &event->occurred_at, adt_at(job, self->first_orc, 9, 1)))
        event->occurred_at = adt_recorded_time(job);
    if (event->occurred_at == NULL)
        event->occurred_at = adt_received_time(job);
    self->body->at = adt_time_copy(job, event->occurred_at);
    fit(self);
    Carehub__V1__Party *prescriber = adt_doctor(job, self->first_orc, 12);
    adt_set_envelope(job, event);
    adt_set_professional(event, prescriber);
}

struct adt_result rx_map(const struct adt_input *input, struct carehub_memory *memory)
{
    struct adt_job job = {.in = input, .message = input->message};
    struct mapping self = {.job = &job, .memory = memory};
    char type[CODE_BYTES];
    if (!rx_takes(input->message))
        return adt_result_of(&job, ADT_UNSUPPORTED, NULL);
    hl7v2_text(input->message, "MSH-9.1", type, sizeof type, NULL);
    self.dispensing = strcmp(type, "RDS") == 0;
    self.event = adt_message_new(&job, &carehub__v1__event__descriptor);
    if (self.event == NULL || !make_body(&self))
        return adt_result_of(&job, ADT_NO_MEMORY, self.event);
    if (!adt_set_patient(&job, self.event))
        return adt_result_of(&job, ADT_UNIDENTIFIED, self.event);
    map_orders(&self);
    if (self.body->n_changes > 0) {
        finish(&self);
        return adt_result_of(&job, ADT_EVENT, self.event);
    }
    struct adt_result result = adt_result_of(&job, ADT_NOTHING, self.event);
    if (result.outcome == ADT_NOTHING) {
        result.why = self.why != NULL ? self.why : "no-order";
        result.notable = self.notable;
    }
    return result;
}
