/* bench_route.c - what the routing decision costs, on one core: bench_route [EVENTS]. The team is a normal
 * one of eight, with two grants and a consent; every candidate is delivered to. Not a test: it has no
 * threshold. */
#include <inttypes.h>
#include <time.h>

#include "route_case.h"

/* Of processor time: what else runs on the machine does not count. */
static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    static struct route_case c;
    static char *const team[] = {"gp",          "pharmacist", "home-nurse", "home-care",
                                 "coordinator", "person",     "gp",         "home-nurse"};
    uint64_t events = argc > 1 ? strtoull(argv[1], NULL, 10) : 2000000, deliveries = 0;
    struct policy *policy = case_policy("    HospitalDischarge\n        gp = clinical\n        pharmacist = clinical\n"
                                        "        home-nurse = clinical\n        home-care = care\n"
                                        "        coordinator = care\n        case-manager = care\n"
                                        "        insurer = administrative\n        person = clinical\n");
    case_empty(&c, policy);
    for (uint32_t i = 0; i < sizeof team / sizeof *team; i++)
        case_member(&c, 2 + i, team[i]);
    case_grant(&c, 10, "insurer", CAREHUB__V1__GRANT_KIND__INSURANCE);
    case_grant(&c, 11, "case-manager", CAREHUB__V1__GRANT_KIND__CASE_MANAGEMENT);
    case_consent(&c, LEVEL(LEVEL_NONE));

    struct route_decision out[ROUTE_DECISIONS_MAX];
    double start = seconds();
    for (uint64_t i = 0; i < events; i++) {
        c.in.now_ms = NOW_MS + (int64_t)(i & 1); /* nothing can be kept from one event to the next */
        int n = route_event(&c.in, out, ROUTE_DECISIONS_MAX);
        for (int d = 0; d < n; d++)
            deliveries += out[d].outcome == OUTCOME(DELIVER);
    }
    double took = seconds() - start;
    printf("%" PRIu64 " events to 10 candidates, %" PRIu64 " deliveries: %.0f ns an event, %.0f ns a candidate\n",
           events, deliveries, took / (double)events * 1e9, took / (double)events * 1e8);
    policy_destroy(&policy);
    return deliveries == 10 * events ? 0 : 1;
}
