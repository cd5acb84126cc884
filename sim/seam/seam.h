/*
 * What the zygote needs of the seam.
 */
#pragma once

/* From here on the driver answers the calls of this process and of all that are made from it. */
void seam_catch_calls(void);
