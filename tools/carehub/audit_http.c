#include "audit_http.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

static size_t on_body(char *bytes, size_t one, size_t n, void *arg)
{
    struct audit_http_answer *answer = arg;
    (void)one; /* always 1 */
    if (n > AUDIT_HTTP_MAX_BYTES - answer->size)
        return 0; /* too much: the transfer fails */
    memcpy(answer->body + answer->size, bytes, n);
    answer->size += n;
    return n;
}

static bool prepare(CURL *easy, const char *url, const char *body, size_t size, int timeout_ms,
                    struct audit_http_answer *answer, char error[CURL_ERROR_SIZE])
{
    return curl_easy_setopt(easy, CURLOPT_URL, url) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_USERAGENT, "carehub/" CAREHUB_VERSION) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_POST, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)size) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEDATA, answer) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error) == CURLE_OK;
}

void audit_http_post(const char *url, const char *body, size_t size, int timeout_ms, struct audit_http_answer *answer)
{
    char error[CURL_ERROR_SIZE] = "";
    answer->status = 0;
    answer->size = 0;
    CURL *easy = curl_easy_init();
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: text/plain; charset=utf-8");
    CURLcode code = CURLE_OUT_OF_MEMORY;
    if (easy && headers && prepare(easy, url, body, size, timeout_ms, answer, error) &&
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers) == CURLE_OK)
        code = curl_easy_perform(easy);
    if (code == CURLE_OK)
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &answer->status);
    else
        snprintf(answer->error, sizeof answer->error, "%s", error[0] ? error : curl_easy_strerror(code));
    answer->body[answer->size] = '\0';
    curl_slist_free_all(headers);
    curl_easy_cleanup(easy);
}
