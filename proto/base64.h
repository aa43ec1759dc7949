// Base64 of RFC 4648: writes the standard alphabet with padding; reads standard (section 4) and URL-safe
// (section 5), with or without padding, as the proto3 JSON mapping asks. Pure functions, safe from any
// thread.
#ifndef CAREHUB_BASE64_H
#define CAREHUB_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Characters that len bytes become, without a terminating NUL.
#define BASE64_ENCODED_CHARS(len) (((len) + 2) / 3 * 4)
// No fewer bytes than len characters can hold.
#define BASE64_DECODED_BYTES_MAX(len) ((len) / 4 * 3 + 3)

// Writes BASE64_ENCODED_CHARS(len) characters to out; adds no NUL.
void base64_encode(const uint8_t *data, size_t len, char *out);

// Reads len characters into out, which has room for BASE64_DECODED_BYTES_MAX(len); *out_len gets the bytes
// written. False when it is no base64: a foreign character (white space is one), a length that cannot be,
// or left-over bits that are not zero (two texts must not mean the same bytes).
bool base64_decode(const char *text, size_t len, uint8_t *out, size_t *out_len);

#endif
