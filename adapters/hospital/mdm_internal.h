// Between the files of the documents' mapping; no part of its interface.
#ifndef CAREHUB_MDM_INTERNAL_H
#define CAREHUB_MDM_INTERNAL_H

#include "adt_internal.h"
#include "mdm.h"

#define MDM_ID_BYTES 256u // a document's number with its terminating zero

// Where a document is and what its content is; NULL when it has no number.
Carehub__V1__Reference *mdm_reference(struct adt_job *job, ptrdiff_t txa);

// The number of a document of the TXA (fields 12 and 13).
void mdm_number(const struct adt_job *job, ptrdiff_t txa, unsigned field, char out[MDM_ID_BYTES]);

#endif
