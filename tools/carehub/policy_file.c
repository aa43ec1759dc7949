#include "policy_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub_limits.h"
#include "term.h"

int policy_file_read(const char *path, char **text, struct policy **policy)
{
    char error[POLICY_ERROR_BYTES];
    FILE *file = fopen(path, "re");
    if (!file)
        return fail(EXIT_NO, NULL, "cannot read %s: %s", path, strerror(errno));
    *text = malloc(POLICY_MAX_BYTES + 1);
    if (!*text)
        abort();
    size_t size = fread(*text, 1, POLICY_MAX_BYTES + 1, file);
    bool failed = ferror(file) != 0;
    fclose(file);
    struct policy *read = NULL;
    if (failed)
        snprintf(error, sizeof error, "it cannot be read");
    else if (size > POLICY_MAX_BYTES)
        snprintf(error, sizeof error, "it is longer than %d KiB", POLICY_MAX_BYTES >> 10);
    else
        read = policy_read(*text, size, error);
    if (!read) {
        free(*text);
        *text = NULL;
        return fail(EXIT_NO, "Nothing was changed. Correct the file and check it again with `carehub policy check`.",
                    "%s: %s", path, error);
    }
    (*text)[size] = '\0';
    if (policy)
        *policy = read;
    else
        policy_destroy(&read);
    return EXIT_OK;
}
