#include "names.h"

#include <string.h>

#include "hub_limits.h"
#include "note.h"

enum { ORIGIN_MAX_BYTES = 200 };

bool hub_name_usable(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";
    size_t length = strlen(name);
    return length > 0 && length <= NAME_MAX_BYTES && strspn(name, allowed) == length;
}

bool log_origin_usable(const char *origin)
{
    const char *slash = strrchr(origin, '/');
    uint64_t number;
    if (strlen(origin) > ORIGIN_MAX_BYTES || !vkey_name_usable(origin) || strstr(origin, "://"))
        return false;
    if (!slash)
        return true;
    return slash[1] != '\0' && !(decimal_read(slash + 1, strlen(slash + 1), &number) && number >= 2);
}
