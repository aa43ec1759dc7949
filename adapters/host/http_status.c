/* http_status.c - what the answers of HTTP servers mean for whoever posts to them. RFC 9110, 15; RFC 6585. */
#include "http_engine.h"

#include <curl/curl.h>
#include <string.h>

#include "http_status.h"
#include "outlet_settings.h"
#include "settings.h"

struct row {
    int first, last; /* statuses */
    enum sending_result result;
    const char *code, *text;
};

#define CREDENTIALS "it refuses our credentials: check the token and the certificate that it knows us by"
#define NOBODY "nothing takes messages there: check the URL"
#define FAULT "it has a fault of its own; if that lasts, tell whoever runs it"
#define BUSY "it takes nothing now"
#define MOVED "it answers that it has moved, which is not followed: set the URL to where it is now"
#define CONTENT "it does not take this message; its own log should say why"

/* The first that fits. */
static const struct row rows[] = {
    {200, 200, SENDING_TAKEN, "http-200", "taken"},
    {201, 201, SENDING_TAKEN, "http-201", "taken"},
    {202, 202, SENDING_TAKEN, "http-202", "taken"},
    {204, 204, SENDING_TAKEN, "http-204", "taken"},
    {200, 299, SENDING_TAKEN, "http-2xx", "taken"},
    {301, 301, SENDING_DOWN, "http-301", MOVED},
    {302, 302, SENDING_DOWN, "http-302", MOVED},
    {307, 307, SENDING_DOWN, "http-307", MOVED},
    {308, 308, SENDING_DOWN, "http-308", MOVED},
    {300, 399, SENDING_DOWN, "http-3xx", MOVED},
    {400, 400, SENDING_AGAIN, "http-400", CONTENT},
    {401, 401, SENDING_DOWN, "http-401", CREDENTIALS},
    {403, 403, SENDING_DOWN, "http-403", CREDENTIALS},
    {404, 404, SENDING_DOWN, "http-404", NOBODY},
    {405, 405, SENDING_DOWN, "http-405", NOBODY},
    {407, 407, SENDING_DOWN, "http-407", CREDENTIALS},
    {408, 408, SENDING_DOWN, "http-408", BUSY},
    {409, 409, SENDING_AGAIN, "http-409", CONTENT},
    {410, 410, SENDING_REFUSED, "http-410", "it says that it takes no such message any more"},
    {412, 412, SENDING_AGAIN, "http-412", CONTENT},
    {413, 413, SENDING_AGAIN, "http-413", "the message is too large for it"},
    {415, 415, SENDING_AGAIN, "http-415", "it does not take this form of message"},
    {421, 421, SENDING_DOWN, "http-421", NOBODY},
    {422, 422, SENDING_AGAIN, "http-422", CONTENT},
    {425, 425, SENDING_DOWN, "http-425", BUSY},
    {429, 429, SENDING_DOWN, "http-429", BUSY},
    {400, 499, SENDING_AGAIN, "http-4xx", CONTENT},
    {500, 500, SENDING_DOWN, "http-500", FAULT},
    {501, 501, SENDING_DOWN, "http-501", NOBODY},
    {502, 502, SENDING_DOWN, "http-502", FAULT},
    {503, 503, SENDING_DOWN, "http-503", BUSY},
    {504, 504, SENDING_DOWN, "http-504", FAULT},
    {507, 507, SENDING_DOWN, "http-507", "its disk is full"},
    {500, 599, SENDING_DOWN, "http-5xx", FAULT},
    {0, INT32_MAX, SENDING_DOWN, "broken-answer", "it does not answer as a web server does"},
};

static const struct row *row_of(int status)
{
    size_t i = 0;
    while (i < sizeof rows / sizeof rows[0] - 1 && (status < rows[i].first || status > rows[i].last))
        i++;
    return &rows[i];
}

enum sending_result http_result_of(int status)
{
    return row_of(status)->result;
}

const char *http_code_of(int status)
{
    return row_of(status)->code;
}

const char *http_text_of(int status)
{
    return row_of(status)->text;
}

const char *http_failure_code(CURLcode failure)
{
    switch (failure) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
        return "unreachable";
    case CURLE_OPERATION_TIMEDOUT:
        return "timeout";
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
        return "tls";
    case CURLE_OUT_OF_MEMORY:
        return "out-of-memory";
    default:
        return "broken-answer";
    }
}

/* ---- URLs ------------------------------------------------------------------------------------------------------- */

static bool check_parts(const char *scheme, const char *host, bool has_user, bool clear_allowed,
                        char error[CAREHUB_ERROR_BYTES])
{
    bool secure = strcmp(scheme, "https") == 0;
    if (!secure && strcmp(scheme, "http") != 0)
        return settings_complain(error, "", "the URL has to begin with https:// or http://");
    if (has_user)
        return settings_complain(error, "", "the URL must not have a user or password in it");
    if (!secure && !clear_allowed && !host_is_loopback(host))
        return settings_complain(error, "",
                                 "http:// would send care data in clear to %.200s: use https://, or set "
                                 "beyond-loopback = \"" IN_CLEAR "\" if the way there is protected otherwise",
                                 host);
    return true;
}

bool http_url_check(const char *url, bool clear_allowed, char error[CAREHUB_ERROR_BYTES])
{
    char *scheme = NULL, *host = NULL, *user = NULL, *password = NULL;
    CURLU *parts = curl_url();
    bool ok = parts && strlen(url) <= HTTP_URL_MAX_BYTES && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
              curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
              curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK;
    if (!ok) {
        settings_complain(error, "",
                          "this is not a whole URL, such as https://receiver.example/messages, of at most %d "
                          "bytes",
                          HTTP_URL_MAX_BYTES);
    } else {
        bool has_user = curl_url_get(parts, CURLUPART_USER, &user, 0) == CURLUE_OK ||
                        curl_url_get(parts, CURLUPART_PASSWORD, &password, 0) == CURLUE_OK;
        ok = check_parts(scheme, host, has_user, clear_allowed, error);
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(user);
    curl_free(password);
    curl_url_cleanup(parts);
    return ok;
}
