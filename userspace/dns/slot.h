/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Slots as bytes of unknown origin: could the store have written them?
 *
 * Contract: pure; reads nothing outside of @size bytes. For slots found in
 * pinned maps (adoption, dump), which another process or version may have
 * written, or may be writing at this moment: check a private copy.
 */
#ifndef NODENS_SLOT_H
#define NODENS_SLOT_H

#include "dns/answer.h"

/* Sizes of slots, by class. */
extern const uint16_t slot_class_size[NODENS_CLASSES];

/* Room for any slot: what answer__from_slot() may look at. */
union slot_buf {
	struct nodens_slot slot;
	uint8_t bytes[NODENS_SIZE_LARGEST];
};

/*
 * More than answer__slot_valid(): also what the agent does not need but the
 * programs rely on (sums, the name's padding, TTLs at odd offsets).
 */
bool slot__check(const struct nodens_slot *slot, size_t size);
/* Of a checked slot: its name. */
void slot__name(const struct nodens_slot *slot, struct dns_name *name);

#endif /* NODENS_SLOT_H */
