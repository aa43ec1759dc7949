/* Pages go to the database's file without what rows that are gone have left in them.
 *
 * PRAGMA secure_delete overwrites a row that is deleted, where it is. But when SQLite moves rows between the pages of a
 * B-tree it leaves their old bytes in the part of a page that is not in use, and if such a row is deleted later only
 * its new place is overwritten. In WAL mode the database's file is written by checkpoints alone, whole pages at a time;
 * here the unused part of each is blanked on its way. A crash half-way leaves nothing but a page to be written again.
 *
 * https://www.sqlite.org/fileformat2.html, section 1.6: a B-tree page begins with its kind (2, 5, 10 or 13; on page 1
 * behind the 100 bytes of the file's header); its cells' pointers follow an 8 or 12 byte header; between them and the
 * cells' content is what is not in use. Other pages begin with the number of another page, big-endian: as long as the
 * file has fewer than 2^25 pages (128 GiB), their first byte is 0 or 1, and they are left as they are. */
#include "store_private.h"

#include <stdlib.h>
#include <string.h>

enum { FILE_HEADER_BYTES = 100, PAGE_MIN_BYTES = 512, PAGE_MAX_BYTES = 65536, PAGES_MAX = 1 << 25 };

struct clean {
    sqlite3_io_methods methods; /* first: the file points here */
    const sqlite3_io_methods *real;
    sqlite3_int64 end; /* of the file, as far as it is known */
    uint8_t page[PAGE_MAX_BYTES];
};

static size_t number_at(const uint8_t *at)
{
    return (size_t)at[0] << 8 | at[1];
}

/* Blanks what is not in use of a B-tree page; whatever does not look like one is left alone. */
static void blank(uint8_t *page, size_t size, size_t header)
{
    uint8_t kind = page[header];
    if (kind != 2 && kind != 5 && kind != 10 && kind != 13)
        return;
    size_t pointers = header + (kind == 2 || kind == 5 ? 12 : 8) + 2 * number_at(page + header + 3);
    size_t content = number_at(page + header + 5);
    if (content == 0)
        content = PAGE_MAX_BYTES;
    if (pointers < content && content <= size)
        memset(page + pointers, 0, content - pointers);
}

static int write_clean(sqlite3_file *file, const void *bytes, int size, sqlite3_int64 offset)
{
    struct clean *clean = (struct clean *)file->pMethods;
    if (offset + size > clean->end)
        clean->end = offset + size;
    if (size < PAGE_MIN_BYTES || size > PAGE_MAX_BYTES || (size & (size - 1)) != 0 || offset % size != 0 ||
        clean->end / size >= PAGES_MAX)
        return clean->real->xWrite(file, bytes, size, offset);
    memcpy(clean->page, bytes, (size_t)size);
    blank(clean->page, (size_t)size, offset == 0 ? FILE_HEADER_BYTES : 0);
    return clean->real->xWrite(file, clean->page, size, offset);
}

bool store_clean_attach(struct store *store)
{
    sqlite3_file *file = NULL;
    if (sqlite3_file_control(store->db, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK || !file->pMethods)
        return false;
    struct clean *clean = xcalloc(1, sizeof *clean);
    clean->real = file->pMethods;
    clean->methods = *file->pMethods;
    clean->methods.xWrite = write_clean;
    if (clean->real->xFileSize(file, &clean->end) != SQLITE_OK) {
        free(clean);
        return false;
    }
    file->pMethods = &clean->methods;
    store->clean = clean;
    return true;
}

void store_clean_detach(struct store *store)
{
    sqlite3_file *file = NULL;
    if (store->clean && sqlite3_file_control(store->db, "main", SQLITE_FCNTL_FILE_POINTER, &file) == SQLITE_OK)
        file->pMethods = store->clean->real;
    free(store->clean);
    store->clean = NULL;
}
