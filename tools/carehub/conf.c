#include "conf.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "term.h"

/* Makes the directory's entry of a new file durable. */
static int sync_directory(const char *path)
{
    char *copy = strdup(path);
    int fd = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    int result = fd < 0 ? -1 : fsync(fd);
    if (fd >= 0)
        close(fd);
    free(copy);
    return result;
}

int file_write(const char *path, unsigned mode, const void *bytes, unsigned long size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return fail(EXIT_NO, errno == EEXIST ? "Nothing is overwritten: move it away first." : NULL,
                    "cannot make %s: %s", path, strerror(errno));
    size_t done = 0;
    while (done < size) {
        ssize_t n = write(fd, (const char *)bytes + done, size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    bool kept = done == size && fsync(fd) == 0;
    kept &= close(fd) == 0;
    if (!kept || sync_directory(path) != 0) {
        int error = errno;
        unlink(path);
        return fail(EXIT_NO, NULL, "cannot write %s: %s", path, strerror(error));
    }
    return EXIT_OK;
}

int conf_write(const struct conf *conf, const char *path)
{
    char key[65], *text;
    for (size_t i = 0; i < sizeof conf->hub_key; i++)
        snprintf(key + 2 * i, 3, "%02x", conf->hub_key[i]);
    int n = asprintf(&text,
                     "# How %s reaches its hub. Paths start at this file's own directory.\n"
                     "endpoint = %s\n"
                     "hub-key = %s\n"
                     "key-file = %s\n"
                     "%s%s%s",
                     conf->client, conf->endpoint, key, conf->key_file, conf->spool ? "spool-dir = " : "",
                     conf->spool ? conf->spool : "", conf->spool ? "\n" : "");
    if (n < 0)
        abort();
    int code = file_write(path, 0600, text, (unsigned long)n);
    free(text);
    return code;
}
