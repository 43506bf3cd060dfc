/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What `nodens dump` prints of a slot: a line, its records, in which order.
 *
 * Contract: slots are private copies that slot__check() has passed.
 */
#ifndef NODENS_DUMP_H
#define NODENS_DUMP_H

#include <jansson.h>

#include "dns/slot.h"

/* Whether programs answer with it: live, or *stale. */
bool dump_is_live(const struct nodens_slot *slot, uint64_t now_ns, bool *stale);

void dump_print_heading(bool records);
/* Of a live slot. @records: the records, too, as dig prints them; then the line is a comment. */
void dump_print_text(const struct nodens_slot *slot, uint64_t now_ns, bool records);
void dump_print_json(const struct nodens_slot *slot, uint64_t now_ns, bool records, bool first);

/* dump_records.c; each says @ttl_s. */
void dump_records_text(const struct nodens_slot *slot, uint32_t ttl_s);
json_t *dump_records_json(const struct nodens_slot *slot, uint32_t ttl_s);

/* dump_sort.c: slots that are kept to be sorted, as far as their names' end. */
enum dump_order { DUMP_UNSORTED, DUMP_BY_NAME, DUMP_BY_HITS, DUMP_BY_TTL, DUMP_ORDERS };
extern const char *const dump_orders[DUMP_ORDERS];

struct dump_sorted {
	struct nodens_slot **list;
	size_t n, room;
};

/* -ENOMEM. */
int dump_sorted_add(struct dump_sorted *sorted, const struct nodens_slot *slot);
/* By name: as zones are, a domain before what is below it (RFC 4034, 6.1); by hits the most
 * first, by TTL the least. Each with the name as the next criterion, then the type. */
void dump_sort(struct dump_sorted *sorted, enum dump_order order);
void dump_sorted_free(struct dump_sorted *sorted);

#endif /* NODENS_DUMP_H */
