/* publish.c - publishes one event, a patient's discharge, and waits until the hub has it on stable storage.
 *
 *     cc publish.c $(pkg-config --cflags --libs carehub) -o publish
 *     ./publish client.cfg 79120100163
 *
 * client.cfg:   endpoint = "tcp://127.0.0.1:7460"
 *               hub-key = <64 hexadecimal digits>
 *               key-file = client.key */
#include <carehub.h>
#include <stdio.h>
#include <time.h>

enum { TIMEOUT_MS = 10000 };

static int publish_discharge(carehub_client *client, char *ssin, uint64_t *place)
{
    Carehub__V1__Identifier identifier = CAREHUB__V1__IDENTIFIER__INIT;
    Carehub__V1__Patient patient = CAREHUB__V1__PATIENT__INIT;
    Carehub__V1__Time now = CAREHUB__V1__TIME__INIT;
    Carehub__V1__HospitalDischarge discharge = CAREHUB__V1__HOSPITAL_DISCHARGE__INIT;
    Carehub__V1__Event event = CAREHUB__V1__EVENT__INIT;

    identifier.system = "ssin";
    identifier.value = ssin;
    patient.n_identifiers = 1;
    patient.identifiers = (Carehub__V1__Identifier *[]){&identifier};
    now.unix_ms = (int64_t)time(NULL) * 1000;
    now.precision = CAREHUB__V1__PRECISION__PRECISION_SECOND;
    discharge.encounter_id = "E-2041";
    discharge.discharged_at = &now;
    discharge.discharged_at_origin = CAREHUB__V1__TIME_ORIGIN__STATED;
    event.type = CAREHUB__V1__EVENT_TYPE__HOSPITAL_DISCHARGE;
    event.patient = &patient;
    event.occurred_at = &now;
    event.body_case = CAREHUB__V1__EVENT__BODY_HOSPITAL_DISCHARGE;
    event.hospital_discharge = &discharge;
    return carehub_publish_wait(client, &event, TIMEOUT_MS, place); /* the id is filled in */
}

int main(int argc, char **argv)
{
    struct carehub_options options;
    carehub_client *client = NULL;
    uint64_t place = 0;

    if (argc != 3) {
        fprintf(stderr, "usage: %s CONFIG SSIN\n", argv[0]);
        return 2;
    }
    int result = carehub_options_load(&options, argv[1]);
    if (result == CAREHUB_OK) {
        result = carehub_open(&client, &options);
        carehub_options_free(&options);
    }
    if (result == CAREHUB_OK)
        result = carehub_wait_connected(client, TIMEOUT_MS);
    if (result == CAREHUB_OK)
        result = publish_discharge(client, argv[2], &place);
    if (result == CAREHUB_OK)
        printf("confirmed at place %llu\n", (unsigned long long)place);
    else
        fprintf(stderr, "%s: %s\n", carehub_strerror(result), carehub_error());
    carehub_close(&client);
    return result == CAREHUB_OK ? 0 : 1;
}
