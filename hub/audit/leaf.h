/* leaf.h - what a leaf of the hub's log commits to, so that whoever is shown an entry can see that it is the one.
 *
 *     content = SHA-256(payload salt, payload); 32 zero bytes if the entry never had a payload
 *     leaf    = SHA-256(salt, length of the entry (8 bytes, little-endian), entry, content)
 *
 * Salts are 32 random bytes: without them a leaf says nothing about its entry, not even to one who tries every entry
 * that there could be. They are erased with what they cover; an entry can still be shown when its payload and that
 * one's salt have gone, since the content's hash stays. The leaf is the *data* of the tree's leaf: its hash in the tree
 * is merkle_leaf of these 32 bytes. Pure; any thread. */
#ifndef CAREHUB_LEAF_H
#define CAREHUB_LEAF_H

#include <stddef.h>
#include <stdint.h>

enum { LEAF_DATA_BYTES = 32, LEAF_SALT_BYTES = 32, LEAF_CONTENT_BYTES = 32 };

void leaf_content(const uint8_t salt[LEAF_SALT_BYTES], const void *payload, size_t size,
                  uint8_t content[LEAF_CONTENT_BYTES]);

void leaf_commitment(const uint8_t salt[LEAF_SALT_BYTES], const void *entry, size_t size,
                     const uint8_t content[LEAF_CONTENT_BYTES], uint8_t leaf[LEAF_DATA_BYTES]);

#endif
