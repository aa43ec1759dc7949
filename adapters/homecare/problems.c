#include "problems.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json_object.h>

#include "json_make.h"
#include "utf8.h"

// Cuts a text that ends within a character back to the character's start.
static void end_whole(char *text)
{
    text[utf8_valid_prefix(text, strlen(text))] = '\0';
}

static bool is_listed(const struct problems *problems, const struct problem *problem)
{
    for (size_t i = 0; i < problems->count; i++)
        if (strcmp(problems->list[i].expression, problem->expression) == 0 &&
            strcmp(problems->list[i].diagnostics, problem->diagnostics) == 0)
            return true;
    return false;
}

void problems_add(struct problems *problems, enum problem_severity severity, enum problem_code code,
                  const char *expression, const char *format, ...)
{
    struct problem made = {.severity = severity, .code = code};
    snprintf(made.expression, sizeof made.expression, "%s", expression);
    va_list args;
    va_start(args, format);
    vsnprintf(made.diagnostics, sizeof made.diagnostics, format, args);
    va_end(args);
    end_whole(made.expression);
    end_whole(made.diagnostics);
    problems->errors += severity <= PROBLEM_ERROR;
    if (is_listed(problems, &made))
        return;
    if (problems->count < PROBLEMS_MAX)
        problems->list[problems->count++] = made;
    else
        problems->left_out++;
}

const char *problem_severity_name(enum problem_severity severity)
{
    static const char *const names[] = {[PROBLEM_FATAL] = "fatal",
                                        [PROBLEM_ERROR] = "error",
                                        [PROBLEM_WARNING] = "warning",
                                        [PROBLEM_INFORMATION] = "information"};
    return names[severity];
}

const char *problem_code_name(enum problem_code code)
{
    static const char *const names[] = {
        [PROBLEM_STRUCTURE] = "structure",   [PROBLEM_REQUIRED] = "required",
        [PROBLEM_VALUE] = "value",           [PROBLEM_NOT_SUPPORTED] = "not-supported",
        [PROBLEM_NOT_FOUND] = "not-found",   [PROBLEM_TOO_LONG] = "too-long",
        [PROBLEM_TOO_COSTLY] = "too-costly", [PROBLEM_BUSINESS_RULE] = "business-rule",
        [PROBLEM_DUPLICATE] = "duplicate",   [PROBLEM_FORBIDDEN] = "forbidden",
        [PROBLEM_TRANSIENT] = "transient",   [PROBLEM_NO_STORE] = "no-store",
        [PROBLEM_NOTE] = "informational",
    };
    return names[code];
}

static void put_issue(struct maker *m, struct json_object *issues, const struct problem *problem)
{
    struct json_object *issue = make_object(m);
    make_text(m, issue, "severity", problem_severity_name(problem->severity));
    make_text(m, issue, "code", problem_code_name(problem->code));
    make_text(m, issue, "diagnostics", problem->diagnostics);
    if (problem->expression[0] != '\0') {
        struct json_object *expressions = make_array(m);
        make_push(m, expressions, make_string(m, problem->expression));
        make_put(m, issue, "expression", expressions);
    }
    make_push(m, issues, issue);
}

struct json_object *problems_outcome(const struct problems *problems)
{
    struct maker m = {0};
    struct json_object *outcome = make_object(&m), *issues = make_array(&m);
    make_text(&m, outcome, "resourceType", "OperationOutcome");
    for (size_t i = 0; i < problems->count; i++)
        put_issue(&m, issues, &problems->list[i]);
    struct problem more = {.severity = PROBLEM_INFORMATION, .code = PROBLEM_NOTE};
    if (problems->left_out > 0)
        snprintf(more.diagnostics, sizeof more.diagnostics, "%zu more problems are not listed", problems->left_out);
    else if (problems->count == 0)
        snprintf(more.diagnostics, sizeof more.diagnostics, "no problems");
    if (more.diagnostics[0] != '\0')
        put_issue(&m, issues, &more);
    make_put(&m, outcome, "issue", issues);
    return make_done(&m, outcome);
}
