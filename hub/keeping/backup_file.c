#include "backup_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

static const char format[] =
    "carehub backup 1\nhub %s\nid %s\nepoch %" PRIu32 "\nplace %" PRIu64 "\ntaken %" PRId64 "\n\n";

size_t backup_header_write(const struct backup_header *header, char text[BACKUP_HEADER_MAX_BYTES])
{
    char id[2 * BACKUP_ID_BYTES + 1];
    sodium_bin2hex(id, sizeof id, header->id, sizeof header->id);
    return (size_t)snprintf(text, BACKUP_HEADER_MAX_BYTES, format, header->hub, id, header->epoch, header->place,
                            header->taken_ms);
}

/* What was read is written again and compared: there is one form only. */
size_t backup_header_read(const char *text, size_t size, struct backup_header *header)
{
    char copy[BACKUP_HEADER_MAX_BYTES], id[2 * BACKUP_ID_BYTES + 1];
    size_t n = size < sizeof copy - 1 ? size : sizeof copy - 1;
    memcpy(copy, text, n);
    copy[n] = '\0';
    char *end = strstr(copy, "\n\n");
    if (!end)
        return 0;
    end[2] = '\0';
    *header = (struct backup_header){0};
    if (sscanf(copy, "carehub backup 1\nhub %64s\nid %32s\nepoch %" SCNu32 "\nplace %" SCNu64 "\ntaken %" SCNd64, /* */
               header->hub, id, &header->epoch, &header->place, &header->taken_ms) != 5 ||
        sodium_hex2bin(header->id, sizeof header->id, id, strlen(id), NULL, &n, NULL) != 0 || n != sizeof header->id)
        return 0;
    char again[BACKUP_HEADER_MAX_BYTES];
    n = backup_header_write(header, again);
    return strcmp(again, copy) == 0 ? n : 0;
}

void backup_seal_init(struct backup_seal *seal, const uint8_t epoch_key[VAULT_KEY_BYTES],
                      const struct backup_header *header)
{
    char text[BACKUP_HEADER_MAX_BYTES];
    size_t size = backup_header_write(header, text);
    crypto_generichash_state state;
    crypto_generichash_init(&state, epoch_key, VAULT_KEY_BYTES, sizeof seal->key);
    crypto_generichash_update(&state, (const uint8_t *)"backup", sizeof "backup");
    crypto_generichash_update(&state, header->id, sizeof header->id);
    crypto_generichash_final(&state, seal->key, sizeof seal->key);
    crypto_generichash(seal->header_hash, sizeof seal->header_hash, (const uint8_t *)text, size, NULL, 0);
    sodium_memzero(&state, sizeof state);
}

struct chunk_ad {
    uint8_t header_hash[32];
    uint64_t index, last;
};

static struct chunk_ad chunk_ad(const struct backup_seal *seal, uint64_t index, bool last)
{
    struct chunk_ad ad = {.index = index, .last = last};
    memcpy(ad.header_hash, seal->header_hash, sizeof ad.header_hash);
    return ad;
}

void backup_chunk_seal(const struct backup_seal *seal, struct vault *vault, uint64_t index, bool last,
                       const void *plain, size_t size, uint8_t *out)
{
    struct chunk_ad ad = chunk_ad(seal, index, last);
    vault_seal(vault, seal->key, &ad, sizeof ad, plain, size, out);
}

bool backup_chunk_open(const struct backup_seal *seal, uint64_t index, bool last, const uint8_t *sealed, size_t size,
                       uint8_t *out)
{
    struct chunk_ad ad = chunk_ad(seal, index, last);
    return vault_open(seal->key, &ad, sizeof ad, sealed, size, out);
}
