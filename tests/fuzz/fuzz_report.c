/* An access report with anything in it: each form is written in each language, and must keep its own form. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "report.h"

static char *rendered(const struct report *report, void (*form)(const struct report *, FILE *, struct style),
                      const char *language)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        abort();
    form(report, out, (struct style){.utf8 = true, .texts = texts_of(language)});
    fclose(out);
    return text;
}

/* Nothing but our own elements: what comes from elsewhere has no '<', and no attribute of ours ends early. */
static void check_html(const char *text)
{
    static const char *const ours[] = {"!DOCTYPE", "html", "head", "meta", "title",  "style",   "body",  "main",
                                       "h1",       "h2",   "p",    "ul",   "li",     "table",   "thead", "tbody",
                                       "tr",       "th",   "td",   "time", "strong", "caption", "span",  "a"};
    for (const char *at = text; (at = strchr(at, '<')); at++) {
        const char *name = at + 1 + (at[1] == '/');
        size_t size = strcspn(name, " >"), i = 0;
        while (i < sizeof ours / sizeof *ours && (strlen(ours[i]) != size || strncmp(ours[i], name, size) != 0))
            i++;
        if (i == sizeof ours / sizeof *ours)
            abort();
    }
}

static void check_csv(const char *text)
{
    while (*text) {
        do {
            if (*text++ != '"' || (*text != '"' && *text && strchr("=+-@", *text)))
                abort();
            for (; *text != '"' || text[1] == '"'; text += *text == '"' ? 2 : 1)
                if (!*text || *text == '\r')
                    abort();
            text++;
        } while (*text == ',' && text++);
        if (strncmp(text, "\r\n", 2) != 0)
            abort();
        text += 2;
    }
}

static void check_text(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 && *text != '\n')
            abort();
}

static void check_fhir(const char *text)
{
    struct json_object *bundle = json_tokener_parse(text);
    if (!bundle)
        abort();
    json_object_put(bundle);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct {
        void (*form)(const struct report *, FILE *, struct style);
        void (*check)(const char *text);
    } forms[] = {
        {report_text, check_text}, {report_html, check_html}, {report_csv, check_csv}, {report_fhir, check_fhir}};
    static const char *const languages[] = {"en", "nl", "fr", "de"};
    Carehub__V1__Answer *answer = carehub__v1__answer__unpack(NULL, size, data);
    struct report report = {.denials = true};
    report_begin(&report);
    bool taken =
        answer && answer->answer_case == CAREHUB__V1__ANSWER__ANSWER_ACCESS_REPORT && report_add(&report, answer);
    if (answer)
        carehub__v1__answer__free_unpacked(answer, NULL);
    if (!taken) {
        report_clear(&report);
        return 0;
    }
    report_end(&report);
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        char *text = rendered(&report, forms[i].form, languages[size % 4]);
        forms[i].check(text);
        free(text);
    }
    report_clear(&report);
    return 0;
}
