/*
 * Sidecars: a helper that is bound to one child, its primary, which is the first that it requires.
 * One that goes around its primary (`order: around`) is started before it, so that the primary
 * finds it ready, and is asked to go when the primary is gone, so that the primary can drain
 * through it. One that goes with it (`order: with`) is started when the primary is ready and asked
 * to go at the same moment. Either waits behind its own fence until the primary comes again: so a
 * restart of the primary restarts it, and a hold of the primary stops it. What becomes of a sidecar
 * is nothing to its primary. The idea: native sidecars of Kubernetes.
 */
#pragma once

struct child;
struct core;

void sidecar_unbind(struct core *core, struct child *child);

/* Its dependencies have been found again. The last one in the tree is the first to be stopped. */
void sidecar_bind(struct core *core, struct child *child);
