#include "facts.h"

#include <string.h>

static size_t page_items(const Carehub__V1__ListAnswer *page)
{
    return page->n_actors + page->n_clients + page->n_inboxes;
}

/* One page. *answer is NULL if there is nothing of that name. */
static int ask_list(struct session *session, Carehub__V1__ListQuery *list, Carehub__V1__Answer **answer)
{
    Carehub__V1__Query query = CAREHUB__V1__QUERY__INIT;
    query.query_case = CAREHUB__V1__QUERY__QUERY_LIST;
    query.list = list;
    *answer = NULL;
    int result = carehub_ask(session->client, &query, session->timeout_ms, answer);
    const Carehub__V1__Error *error = *answer ? (*answer)->error : NULL;
    bool unknown = error && error->code == CAREHUB__V1__ERROR_CODE__UNKNOWN_NAME;
    int code = unknown ? EXIT_OK : session_asked(session, result, CAREHUB__V1__ANSWER__ANSWER_LIST, answer);
    if (code == EXIT_OK && *list->name && (unknown || page_items((*answer)->list) == 0))
        answer_free(answer);
    return code;
}

static const char *kind_name(Carehub__V1__ListKind kind)
{
    return kind == CAREHUB__V1__LIST_KIND__LIST_ACTORS    ? "actor"
           : kind == CAREHUB__V1__LIST_KIND__LIST_CLIENTS ? "client"
                                                          : "inbox";
}

int list_all(struct session *session, Carehub__V1__ListKind kind, const char *name, list_fn *each, void *ctx)
{
    Carehub__V1__ListQuery list = CAREHUB__V1__LIST_QUERY__INIT;
    list.kind = kind;
    list.name = field(name);
    do {
        Carehub__V1__Answer *answer;
        int code = ask_list(session, &list, &answer);
        if (code)
            return code;
        if (!answer)
            return fail(EXIT_NO, "The verb 'list' without a name shows all.", "there is no %s %s", kind_name(kind),
                        name);
        each(ctx, answer->list);
        list.after = answer->list->next;
        answer_free(&answer);
    } while (list.after);
    return EXIT_OK;
}

bool adding(const struct args *args)
{
    return strcmp(args->command->verb, "add") == 0;
}

int look_up(struct session *session, Carehub__V1__ListKind kind, const struct args *args, Carehub__V1__Answer **answer)
{
    const char *name = args_value(args, 0);
    Carehub__V1__ListQuery list = CAREHUB__V1__LIST_QUERY__INIT;
    list.kind = kind;
    list.name = field(name);
    int code = ask_list(session, &list, answer);
    if (code == EXIT_OK && *answer && adding(args))
        code = fail(EXIT_NO, "The verb 'set' changes it.", "%s %s is registered already", kind_name(kind), name);
    if (code == EXIT_OK && !*answer && !adding(args))
        code =
            fail(EXIT_NO, "The verb 'list' shows all, 'add' registers it.", "there is no %s %s", kind_name(kind), name);
    if (code)
        answer_free(answer);
    return code;
}

int ask_patient(struct session *session, const char *patient, const char *at, Carehub__V1__Answer **answer)
{
    struct patient_input who;
    *answer = NULL;
    Carehub__V1__PatientQuery ask = CAREHUB__V1__PATIENT_QUERY__INIT;
    int code = input_patient(patient, &who);
    if (code == EXIT_OK)
        code = input_as_of(at, &ask.at_place, &ask.at_ms);
    if (code)
        return code;
    ask.patient = &who.ref;
    Carehub__V1__Query query = CAREHUB__V1__QUERY__INIT;
    query.query_case = CAREHUB__V1__QUERY__QUERY_PATIENT;
    query.patient = &ask;
    return session_ask(session, &query, CAREHUB__V1__ANSWER__ANSWER_PATIENT, answer);
}

const struct standing_verb *standing_verb(const char *verb)
{
    static const struct standing_verb verbs[] = {
        {"suspend", CAREHUB__V1__STANDING__SUSPENDED, "suspended"},
        {"resume", CAREHUB__V1__STANDING__ACTIVE, "active again"},
        {"end", CAREHUB__V1__STANDING__ENDED, "ended for good"},
        {"revoke", CAREHUB__V1__STANDING__ENDED, "revoked for good"},
    };
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(verbs[i].verb, verb) == 0)
            return &verbs[i];
    return NULL;
}
