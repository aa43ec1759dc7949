/* What has occurred: a scenario that never comes to a rule proves nothing about it. */
#include <stdio.h>

#include "rules.h"

#include "carehub/v1/log.pb-c.h"

/* Everything that is counted is a number of the same kind. */
void counts_add(struct counts *all, const struct counts *one)
{
    const unsigned long long *from = (const unsigned long long *)one;
    unsigned long long *to = (unsigned long long *)all;
    for (size_t i = 0; i < sizeof *all / sizeof *to; i++)
        to[i] += from[i];
}

void counts_say(const struct counts *c)
{
    printf("%llu events kept, %llu not kept, %llu facts, %llu refused; %llu deliveries, %llu notices, %llu withdrawn, "
           "%llu held, %llu later, %llu ended by date, %llu crashes\n",
           c->events, c->not_kept, c->facts, c->refused, c->deliveries, c->notices, c->withdrawn, c->held, c->later,
           c->expired, c->crashes);
}

static void row(const char *what, const char *name, unsigned long long n)
{
    printf("%-12s %-26s %12llu\n", what, name, n);
}

static void by_enum(const char *what, const ProtobufCEnumDescriptor *codes, const unsigned long long *n, int from,
                    int to)
{
    for (unsigned i = 0; i < codes->n_values; i++)
        if (codes->values[i].value >= from && codes->values[i].value <= to)
            row(what, codes->values[i].name, n[codes->values[i].value]);
}

void counts_table(const struct counts *c)
{
    enum { FIRST_END = CAREHUB__V1__REASON__END_ACKNOWLEDGED };
    by_enum("decision", &carehub__v1__reason__descriptor, c->decided, 1, FIRST_END - 1);
    by_enum("end", &carehub__v1__reason__descriptor, c->ended, FIRST_END, CODES - 1);
    by_enum("withdrawn", &carehub__v1__reason__descriptor, c->why, 1, FIRST_END - 1);
    by_enum("later", &carehub__v1__cause__descriptor, c->causes, 1, CODES - 1);
    const ProtobufCMessageDescriptor *entry = &carehub__v1__entry__descriptor;
    for (unsigned i = 0; i < entry->n_fields; i++)
        if (entry->fields[i].flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
            row("entry", entry->fields[i].name, c->entries[entry->fields[i].id]);
    for (int kind = 0; kind < OP_KINDS; kind++) {
        if (c->taken[kind] + c->refusals[kind] == 0)
            continue;
        row("taken", kind_names[kind], c->taken[kind]);
        row("refused", kind_names[kind], c->refusals[kind]);
    }
    row("heard", "skips", c->skips);
}
