/*
 * Wake: after each input, a child that waited for something that has come about continues.
 */
#pragma once

#include "reference/reference.h"

/* After an input of which the model hears nothing else. */
void reference_wake(struct ref *r);
/* Within one. */
void ref_wake(struct ref *r);
