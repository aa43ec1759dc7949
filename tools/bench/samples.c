#include "samples.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { SCHEME_LINES = 20, HOUR_S = 3600, DAY_S = 86400, TIME_BYTES = 32 };

#define SSIN_SYSTEM "https://www.ehealth.fgov.be/standards/fhir/core/NamingSystem/ssin"

void sample_ssin(uint32_t patient, char ssin[SAMPLE_SSIN_BYTES])
{
    uint32_t day = patient % (60 * 12 * 28), serial = 1 + patient / (60 * 12 * 28) % 998;
    uint32_t year = 30 + day / (12 * 28), month = 1 + day / 28 % 12;
    uint32_t number = ((year * 100 + month) * 100 + 1 + day % 28) * 1000 + serial;
    snprintf(ssin, SAMPLE_SSIN_BYTES, "%09" PRIu32 "%02" PRIu32, number % 1000000000u, 97 - number % 97);
}

static void hl7_time(int64_t unix_s, char out[TIME_BYTES])
{
    time_t t = (time_t)unix_s;
    struct tm utc;
    strftime(out, TIME_BYTES, "%Y%m%d%H%M%S+0000", gmtime_r(&t, &utc));
}

static void iso_time(int64_t unix_s, char out[TIME_BYTES])
{
    time_t t = (time_t)unix_s;
    struct tm utc;
    strftime(out, TIME_BYTES, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&t, &utc));
}

/* ---- HL7 v2 ----------------------------------------------------------------------------------------------------- */

size_t sample_adt_a03(char *out, const struct sample_of *of)
{
    char now[TIME_BYTES], admitted[TIME_BYTES], ssin[SAMPLE_SSIN_BYTES];
    hl7_time(of->now_s - 60, now);
    hl7_time(of->now_s - 9 * DAY_S, admitted);
    sample_ssin(of->patient, ssin);
    return (size_t)snprintf(
        out, SAMPLE_MAX_BYTES,
        "MSH|^~\\&|BENCH|BENCH|CAREHUB|BENCH|%s||ADT^A03^ADT_A03|B%" PRIu64 "|P|2.5.1||||||UNICODE UTF-8\r"
        "EVN|A03|%s||||%s\r"
        "PID|1||%" PRIu32 "^^^BENCH^PI~%s^^^SSIN^NNBEL||Voorbeeld^Jan||19380412|M|||Straat 1^^Stad^^9999^BE\r"
        "PV1|1|I|GER^201^1^BENCH|R|||^Maes^Ilse^^^Dr.|||GER||||1|||||V%" PRIu64 "|||||||||||||||||01||||||||%s|%s\r"
        "DG1|1||S72.0^Fracture of neck of femur^I10|||F\r",
        now, of->number, now, now, of->patient, ssin, of->number, admitted, now);
}

size_t sample_rde_o11(char *out, const struct sample_of *of)
{
    char now[TIME_BYTES], ssin[SAMPLE_SSIN_BYTES];
    hl7_time(of->now_s - 60, now);
    sample_ssin(of->patient, ssin);
    return (size_t)snprintf(out, SAMPLE_MAX_BYTES,
                            "MSH|^~\\&|BENCH|BENCH|CAREHUB|BENCH|%s||RDE^O11^RDE_O11|R%" PRIu64
                            "|P|2.5.1||||||UNICODE UTF-8\r"
                            "PID|1||%" PRIu32 "^^^BENCH^PI~%s^^^SSIN^NNBEL||Voorbeeld^Jan||19380412|M\r"
                            "PV1|1|O\r"
                            "ORC|NW|P%" PRIu64 "^CPOE|||||||%s|||1001^Maes^Ilse\r"
                            "TQ1|1||BID||||%.8s\r"
                            "RXE||0900126^Example 5 mg^L|1||TAB^tablet||Take with water\r"
                            "RXR|PO^Oral^HL70162\r",
                            now, of->number, of->patient, ssin, of->number, now, now);
}

/* ---- KMEHR ------------------------------------------------------------------------------------------------------ */

struct text {
    char *bytes;
    size_t len;
};

static void add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    text->len += (size_t)vsnprintf(text->bytes + text->len, SAMPLE_MAX_BYTES - text->len, format, arguments);
    va_end(arguments);
}

/* A transaction up to what is its own. */
static void begin_transaction(struct text *text, uint32_t number, const char *uri, const char *kind, const char *at)
{
    add(text,
        "<transaction><id S=\"ID-KMEHR\" SV=\"1.0\">%" PRIu32 "</id><id S=\"LOCAL\" SL=\"vitalinkuri\" SV=\"1.0\">%s"
        "</id><cd S=\"CD-TRANSACTION\" SV=\"1.4\">%s</cd><date>%.10s</date><time>%.8s</time><author><hcparty>"
        "<id S=\"ID-HCPARTY\" SV=\"1.0\">99999998</id><cd S=\"CD-HCPARTY\" SV=\"1.7\">orgpharmacy</cd>"
        "<name>Pharmacy</name></hcparty></author><iscomplete>true</iscomplete><isvalidated>true</isvalidated>",
        number, uri, kind, at, at + 11);
}

static void add_line(struct text *text, uint32_t line, uint32_t decimal, const char *ssin, const char *begun)
{
    char uri[96];
    snprintf(uri, sizeof uri, "/subject/%s/medication-scheme/%" PRIu32 "/1", ssin, 100 + line);
    begin_transaction(text, 2 + line, uri, "medicationschemeelement", begun);
    add(text,
        "<item><id S=\"ID-KMEHR\" SV=\"1.0\">1</id><cd S=\"CD-ITEM\" SV=\"1.4\">medication</cd><content>"
        "<medicinalproduct><intendedcd S=\"CD-DRUG-CNK\" SV=\"1.0\">%07" PRIu32 "</intendedcd><intendedname>"
        "Example %" PRIu32 " 5 mg (tablet)</intendedname></medicinalproduct></content><beginmoment><date>%.10s</date>"
        "</beginmoment><frequency><periodicity><cd S=\"CD-PERIODICITY\" SV=\"1.0\">D</cd></periodicity></frequency>"
        "<regimen><daytime><dayperiod><cd S=\"CD-DAYPERIOD\" SV=\"1.0\">duringbreakfast</cd></dayperiod></daytime>"
        "<quantity><decimal>%" PRIu32 "</decimal><unit><cd S=\"CD-ADMINISTRATIONUNIT\" SV=\"1.0\">00005</cd></unit>"
        "</quantity></regimen><route><cd S=\"CD-DRUG-ROUTE\" SV=\"2.0\">00060</cd></route></item></transaction>",
        900100 + line, line, begun, decimal);
}

size_t sample_kmehr_scheme(char *out, const struct sample_of *of)
{
    char now[TIME_BYTES], begun[TIME_BYTES], ssin[SAMPLE_SSIN_BYTES], uri[64];
    struct text text = {.bytes = out};
    iso_time(of->now_s - 60, now);
    iso_time(of->now_s - 90 * DAY_S, begun);
    sample_ssin(of->patient, ssin);
    snprintf(uri, sizeof uri, "/subject/%s/medication-scheme", ssin);
    add(&text,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<kmehrmessage xmlns=\"http://www.ehealth.fgov.be/standards/kmehr/schema/v1\"><header><standard>"
        "<cd S=\"CD-STANDARD\" SV=\"1.4\">20231110</cd></standard><id S=\"ID-KMEHR\" SV=\"1.0\">99999998.%" PRIu64
        "</id><date>%.10s</date><time>%.8s</time><sender><hcparty><id S=\"ID-HCPARTY\" SV=\"1.0\">99999998</id>"
        "<cd S=\"CD-HCPARTY\" SV=\"1.7\">orgpharmacy</cd><name>Pharmacy</name></hcparty></sender><recipient><hcparty>"
        "<cd S=\"CD-HCPARTY\" SV=\"1.7\">hub</cd><name>CAREHUB</name></hcparty></recipient></header>"
        "<folder><id S=\"ID-KMEHR\" SV=\"1.0\">1</id><patient><id S=\"ID-PATIENT\" SV=\"1.0\">%s</id>"
        "<firstname>Jan</firstname><familyname>Voorbeeld</familyname><sex><cd S=\"CD-SEX\" SV=\"1.0\">male</cd></sex>"
        "</patient>",
        of->number, now, now + 11, ssin);
    begin_transaction(&text, 1, uri, "medicationscheme", now);
    add(&text, "<version>%" PRIu32 "</version></transaction>", of->version);
    for (uint32_t line = 0; line < SCHEME_LINES; line++) /* each version changes the next line's dose */
        add_line(&text, line, 1 + (of->version / SCHEME_LINES + (line < of->version % SCHEME_LINES)) % 3, ssin, begun);
    add(&text, "</folder></kmehrmessage>\n");
    return text.len;
}

/* ---- FHIR and JSON ---------------------------------------------------------------------------------------------- */

size_t sample_fhir_fall(char *out, const struct sample_of *of)
{
    char now[TIME_BYTES], fell[TIME_BYTES], ssin[SAMPLE_SSIN_BYTES];
    iso_time(of->now_s - 60, now);
    iso_time(of->now_s - HOUR_S, fell);
    sample_ssin(of->patient, ssin);
    return (size_t)snprintf(
        out, SAMPLE_MAX_BYTES,
        "{\"resourceType\":\"Observation\",\"identifier\":[{\"system\":\"urn:bench:fall\",\"value\":\"%" PRIu64 "\"}],"
        "\"status\":\"final\",\"code\":{\"coding\":[{\"system\":\"http://snomed.info/sct\",\"code\":\"217156008\","
        "\"display\":\"Fall on same level from tripping\"}]},\"subject\":{\"identifier\":{\"system\":\"" SSIN_SYSTEM
        "\",\"value\":\"%s\"}},\"effectiveDateTime\":\"%s\",\"issued\":\"%s\",\"component\":[{\"code\":{\"coding\":["
        "{\"system\":\"urn:carehub:fall\",\"code\":\"injury\"}]},\"valueCodeableConcept\":{\"coding\":[{\"code\":"
        "\"minor\"}],\"text\":\"graze on the left elbow\"}},{\"code\":{\"coding\":[{\"system\":\"urn:carehub:fall\","
        "\"code\":\"place\"}]},\"valueString\":\"bathroom\"}]}",
        of->number, ssin, fell, now);
}

size_t sample_fhir_message(char *out, const struct sample_of *of)
{
    char now[TIME_BYTES], admitted[TIME_BYTES], ssin[SAMPLE_SSIN_BYTES];
    iso_time(of->now_s - 60, now);
    iso_time(of->now_s - 9 * DAY_S, admitted);
    sample_ssin(of->patient, ssin);
    return (size_t)snprintf(
        out, SAMPLE_MAX_BYTES,
        "{\"resourceType\":\"Bundle\",\"id\":\"m%" PRIu64 "\",\"type\":\"message\",\"timestamp\":\"%s\",\"entry\":["
        "{\"fullUrl\":\"urn:uuid:6d3c0d2e-0000-4000-8000-000000000002\",\"resource\":{\"resourceType\":"
        "\"MessageHeader\",\"eventCoding\":{\"system\":\"urn:bench:events\",\"code\":\"discharge\"},\"source\":{"
        "\"endpoint\":\"https://hospital.example/fhir\"},\"focus\":[{\"reference\":"
        "\"urn:uuid:6d3c0d2e-0000-4000-8000-000000000003\"}]}},"
        "{\"fullUrl\":\"urn:uuid:6d3c0d2e-0000-4000-8000-000000000003\",\"resource\":{\"resourceType\":\"Encounter\","
        "\"identifier\":[{\"system\":\"urn:bench:stay\",\"value\":\"%" PRIu64 "\"}],\"status\":\"finished\",\"class\":{"
        "\"system\":\"http://terminology.hl7.org/CodeSystem/v3-ActCode\",\"code\":\"IMP\"},\"subject\":{\"reference\":"
        "\"urn:uuid:6d3c0d2e-0000-4000-8000-000000000004\"},\"period\":{\"start\":\"%s\",\"end\":\"%s\"},"
        "\"hospitalization\":{\"dischargeDisposition\":{\"coding\":[{\"system\":"
        "\"http://terminology.hl7.org/CodeSystem/discharge-disposition\",\"code\":\"home\"}]}}}},"
        "{\"fullUrl\":\"urn:uuid:6d3c0d2e-0000-4000-8000-000000000004\",\"resource\":{\"resourceType\":\"Patient\","
        "\"identifier\":[{\"system\":\"" SSIN_SYSTEM "\",\"value\":\"%s\"}],\"name\":[{\"family\":\"Voorbeeld\","
        "\"given\":[\"Jan\"]}]}}]}",
        of->number, now, of->number, admitted, now, ssin);
}

size_t sample_plain_json(char *out, const struct sample_of *of)
{
    char ssin[SAMPLE_SSIN_BYTES];
    uint64_t now_ms = (uint64_t)of->now_s * 1000;
    sample_ssin(of->patient, ssin);
    return (size_t)snprintf(
        out, SAMPLE_MAX_BYTES,
        "{\"id\":\"%08" PRIx64 "-%04" PRIx64 "-7000-8000-%012" PRIx64
        "\",\"type\":\"FALL_REPORTED\",\"patient\":{\"identifiers\":[{\"system\":\"ssin\",\"value\":\"%s\"}]},"
        "\"occurredAt\":{\"unixMs\":\"%" PRId64 "\",\"offsetMinutes\":60,\"precision\":\"PRECISION_SECOND\"},"
        "\"correlationId\":\"bench:%" PRIu64 "\",\"fallReported\":{\"place\":{\"display\":\"bathroom\"},\"injury\":"
        "\"MINOR_INJURY\",\"kind\":{\"system\":\"http://snomed.info/sct\",\"code\":\"217156008\",\"display\":"
        "\"Fall on same level from tripping\"}}}",
        now_ms >> 16, now_ms & 0xffff, of->number & 0xffffffffffff, ssin, (of->now_s - HOUR_S) * 1000, of->number);
}
