/* log_sqlite.h - what the files of the embedded log share (log_sqlite.c, log_convert.c). */
#ifndef CAREHUB_LOG_SQLITE_H
#define CAREHUB_LOG_SQLITE_H

#include "log.h"

struct log_sqlite {
    struct log log;
    struct store *store;
    struct vault *vault;
    struct arena seal;
    struct arena sealed_payload; /* of the entry that was read last */
    size_t sealed_size;
    uint8_t *sealed;
};

/* What the seals of an entry's body ('e'), its payload ('p'), and of what stays of an erased one ('x') are bound to. */
struct entry_ad {
    char part;
    uint64_t place;
    int64_t at_ms;
    uint8_t leaf[LEAF_BYTES];
};

struct entry_ad entry_ad(char part, const struct log_record *record);

/* Salts a record and fills in its leaf. */
void log_sqlite_salt(struct log_sqlite *self, struct log_record *record);
/* Seals a record that has been salted, and binds leaf, body and payload at `first` and behind. They live in self->seal,
 * which the caller resets when the statement has run. */
void log_sqlite_bind(struct log_sqlite *self, const struct log_record *record,
                     const uint8_t subject_key[VAULT_KEY_BYTES], sqlite3_stmt *statement, int first);

/* Brings the entries of a database of schema 3 into the form of this version. */
void log_convert(struct log_sqlite *self);

#endif
