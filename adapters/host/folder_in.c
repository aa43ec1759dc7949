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
#include "log_line.h"
#include "settings.h"
#include "transport.h"

enum {
    SCAN_MS = 3000, /* also where the system tells of changes: it may miss some */
    RETRY_FIRST_MS = 1000,
    RETRY_LONGEST_MS = 60 * 1000,
    AGAIN_MIN_MS = 50,           /* until a file that changes is looked at again */
    CHANGING_MAX_MS = 60 * 1000, /* a file that changes for longer holds up no others */
    REPORT_BYTES = CAREHUB_ERROR_BYTES + CAREHUB_NATIVE_ID_BYTES + CAREHUB_WHERE_BYTES + CAREHUB_RULE_BYTES + 256,
};

struct folder_settings {
    int transport;
    char *path;
    int keep;
    int64_t settle_ms;
    int64_t message_max_bytes;
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
    size_t at;                  /* the next name of the listing */
    struct folder_arrival *now; /* what waits for its outcome, or NULL */
    uint64_t retry_ms;          /* 0: the last one could be taken */
    uint64_t not_before_ms;     /* of the loop's clock */
    ino_t changing;             /* a file that is being written, and since when */
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
        {.name = "transport",
         .kind = SETTING_CHOICE,
         .offset = offsetof(struct folder_settings, transport),
         .choices = transports},
        {.name = "path",
         .kind = SETTING_PATH,
         .offset = offsetof(struct folder_settings, path),
         .required = true,
         .example = "drop"},
        {.name = "keep", .kind = SETTING_CHOICE, .offset = offsetof(struct folder_settings, keep), .choices = no_yes},
        {.name = "settle-ms",
         .kind = SETTING_NUMBER,
         .offset = offsetof(struct folder_settings, settle_ms),
         .max = 600 * 1000},
        {.name = "message-max-bytes",
         .kind = SETTING_NUMBER,
         .offset = offsetof(struct folder_settings, message_max_bytes),
         .min = 1024,
         .max = 64 << 20},
    };
    *settings = (struct folder_settings){.keep = 1, .settle_ms = 500, .message_max_bytes = 16 << 20};
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

static size_t add_line(char *out, size_t used, const char *name, const char *text)
{
    int len = text[0] ? snprintf(out + used, REPORT_BYTES - used, "%-6s %s\n", name, text) : 0;
    return used + (size_t)len < REPORT_BYTES ? used + (size_t)len : REPORT_BYTES - 1;
}

/* Which message, where, what and by which rule; nothing of what is in the file. */
static void write_report(const struct arrival *arrival, const struct carehub_message *message,
                         const struct carehub_outcome *outcome, char *out)
{
    bool native = outcome->fault == CAREHUB_FAULT_NATIVE && message->problem.what[0];
    size_t used = 0;
    if (arrival->n_messages > 1)
        used = (size_t)snprintf(out, REPORT_BYTES,
                                "%zu of the file's %zu messages were refused, the others were taken; the adapter's log "
                                "names each.\nThe first of them:\n",
                                arrival->n_refused, arrival->n_messages);
    used = add_line(out, used, "which:", arrival->n_messages > 1 ? message->native_id : "");
    used = add_line(out, used, "where:", native ? message->problem.where : "");
    used = add_line(out, used, "what:", native ? message->problem.what : outcome->text);
    add_line(out, used, "rule:", native ? message->problem.rule : "");
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
    char report[REPORT_BYTES];
    self->now = NULL;
    if (outcome->fault == CAREHUB_FAULT_UNAVAILABLE) {
        back_off(self);
    } else if (outcome->fault == CAREHUB_FAULT_NONE) {
        put_away(self, a->name, &a->file, NULL);
    } else {
        write_report(arrival, message, outcome, report);
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

static void on_timer(uv_timer_t *timer)
{
    struct folder *self = timer->data;
    if (self->now || self->quiet)
        return;
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
