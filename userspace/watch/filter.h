/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A session's filter, held against an event as the programs do it: by headers/nodens_filter.h.
 *
 * Contract: pure.
 */
#ifndef NODENS_WATCH_FILTER_H
#define NODENS_WATCH_FILTER_H

#include <stdbool.h>

#include "nodens_sessions.h"

/* Does it let @event through? Its packet is there as far as @captured; one_in is the caller's. */
bool filter__matches(const struct nodens_filter *filter, const struct nodens_event *event);

#endif /* NODENS_WATCH_FILTER_H */
