/* subscribe.c - receives what comes into an inbox, and acknowledges each delivery, until Ctrl-C.
 *
 *     cc subscribe.c $(pkg-config --cflags --libs carehub) -o subscribe
 *     ./subscribe client.cfg apotheek-peeters */
#include <carehub.h>
#include <signal.h>
#include <stdio.h>

static void on_state(void *arg, enum carehub_state state, const char *error)
{
    (void)arg;
    fprintf(stderr, "%s\n", state == CAREHUB_CONNECTED ? "connected" : error ? error : "connecting");
}

static void on_attached(void *arg, carehub_subscription *subscription, int status, const char *error)
{
    (void)arg;
    (void)subscription;
    fprintf(stderr, "%s\n", status == CAREHUB_OK ? "attached" : error);
}

/* Runs on the library's thread. A real program stores the event here, before it acknowledges. */
static void on_delivery(void *arg, carehub_subscription *subscription, const struct carehub_delivery *delivery)
{
    (void)arg;
    printf("number %llu, place %llu: type %d, %zu bytes%s\n", (unsigned long long)delivery->number,
           (unsigned long long)delivery->place, (int)delivery->event->type, delivery->size,
           delivery->attempt > 1 ? ", sent before" : "");
    fflush(stdout);
    carehub_ack(subscription, delivery->lane, delivery->number, CAREHUB__V1__ACK_KIND__STORED);
}

int main(int argc, char **argv)
{
    struct carehub_options options;
    carehub_client *client = NULL;
    carehub_subscription *subscription = NULL;
    sigset_t signals;
    int signal_number;

    if (argc != 3) {
        fprintf(stderr, "usage: %s CONFIG INBOX\n", argv[0]);
        return 2;
    }
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL); /* before there are threads: they inherit it */

    int result = carehub_options_load(&options, argv[1]);
    if (result == CAREHUB_OK) {
        options.on_state = on_state;
        result = carehub_open(&client, &options);
        carehub_options_free(&options);
    }
    struct carehub_subscribe_options inbox = {
        .inbox = argv[2],
        .on_delivery = on_delivery,
        .on_attached = on_attached,
    };
    if (result == CAREHUB_OK)
        result = carehub_subscribe(client, &inbox, &subscription);
    if (result == CAREHUB_OK)
        sigwait(&signals, &signal_number);
    else
        fprintf(stderr, "%s: %s\n", carehub_strerror(result), carehub_error());
    carehub_close(&client); /* ends the subscription too */
    return result == CAREHUB_OK ? 0 : 1;
}
