/* Whatever a file begins with, the reader of backup headers refuses it, or has found the one way of writing it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "keeping/backup_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct backup_header header;
    char text[BACKUP_HEADER_MAX_BYTES];
    size_t read = backup_header_read((const char *)data, size, &header);
    if (read && (read > size || backup_header_write(&header, text) != read || memcmp(text, data, read) != 0))
        abort();
    return 0;
}
