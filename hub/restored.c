#include "restored.h"

#include <glob.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* Backups are older than what was erased since. */
static void tell_erased(const struct restore *restore, const char *taken)
{
    if (!restore->erased_known) {
        printf("Whoever was erased after %s is in the hub again. Erase them once more: carehub erase\n", taken);
        return;
    }
    if (restore->n_erased == 0) {
        puts("Nobody who is in it has been erased since.");
        return;
    }
    printf("Erased since, and in the hub again now. Erase each once more, when the hub runs:\n");
    for (size_t i = 0; i < restore->n_erased; i++)
        if (restore->erased[i].person)
            printf("  carehub erase --patient P%llu --reason TEXT\n", (unsigned long long)restore->erased[i].person);
        else
            printf("  carehub erase --actor %s --reason TEXT\n", restore->erased[i].name);
    if (restore->erased_more)
        puts("  … and more than these, whom your own records of erasures name.");
}

/* The old database, and those that earlier restores have left. */
static void tell_replaced(const struct restore *restore)
{
    char pattern[RESTORE_PATH_BYTES + 16];
    glob_t found;
    if (restore->replaced[0])
        printf("The database that was there is kept as %s.\n", restore->replaced);
    snprintf(pattern, sizeof pattern, "%s.replaced-*", restore->database_path);
    if (glob(pattern, 0, NULL, &found) != 0)
        return;
    printf(
        "Such an old database (there %s) holds everything that it held, also of persons who are erased later: remove "
        "it when\nit is needed no more.\n",
        found.gl_pathc == 1 ? "is one" : "are several: *.replaced-*");
    globfree(&found);
}

static void tell_log(const char *tlog_directory)
{
    if (!tlog_directory)
        return;
    if (access(tlog_directory, F_OK) != 0)
        printf(
            "The audit log's directory %s is not there. If the old one can still be had, put it there before the hub "
            "is\nstarted: what was published of the log is in it.\n",
            tlog_directory);
    puts("What was published of the audit log goes further than this backup: nothing is signed until an auditor says "
         "what "
         "happened\n(carehub audit resume --reason TEXT), and with that a new log begins, with a number behind its "
         "name. "
         "The old one stays.");
}

void restored_tell(const struct restore *restore, const char *tlog_directory)
{
    char taken[32];
    time_t taken_s = (time_t)(restore->taken_ms / 1000);
    struct tm time;
    strftime(taken, sizeof taken, "%Y-%m-%d %H:%M UTC", gmtime_r(&taken_s, &time));
    printf("Restored: %s is again what it was on %s, and ends at entry %llu; %llu rows were checked, all sound.\n",
           restore->database_path, taken, (unsigned long long)restore->place, (unsigned long long)restore->rows);
    tell_erased(restore, taken);
    tell_replaced(restore);
    tell_log(tlog_directory);
    puts("Start carehubd, then see `carehub status`.");
}
