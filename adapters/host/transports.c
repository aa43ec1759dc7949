#include <string.h>

#include "transport.h"

static const struct transport_in *const all_in[] = {&transport_in_mllp, &transport_in_http, &transport_in_folder};
static const struct transport_out *const all_out[] = {&transport_out_mllp, &transport_out_http, &transport_out_folder};

const struct transport_in *transport_in_named(const char *name)
{
    for (size_t i = 0; i < sizeof all_in / sizeof *all_in; i++)
        if (strcmp(all_in[i]->name, name) == 0)
            return all_in[i];
    return NULL;
}

const struct transport_out *transport_out_named(const char *name)
{
    for (size_t i = 0; i < sizeof all_out / sizeof *all_out; i++)
        if (strcmp(all_out[i]->name, name) == 0)
            return all_out[i];
    return NULL;
}
