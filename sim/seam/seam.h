/*
 * What the zygote needs of the seam.
 */
#pragma once

#define SEAM_HEAP       0x200000000000 /* where the heap of each process begins, */
#define SEAM_HEAP_BYTES (1L << 30)     /* and how large it may become */

/* From here on the driver answers the calls of this process and of all that are made from it. */
void seam_catch_calls(void);
