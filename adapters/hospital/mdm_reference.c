// A document as a reference: its number, and type, size and digest of the content that came along.
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <sodium.h>

#include "mdm_internal.h"

#define MEDIA_TYPE_BYTES 128u
#define OBX_MAX 64u // segments that are looked at for content

void mdm_number(const struct adt_job *job, ptrdiff_t txa, unsigned field, char out[MDM_ID_BYTES])
{
    adt_copy(job, adt_at(job, txa, field, 1), out, MDM_ID_BYTES);
}

// Who gave out the number (EI): as configured, else its universal id or namespace, else the sending system.
static void set_system(struct adt_job *job, ptrdiff_t txa, Carehub__V1__Reference *reference)
{
    char text[ADT_NATIVE_SENDER_BYTES + 16], universal[ADT_CODE_MAX_BYTES + 1], kind[16];
    if (job->in->sender->document_system != NULL) {
        adt_set_text(job, &reference->system, job->in->sender->document_system);
        return;
    }
    adt_copy(job, adt_at(job, txa, 12, 3), universal, sizeof universal);
    adt_copy(job, adt_at(job, txa, 12, 4), kind, sizeof kind);
    adt_copy(job, adt_at(job, txa, 12, 2), text, sizeof text);
    if (universal[0] != '\0')
        snprintf(text, sizeof text, "%s%s", strcmp(kind, "ISO") == 0 ? "urn:oid:" : "", universal);
    if (text[0] == '\0') {
        adt_native_sender(job, text);
        *strchr(text, '|') = '/';
    }
    adt_set_text(job, &reference->system, text);
}

// ---- The content

// A name of the tables 0191, 0291 and 0834, or of RFC 2046, in lower case; "" when it has characters of neither.
static void media_name(const char *name, char out[MEDIA_TYPE_BYTES / 2])
{
    static const struct {
        const char *from, *to;
    } names[] = {{"AP", "application"}, {"AU", "audio"}, {"IM", "image"}, {"NS", "image"},
                 {"SD", "image"},       {"SI", "image"}, {"FT", "text"},  {"TX", "text"}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcasecmp(names[i].from, name) == 0)
            name = names[i].to;
    size_t len = 0;
    for (; len < MEDIA_TYPE_BYTES / 2 - 1 && name[len] != '\0'; len++) {
        if (!isalnum((unsigned char)name[len]) && strchr("-+._/", name[len]) == NULL) {
            len = 0;
            break;
        }
        out[len] = (char)tolower((unsigned char)name[len]);
    }
    out[len] = '\0';
}

// Type and subtype at these components of OBX-5; some systems write both in one.
static void set_media_type(struct adt_job *job, Carehub__V1__Reference *reference, ptrdiff_t obx, unsigned component)
{
    char sent[MEDIA_TYPE_BYTES / 2], type[MEDIA_TYPE_BYTES / 2], subtype[MEDIA_TYPE_BYTES / 2];
    char whole[MEDIA_TYPE_BYTES + 1];
    adt_copy(job, adt_at(job, obx, 5, component), sent, sizeof sent);
    media_name(sent, type);
    adt_copy(job, adt_at(job, obx, 5, component + 1), sent, sizeof sent);
    media_name(sent, subtype);
    if (strchr(subtype, '/') != NULL)
        snprintf(whole, sizeof whole, "%s", subtype);
    else if (strchr(type, '/') != NULL)
        snprintf(whole, sizeof whole, "%s", type);
    else if (type[0] != '\0' && subtype[0] != '\0')
        snprintf(whole, sizeof whole, "%s/%s", type, subtype);
    else if (strcmp(type, "text") == 0)
        snprintf(whole, sizeof whole, "text/plain");
    else
        return;
    adt_set_text(job, &reference->media_type, whole);
}

// Digest and size of encapsulated data (ED): the bytes that a reader of the document sees, without their encoding.
static void set_content(struct adt_job *job, Carehub__V1__Reference *reference, ptrdiff_t obx)
{
    struct hl7v2_value data = hl7v2_segment_get(job->message, (size_t)obx, 5, 1, 5, 0);
    char encoding[16];
    uint8_t digest[crypto_hash_sha256_BYTES];
    if (data.presence != HL7V2_VALUED)
        return;
    char *text = malloc(data.len + 1);
    uint8_t *bytes = malloc(data.len + 1);
    size_t len = 0;
    bool read = true;
    adt_copy(job, adt_at(job, obx, 5, 4), encoding, sizeof encoding);
    if (text == NULL || bytes == NULL) {
        job->no_memory = true;
        read = false;
    } else {
        size_t text_len = hl7v2_unescape(job->message, data, text, data.len + 1);
        if (text_len > data.len)
            text_len = data.len; // cut
        if (strcasecmp(encoding, "Base64") == 0)
            read = sodium_base642bin(bytes, data.len, text, text_len, " \t\r\n", &len, NULL,
                                     sodium_base64_VARIANT_ORIGINAL) == 0;
        else if (strcasecmp(encoding, "Hex") == 0)
            read = sodium_hex2bin(bytes, data.len, text, text_len, " \t\r\n", &len, NULL) == 0;
        else
            memcpy(bytes, text, len = text_len);
    }
    if (!read)
        adt_remark(job, "content-unreadable");
    else if (len > 0) {
        crypto_hash_sha256(digest, bytes, len);
        adt_set_bytes(job, &reference->sha256, digest, sizeof digest);
        reference->size_bytes = len;
    }
    free(text);
    free(bytes);
}

// The first OBX with encapsulated data is the document. Text over several OBX has no bytes that two systems would agree
// about, so it has a type and no digest. A pointer (RP) has a type.
static void take_content(struct adt_job *job, Carehub__V1__Reference *reference)
{
    char type[8];
    for (unsigned i = 0; i < OBX_MAX; i++) {
        ptrdiff_t obx = hl7v2_segment_find(job->message, "OBX", i);
        if (obx < 0)
            return;
        adt_copy(job, adt_at(job, obx, 2, 1), type, sizeof type);
        bool any = adt_at(job, obx, 5, 0).presence == HL7V2_VALUED;
        if (any && strcmp(type, "ED") == 0) {
            set_media_type(job, reference, obx, 2);
            set_content(job, reference, obx);
            return;
        }
        if (any && strcmp(type, "RP") == 0)
            set_media_type(job, reference, obx, 3);
        else if (any && (strcmp(type, "TX") == 0 || strcmp(type, "FT") == 0) && reference->media_type[0] == '\0')
            adt_set_text(job, &reference->media_type, "text/plain");
    }
}

Carehub__V1__Reference *mdm_reference(struct adt_job *job, ptrdiff_t txa)
{
    char number[MDM_ID_BYTES];
    mdm_number(job, txa, 12, number);
    Carehub__V1__Reference *reference = NULL;
    if (number[0] != '\0')
        reference = adt_message_new(job, &carehub__v1__reference__descriptor);
    if (reference == NULL)
        return NULL;
    adt_set_text(job, &reference->id, number);
    set_system(job, txa, reference);
    take_content(job, reference);
    return reference;
}
