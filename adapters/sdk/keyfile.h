/* keyfile.h - keys as hexadecimal text, and small private files. */
#ifndef SDK_KEYFILE_H
#define SDK_KEYFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KEY_HEX_CHARS = 64 };

/* Reads exactly 64 hexadecimal digits (then NUL or anything else). */
bool key_from_hex(const char *hex, uint8_t key[32]);
void key_to_hex(const uint8_t key[32], char hex[KEY_HEX_CHARS + 1]);

/* Writes a new file, mode 0600, durable with its name; refuses to overwrite. CAREHUB_OK or CAREHUB_IO. */
int private_file_write(const char *path, const void *data, size_t size);

/* Reads a whole file of at most `room` bytes that nobody else may read. Returns CAREHUB_OK, CAREHUB_IO (errno says
 * why) or CAREHUB_CONFIG (too large, or its mode lets others read it). */
int private_file_read(const char *path, void *data, size_t room, size_t *size);

/* Makes the entries of the folder that holds `path` durable. Returns false with errno. */
bool folder_sync(const char *path);

#endif
