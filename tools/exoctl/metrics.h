/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Metrics: facts in the text format of Prometheus, version 0.0.4: a HELP and a
 * TYPE line, then a sample for each disk or device.
 */
#ifndef EXOCTL_METRICS_H
#define EXOCTL_METRICS_H

#include <stdio.h>

#include "facts.h"

/* @facts is NULL if the module cannot be reached; its envs are put in order. */
void metrics_print(FILE *f, struct facts *facts);

#endif /* EXOCTL_METRICS_H */
