// HL7 v2 ADT as a format of the adapter host: reads a message, finds its sender, maps it, and answers it.
#ifndef CAREHUB_HOSPITAL_FORMAT_H
#define CAREHUB_HOSPITAL_FORMAT_H

#include "format.h"

extern const struct format hospital_format;

#endif
