// Follows a tar from header to header and tells of it, so that nobody else has to read the contents.
#pragma once
#include "frame.h"

// In what order, for the bytes of the tar one after the other: an 'I' has the next ones; a 'P' has u32 size and, if `digests`, the sha256 of bytes that are kept in the ring;
// a 'B' has u64 size of what is to come and passes through the ring, and after it an 'E' has u64 how much that was, and the sha256. What is kept stays until RING_WRITE
// releases it. Where something is no header the rest comes in 'P's, so that whoever reads them can say what is wrong.
void walk_tar(struct writer *events, int digests);
