// What an acknowledgement says. The table is in hospital_out.h.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hl7v2.h"
#include "hospital_out.h"

#define CODE_BYTES 16u

static enum carehub_judgement other(struct carehub_problem *problem, const char *where, const char *what,
                                    const char *rule)
{
    snprintf(problem->where, sizeof problem->where, "%s", where);
    snprintf(problem->what, sizeof problem->what, "%s", what);
    snprintf(problem->rule, sizeof problem->rule, "%s", rule);
    return CAREHUB_JUDGED_OTHER;
}

// A condition of table 0357, or -1: none is said, or it is no number of three digits at most.
static int read_condition(const struct hl7v2_message *ack, const char *path)
{
    char text[CODE_BYTES];
    if (hl7v2_text(ack, path, text, sizeof text, NULL) != HL7V2_VALUED)
        return -1;
    size_t digits = strspn(text, "0123456789");
    return digits > 0 && digits <= 3 && text[digits] == '\0' ? atoi(text) : -1;
}

// Of all errors, the one that weighs most: any that sending again cannot mend.
static int condition_of(const struct hl7v2_message *ack, unsigned *error)
{
    int found = -1;
    *error = 0;
    for (unsigned i = 0; hl7v2_segment_find(ack, "ERR", i) >= 0; i++) {
        char path[32];
        snprintf(path, sizeof path, "ERR[%u]-3", i + 1);
        int condition = read_condition(ack, path);
        if (condition < 0) {
            snprintf(path, sizeof path, "ERR[%u]-1.4", i + 1); // before v2.5
            condition = read_condition(ack, path);
        }
        bool passes = condition == HL7V2_CONDITION_RECORD_LOCKED || condition == HL7V2_CONDITION_INTERNAL;
        if (condition >= 0 && (found < 0 || !passes)) {
            found = condition;
            *error = i + 1;
        }
        if (condition >= 0 && !passes)
            break;
    }
    return found >= 0 ? found : read_condition(ack, "MSA-6");
}

// Where the receiver says that it is, if that is a segment and numbers: "PID-3". Anything else might be a value.
static void copy_place(const struct hl7v2_message *ack, unsigned error, char where[CAREHUB_WHERE_BYTES])
{
    char path[32], segment[8], field[8];
    snprintf(path, sizeof path, "ERR[%u]-2.1", error);
    hl7v2_text(ack, path, segment, sizeof segment, NULL);
    snprintf(path, sizeof path, "ERR[%u]-2.3", error);
    hl7v2_text(ack, path, field, sizeof field, NULL);
    snprintf(where, CAREHUB_WHERE_BYTES, "MSH");
    if (strlen(segment) != 3 || strspn(segment, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != 3)
        return;
    bool number = field[0] != '\0' && strspn(field, "0123456789") == strlen(field);
    snprintf(where, CAREHUB_WHERE_BYTES, "%s%s%s", segment, number ? "-" : "", number ? field : "");
}

static enum carehub_judgement judge_failure(const struct hl7v2_message *ack, const char *code,
                                            struct carehub_problem *problem)
{
    unsigned error;
    int condition = condition_of(ack, &error);
    const char *text = condition >= 0 ? hl7v2_condition_text((enum hl7v2_condition)condition) : "";
    copy_place(ack, error > 0 ? error : 1, problem->where);
    if (condition >= 0) {
        snprintf(problem->what, sizeof problem->what, "the receiver answered %s, condition %d%s%s", code, condition,
                 text[0] != '\0' ? ": " : "", text);
        snprintf(problem->rule, sizeof problem->rule, "HL7 table 0357, %d", condition);
    } else {
        snprintf(problem->what, sizeof problem->what, "the receiver answered %s and gave no condition", code);
        snprintf(problem->rule, sizeof problem->rule, "HL7 table 0008, %s", code);
    }
    return condition == HL7V2_CONDITION_RECORD_LOCKED || condition == HL7V2_CONDITION_INTERNAL ? CAREHUB_JUDGED_AGAIN
                                                                                               : CAREHUB_JUDGED_REFUSED;
}

static enum carehub_judgement judge(const struct hl7v2_message *ack, const char *id, struct carehub_problem *problem)
{
    char code[CODE_BYTES], answered[HL7V2_CONTROL_ID_MAX_BYTES + 1];
    if (hl7v2_segment_find(ack, "MSA", 0) < 0)
        return other(problem, "MSA", "the receiver sent a message that is no acknowledgement", "HL7 v2.5.1, 2.15.8");
    hl7v2_text(ack, "MSA-2", answered, sizeof answered, NULL);
    if (strcmp(answered, id) != 0)
        return other(problem, "MSA-2", "the acknowledgement is of another message", "HL7 v2.5.1, 2.15.8.2");
    hl7v2_text(ack, "MSA-1", code, sizeof code, NULL);
    if (strcmp(code, "AA") == 0 || strcmp(code, "CA") == 0)
        return CAREHUB_JUDGED_TAKEN;
    if (strlen(code) == 2 && strchr("AC", code[0]) != NULL && strchr("ER", code[1]) != NULL)
        return judge_failure(ack, code, problem);
    return other(problem, "MSA-1", "the acknowledgement code is none of table 0008", "HL7 v2.5.1, 2.15.8.1");
}

enum carehub_judgement hospital_judge(const void *self, const struct carehub_parcel *parcel, const void *answer,
                                      size_t len, struct carehub_problem *problem)
{
    struct hl7v2_error error;
    struct hl7v2_message *ack = hl7v2_parse(answer, len, NULL, &error);
    (void)self;
    *problem = (struct carehub_problem){0};
    if (ack == NULL)
        return other(problem, error.location.segment, error.text, "HL7 v2.5.1, 2.5");
    enum carehub_judgement judgement = judge(ack, parcel->native_id, problem);
    hl7v2_message_destroy(&ack);
    return judgement;
}
