// One order of a message: its segments, and what is ordered.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "identifier.h"
#include "rx_internal.h"

// ---- Its segments

static void see_segment(struct adt_job *job, struct rx_group *group, size_t index, bool *observed)
{
    const char *name = hl7v2_segment_name(job->message, index);
    const struct {
        const char *name;
        ptrdiff_t *place;
    } details[] = {{"RXO", &group->rxo}, {"RXE", &group->rxe}, {"RXD", &group->rxd}};
    for (size_t i = 0; i < sizeof details / sizeof details[0]; i++) {
        if (strcmp(name, details[i].name) != 0)
            continue;
        if (*details[i].place >= 0)
            adt_remark(job, "order-without-control"); // a second one under the same ORC
        else
            *details[i].place = (ptrdiff_t)index;
    }
    if (strcmp(name, "RXR") == 0)
        group->rxr = (ptrdiff_t)index; // the last one: the pharmacy's own after the order's
    *observed = *observed || strcmp(name, "OBX") == 0;
    if (strcmp(name, "NTE") == 0 && !*observed && group->note_count < RX_TIMINGS_MAX)
        group->notes[group->note_count++] = (ptrdiff_t)index;
}

// A new run of TQ1 replaces an earlier one: those behind the RXE are the order as the pharmacy has it.
static void see_timing(struct adt_job *job, struct rx_group *group, size_t index)
{
    if (strcmp(hl7v2_segment_name(job->message, index - 1), "TQ1") != 0 &&
        strcmp(hl7v2_segment_name(job->message, index - 1), "TQ2") != 0)
        group->timing_count = 0;
    if (group->timing_count < RX_TIMINGS_MAX)
        group->timings[group->timing_count++] = (ptrdiff_t)index;
    else
        adt_remark(job, "timings-cut");
}

bool rx_next_group(struct adt_job *job, size_t *at, struct rx_group *group)
{
    size_t count = hl7v2_segment_count(job->message), index = *at;
    bool observed = false;
    *group = (struct rx_group){.orc = -1, .rxo = -1, .rxe = -1, .rxd = -1, .rxr = -1};
    for (; index < count; index++) {
        const char *name = hl7v2_segment_name(job->message, index);
        bool is_order = strcmp(name, "ORC") == 0;
        if (is_order && group->orc >= 0)
            break;
        if (is_order)
            group->orc = (ptrdiff_t)index;
        else if (group->orc >= 0 && strcmp(name, "TQ1") == 0)
            see_timing(job, group, index);
        else if (group->orc >= 0)
            see_segment(job, group, index, &observed);
    }
    *at = index;
    return group->orc >= 0;
}

// ---- Texts

static bool has_piece(const struct rx_text *text, const char *piece, size_t len)
{
    for (const char *at = text->bytes; (at = strstr(at, piece)) != NULL; at++)
        if ((at == text->bytes || (at - text->bytes >= 2 && at[-1] == ' ' && at[-2] == ';')) &&
            (at[len] == '\0' || at[len] == ';'))
            return true;
    return false;
}

// A piece that does not fit is left out whole: half an instruction is worse than none.
void rx_text_add(struct adt_job *job, struct rx_text *text, const char *piece)
{
    size_t used = strlen(text->bytes), len = strlen(piece);
    if (len == 0 || has_piece(text, piece, len))
        return;
    if (used + 2 + len >= sizeof text->bytes) {
        adt_remark(job, "text-cut");
        return;
    }
    snprintf(text->bytes + used, sizeof text->bytes - used, "%s%s", used > 0 ? "; " : "", piece);
}

void rx_coded_text(const struct adt_job *job, ptrdiff_t segment, unsigned field, unsigned repetition, char *out,
                   size_t size)
{
    static const unsigned components[] = {2, 9, 5, 1};
    out[0] = '\0';
    for (size_t i = 0; segment >= 0 && out[0] == '\0' && i < sizeof components / sizeof components[0]; i++)
        adt_copy(job, hl7v2_segment_get(job->message, (size_t)segment, field, repetition, components[i], 1), out, size);
}

// All repetitions of a field of coded elements. True if there was any text.
static bool add_coded_texts(struct adt_job *job, struct rx_text *text, ptrdiff_t segment, unsigned field)
{
    unsigned count = segment >= 0 ? hl7v2_repetition_count(job->message, (size_t)segment, field) : 0;
    char piece[ADT_TEXT_MAX_BYTES / 2 + 1];
    bool any = false;
    for (unsigned repetition = 1; repetition <= count; repetition++) {
        rx_coded_text(job, segment, field, repetition, piece, sizeof piece);
        rx_text_add(job, text, piece);
        any = any || piece[0] != '\0';
    }
    return any;
}

// ---- The medicine

static void add_code(struct adt_job *job, Carehub__V1__Medicine *medicine, ptrdiff_t segment, unsigned field,
                     unsigned component)
{
    char code[ADT_CODE_MAX_BYTES + 1], display[ADT_TEXT_MAX_BYTES / 2 + 1], name[ADT_CODE_MAX_BYTES + 1];
    struct identifier cnk;
    adt_copy(job, adt_at(job, segment, field, component), code, sizeof code);
    adt_copy(job, adt_at(job, segment, field, component + 1), display, sizeof display);
    adt_copy(job, adt_at(job, segment, field, component + 2), name, sizeof name);
    if (code[0] == '\0')
        return;
    const char *system = adt_sender_code_system(job->in->sender, name), *value = code;
    if (strcmp(system, "cnk") == 0) {
        if (identifier_usable(identifier_check("cnk", code, &cnk)))
            value = cnk.value;
        else {
            adt_remark(job, "cnk-invalid");
            system = name; // the source's own code, then
        }
    }
    Carehub__V1__Coded *coded = adt_coded(job, system, value, display);
    if (coded != NULL)
        medicine->codes[medicine->n_codes++] = coded;
}

static Carehub__V1__Medicine *medicine_at(struct adt_job *job, ptrdiff_t segment, unsigned field)
{
    static const unsigned codings[RX_CODES_MAX] = {1, 4, 10}; // the third since v2.7
    char name[ADT_TEXT_MAX_BYTES / 2 + 1];
    rx_coded_text(job, segment, field, 1, name, sizeof name);
    if (name[0] == '\0')
        return NULL;
    Carehub__V1__Medicine *medicine = adt_message_new(job, &carehub__v1__medicine__descriptor);
    if (medicine == NULL)
        return NULL;
    adt_set_text(job, &medicine->name, name);
    medicine->codes = calloc(RX_CODES_MAX, sizeof(Carehub__V1__Coded *));
    job->no_memory = job->no_memory || medicine->codes == NULL;
    for (size_t i = 0; medicine->codes != NULL && i < RX_CODES_MAX; i++)
        add_code(job, medicine, segment, field, codings[i]);
    return medicine;
}

// What was dispensed goes before what the pharmacy made of the order, and that before what was asked for.
Carehub__V1__Medicine *rx_medicine(struct adt_job *job, const struct rx_group *group)
{
    Carehub__V1__Medicine *medicine = medicine_at(job, group->rxd, 2);
    if (medicine == NULL)
        medicine = medicine_at(job, group->rxe, 2);
    return medicine != NULL ? medicine : medicine_at(job, group->rxo, 1);
}

// ---- How it is taken

// Amount and unit: RXE-3 to -5, else RXO-2 to -4. A range is told in the text too.
static void read_dose(struct adt_job *job, const struct rx_group *group, struct rx_dose *dose, struct rx_text *text)
{
    const struct {
        ptrdiff_t segment;
        unsigned minimum; // the maximum and the unit are next
    } places[] = {{group->rxe, 3}, {group->rxo, 2}};
    *dose = (struct rx_dose){0};
    for (size_t i = 0; i < sizeof places / sizeof places[0] && dose->amount[0] == '\0'; i++) {
        char most[sizeof dose->amount], range[2 * sizeof dose->amount + sizeof dose->unit + 8];
        adt_copy(job, adt_at(job, places[i].segment, places[i].minimum, 1), dose->amount, sizeof dose->amount);
        adt_copy(job, adt_at(job, places[i].segment, places[i].minimum + 1, 1), most, sizeof most);
        rx_unit(job, adt_at(job, places[i].segment, places[i].minimum + 2, 1),
                adt_at(job, places[i].segment, places[i].minimum + 2, 2), dose->unit);
        if (dose->amount[0] == '\0' || most[0] == '\0' || strcmp(most, dose->amount) == 0)
            continue;
        snprintf(range, sizeof range, "%s - %s %s", dose->amount, most, dose->unit);
        rx_text_add(job, text, range);
    }
}

static void add_texts(struct adt_job *job, const struct rx_group *group, struct rx_text *text)
{
    // Instructions for taking it; the pharmacy's, if it has any, are the last word.
    if (!add_coded_texts(job, text, group->rxe, 7))
        add_coded_texts(job, text, group->rxo, 7);
    if (!add_coded_texts(job, text, group->rxd, 15) && !add_coded_texts(job, text, group->rxe, 21))
        add_coded_texts(job, text, group->rxo, 6);
    for (size_t i = 0; i < group->note_count; i++) {
        char piece[ADT_TEXT_MAX_BYTES / 2 + 1];
        unsigned count = hl7v2_repetition_count(job->message, (size_t)group->notes[i], 3);
        for (unsigned repetition = 1; repetition <= count; repetition++) {
            adt_copy(job, hl7v2_segment_get(job->message, (size_t)group->notes[i], 3, repetition, 0, 0), piece,
                     sizeof piece);
            rx_text_add(job, text, piece);
        }
    }
}

static Carehub__V1__Coded *route(struct adt_job *job, const struct rx_group *group)
{
    char code[ADT_CODE_MAX_BYTES + 1], display[ADT_CODE_MAX_BYTES + 1], system[ADT_CODE_MAX_BYTES + 1];
    adt_copy(job, adt_at(job, group->rxr, 1, 1), code, sizeof code);
    adt_copy(job, adt_at(job, group->rxr, 1, 2), display, sizeof display);
    adt_copy(job, adt_at(job, group->rxr, 1, 3), system, sizeof system);
    if (code[0] == '\0' && display[0] == '\0')
        return NULL;
    return adt_coded(job, adt_sender_code_system(job->in->sender, system[0] != '\0' ? system : "HL70162"), code,
                     display);
}

Carehub__V1__Posology *rx_posology(struct adt_job *job, const struct rx_group *group)
{
    struct rx_text text = {""};
    struct rx_dose dose;
    Carehub__V1__Posology *posology = adt_message_new(job, &carehub__v1__posology__descriptor);
    if (posology == NULL)
        return NULL;
    add_texts(job, group, &text);
    read_dose(job, group, &dose, &text);
    rx_timing(job, group, &dose, posology, &text);
    posology->route = route(job, group);
    adt_set_text(job, &posology->text, text.bytes);
    if (protobuf_c_message_get_packed_size(&posology->base) > 0)
        return posology;
    carehub__v1__posology__free_unpacked(posology, NULL);
    return NULL;
}

// ---- Why

// ORC-16: why the order is what ORC-1 says. A new order's reason may be the medicine's (RXE-27, RXD-21, RXO-20): by its
// text, because some systems have other things there, such as units.
void rx_reason(struct adt_job *job, const struct rx_group *group, bool with_indication, char *out, size_t size)
{
    const struct {
        ptrdiff_t segment;
        unsigned field;
    } indications[] = {{group->rxe, 27}, {group->rxd, 21}, {group->rxo, 20}};
    rx_coded_text(job, group->orc, 16, 1, out, size);
    for (size_t i = 0; with_indication && out[0] == '\0' && i < sizeof indications / sizeof indications[0]; i++)
        adt_copy(job, adt_at(job, indications[i].segment, indications[i].field, 2), out, size);
}
