/* certificates.h - certificates for tests, made on the fly: an authority, a server's for 127.0.0.1, a client's, and a
 * client's of an authority that nobody knows. */
#ifndef CAREHUB_TEST_CERTIFICATES_H
#define CAREHUB_TEST_CERTIFICATES_H

#include <limits.h>

struct certificates {
    char folder[64];
    char ca[PATH_MAX], server[PATH_MAX], server_key[PATH_MAX], client[PATH_MAX], client_key[PATH_MAX],
        stranger[PATH_MAX], stranger_key[PATH_MAX]; /* PEM files */
};

#define CERTIFICATES_CLIENT_NAME "tablet-7"

/* Makes them in a folder of their own; fails the test if that cannot be. */
void certificates_make(struct certificates *self);
void certificates_remove(struct certificates *self);

#endif
