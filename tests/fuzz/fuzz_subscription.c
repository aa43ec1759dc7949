// Any bytes as a Subscription: it is refused with a reason, or what is written of it reads the same again.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json_object.h>

#include "subscription_resource.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct json_object *write_of(const struct subscription_resource *resource)
{
    const struct subscription_state state = {"0190d000-0000-7000-8000-000000000001", SUBSCRIPTION_ACTIVE, "", 1,
                                             INT64_C(1772400000000)};
    return subscription_write(resource, &state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct problems problems = {0};
    struct subscription_resource *first = subscription_read(data, size, &problems);
    if (!first) {
        if (problems.errors == 0)
            abort();
        return 0;
    }
    struct json_object *once = write_of(first);
    size_t len;
    const char *text = json_object_to_json_string_length(once, JSON_C_TO_STRING_PLAIN, &len);
    struct subscription_resource *second = subscription_read(text, len, &problems);
    if (!second)
        abort();
    struct json_object *twice = write_of(second);
    if (!json_object_equal(once, twice))
        abort();
    json_object_put(once);
    json_object_put(twice);
    subscription_destroy(&first);
    subscription_destroy(&second);
    return 0;
}
