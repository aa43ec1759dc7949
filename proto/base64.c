#include "base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(const uint8_t *data, size_t len, char *out)
{
    size_t i = 0;
    for (; len - i >= 3; i += 3) {
        uint32_t bits = (uint32_t)data[i] << 16 | (uint32_t)data[i + 1] << 8 | data[i + 2];
        *out++ = alphabet[bits >> 18];
        *out++ = alphabet[bits >> 12 & 63];
        *out++ = alphabet[bits >> 6 & 63];
        *out++ = alphabet[bits & 63];
    }
    if (i == len)
        return;
    bool two = len - i == 2;
    uint32_t bits = (uint32_t)data[i] << 16 | (two ? (uint32_t)data[i + 1] << 8 : 0);
    *out++ = alphabet[bits >> 18];
    *out++ = alphabet[bits >> 12 & 63];
    *out++ = two ? alphabet[bits >> 6 & 63] : '=';
    *out = '=';
}

// The six bits that a character stands for, or -1.
static int sextet(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    if (c == '/' || c == '_')
        return 63;
    return -1;
}

bool base64_decode(const char *text, size_t len, uint8_t *out, size_t *out_len)
{
    if (len > 0 && len % 4 == 0 && text[len - 1] == '=')
        len -= text[len - 2] == '=' ? 2 : 1;
    if (len % 4 == 1)
        return false;

    uint32_t bits = 0;
    unsigned held = 0; // bits of `bits` that are not written yet
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        int six = sextet(text[i]);
        if (six < 0)
            return false;
        bits = bits << 6 | (uint32_t)six;
        held += 6;
        if (held >= 8) {
            held -= 8;
            out[n++] = (uint8_t)(bits >> held);
        }
    }
    if ((bits & ((1u << held) - 1)) != 0)
        return false;
    *out_len = n;
    return true;
}
