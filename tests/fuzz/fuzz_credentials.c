/* Any bytes as a credentials file, as an Authorization header, and as an address to listen on. What is accepted holds
 * what its header promises. */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "credentials.h"
#include "listen_address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A file in memory with these bytes; `path` is its name. */
static int make_file(const void *bytes, size_t size, char path[32])
{
    int fd = memfd_create("credentials", MFD_CLOEXEC);
    assert(fd >= 0 && fchmod(fd, 0600) == 0);
    assert(write(fd, bytes, size) == (ssize_t)size);
    snprintf(path, 32, "/proc/self/fd/%d", fd);
    return fd;
}

static void as_file(const uint8_t *data, size_t size)
{
    char path[32], error[256] = "", name[CREDENTIALS_NAME_BYTES];
    int fd = make_file(data, size, path);
    struct credentials *credentials = credentials_new(path, error, sizeof error);
    assert((credentials == NULL) == (error[0] != '\0'));
    if (credentials)
        assert(!credentials_check(credentials, "Bearer no token of anybody", name) && name[0] == '\0');
    credentials_destroy(&credentials);
    close(fd);
}

static void as_header(const char *text)
{
    /* SHA-256 of "token". */
    static const char line[] = "somebody 3c469e9d6c5875d37a43f353d4f88e61fcf812c66eee3457465a40b0da4153e0\n";
    static struct credentials *credentials;
    char name[CREDENTIALS_NAME_BYTES], error[256];
    if (!credentials) {
        char path[32];
        int fd = make_file(line, sizeof line - 1, path);
        credentials = credentials_new(path, error, sizeof error);
        assert(credentials);
        close(fd);
        assert(credentials_check(credentials, "Bearer token", name) && strcmp(name, "somebody") == 0);
        assert(credentials_check(credentials, "Basic c29tZWJvZHk6dG9rZW4=", name));
    }
    bool found = credentials_check(credentials, text, name);
    assert(found == (name[0] != '\0') && (!found || strcmp(name, "somebody") == 0));
}

static void as_address(const char *text)
{
    struct sockaddr_storage address = {0}, again = {0};
    char out[LISTEN_TEXT_BYTES];
    if (!listen_address_parse(text, &address))
        return;
    listen_address_text(&address, out, sizeof out);
    assert(listen_address_parse(out, &again) && memcmp(&address, &again, sizeof address) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > 4096)
        return -1;
    char *text = strndup((const char *)data + 1, size - 1);
    if (data[0] % 3 == 0)
        as_file(data + 1, size - 1);
    else if (data[0] % 3 == 1)
        as_header(text);
    else
        as_address(text);
    free(text);
    return 0;
}
