/* The folder transport: takes the files of a folder as messages, in the order of their names, one at a time. A file is
 * put away only when its outcome is known, so whatever happens it is taken at least once; the host recognises repeats.
 * Loop thread only. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "folder_in_files.h"
#include "folder_report.h"
#include "log_line.h"
#include "settings.h"
#include "transport.h"

enum {
    SCAN_MS = 3000, /* also where the system tells of changes: it may miss some */
    RETRY_FIRST_MS = 1000,
    RETRY_LONGEST_MS = 60 * 1000,
    AGAIN_MIN_MS = 50,           /* until a file that changes is looked at again */
    CHANGING_MAX_MS = 60 * 1000, /* a file that changes for longer holds up no others */
    EXPIRE_MS = 60 * 60 * 1000,
};

#define DAY_MS INT64_C(86400000)

struct folder_settings {
    int transport;
    char *path;
    int keep;
    int64_t settle_ms;
    int64_t message_max_bytes;
    int64_t keep_days, failed_days; /* 0: for ever */
};

struct folder {
    uv_timer_t timer; /* for the next look */
    uv_fs_event_t watch;
    int handles; /* not yet closed */
    struct folder_settings settings;
    struct folder_files files;
    arrival_fn *take;
    transport_notice_fn *notice;
    void *arg;
    size_t at;                          /* the next name of the listing */
    struct folder_arrival *now;         /* what waits for its outcome, or NULL */
    uint64_t retry_ms;                  /* 0: the last one could be taken */
    uint64_t not_before_ms;             /* of the loop's clock */
    int64_t (*time_ms)(void *time_arg); /* or NULL */
    void *time_arg;
    uint64_t expire_due_ms; /* of the loop's clock: what was put away long ago */
    ino_t changing;         /* a file that is being written, and since when */
    uint64_t changing_since_ms;
    bool quiet;
};

struct folder_arrival {
    struct arrival head; /* first */
    struct folder *folder;
    struct folder_file file;
    char name[];
};

/* ---- Settings --------------------------------------------------------------------------------------------------- */

static bool read_settings(struct folder_settings *settings, const struct transport_in_options *options,
                          char error[CAREHUB_ERROR_BYTES])
{
    static const char *const transports[] = {"folder", NULL}, *const no_yes[] = {"no", "yes", NULL};
    static const struct setting_rule rules[] = {
        {"transport", SETTING_CHOICE, offsetof(struct folder_settings, transport), 0, 0, transports, false, NULL},
        {"path", SETTING_PATH, offsetof(struct folder_settings, path), 0, 0, NULL, true, "drop"},
        {"keep", SETTING_CHOICE, offsetof(struct folder_settings, keep), 0, 0, no_yes, false, NULL},
        {"keep-days", SETTING_NUMBER, offsetof(struct folder_settings, keep_days), 0, 3650, NULL, false, NULL},
        {"failed-days", SETTING_NUMBER, offsetof(struct folder_settings, failed_days), 0, 3650, NULL, false, NULL},
        {"settle-ms", SETTING_NUMBER, offsetof(struct folder_settings, settle_ms), 0, 600 * 1000, NULL, false, NULL},
        {"message-max-bytes", SETTING_NUMBER, offsetof(struct folder_settings, message_max_bytes), 1024, 64 << 20, NULL,
         false, NULL},
    };
    *settings = (struct folder_settings){
        .keep = 1, .settle_ms = 500, .message_max_bytes = 16 << 20, .keep_days = 30, .failed_days = 365};
    bool ok = settings_read(options->section, "in/folder", options->folder, rules, sizeof rules / sizeof *rules,
                            settings, error);
    if (!ok)
        settings_clear(rules, sizeof rules / sizeof *rules, settings);
    return ok;
}

static bool check(const struct transport_in_options *options, char error[CAREHUB_ERROR_BYTES])
{
    struct folder_settings settings;
    if (!read_settings(&settings, options, error))
        return false;
    bool ok =
        access(settings.path, R_OK | W_OK | X_OK) == 0 ||
        settings_complain(error, "in/folder", "%s: %s; it has to be a folder that this program may read and write",
                          settings.path, strerror(errno));
    free(settings.path);
    return ok;
}

/* ---- The next look ---------------------------------------------------------------------------------------------- */

static void on_timer(uv_timer_t *timer);

/* Looks again in so many ms, but not while something waits for its outcome, nor before a retry is due. */
static void look_in(struct folder *self, uint64_t wait_ms)
{
    uint64_t now_ms = uv_now(self->timer.loop);
    if (self->now || self->quiet)
        return;
    if (self->not_before_ms > now_ms + wait_ms)
        wait_ms = self->not_before_ms - now_ms;
    uv_timer_start(&self->timer, on_timer, wait_ms, 0);
}

static void back_off(struct folder *self)
{
    self->retry_ms = self->retry_ms == 0 ? RETRY_FIRST_MS : 2 * self->retry_ms;
    if (self->retry_ms > RETRY_LONGEST_MS)
        self->retry_ms = RETRY_LONGEST_MS;
    self->not_before_ms = uv_now(self->timer.loop) + self->retry_ms;
}

/* The file cannot be dealt with now: it stays, and so does its turn. */
static void trouble(struct folder *self, const char *what)
{
    LOG_LINE(LOG_LEVEL_ERROR, "%s: %s: %s; tried again", self->settings.path, what, strerror(errno));
    back_off(self);
}

/* ---- Outcomes --------------------------------------------------------------------------------------------------- */

static void put_away(struct folder *self, const char *name, const struct folder_file *file, const char *problem)
{
    bool ok =
        problem ? folder_files_fail(&self->files, name, file, problem) : folder_files_finish(&self->files, name, file);
    if (!ok) {
        trouble(self, problem ? "a file cannot be moved to failed/" : "a file that was taken cannot be put away");
        return;
    }
    if (problem) /* names of files can say whom they are about, so they are in failed/ alone */
        LOG_LINE(LOG_LEVEL_WARNING, "%s: a file was refused; it is in failed/, and what is wrong with it", //
                 self->settings.path);
    self->retry_ms = self->not_before_ms = 0;
    self->at++;
}

static void reply(struct arrival *arrival, const struct carehub_reply *given)
{
    (void)arrival, (void)given; /* there is nobody to answer */
}

static void answered(struct arrival *arrival, const struct carehub_message *message,
                     const struct carehub_outcome *outcome)
{
    struct folder_arrival *a = (struct folder_arrival *)arrival;
    struct folder *self = a->folder;
    char report[FOLDER_REPORT_BYTES];
    self->now = NULL;
    if (outcome->fault == CAREHUB_FAULT_UNAVAILABLE) {
        back_off(self);
    } else if (outcome->fault == CAREHUB_FAULT_NONE) {
        put_away(self, a->name, &a->file, NULL);
    } else {
        folder_report(arrival, message, outcome, report);
        put_away(self, a->name, &a->file, report);
    }
    free(a->head.bytes);
    free(a);
    look_in(self, 0);
}

/* ---- Taking ----------------------------------------------------------------------------------------------------- */

static void hand_over(struct folder *self, const char *name, const struct folder_file *file, uint8_t *bytes)
{
    size_t name_size = strlen(name) + 1;
    struct folder_arrival *a = calloc(1, sizeof *a + name_size);
    if (!a) {
        free(bytes);
        trouble(self, "a file cannot be taken");
        look_in(self, SCAN_MS);
        return;
    }
    memcpy(a->name, name, name_size);
    a->folder = self;
    a->file = *file;
    a->head = (struct arrival){.transport = &transport_in_folder, .bytes = bytes, .connection = 1};
    a->head.native = (struct carehub_native){.bytes = bytes,
                                             .len = (size_t)file->size,
                                             .received_ms = wall_clock_ms(),
                                             .transport = "folder",
                                             .peer = "",
                                             .name = a->name,
                                             .method = "",
                                             .content_type = "",
                                             .idempotency_key = ""};
    self->now = a;
    self->take(self->arg, &a->head);
}

/* Whether it has been let alone for long enough. Others wait for one that has not, for the sake of order, but not for
 * ever. */
static bool is_complete(struct folder *self, const struct folder_file *file)
{
    uint64_t now_ms = uv_now(self->timer.loop);
    int64_t age_ms = folder_file_age_ms(file);
    if (age_ms >= self->settings.settle_ms)
        return true;
    if (self->changing != file->inode) {
        self->changing = file->inode;
        self->changing_since_ms = now_ms;
    }
    /* The time of the change is of the future where clocks were set back: then what counts is how long we wait. */
    return age_ms < 0 && now_ms - self->changing_since_ms >= (uint64_t)self->settings.settle_ms;
}

static bool is_passed_over(const struct folder *self, const struct folder_file *file)
{
    return self->changing == file->inode && uv_now(self->timer.loop) - self->changing_since_ms >= CHANGING_MAX_MS;
}

/* Looks again when a file that is being written may be complete. */
static void look_in_after_settling(struct folder *self)
{
    look_in(self, self->settings.settle_ms > AGAIN_MIN_MS ? (uint64_t)self->settings.settle_ms : AGAIN_MIN_MS);
}

/* Deals with one file, or goes on to the next. */
static void take_file(struct folder *self, const char *name)
{
    struct folder_file file;
    char text[128];
    if (folder_files_look(&self->files, name, &file) != FOLDER_FILE) {
        self->at++;
        look_in(self, 0);
    } else if (!is_complete(self, &file)) {
        if (is_passed_over(self, &file)) {
            LOG_LINE(LOG_LEVEL_WARNING, "%s: a file changes all the time; others no longer wait for it",
                     self->settings.path);
            self->at++;
        }
        look_in_after_settling(self);
    } else if (file.size > self->settings.message_max_bytes) {
        snprintf(text, sizeof text, "what:  the file is larger than message-max-bytes allows (%lld bytes)\n",
                 (long long)self->settings.message_max_bytes);
        self->notice(self->arg, true);
        put_away(self, name, &file, text);
        look_in(self, 0);
    } else {
        uint8_t *bytes = folder_files_read(&self->files, name, &file);
        if (bytes) {
            hand_over(self, name, &file, bytes);
        } else {
            if (errno != EAGAIN && errno != ENOENT) /* it changed, or went: that is seen next time */
                trouble(self, "a file cannot be read");
            look_in_after_settling(self);
        }
    }
}

/* Removes what was put away long ago; a part of it, if it is much. */
static void expire(struct folder *self)
{
    const struct folder_settings *settings = &self->settings;
    uint64_t now_ms = uv_now(self->timer.loop);
    if (!self->time_ms || now_ms < self->expire_due_ms)
        return;
    int64_t time_ms = self->time_ms(self->time_arg);
    int removed =
        folder_files_expire(&self->files, settings->keep_days > 0 ? time_ms - settings->keep_days * DAY_MS : INT64_MIN,
                            settings->failed_days > 0 ? time_ms - settings->failed_days * DAY_MS : INT64_MIN);
    if (removed < 0)
        LOG_LINE(LOG_LEVEL_WARNING, "%s: old files in done/ and failed/ cannot be removed: %s", settings->path,
                 strerror(errno));
    else if (removed > 0)
        LOG_LINE(LOG_LEVEL_INFO,
                 "%s: removed %d files from done/ and failed/ that were there for keep-days and "
                 "failed-days",
                 settings->path, removed);
    self->expire_due_ms = now_ms + (removed >= FOLDER_EXPIRE_MAX ? SCAN_MS : EXPIRE_MS);
}

static void on_timer(uv_timer_t *timer)
{
    struct folder *self = timer->data;
    if (self->now || self->quiet)
        return;
    expire(self);
    if (self->at >= self->files.count) {
        self->at = 0;
        if (!folder_files_list(&self->files))
            trouble(self, "the folder cannot be listed");
        if (self->files.count == 0) {
            look_in(self, SCAN_MS);
            return;
        }
    }
    take_file(self, self->files.names[self->at]);
}

static void on_change(uv_fs_event_t *watch, const char *name, int events, int status)
{
    struct folder *self = watch->data;
    (void)name, (void)events, (void)status;
    if (self->at >= self->files.count) /* else it is looked at soon anyway */
        look_in(self, 0);
}

/* ---- The folder ------------------------------------------------------------------------------------------------- */

static void folder_free(struct folder *self)
{
    folder_files_close(&self->files);
    free(self->settings.path);
    free(self);
}

static void *folder_open(uv_loop_t *loop, const struct transport_in_options *options, char error[CAREHUB_ERROR_BYTES])
{
    struct folder *self = calloc(1, sizeof *self);
    const char *what;
    if (!self) {
        settings_complain(error, "in/folder", "out of memory");
        return NULL;
    }
    if (!read_settings(&self->settings, options, error)) {
        free(self);
        return NULL;
    }
    if (!folder_files_open(&self->files, self->settings.path, self->settings.keep, &what)) {
        settings_complain(error, "in/folder", "%s: %s cannot be used: %s", self->settings.path, what, strerror(errno));
        folder_free(self);
        return NULL;
    }
    self->take = options->take;
    self->notice = options->notice;
    self->arg = options->arg;
    self->time_ms = options->time_ms;
    self->time_arg = options->time_arg;
    uv_timer_init(loop, &self->timer);
    uv_fs_event_init(loop, &self->watch);
    self->timer.data = self->watch.data = self;
    self->handles = 2;
    if (uv_fs_event_start(&self->watch, on_change, self->settings.path, 0) != 0)
        LOG_LINE(LOG_LEVEL_WARNING, "%s: the system tells nothing of changes here; looked at every %d ms instead",
                 self->settings.path, SCAN_MS);
    look_in(self, 0);
    return self;
}

static void endpoint(const void *self, char *out, size_t size)
{
    snprintf(out, size, "%s", ((const struct folder *)self)->settings.path);
}

static void quiesce(void *self)
{
    struct folder *folder = self;
    folder->quiet = true;
    uv_timer_stop(&folder->timer);
    uv_fs_event_stop(&folder->watch);
}

static void on_closed(uv_handle_t *handle)
{
    struct folder *self = handle->data;
    if (--self->handles == 0)
        folder_free(self);
}

static void folder_close(void *self)
{
    struct folder *folder = self;
    quiesce(folder);
    uv_close((uv_handle_t *)&folder->timer, on_closed);
    uv_close((uv_handle_t *)&folder->watch, on_closed);
}

const struct transport_in transport_in_folder = {
    .name = "folder",
    .check = check,
    .open = folder_open,
    .endpoint = endpoint,
    .reply = reply,
    .answered = answered,
    .quiesce = quiesce,
    .close = folder_close,
};
