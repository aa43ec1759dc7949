#include "http_asking.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static size_t collect(char *to, size_t *len, const char *bytes, size_t size)
{
    size_t part = size < GOT_BYTES - 1 - *len ? size : GOT_BYTES - 1 - *len;
    memcpy(to + *len, bytes, part);
    *len += part;
    to[*len] = '\0';
    return size;
}

static size_t on_header(char *bytes, size_t one, size_t size, void *arg)
{
    struct got *got = arg;
    return collect(got->headers, &got->headers_len, bytes, one * size);
}

static size_t on_body(char *bytes, size_t one, size_t size, void *arg)
{
    struct got *got = arg;
    return collect(got->body, &got->body_len, bytes, one * size);
}

CURL *client_new(void)
{
    CURL *curl = curl_easy_init();
    assert_non_null(curl);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 20000L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    return curl;
}

CURLcode perform(CURL *curl, const struct stub *stub, const char *path, struct got *got)
{
    char url[2048];
    *got = (struct got){0};
    snprintf(url, sizeof url, "%s%s", stub->endpoint, path);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, got);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, got);
    CURLcode code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &got->status);
    return code;
}

struct got ask(const struct stub *stub, const char *method, const char *path, const char *header, const char *body)
{
    struct got got;
    CURL *curl = client_new();
    struct curl_slist *headers = header ? curl_slist_append(NULL, header) : NULL;
    if (body)
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    if (strcmp(method, "HEAD") == 0)
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    assert_int_equal(perform(curl, stub, path, &got), CURLE_OK);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return got;
}

void send_text(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

size_t read_to_end(int fd, char *out, size_t size)
{
    size_t at = 0;
    for (ssize_t part; at < size - 1 && (part = recv(fd, out + at, size - 1 - at, 0)) > 0;)
        at += (size_t)part;
    out[at] = '\0';
    return at;
}
