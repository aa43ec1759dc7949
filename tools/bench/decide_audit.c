/* What the audit log costs: see decide.h. */
#include "decide.h"

#include <ftw.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "store/vault.h"

enum { ENTRY_BYTES = 700, PAYLOAD_BYTES = 500, LEAVES = 20000 };

static double thread_s(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Two salts, and the two hashes of leaf.h, of an event of the size that is published here. */
double decide_leaf(struct vault *vault)
{
    static uint8_t entry[ENTRY_BYTES], payload[PAYLOAD_BYTES];
    uint8_t salts[2][SALT_BYTES], content[CONTENT_BYTES], leaf[LEAF_BYTES];
    double from = thread_s();
    for (int i = 0; i < LEAVES; i++) {
        vault_random(vault, salts, sizeof salts);
        vault_content(vault, salts[0], payload, sizeof payload, content);
        vault_leaf(vault, salts[1], entry, sizeof entry, content, leaf);
    }
    return (thread_s() - from) * 1e6 / LEAVES;
}

void decide_work_apart(void *ctx, void (*job)(void *arg), void *arg)
{
    double from = thread_s();
    job(arg);
    *(double *)ctx += thread_s() - from;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *at)
{
    (void)info, (void)type, (void)at;
    return remove(path);
}

void decide_remove(const char *directory)
{
    nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
