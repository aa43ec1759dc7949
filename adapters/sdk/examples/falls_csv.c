/* falls_csv.c - a complete format: falls, one a line, to FallReported; one that comes again changed corrects the first.
 *
 *     cc -shared -fPIC -Wl,-z,defs,-z,now falls_csv.c $(pkg-config --cflags --libs carehub) -o falls_csv.so
 *     carehub adapter test ./falls_csv.so falls.csv
 *
 * falls.csv:   report,fell_at,ssin,place,injury
 *              2026-17,2026-03-01T09:30+01:00,79120100163,bathroom,minor */
#define _GNU_SOURCE
#include <carehub_adapter.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { REPORT, FELL_AT, SSIN, PLACE, INJURY, COLUMNS, ROW_BYTES = 1024 };
static const char *const columns[COLUMNS] = {"report", "fell_at", "ssin", "place", "injury"};

static bool fail(struct carehub_message *message, int column, const char *what)
{
    message->verdict = CAREHUB_MESSAGE_ERROR;
    snprintf(message->problem.where, CAREHUB_WHERE_BYTES, "column %d, %s", column + 1, columns[column]);
    snprintf(message->problem.what, CAREHUB_WHAT_BYTES, "%s", what);
    return false;
}

/* The lines after the first, which names the columns. */
static bool split(const void *self, const void *bytes, size_t len, size_t *position, const void **row, size_t *row_len)
{
    const char *start = bytes, *end = start + len, *at = start + *position;
    while (*position == 0 && at < end && *at != '\n')
        at++;
    while (at < end && (*at == '\n' || *at == '\r'))
        at++;
    *row = at;
    while (at < end && *at != '\n' && *at != '\r')
        at++;
    *row_len = (size_t)(at - (const char *)*row);
    *position = (size_t)(at - start);
    return *row_len > 0;
}

/* Cuts a row, in a copy, at its commas. */
static bool cut(struct carehub_message *message, char row[ROW_BYTES], char *values[COLUMNS])
{
    snprintf(row, ROW_BYTES, "%.*s", (int)message->native->len, (const char *)message->native->bytes);
    for (int i = 0; i < COLUMNS; i++)
        if (!(values[i] = strsep(&row, ",")))
            return fail(message, i, "the row ends before it, or is longer than 1023 bytes");
    return (!row && values[REPORT][0] != '\0') || fail(message, REPORT, "needs a number, and 5 columns in its row");
}

static bool open_row(const void *self, struct carehub_message *message)
{
    char row[ROW_BYTES], *values[COLUMNS];
    bool whole = cut(message, row, values);
    strcpy(message->sender, "falls-csv"), strcpy(message->kind, "fall");
    snprintf(message->native_id, sizeof message->native_id, "%s", row); /* cut off behind its first column */
    if (whole && strcmp(row, columns[REPORT]) == 0)                     /* a file with nothing but its first line */
        message->verdict = CAREHUB_MESSAGE_NOTHING, message->why = "no-rows";
    return true;
}

static void translate(const void *self, struct carehub_message *message, struct carehub_memory *memory)
{
    static const char *const injuries[] = {"", "none", "minor", "major", NULL}; /* as in FallReported.Injury */
    char row[ROW_BYTES], *values[COLUMNS];
    struct tm tm = {0};
    cut(message, row, values); /* as it could be when it was opened */
    const char *rest = strptime(values[FELL_AT], "%Y-%m-%dT%H:%M%z", &tm);
    long offset_s = tm.tm_gmtoff, injury = 0; /* taken now: timegm clears it */
    while (injuries[injury] && strcmp(injuries[injury], values[INJURY]) != 0)
        injury++;
    if (((!rest || *rest) && !fail(message, FELL_AT, "has to be a time with offset, as 2026-03-01T09:30+01:00")) ||
        (!injuries[injury] && !fail(message, INJURY, "has to be none, minor, major or empty")))
        return;
    Carehub__V1__Identifier identifier = CAREHUB__V1__IDENTIFIER__INIT, *identifiers[] = {&identifier};
    Carehub__V1__Patient patient = CAREHUB__V1__PATIENT__INIT;
    Carehub__V1__Time when = CAREHUB__V1__TIME__INIT;
    Carehub__V1__Coded place = CAREHUB__V1__CODED__INIT;
    Carehub__V1__FallReported fall = CAREHUB__V1__FALL_REPORTED__INIT;
    Carehub__V1__Event event = CAREHUB__V1__EVENT__INIT, *const * before;
    identifier.system = "ssin", identifier.value = values[SSIN]; /* the host checks it, as all that is in an event */
    patient.n_identifiers = 1, patient.identifiers = identifiers;
    when.unix_ms = (timegm(&tm) - offset_s) * 1000, when.offset_minutes = (int32_t)(offset_s / 60);
    place.display = values[PLACE], fall.place = &place;
    fall.fell_at = &when, fall.injury = (Carehub__V1__FallReported__Injury)injury;
    event.patient = &patient, event.occurred_at = &when, event.fall_reported = &fall;
    event.body_case = CAREHUB__V1__EVENT__BODY_FALL_REPORTED;
    if (memory->past(memory, message->native_id, &before) > 0)
        event.amends = before[0]->id;
    memory->emit(memory, &event, message->native_id); /* id, type, source and the rest are filled in */
}

CAREHUB_FORMAT_EXPORT const struct carehub_format carehub_format = {.abi = CAREHUB_FORMAT_ABI,
                                                                    .name = "falls-csv",
                                                                    .version = "1.0",
                                                                    .summary = "falls as rows of a CSV file, in",
                                                                    .split = split,
                                                                    .open = open_row,
                                                                    .translate = translate};
