// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Slots in an order. Contract: dump.h.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/dump.h"

const char *const dump_orders[DUMP_ORDERS] = { "none", "name", "hits", "ttl" };

int dump_sorted_add(struct dump_sorted *sorted, const struct nodens_slot *slot)
{
	size_t size = sizeof(*slot) + slot->name_len;
	struct nodens_slot *copy = malloc(size);

	if (sorted->n == sorted->room) {
		size_t room = sorted->room ? 2 * sorted->room : 1024;
		struct nodens_slot **list = reallocarray(sorted->list, room, sizeof(*sorted->list));

		if (!list) {
			free(copy);
			return -ENOMEM;
		}
		sorted->list = list;
		sorted->room = room;
	}
	if (!copy)
		return -ENOMEM;
	memcpy(copy, slot, size);
	sorted->list[sorted->n++] = copy;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct nodens_slot *x = *(struct nodens_slot *const *)a,
				 *y = *(struct nodens_slot *const *)b;
	int diff = dns_wire__order(x->data, y->data);

	if (!diff)
		diff = be16toh(x->qtype) - be16toh(y->qtype);
	return diff ? diff : x->key_flags - y->key_flags;
}

static int by_hits(const void *a, const void *b)
{
	uint32_t x = (*(struct nodens_slot *const *)a)->hits,
		 y = (*(struct nodens_slot *const *)b)->hits;

	return x == y ? by_name(a, b) : x > y ? -1 : 1;
}

static int by_ttl(const void *a, const void *b)
{
	uint64_t x = (*(struct nodens_slot *const *)a)->expires_ns,
		 y = (*(struct nodens_slot *const *)b)->expires_ns;

	return x == y ? by_name(a, b) : x < y ? -1 : 1;
}

void dump_sort(struct dump_sorted *sorted, enum dump_order order)
{
	static int (*const orders[DUMP_ORDERS])(const void *, const void *) = {
		[DUMP_BY_NAME] = by_name,
		[DUMP_BY_HITS] = by_hits,
		[DUMP_BY_TTL] = by_ttl,
	};

	if (sorted->n && orders[order])
		qsort(sorted->list, sorted->n, sizeof(*sorted->list), orders[order]);
}

void dump_sorted_free(struct dump_sorted *sorted)
{
	for (size_t i = 0; i < sorted->n; i++)
		free(sorted->list[i]);
	free(sorted->list);
	*sorted = (struct dump_sorted){ .list = NULL };
}
