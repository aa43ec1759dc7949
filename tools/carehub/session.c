#include "session.h"

#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "texts.h"

enum { PATIENCE_MS = 2000 }; /* after this long without a connection the operator is told what is going on */

struct session_state {
    pthread_mutex_t lock;
    enum carehub_state state;
    char note[SESSION_NOTE_BYTES]; /* the last error the connection's thread spoke of */
};

static void on_state(void *arg, enum carehub_state state, const char *error)
{
    struct session_state *s = arg;
    pthread_mutex_lock(&s->lock);
    s->state = state;
    snprintf(s->note, sizeof s->note, "%s", error ? error : "");
    pthread_mutex_unlock(&s->lock);
}

static bool readable(const char *path)
{
    return access(path, R_OK) == 0;
}

int session_config_path(const struct args *args, char path[SESSION_PATH_BYTES])
{
    const char *given = args_option(args, "config");
    if (!given)
        given = getenv("CAREHUB_CONFIG");
    if (given && *given) {
        snprintf(path, SESSION_PATH_BYTES, "%s", given);
        return EXIT_OK;
    }
    snprintf(path, SESSION_PATH_BYTES, "carehub.conf");
    if (readable(path))
        return EXIT_OK;
    const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    if (xdg && *xdg)
        snprintf(path, SESSION_PATH_BYTES, "%s/carehub/carehub.conf", xdg);
    else
        snprintf(path, SESSION_PATH_BYTES, "%s/.config/carehub/carehub.conf", home ? home : "");
    if (readable(path))
        return EXIT_OK;
    return fail(EXIT_NO,
                "Name one with --config FILE or in $CAREHUB_CONFIG; `carehub init DIR` makes one for a new hub.",
                "no configuration: there is neither ./carehub.conf nor %s", path);
}

/* Commands that know the language option speak that of the environment without it; others speak English. */
static const char *language_of(const struct args *args)
{
    const char *given = args_option(args, "lang");
    for (const struct option *o = args->command->options; o->name && !given; o++)
        if (strcmp(o->name, "lang") == 0)
            given = texts_language();
    return given ? given : "en";
}

int session_configure(struct session *session, const struct args *args)
{
    *session = (struct session){
        .args = args,
        .timeout_ms = args_timeout_ms(args),
        .json = args_flag(args, "json"),
        .style = style_of(stdout),
    };
    session->style.texts = texts_of(language_of(args));
    int code = session_config_path(args, session->config);
    if (code)
        return code;
    if (carehub_options_load(&session->options, session->config) != CAREHUB_OK) {
        memset(&session->options, 0, sizeof session->options);
        return fail(EXIT_NO, "Correct the configuration file, or name another with --config FILE.", "%s",
                    carehub_error());
    }
    return EXIT_OK;
}

static int not_connected(struct session *session, int result)
{
    pthread_mutex_lock(&session->state->lock);
    bool refused = session->state->state == CAREHUB_NOT_ADMITTED || result == CAREHUB_REFUSED;
    char note[SESSION_NOTE_BYTES];
    memcpy(note, session->state->note, sizeof note);
    pthread_mutex_unlock(&session->state->lock);
    if (refused)
        return fail(EXIT_REFUSED, "Another key? See --config. A registrar can look at `carehub client list`.",
                    "the hub does not admit this client: %s", *note ? note : carehub_error());
    return fail(EXIT_NO_HUB, "Is carehubd running there? Endpoint and hub key are in the configuration file.",
                "cannot reach the hub at %s (%s)%s%s", session->options.endpoint, session->config, *note ? ": " : "",
                note);
}

static int connect_patiently(struct session *session)
{
    int first = session->timeout_ms < PATIENCE_MS ? session->timeout_ms : PATIENCE_MS;
    int result = carehub_wait_connected(session->client, first);
    if (result != CAREHUB_TIMEOUT || session->timeout_ms == first)
        return result;
    bool tell = isatty(STDERR_FILENO);
    if (tell)
        fprintf(stderr, "still trying to reach %s (up to %d s)", session->options.endpoint, session->timeout_ms / 1000);
    result = carehub_wait_connected(session->client, session->timeout_ms - first);
    if (tell)
        fputs("\r\033[K", stderr);
    return result;
}

/* The library's threads inherit that all signals are blocked: Ctrl-C is the main thread's. */
static int open_quietly(struct session *session, const struct carehub_options *options)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int result = carehub_open(&session->client, options);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result;
}

int session_open(struct session *session, const struct args *args)
{
    int code = session_configure(session, args);
    if (code)
        return code;
    session->state = calloc(1, sizeof *session->state);
    if (!session->state)
        abort();
    pthread_mutex_init(&session->state->lock, NULL);
    struct carehub_options options = session->options; /* carehub_open copies what it points to */
    options.software = "carehub";
    options.software_version = carehub_version();
    options.spool_dir = NULL; /* an operator waits for the answer: nothing is sent behind his back */
    options.spool_key_file = NULL;
    options.on_state = on_state;
    options.arg = session->state;
    int opened = open_quietly(session, &options);
    if (opened != CAREHUB_OK)
        return session_failed(session, opened, "connecting");
    int result = connect_patiently(session);
    return result == CAREHUB_OK ? EXIT_OK : not_connected(session, result);
}

void session_close(struct session *session)
{
    if (session->client)
        carehub_close(&session->client);
    if (session->state) {
        pthread_mutex_destroy(&session->state->lock);
        free(session->state);
        session->state = NULL;
    }
    if (session->options.endpoint)
        carehub_options_free(&session->options);
}

static void print_error_json(const Carehub__V1__Error *error)
{
    Carehub__V1__Answer answer = CAREHUB__V1__ANSWER__INIT;
    answer.error = (Carehub__V1__Error *)error;
    print_json_line(&answer.base);
}

int session_refused(struct session *session, const Carehub__V1__Error *error)
{
    const char *text = error && error->text && *error->text ? error->text : carehub_error();
    const char *advice = NULL;
    if (error && error->code == CAREHUB__V1__ERROR_CODE__NOT_ALLOWED)
        advice = "Use the key of a client that has the right (--config), or ask a registrar for it.";
    else if (error && error->retry)
        advice = "Nothing is wrong with the request: try again in a moment.";
    if (session->json && error)
        print_error_json(error);
    if (error && error->code == CAREHUB__V1__ERROR_CODE__UNKNOWN_NAME)
        return fail(EXIT_NO, NULL, "%s", text); /* an answer, rather than a refusal */
    return fail(EXIT_REFUSED, advice, "the hub refused: %s", text && *text ? text : "no reason given");
}

int session_failed(struct session *session, int result, const char *what)
{
    char reason[SESSION_NOTE_BYTES];
    const char *detail = carehub_error();
    snprintf(reason, sizeof reason, "%s", detail && *detail ? detail : carehub_strerror(result));
    switch (result) {
    case CAREHUB_REFUSED:
        return session_refused(session, NULL);
    case CAREHUB_CONNECT:
    case CAREHUB_CLOSED:
        return fail(EXIT_NO_HUB, "Try again when the hub is back; repeating is safe.", "the hub went away while %s: %s",
                    what, reason);
    case CAREHUB_TIMEOUT:
        return fail(EXIT_TIMED_OUT,
                    "What was sent may or may not be in the log. Repeating is safe; --timeout SECONDS waits longer.",
                    "no answer in time while %s", what);
    default:
        return fail(EXIT_NO, NULL, "%s failed: %s", what, reason);
    }
}

int session_ask(struct session *session, Carehub__V1__Query *query, Carehub__V1__Answer__AnswerCase kind,
                Carehub__V1__Answer **answer)
{
    *answer = NULL;
    int result = carehub_ask(session->client, query, session->timeout_ms, answer);
    return session_asked(session, result, kind, answer);
}

int session_asked(struct session *session, int result, Carehub__V1__Answer__AnswerCase kind,
                  Carehub__V1__Answer **answer)
{
    int code = EXIT_OK;
    if (*answer && (*answer)->error)
        code = session_refused(session, (*answer)->error);
    else if (result != CAREHUB_OK)
        code = session_failed(session, result, "asking");
    else if (!*answer || (*answer)->answer_case != kind)
        code = fail(EXIT_NO, "Hub and tool are of different versions?", "the hub answered something else");
    if (code)
        answer_free(answer);
    return code;
}

void answer_free(Carehub__V1__Answer **answer)
{
    if (*answer)
        protobuf_c_message_free_unpacked(&(*answer)->base, NULL);
    *answer = NULL;
}

void confirmation_free(Carehub__V1__Confirmation **confirmation)
{
    if (*confirmation)
        protobuf_c_message_free_unpacked(&(*confirmation)->base, NULL);
    *confirmation = NULL;
}

int session_submit(struct session *session, Carehub__V1__Fact *fact, Carehub__V1__Confirmation **confirmation)
{
    uint8_t id[CAREHUB_ID_BYTES];
    carehub_new_id(id);
    fact->id = (ProtobufCBinaryData){sizeof id, id};
    *confirmation = NULL;
    int result = carehub_submit_fact(session->client, fact, session->timeout_ms, confirmation);
    fact->id = (ProtobufCBinaryData){0, NULL};
    int code = EXIT_OK;
    if (*confirmation && (*confirmation)->error)
        code = session_refused(session, (*confirmation)->error);
    else if (result != CAREHUB_OK)
        code = session_failed(session, result, "submitting");
    if (code)
        confirmation_free(confirmation);
    return code;
}

static int submit_and_tell(struct session *session, Carehub__V1__Fact *fact, const char *done, va_list list)
{
    Carehub__V1__Confirmation *confirmation;
    int code = session_submit(session, fact, &confirmation);
    if (code)
        return code;
    if (session->json) {
        print_json(&confirmation->base);
    } else {
        char text[1024];
        vsnprintf(text, sizeof text, done, list);
        put_safe(stdout, text);
        printf(" (#%llu)\n", (unsigned long long)confirmation->place);
        if (confirmation->in_flight)
            printf("  %u deliveries of this person were sent before and are not yet acknowledged.\n",
                   confirmation->in_flight);
    }
    confirmation_free(&confirmation);
    return EXIT_OK;
}

int session_fact(struct session *session, Carehub__V1__Fact *fact, const char *done, ...)
{
    va_list list;
    va_start(list, done);
    int code = submit_and_tell(session, fact, done, list);
    va_end(list);
    return code;
}

int submit_fact(const struct args *args, Carehub__V1__Fact *fact, const char *done, ...)
{
    struct session session = {0};
    int code = session_open(&session, args);
    if (code == EXIT_OK) {
        va_list list;
        va_start(list, done);
        code = submit_and_tell(&session, fact, done, list);
        va_end(list);
    }
    session_close(&session);
    return code;
}
