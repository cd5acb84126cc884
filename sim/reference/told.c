#include "reference/told.h"

#include "reference/reference.h"

#include <string.h>

void ref_tell(struct ref *r, const struct ref_child *c, enum event_kind kind,
              const struct event_field *fields, uint32_t n_fields)
{
    if (r->dry || !r->told || r->n_told++ >= REF_TOLD_MAX)
        return;

    struct ref_told *told = &r->told->events[r->n_told - 1];
    *told = (struct ref_told){.kind = kind, .n_fields = n_fields};
    if (c) {
        told->child = c->id;
        told->generation = c->attempt.active ? c->attempt.generation : c->generation;
        told->attempt = c->attempt.number;
    }
    if (n_fields > 0)
        memcpy(told->fields, fields, n_fields * sizeof(*fields));
}
