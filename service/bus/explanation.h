/*
 * Explanation: one sentence that says why a child is, or is not, running, with who, when and what
 * for. The question that operators of other supervisors cannot get answered (systemd#37906).
 */
#pragma once

#include <stddef.h>

struct child;
struct service;

#define EXPLANATION_MAX 1024

void explain(const struct service *service, const struct child *child, char *buffer, size_t size);
