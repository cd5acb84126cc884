/*
 * Wake: after each input, whoever waited for something that has come about goes on.
 */
#pragma once

#include "reference/reference.h"

/* After an input of which the model hears nothing else. */
void reference_wake(struct ref *r);
/* Within one. */
void ref_wake(struct ref *r);
