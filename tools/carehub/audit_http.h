/* audit_http.h - one HTTP POST at a time, to a witness. What is sent is public and signed, what is received is
 * verified: plain HTTP is as good as HTTPS here. Redirects are not followed. */
#ifndef CAREHUB_CLI_AUDIT_HTTP_H
#define CAREHUB_CLI_AUDIT_HTTP_H

#include <stdbool.h>
#include <stddef.h>

enum { AUDIT_HTTP_MAX_BYTES = 64 << 10, AUDIT_HTTP_ERROR_BYTES = 256 };

struct audit_http_answer {
    long status; /* 0: there is none, and `error` says why */
    char body[AUDIT_HTTP_MAX_BYTES + 1];
    size_t size;
    char error[AUDIT_HTTP_ERROR_BYTES];
};

void audit_http_post(const char *url, const char *body, size_t size, int timeout_ms, struct audit_http_answer *answer);

#endif
