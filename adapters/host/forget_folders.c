/* forget_folders.c - the files that were put away in a drop folder. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "forget.h"
#include "settings.h"

/* By its name or what is in it. False with errno when that cannot be known. */
static bool look(int folder, const char *name, const struct person *person, bool *found)
{
    struct stat st;
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    *found = false;
    if (fd < 0)
        return errno == ENOENT || errno == ELOOP;
    bool ok = fstat(fd, &st) == 0;
    if (ok && S_ISREG(st.st_mode)) {
        void *bytes = st.st_size > 0 ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
        ok = bytes != MAP_FAILED;
        *found = person_in_bytes(person, false, name, strlen(name)) ||
                 (ok && bytes && person_in_bytes(person, false, bytes, (size_t)st.st_size));
        if (ok && bytes)
            munmap(bytes, (size_t)st.st_size);
    }
    int saved = errno;
    close(fd);
    errno = saved;
    return ok;
}

static bool handle(int folder, const struct person *person, bool removes, uint64_t *count)
{
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = fd >= 0 ? fdopendir(fd) : NULL;
    bool ok = entries != NULL, found;
    if (!entries && fd >= 0)
        close(fd);
    for (const struct dirent *entry; ok && (errno = 0, entry = readdir(entries));) {
        ok = look(folder, entry->d_name, person, &found);
        *count += ok && found;
        if (ok && found && removes)
            ok = unlinkat(folder, entry->d_name, 0) == 0;
    }
    ok = ok && errno == 0 && fsync(folder) == 0;
    if (entries)
        closedir(entries);
    return ok;
}

bool forget_in_folder(const char *path, const struct person *person, bool only_count, struct forgotten *forgotten,
                      char error[CAREHUB_ERROR_BYTES])
{
    static const char *const names[] = {"done", "failed"};
    uint64_t *counts[] = {&forgotten->done_files, &forgotten->failed_files};
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = folder >= 0 || errno == ENOENT;
    for (int i = 0; ok && folder >= 0 && i < 2; i++) {
        int fd = openat(folder, names[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        ok = fd < 0 ? errno == ENOENT : handle(fd, person, !only_count && i == 0, counts[i]);
        if (fd >= 0)
            close(fd);
    }
    if (!ok)
        settings_complain(error, "in/folder", "%s: what was put away in it cannot be looked through: %s", path,
                          strerror(errno));
    if (folder >= 0)
        close(folder);
    return ok;
}
