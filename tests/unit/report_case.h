/* A report made up for tests: one of everything. Free with report_clear. */
#ifndef CAREHUB_TEST_REPORT_CASE_H
#define CAREHUB_TEST_REPORT_CASE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pbjson.h"
#include "report.h"

/* The %s is what an actor is called, and all other free text: as JSON, without quotes. */
#define CASE_TEXT "\"%1$s\""
static const char case_answer[] =
    "{\"accessReport\":{\"person\":\"7\",\"records\":[\"7\",\"9\"],\"hub\":\"region\",\"reading\":\"60\","
    "\"completePlace\":\"60\",\"completeMs\":\"1772402400000\",\"actors\":["
    "{\"name\":\"apotheek-peeters\",\"kind\":\"ORGANISATION\",\"display\":" CASE_TEXT
    ",\"identifiers\":[{\"system\":\"nihdi-organization\",\"value\":" CASE_TEXT "}]},"
    "{\"name\":\"dr-janssens\",\"kind\":\"PROFESSIONAL\",\"display\":\"Dr. Janssens\"},"
    "{\"name\":\"mug\",\"kind\":\"ORGANISATION\",\"display\":\"MUG\"}],\"grounds\":["
    "{\"place\":\"20\",\"recordedMs\":\"1767261600000\",\"fact\":{\"memberAdded\":{\"actor\":\"apotheek-peeters\","
    "\"role\":\"pharmacist\",\"basis\":\"THERAPEUTIC_RELATION\",\"proof\":\"dispensing\"}}},"
    "{\"place\":\"21\",\"recordedMs\":\"1767348000000\",\"fact\":{\"consentGiven\":{\"givenBy\":\"person\"}}},"
    "{\"place\":\"40\",\"recordedMs\":\"1772398800000\",\"fact\":{\"grantGiven\":{\"actor\":\"mug\",\"role\":"
    "\"emergency-physician\",\"kind\":\"EMERGENCY_ACCESS\",\"purpose\":" CASE_TEXT "}}}],"
    "\"policies\":[{\"place\":\"1\",\"name\":\"default\"}],\"items\":["
    "{\"kind\":\"REPORT_CHANGE\",\"place\":\"20\",\"atMs\":\"1767261600000\",\"record\":\"7\",\"client\":\"registry\","
    "\"change\":{\"memberAdded\":{\"actor\":\"apotheek-peeters\",\"role\":\"pharmacist\",\"basis\":"
    "\"THERAPEUTIC_RELATION\"}}},"
    "{\"kind\":\"REPORT_EVENT\",\"place\":\"42\",\"atMs\":\"1772398920000\",\"record\":\"7\",\"client\":\"az\","
    "\"actor\":"
    "\"\",\"eventPlace\":\"42\",\"type\":\"HOSPITAL_DISCHARGE\",\"eventId\":\"01a20090-c721-7698-bd44-cbc3a72b8141\","
    "\"confidentiality\":\"RESTRICTED\",\"author\":{\"role\":\"specialist\",\"professional\":" CASE_TEXT
    ",\"organisation\":\"AZ Demo\",\"onBehalfOf\":" CASE_TEXT ",\"unverified\":true},\"accesses\":["
    "{\"actor\":\"apotheek-peeters\",\"kind\":\"ORGANISATION\",\"role\":\"pharmacist\",\"outcome\":\"DELIVER\","
    "\"reason\":"
    "\"MEMBER_WITH_CONSENT\",\"level\":\"LEVEL_CLINICAL\",\"ground\":\"20\",\"consent\":\"21\",\"policy\":\"1\","
    "\"sentMs\":\"1772398921000\",\"storedMs\":\"1772398922000\",\"readMs\":\"1772402400000\",\"handedOver\":true,"
    "\"client\":\"pharmacy-software\"},"
    "{\"actor\":\"mug\",\"kind\":\"ORGANISATION\",\"role\":\"emergency-physician\",\"outcome\":\"DELIVER\",\"reason\":"
    "\"GRANT_WITH_CONSENT\",\"level\":\"LEVEL_CLINICAL\",\"ground\":\"40\",\"consent\":\"21\",\"policy\":\"1\","
    "\"handedOver\":true},"
    "{\"actor\":\"\",\"kind\":\"PROFESSIONAL\",\"role\":\"gp\",\"outcome\":\"DELIVER\",\"reason\":\"MEMBER_WITH_"
    "CONSENT\","
    "\"level\":\"LEVEL_CARE\",\"endedMs\":\"1772398930000\",\"end\":\"END_WITHDRAWN\",\"why\":\"EXCLUDED_BY_PERSON\"},"
    "{\"actor\":\"dr-janssens\",\"kind\":\"PROFESSIONAL\",\"role\":\"home-nurse\",\"outcome\":\"WITHHOLD\",\"reason\":"
    "\"CELL_NONE\"}]},"
    "{\"kind\":\"REPORT_LATER\",\"place\":\"45\",\"atMs\":\"1772402000000\",\"record\":\"7\",\"eventPlace\":\"42\","
    "\"type\":"
    "\"HOSPITAL_DISCHARGE\",\"cause\":\"ESCALATION\",\"because\":\"42\",\"insteadOf\":\"dr-janssens\",\"accesses\":["
    "{\"actor\":\"apotheek-peeters\",\"role\":\"pharmacist\",\"outcome\":\"DELIVER\",\"reason\":\"MEMBER_WITH_"
    "CONSENT\","
    "\"level\":\"LEVEL_ADMINISTRATIVE\",\"ground\":\"20\",\"consent\":\"21\",\"policy\":\"1\"}]},"
    "{\"kind\":\"REPORT_READING\",\"place\":\"50\",\"atMs\":\"1772402100000\",\"record\":\"7\",\"client\":\"auditor\","
    "\"eventPlace\":\"42\",\"type\":\"HOSPITAL_DISCHARGE\",\"question\":" CASE_TEXT "},"
    "{\"kind\":\"REPORT_EXPIRY\",\"place\":\"55\",\"atMs\":\"1772402200000\",\"record\":\"7\",\"ends\":[{\"kind\":"
    "\"MEMBERSHIP\",\"actor\":\"apotheek-peeters\",\"role\":\"pharmacist\"}]},"
    "{\"kind\":\"REPORT_ERASED\",\"place\":\"58\",\"atMs\":\"1772402300000\",\"record\":\"7\",\"erased\":\"12\","
    "\"requestedBy\":\"registry\",\"requestedMs\":\"1772402250000\",\"confirmedBy\":" CASE_TEXT "},"
    "{\"kind\":\"REPORT_READING\",\"place\":\"60\",\"atMs\":\"1772402400000\",\"record\":\"7\",\"client\":\"auditor\","
    "\"question\":\"report: "
    "%1$s"
    "\"}]}}";

/* False: `text` does not go into JSON as it is. */
static inline bool report_case(struct report *report, const char *text)
{
    struct pbjson_error error;
    char *json = NULL;
    *report = (struct report){.made_ms = 1772402400000, .denials = true};
    if (asprintf(&json, case_answer, text) < 0)
        abort();
    void *answer = pbjson_parse(&carehub__v1__answer__descriptor, json, strlen(json), PBJSON_UUID, &error);
    free(json);
    if (!answer)
        return false;
    report_begin(report);
    if (!report_add(report, answer))
        abort();
    carehub__v1__answer__free_unpacked(answer, NULL);
    report_end(report);
    return true;
}

#endif
