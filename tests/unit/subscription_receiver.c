#include "subscription_receiver.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <arpa/inet.h>

#include <json-c/json_object.h>
#include <json-c/json_tokener.h>
#include <microhttpd.h>

enum { BODY_MAX = 1 << 20, TEXT = 128 };

struct receiver {
    struct MHD_Daemon *daemon;
    pthread_mutex_t lock;
    int status;
    size_t n;
    char types[RECEIVED_MAX][32];
    int statuses[RECEIVED_MAX];
    char last[BODY_MAX], shown[BODY_MAX], authorization[TEXT], authorization_shown[TEXT];
    char focus[RECEIVED_EVENTS_MAX][TEXT]; // by number
    bool taken[RECEIVED_EVENTS_MAX], mixed_up, disordered;
    uint64_t highest;
};

struct body {
    size_t len;
    char bytes[BODY_MAX];
};

// ---- Reading a notification

static const char *string_in(struct json_object *object, const char *name)
{
    struct json_object *value;
    return json_object_object_get_ex(object, name, &value) ? json_object_get_string(value) : "";
}

static void note_event(struct receiver *self, struct json_object *parts)
{
    uint64_t number = 0;
    const char *focus = "";
    for (size_t i = 0; i < json_object_array_length(parts); i++) {
        struct json_object *part = json_object_array_get_idx(parts, i), *reference;
        if (strcmp(string_in(part, "name"), "event-number") == 0)
            number = strtoull(string_in(part, "valueString"), NULL, 10);
        if (strcmp(string_in(part, "name"), "focus") == 0 &&
            json_object_object_get_ex(part, "valueReference", &reference))
            focus = string_in(reference, "reference");
    }
    if (number == 0 || number >= RECEIVED_EVENTS_MAX) {
        self->mixed_up = true;
        return;
    }
    if (self->taken[number] && strcmp(self->focus[number], focus) != 0)
        self->mixed_up = true;
    if (!self->taken[number] && number != self->highest + 1)
        self->disordered = true;
    self->taken[number] = true;
    if (number > self->highest)
        self->highest = number;
    snprintf(self->focus[number], TEXT, "%s", focus);
}

static void note_parameters(struct receiver *self, struct json_object *parameters, int status)
{
    for (size_t i = 0; i < json_object_array_length(parameters); i++) {
        struct json_object *one = json_object_array_get_idx(parameters, i), *parts;
        if (strcmp(string_in(one, "name"), "type") == 0)
            snprintf(self->types[self->n], sizeof self->types[0], "%s", string_in(one, "valueCode"));
        if (status / 100 == 2 && json_object_object_get_ex(one, "part", &parts))
            note_event(self, parts);
    }
}

static void note(struct receiver *self, const struct body *body, const char *authorization, int status)
{
    struct json_object *tree = json_tokener_parse(body->bytes), *entries, *resource, *parameters;
    if (self->n == RECEIVED_MAX)
        abort();
    snprintf(self->last, sizeof self->last, "%s", body->bytes);
    snprintf(self->authorization, sizeof self->authorization, "%s", authorization ? authorization : "");
    self->statuses[self->n] = status;
    if (json_object_object_get_ex(tree, "entry", &entries) &&
        json_object_object_get_ex(json_object_array_get_idx(entries, 0), "resource", &resource) &&
        json_object_object_get_ex(resource, "parameter", &parameters))
        note_parameters(self, parameters, status);
    self->n++;
    json_object_put(tree);
}

// ---- The server

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *data, size_t *size, void **own)
{
    struct receiver *self = arg;
    struct body *body = *own;
    (void)url, (void)method, (void)version;
    if (!body) {
        *own = calloc(1, sizeof *body);
        return MHD_YES;
    }
    if (*size > 0) {
        size_t part = *size < BODY_MAX - 1 - body->len ? *size : BODY_MAX - 1 - body->len;
        memcpy(body->bytes + body->len, data, part);
        body->len += part;
        *size = 0;
        return MHD_YES;
    }
    pthread_mutex_lock(&self->lock);
    int status = self->status;
    note(self, body, MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Authorization"), status);
    pthread_mutex_unlock(&self->lock);
    struct MHD_Response *response = MHD_create_response_from_buffer(0, (void *)"", MHD_RESPMEM_PERSISTENT);
    enum MHD_Result result = MHD_queue_response(connection, (unsigned)status, response);
    MHD_destroy_response(response);
    return result;
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **own, enum MHD_RequestTerminationCode code)
{
    (void)arg, (void)connection, (void)code;
    free(*own);
}

struct receiver *receiver_new(void)
{
    struct receiver *self = calloc(1, sizeof *self);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    pthread_mutex_init(&self->lock, NULL);
    self->status = 200;
    self->daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_AUTO, 0, NULL, NULL, on_request, self,
                                    MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL,
                                    MHD_OPTION_END);
    if (!self->daemon)
        abort();
    return self;
}

void receiver_destroy(struct receiver **self)
{
    MHD_stop_daemon((*self)->daemon);
    pthread_mutex_destroy(&(*self)->lock);
    free(*self);
    *self = NULL;
}

unsigned receiver_port(const struct receiver *self)
{
    return MHD_get_daemon_info(self->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
}

// ---- What the test asks

void receiver_answer(struct receiver *self, int status)
{
    pthread_mutex_lock(&self->lock);
    self->status = status;
    pthread_mutex_unlock(&self->lock);
}

void receiver_forget(struct receiver *self)
{
    pthread_mutex_lock(&self->lock);
    self->n = 0;
    memset(self->taken, 0, sizeof self->taken);
    self->mixed_up = self->disordered = false;
    self->highest = 0;
    pthread_mutex_unlock(&self->lock);
}

size_t receiver_count(struct receiver *self)
{
    pthread_mutex_lock(&self->lock);
    size_t n = self->n;
    pthread_mutex_unlock(&self->lock);
    return n;
}

size_t receiver_taken(struct receiver *self, const char *type)
{
    size_t count = 0;
    pthread_mutex_lock(&self->lock);
    for (size_t i = 0; i < self->n; i++)
        count += self->statuses[i] / 100 == 2 && strcmp(self->types[i], type) == 0;
    pthread_mutex_unlock(&self->lock);
    return count;
}

const char *receiver_last(struct receiver *self)
{
    pthread_mutex_lock(&self->lock);
    memcpy(self->shown, self->last, sizeof self->shown);
    pthread_mutex_unlock(&self->lock);
    return self->shown;
}

const char *receiver_authorization(struct receiver *self)
{
    pthread_mutex_lock(&self->lock);
    memcpy(self->authorization_shown, self->authorization, sizeof self->authorization_shown);
    pthread_mutex_unlock(&self->lock);
    return self->authorization_shown;
}

bool receiver_numbers(struct receiver *self, size_t *count, uint64_t *highest)
{
    pthread_mutex_lock(&self->lock);
    bool ok = !self->mixed_up;
    *count = 0;
    for (size_t i = 1; i <= self->highest; i++) {
        *count += self->taken[i];
        for (size_t k = 1; k < i && ok; k++)
            ok = !self->taken[i] || !self->taken[k] || self->focus[i][0] == '\0' ||
                 strcmp(self->focus[i], self->focus[k]) != 0;
    }
    *highest = self->highest;
    pthread_mutex_unlock(&self->lock);
    return ok;
}

bool receiver_in_order(struct receiver *self)
{
    pthread_mutex_lock(&self->lock);
    bool ok = !self->disordered;
    pthread_mutex_unlock(&self->lock);
    return ok;
}
