// The plug-in's way in: verdicts, problems and acknowledgements, with a host in miniature.
#include "hl7v2_plugin_case.h"

#include "hl7v2.h"

#define CONFIG                                                                                                         \
    "format\n    plugin = hospital\n    senders\n        az\n            application = HIS\n"                          \
    "            actor = az\n            processing = P\n            identifiers\n                local\n"             \
    "                    system = urn:az:patient\n                    authority = AZ\n"
#define STRICT                                                                                                         \
    "        strict\n            application = STRICT\n            unidentified = refuse\n"                            \
    "            unsupported = reject\n            confirm = spool\n            merges = skip\n"                       \
    "        holding\n            application = HOLDING\n            unidentified = hold\n"
#define MSH(sender, type, id) "MSH|^~\\&|" sender "|AZ|HUB||20260301120500||" type "|" id "|P|2.5.1\r"
#define PID "PID|1||4711^^^AZ^PI~" SSIN "^^^NISS^NN\r"
#define NOBODY "PID|1||38041200178^^^NISS^NN\r"
#define PV1 "PV1|1|I|GER||||||||||||||||V1\r"

static void *format;

static int start(void **state)
{
    char error[CAREHUB_ERROR_BYTES];
    (void)state;
    format = configured(CONFIG STRICT, error);
    if (format == NULL)
        print_error("%s\n", error);
    return format == NULL;
}

static int stop(void **state)
{
    (void)state;
    carehub_format.destroy(format);
    return 0;
}

// ---- A host that remembers nothing, and counts

static struct {
    struct carehub_memory memory;
    size_t events, facts;
    char episode[CAREHUB_EPISODE_BYTES];
    struct carehub_message *message;
} host;

static size_t past(struct carehub_memory *memory, const char *episode, Carehub__V1__Event *const **events)
{
    (void)memory;
    (void)episode;
    *events = NULL;
    return 0;
}

static const void *load(struct carehub_memory *memory, const char *name, size_t *len)
{
    (void)memory;
    (void)name;
    *len = 0;
    return NULL;
}

static bool store(struct carehub_memory *memory, const char *name, const void *bytes, size_t len)
{
    (void)memory;
    (void)name;
    (void)bytes;
    (void)len;
    return true;
}

static bool emit(struct carehub_memory *memory, const Carehub__V1__Event *event, const char *episode)
{
    (void)memory;
    assert_true(event->patient != NULL && event->patient->n_identifiers > 0);
    snprintf(host.episode, sizeof host.episode, "%s", episode != NULL ? episode : "");
    host.events++;
    host.message->verdict = CAREHUB_MESSAGE_EVENTS;
    return true;
}

static bool emit_fact(struct carehub_memory *memory, const Carehub__V1__Fact *fact)
{
    (void)memory;
    assert_non_null(fact);
    host.facts++;
    host.message->verdict = CAREHUB_MESSAGE_EVENTS;
    return true;
}

static char replies[2][4096];
static size_t n_replies;

static void on_reply(void *arg, const struct carehub_reply *reply)
{
    (void)arg;
    assert_true(n_replies < 2 && reply->len < sizeof replies[0]);
    snprintf(replies[n_replies++], sizeof replies[0], "%.*s", (int)reply->len, (const char *)reply->bytes);
}

// Takes a message through all of the way in. message->own is gone afterwards.
static void take(const char *text, const char *transport, enum carehub_fault fault, struct carehub_message *message)
{
    struct carehub_native native = {.bytes = text,
                                    .len = strlen(text),
                                    .received_ms = NOW_MS,
                                    .transport = transport,
                                    .peer = "",
                                    .name = "",
                                    .method = "",
                                    .content_type = "",
                                    .idempotency_key = ""};
    memset(&host, 0, sizeof host);
    host.memory = (struct carehub_memory){past, load, store, emit, emit_fact};
    host.message = message;
    *message = (struct carehub_message){.native = &native};
    n_replies = 0;
    assert_true(carehub_format.open(format, message));
    if (message->verdict == CAREHUB_MESSAGE_OPENED)
        carehub_format.translate(format, message, &host.memory);
    carehub_format.slim(message);
    native.bytes = NULL;
    if (message->verdict == CAREHUB_MESSAGE_ERROR || message->verdict == CAREHUB_MESSAGE_REJECTED)
        fault = CAREHUB_FAULT_NATIVE;
    const struct carehub_outcome outcome = {.fault = fault, .text = "because", .now_ms = NOW_MS, .number = 255};
    carehub_format.reply(format, message, &outcome, on_reply, NULL);
    carehub_format.close(message);
    assert_null(message->own);
    message->native = NULL;
}

// ---- Tests

static void each_message_has_its_verdict_and_answer(void **state)
{
    static const struct {
        const char *text;
        enum carehub_verdict verdict;
        const char *why, *where, *rule, *answer;
        size_t events, facts;
    } cases[] = {
        {MSH("HIS", "ADT^A01", "1") PID PV1, CAREHUB_MESSAGE_EVENTS, "", "", "", "MSA|AA|1\r", 1, 0},
        {MSH("HIS", "ADT^A01", "1") NOBODY PV1, CAREHUB_MESSAGE_NOTHING, "unidentified", "", "", "MSA|AA|1\r", 0, 0},
        {MSH("STRICT", "ADT^A01", "1") NOBODY PV1, CAREHUB_MESSAGE_ERROR, "", "PID-3", "HL7 v2.5.1, 3.4.2.3",
         "MSA|AE|1|", 0, 0},
        {MSH("HOLDING", "ADT^A01", "1") NOBODY PV1, CAREHUB_MESSAGE_HOLD, "unidentified", "", "", "MSA|AA|1\r", 0, 0},
        {MSH("HIS", "ADT^A05", "1") PID PV1, CAREHUB_MESSAGE_NOTHING, "unsupported", "", "", "MSA|AA|1\r", 0, 0},
        {MSH("STRICT", "ADT^A05", "1") PID PV1, CAREHUB_MESSAGE_REJECTED, "", "MSH-9", "HL7 v2.5.1, 2.15.9.9",
         "ERR||MSH^1^9|201^", 0, 0},
        {MSH("STRICT", "ORU^R01", "1") PID PV1, CAREHUB_MESSAGE_REJECTED, "", "MSH-9", "HL7 v2.5.1, 2.15.9.9",
         "ERR||MSH^1^9|200^", 0, 0},
        {MSH("HIS", "ADT^A13", "1") PID PV1, CAREHUB_MESSAGE_NOTHING, "nothing-to-correct", "", "", "MSA|AA|1\r", 0, 0},
        {MSH("NOBODY", "ADT^A01", "1") PID PV1, CAREHUB_MESSAGE_REJECTED, "", "MSH-3", "HL7 v2.5.1, 2.15.9.3",
         "ERR||MSH^1^3|103^", 0, 0},
        {MSH("HIS", "ADT^A01", "") PID PV1, CAREHUB_MESSAGE_ERROR, "", "MSH-10", "HL7 v2.5.1, 2.15.9.10",
         "ERR||MSH^1^10|101^", 0, 0},
        {MSH("HIS", "ADT^A01", "1") "not a segment\r", CAREHUB_MESSAGE_ERROR, "", "segment 2", "HL7 v2.5.1, 2.5.2",
         "MSA|AE|1|", 0, 0},
        {"BHS|^~\\&|HIS\r" MSH("HIS", "ADT^A01", "1") PID PV1 "BTS|2\r", CAREHUB_MESSAGE_ERROR, "", "BTS-1",
         "HL7 v2.5.1, 2.15.3.1", "MSA|A", 0, 0},
        {MSH("HIS", "RDE^O11", "1") PID "ORC|NW|P1\rRXE||N02BE01^Paracetamol^WC|1||tab\r", CAREHUB_MESSAGE_EVENTS, "",
         "", "", "MSA|AA|1\r", 1, 0},
        {MSH("HIS", "ADT^A40", "1") PID "MRG|4712^^^AZ^PI\r", CAREHUB_MESSAGE_EVENTS, "", "", "", "MSA|AA|1\r", 0, 1},
        {MSH("STRICT", "ADT^A40", "1") PID "MRG|4712^^^AZ^PI\r", CAREHUB_MESSAGE_NOTHING, "merges-skipped", "", "",
         "MSA|AA|1\r", 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct carehub_message m;
        take(cases[i].text, "mllp", CAREHUB_FAULT_NONE, &m);
        if (m.verdict != cases[i].verdict || strcmp(m.why != NULL ? m.why : "", cases[i].why) != 0 ||
            strcmp(m.problem.where, cases[i].where) != 0 || strcmp(m.problem.rule, cases[i].rule) != 0 ||
            host.events != cases[i].events || host.facts != cases[i].facts || n_replies != 1 ||
            strstr(replies[0], cases[i].answer) == NULL)
            fail_msg("%zu: verdict %d, %s, %s, %s, %s; %zu events, %zu facts, %s", i, m.verdict, m.why, m.problem.where,
                     m.problem.what, m.problem.rule, host.events, host.facts, n_replies > 0 ? replies[0] : "no reply");
        assert_null(strstr(m.problem.what, "3804120017"));
    }
}

static void a_sender_is_answered_as_it_asks(void **state)
{
    static const struct {
        const char *msh15, *transport;
        enum carehub_fault fault;
        size_t count;
        const char *first, *last;
    } cases[] = {
        {"", "mllp", CAREHUB_FAULT_NONE, 1, "MSA|AA|", "MSA|AA|"},
        {"|||AL|NE", "mllp", CAREHUB_FAULT_NONE, 1, "MSA|CA|", "MSA|CA|"},
        {"|||AL|AL", "mllp", CAREHUB_FAULT_NONE, 2, "MSA|CA|", "MSA|AA|"},
        {"|||AL|AL", "mllp", CAREHUB_FAULT_CONTENT, 1, "MSA|CE|", "|207^"},
        {"|||NE|NE", "mllp", CAREHUB_FAULT_NONE, 0, NULL, NULL},
        {"|||ER|NE", "mllp", CAREHUB_FAULT_NONE, 0, NULL, NULL},
        {"|||AL|AL", "http", CAREHUB_FAULT_NONE, 1, "MSA|AA|", "MSA|AA|"},
        {"|||AL|NE", "http", CAREHUB_FAULT_NONE, 1, "MSA|CA|", "MSA|CA|"},
        {"", "mllp", CAREHUB_FAULT_IDENTITY, 1, "MSA|AE|", "PID^1^3|204^"},
        {"", "mllp", CAREHUB_FAULT_ORIGINAL, 1, "MSA|AE|", "PV1^1^19|204^"},
        {"", "mllp", CAREHUB_FAULT_DUPLICATE, 1, "MSA|AE|", "MSH^1^10|205^"},
        {"", "mllp", CAREHUB_FAULT_NOT_ALLOWED, 1, "MSA|AR|", "|207^"},
        {"", "mllp", CAREHUB_FAULT_UNAVAILABLE, 1, "MSA|AE|", "|207^"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[512];
        struct carehub_message m;
        snprintf(text, sizeof text, "MSH|^~\\&|HIS|AZ|HUB||20260301120500||ADT^A01|1|P|2.5.1%s\r" PID PV1,
                 cases[i].msh15);
        take(text, cases[i].transport, cases[i].fault, &m);
        if (n_replies != cases[i].count)
            fail_msg("%zu: %zu replies", i, n_replies);
        if (n_replies > 0) {
            assert_non_null(strstr(replies[0], cases[i].first));
            assert_non_null(strstr(replies[n_replies - 1], cases[i].last));
        }
    }
}

static void a_resent_message_has_the_same_key_and_a_changed_one_another_digest(void **state)
{
    struct carehub_message first, resent, changed, other;
    (void)state;
    take(MSH("HIS", "ADT^A01", "1") PID PV1, "mllp", CAREHUB_FAULT_NONE, &first);
    take(MSH("HIS", "ADT^A01", "1") "PID|1||4711^^^AZ^PI~" SSIN "^^^NISS^NN\n" PV1, "mllp", CAREHUB_FAULT_NONE,
         &resent);
    take(MSH("HIS", "ADT^A01", "1") PID "PV1|1|I|REVA\r", "mllp", CAREHUB_FAULT_NONE, &changed);
    take(MSH("HIS", "ADT^A01", "2") PID PV1, "mllp", CAREHUB_FAULT_NONE, &other);
    assert_memory_equal(first.key, resent.key, sizeof first.key);
    assert_memory_equal(first.digest, resent.digest, sizeof first.digest);
    assert_memory_equal(first.key, changed.key, sizeof first.key);
    assert_memory_not_equal(first.digest, changed.digest, sizeof first.digest);
    assert_memory_not_equal(first.key, other.key, sizeof first.key);
    assert_string_equal(first.sender, "az");
    assert_string_equal(first.native_id, "1");
    assert_string_equal(first.kind, "ADT^A01");
    assert_false(first.confirm_by_spool);
    assert_string_equal(host.episode, "az:V1");
}

static void a_wrong_configuration_is_refused_by_name(void **state)
{
    static const char *const cases[][2] = {
        {"format\n    plugin = hospital\n    sender\n        x\n", "there is no setting 'sender'"},
        {"format\n    senders\n", "names no sender"},
        {"format\n    senders\n        x\n            actor = a\n", "application"},
        {CONFIG "            zone = Europe/Atlantis\n", "no time zone"},
        {CONFIG "            nihdi = 12\n", "setting 'nihdi'"},
        {CONFIG "            confirm = maybe\n", "hub or spool"},
        {CONFIG "            identifiers\n", ""},
        {CONFIG "            coding-systems\n                X = http://x\n            letter-type = DS\n", ""},
        {CONFIG "            disposition\n                01 = home Home\n", ""},
        {"format\n    plugin = hospital\n", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char error[CAREHUB_ERROR_BYTES] = "";
        void *self = configured(cases[i][0], error);
        if ((self != NULL) != (cases[i][1][0] == '\0') || strstr(error, self == NULL ? cases[i][1] : "") == NULL)
            fail_msg("%zu: %s", i, error);
        if (self != NULL)
            carehub_format.destroy(self);
    }
    assert_true(carehub_format.needs_spool(format));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_message_has_its_verdict_and_answer),
        cmocka_unit_test(a_sender_is_answered_as_it_asks),
        cmocka_unit_test(a_resent_message_has_the_same_key_and_a_changed_one_another_digest),
        cmocka_unit_test(a_wrong_configuration_is_refused_by_name),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
