/* http_status.h - texts and codes of what goes wrong with HTTP; for the engine. */
#ifndef CAREHUB_HTTP_STATUS_H
#define CAREHUB_HTTP_STATUS_H

#include <curl/curl.h>

/* What a status means, for a log line about the receiver. */
const char *http_text_of(int status);
/* When no whole answer came: "timeout". */
const char *http_failure_code(CURLcode failure);

#endif
