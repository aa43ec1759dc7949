/* carehub audit verify --tiles: the files of a log alone, on any machine; and those of the logs that the hub's
 * directory holds beside the first one, in 2, 3…, each begun after a loss. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit.h"
#include "audit_check.h"

enum { LOGS_MAX = 1000 };

struct verify_files {
    const struct args *args;
    struct vkey key;
    bool key_given;
    struct checkpoint_file since;
    bool since_compared;
    struct witness_keys witnesses;
    bool beside; /* the log is one of several in the directory */
};

/* The number of a log, by its name: "…/2" and higher are begun after a loss. */
static uint64_t log_number(const struct verify_files *verify, const char *origin)
{
    const char *slash = strrchr(origin, '/');
    uint64_t number = 1;
    if (verify->key_given)
        return audit_generation(origin, &verify->key);
    if (slash && decimal_read(slash + 1, strlen(slash + 1), &number) && number >= 2)
        return number;
    return 1;
}

static void tell_sound(const struct verify_files *verify, const struct directory_check *directory, uint64_t cosigned)
{
    const struct check *check = &directory->check;
    char text[COUNT_CHARS];
    uint64_t without = tile_first_entry(check->minimum), number = log_number(verify, check->checkpoint.origin);
    printf("%s: %s entries, every one of them and every file is what the checkpoint says%s.\n",
           check->checkpoint.origin, count_text(check->checkpoint.size, text),
           check->since ? ", and the log begins with the older one" : "");
    if (number > 1)
        printf("It is not the first log of that name but number %llu: the one before it ended in a loss. %s\n",
               (unsigned long long)number,
               verify->beside ? "Each is verified by itself." : "That one is not in this directory.");
    if (without)
        printf("But for the first %s, which are pruned: of them there are only the hashes that lead to the "
               "checkpoint's root, and these are right.\n",
               count_text(without, text));
    if (directory->files.pruned)
        printf("%s files of what is pruned are still there, and were not looked at.\n",
               count_text(directory->files.pruned, text));
    if (cosigned && verify->witnesses.n)
        printf("Its first %s entries are cosigned by %s.\n", count_text(cosigned, text),
               verify->witnesses.n == 1 ? verify->witnesses.keys[0].name : "every witness that was named");
    if (!verify->key_given)
        puts("Whether the hub signed this was not checked: that needs --key.");
}

static void tell_sound_json(const struct verify_files *verify, const struct directory_check *directory,
                            uint64_t cosigned)
{
    char size[COUNT_CHARS], pruned[COUNT_CHARS], number[COUNT_CHARS], witnessed[COUNT_CHARS];
    const struct checkpoint *checkpoint = &directory->check.checkpoint;
    print_json_pairs("verified", "yes", "directory", directory->path, "origin", checkpoint->origin, "log",
                     digits_text(log_number(verify, checkpoint->origin), number), "entries",
                     digits_text(checkpoint->size, size), "pruned",
                     digits_text(tile_first_entry(directory->check.minimum), pruned), "cosigned",
                     digits_text(cosigned, witnessed), "signature", verify->key_given ? "good" : "not checked", NULL);
}

/* The checkpoint that witnesses have cosigned, which may be an older one than the last. Not there: a zeroed one. */
static int read_witnessed(const struct verify_files *verify, const struct directory_check *directory,
                          struct checkpoint_file *file)
{
    char path[SESSION_PATH_BYTES];
    snprintf(path, sizeof path, "%s/" WITNESSED_FILE, directory->path);
    if (access(path, F_OK) != 0 && errno == ENOENT)
        return EXIT_OK;
    int code = checkpoint_file_read(file, path);
    if (code == EXIT_OK && verify->key_given)
        code = checkpoint_file_verify(file, &verify->key, path);
    if (code == EXIT_OK &&
        (strcmp(file->checkpoint.origin, directory->check.checkpoint.origin) != 0 ||
         !directory_begins_with(directory->path, directory->check.checkpoint.size, &file->checkpoint)))
        code = fail(EXIT_NO, "Keep the directory: if both are signed, the log was altered.",
                    "%s is of another log than the checkpoint beside it, or covers more than that", path);
    return code;
}

/* How many entries every witness that was named has cosigned. */
static int check_witnesses(const struct verify_files *verify, const struct directory_check *directory,
                           const struct checkpoint_file *last, uint64_t *cosigned)
{
    struct checkpoint_file witnessed = {0};
    *cosigned = 0;
    int code = read_witnessed(verify, directory, &witnessed);
    const struct checkpoint_file *of = last;
    if (code == EXIT_OK && witnessed.text && witnesses_cosigned(&verify->witnesses, &last->note) < verify->witnesses.n)
        of = &witnessed;
    if (code == EXIT_OK && verify->witnesses.n > 0)
        code = witnesses_check(&verify->witnesses, &of->note);
    if (code == EXIT_OK && verify->witnesses.n > 0)
        *cosigned = of->checkpoint.size;
    checkpoint_file_end(&witnessed);
    return code;
}

/* Its checkpoint, signed by the key; and how far it was pruned. */
static int open_log(struct verify_files *verify, struct directory_check *directory, struct checkpoint_file *checkpoint)
{
    char path[SESSION_PATH_BYTES];
    const struct checkpoint *since = verify->since.text ? &verify->since.checkpoint : NULL;
    snprintf(path, sizeof path, "%s/" CHECKPOINT_FILE, directory->path);
    int code = checkpoint_file_read(checkpoint, path);
    if (code == EXIT_OK && verify->key_given)
        code = checkpoint_file_verify(checkpoint, &verify->key, path);
    if (code == EXIT_OK)
        code = minimum_read(directory->path, &checkpoint->checkpoint, verify->key_given ? &verify->key : NULL,
                            &directory->check.minimum);
    if (code == EXIT_OK && directory->check.minimum > checkpoint->checkpoint.size)
        code = fail(EXIT_NO, "The checkpoint is an older one than belongs there.",
                    "%s/" MINIMUM_FILE " says that more was pruned than the checkpoint covers", directory->path);
    directory->check.checkpoint = checkpoint->checkpoint;
    if (since && strcmp(since->origin, checkpoint->checkpoint.origin) == 0) {
        directory->check.since = since;
        verify->since_compared = true;
    }
    return code;
}

static int verify_log(struct verify_files *verify, const char *path)
{
    struct directory_check *directory = calloc(1, sizeof *directory);
    struct checkpoint_file checkpoint = {0};
    uint64_t cosigned;
    if (!directory)
        abort();
    directory->path = path;
    int code = open_log(verify, directory, &checkpoint);
    if (code == EXIT_OK && !directory_check(directory))
        code = directory_tell(directory, NULL);
    if (code == EXIT_OK)
        code = check_witnesses(verify, directory, &checkpoint, &cosigned);
    if (code == EXIT_OK && args_flag(verify->args, "json"))
        tell_sound_json(verify, directory, cosigned);
    else if (code == EXIT_OK)
        tell_sound(verify, directory, cosigned);
    checkpoint_file_end(&checkpoint);
    free(directory);
    return code;
}

/* The logs in a directory: the one that it is of, and those that were begun after it. What is wrong with one does not
 * keep the others from being looked at. */
static int verify_logs(struct verify_files *verify, const char *directory)
{
    char path[SESSION_PATH_BYTES], file[SESSION_PATH_BYTES + sizeof "/" CHECKPOINT_FILE];
    int worst = verify_log(verify, directory);
    verify->beside = true;
    for (unsigned number = 2; number <= LOGS_MAX; number++) {
        snprintf(path, sizeof path, "%s/%u", directory, number);
        snprintf(file, sizeof file, "%s/" CHECKPOINT_FILE, path);
        if (access(file, F_OK) != 0)
            continue;
        int code = verify_log(verify, path);
        worst = worst ? worst : code;
    }
    return worst;
}

int audit_verify_files(const struct args *args, const char *directory)
{
    struct verify_files verify = {.args = args};
    const char *since = args_option(args, "since");
    int code = audit_key(args, &verify.key, &verify.key_given);
    if (code == EXIT_OK)
        code = witness_keys_read(args, &verify.witnesses);
    if (code == EXIT_OK && since)
        code = checkpoint_file_read(&verify.since, since);
    if (code == EXIT_OK && since && verify.key_given)
        code = checkpoint_file_verify(&verify.since, &verify.key, since);
    if (code == EXIT_OK)
        code = verify_logs(&verify, directory);
    if (code == EXIT_OK && since && !verify.since_compared)
        code = fail(EXIT_NO, "A log that was begun after a loss has a number behind its name; each is one log.",
                    "the older checkpoint is of another log: %s", verify.since.checkpoint.origin);
    checkpoint_file_end(&verify.since);
    return code;
}
