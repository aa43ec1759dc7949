/* carehub keygen: makes a key pair. */
#include <string.h>

#include "nouns.h"
#include "session.h"

static int run_keygen(const struct args *args)
{
    const char *path = args_value(args, 0);
    struct carehub_keypair pair;
    int result = carehub_keygen(&pair);
    if (result == CAREHUB_OK)
        result = carehub_key_save(&pair, path);
    explicit_bzero(pair.secret_key, sizeof pair.secret_key);
    if (result != CAREHUB_OK)
        return fail(EXIT_NO, "Nothing is overwritten: choose another name, or move that file away.", "%s",
                    carehub_error());
    char key[2 * CAREHUB_KEY_BYTES + 1];
    for (size_t i = 0; i < CAREHUB_KEY_BYTES; i++)
        snprintf(key + 2 * i, 3, "%02x", pair.public_key[i]);
    if (args_flag(args, "json"))
        print_json_pairs("publicKey", key, NULL);
    else
        printf("%s\n", key);
    return EXIT_OK;
}

const struct command keygen_commands[] = {
    {
        .summary = "make a key pair, and print its public half",
        .arguments = {{"FILE", "the key file to make; it must not exist yet"}},
        .detail = "The file is readable by you alone. It must not be copied: a client on another machine "
                  "gets a key of "
                  "its own.",
        .example = "carehub keygen pharmis.key",
        .run = run_keygen,
    },
    {0},
};
