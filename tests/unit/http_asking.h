/* http_asking.h - clients for tests of the HTTP transport: libcurl's, and bare sockets. */
#ifndef CAREHUB_TEST_HTTP_ASKING_H
#define CAREHUB_TEST_HTTP_ASKING_H

#include <curl/curl.h>
#include <stddef.h>

#include "transport_fixture.h"

enum { GOT_BYTES = 8192 };

/* What came back, as far as it fits. */
struct got {
    long status; /* 0: no answer */
    char headers[GOT_BYTES], body[GOT_BYTES];
    size_t headers_len, body_len;
};

CURL *client_new(void);
CURLcode perform(CURL *curl, const struct stub *stub, const char *path, struct got *got);
/* One request on a connection of its own. `header` and `body` may be NULL. */
struct got ask(const struct stub *stub, const char *method, const char *path, const char *header, const char *body);
void send_text(int fd, const char *text);
/* All that comes until the end; its length. */
size_t read_to_end(int fd, char *out, size_t size);

#endif
