// What the tests of the hl7v2 plug-in share: configurations as text, events as JSON. Persons and numbers are invented.
#ifndef CAREHUB_TEST_HL7V2_PLUGIN_CASE_H
#define CAREHUB_TEST_HL7V2_PLUGIN_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "carehub_adapter.h"
#include "pbjson.h"
#include "settings.h"

#define NOW_MS INT64_C(1772400000000) // 1 March 2026, 21:20 UTC
#define SSIN "38041200177"

extern const struct carehub_format carehub_format;

// A configuration as it would be in a file. Freed with settings_tree_free.
static inline struct carehub_setting *settings_of(const char *text)
{
    char path[] = "/tmp/carehub-test-XXXXXX", error[CAREHUB_ERROR_BYTES];
    int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(write(file, text, strlen(text)), strlen(text));
    close(file);
    struct carehub_setting *tree = settings_tree_load(path, error);
    unlink(path);
    if (tree == NULL)
        fail_msg("%s", error);
    return tree;
}

// The format, configured; NULL with the reason in error.
static inline void *configured(const char *text, char error[CAREHUB_ERROR_BYTES])
{
    struct carehub_setting *tree = settings_of(text);
    const struct carehub_setting *section = setting_named(tree, "format");
    assert_non_null(section);
    void *self = carehub_format.configure(section, "/", error);
    settings_tree_free(&tree);
    return self;
}

static inline Carehub__V1__Event *event_of(const char *json)
{
    struct pbjson_error error;
    ProtobufCMessage *event = pbjson_parse(&carehub__v1__event__descriptor, json, strlen(json), PBJSON_UUID, &error);
    if (event == NULL)
        fail_msg("%s: expected %s in %s", error.path, error.expected, json);
    return (Carehub__V1__Event *)event;
}

#endif
