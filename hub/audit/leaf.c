#include "leaf.h"

#include <string.h>

#include "merkle.h"

void leaf_content(const uint8_t salt[LEAF_SALT_BYTES], const void *payload, size_t size,
                  uint8_t hash[LEAF_CONTENT_BYTES])
{
    audit_sha256(salt, LEAF_SALT_BYTES, payload, size, NULL, 0, hash);
}

void leaf_commitment(const uint8_t salt[LEAF_SALT_BYTES], const void *entry, size_t size,
                     const uint8_t content[LEAF_CONTENT_BYTES], uint8_t leaf[LEAF_DATA_BYTES])
{
    uint8_t head[LEAF_SALT_BYTES + 8];
    memcpy(head, salt, LEAF_SALT_BYTES);
    for (unsigned i = 0; i < 8; i++)
        head[LEAF_SALT_BYTES + i] = (uint8_t)((uint64_t)size >> (8 * i));
    audit_sha256(head, sizeof head, entry, size, content, LEAF_CONTENT_BYTES, leaf);
}
