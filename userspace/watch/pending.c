// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Queries that wait for the agent's word. Contract: pending.h.
 *
 * A ring in order of their coming, found by a hash of client and question; two that are the same,
 * as of a client that asks again, are told apart by their order.
 */
#include "watch/pending.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret_hash.h"
#include "dns/name.h"

#define NONE UINT32_MAX

enum state { WAITS, SHOWN, ENDED };

struct entry {
	struct watch_event query;
	enum state state;
	uint32_t bucket, next; /* of its bucket, newer ones */
};

struct pending {
	void (*shown)(void *ctx, const struct watch_event *query);
	void *ctx;
	uint32_t first, n; /* of entries in use */
	uint32_t looked;   /* of these the first so many neither wait nor need a look */
	uint32_t heads[PENDING_MAX];
	struct entry entries[PENDING_MAX];
};

int pending__open(void (*shown)(void *ctx, const struct watch_event *query), void *ctx,
		  struct pending **out)
{
	struct pending *pending = calloc(1, sizeof(*pending));

	if (!pending)
		return -ENOMEM;
	pending->shown = shown;
	pending->ctx = ctx;
	memset(pending->heads, 0xff, sizeof(pending->heads));
	*out = pending;
	return 0;
}

void pending__close(struct pending *pending)
{
	free(pending);
}

static bool same_query(const struct watch_event *a, const struct watch_event *b)
{
	return a->id == b->id && a->client_port == b->client_port && a->qtype == b->qtype &&
	       served_addr__same(&a->client, &b->client) && a->has_question == b->has_question &&
	       (!a->has_question || dns_name__equal(&a->qname, &b->qname));
}

static uint32_t bucket_of(const struct watch_event *query)
{
	uint64_t hash = query->has_question ? dns_name__hash(&query->qname) : 0;

	hash = secret_mix(hash, (uint64_t)query->id << 32 | (uint32_t)query->client_port << 16 |
					query->qtype);
	return hash % PENDING_MAX;
}

static uint32_t *link_to(struct pending *pending, uint32_t at)
{
	uint32_t *link = &pending->heads[pending->entries[at].bucket];

	while (*link != at)
		link = &pending->entries[*link].next;
	return link;
}

/* The oldest goes. */
static void drop_first(struct pending *pending)
{
	struct entry *entry = &pending->entries[pending->first];

	if (entry->state == WAITS)
		pending->shown(pending->ctx, &entry->query);
	*link_to(pending, pending->first) = entry->next;
	pending->first = (pending->first + 1) % PENDING_MAX;
	pending->n--;
	if (pending->looked)
		pending->looked--;
}

void pending__add(struct pending *pending, const struct watch_event *query)
{
	struct entry *entry;
	uint32_t at, *link;

	if (pending->n == PENDING_MAX)
		drop_first(pending);
	at = (pending->first + pending->n++) % PENDING_MAX;
	entry = &pending->entries[at];
	*entry = (struct entry){ .query = *query, .bucket = bucket_of(query), .next = NONE };
	link = &pending->heads[entry->bucket];
	while (*link != NONE)
		link = &pending->entries[*link].next;
	*link = at;
}

bool pending__end(struct pending *pending, const struct watch_event *said)
{
	uint32_t at = pending->heads[bucket_of(said)];

	for (; at != NONE; at = pending->entries[at].next) {
		struct entry *entry = &pending->entries[at];
		bool shown = entry->state == SHOWN;

		if (entry->state == ENDED || !same_query(&entry->query, said))
			continue;
		entry->state = ENDED;
		return !shown;
	}
	return true;
}

static bool is_over(const struct entry *entry, uint64_t now_ns)
{
	if (entry->state == ENDED)
		return true;
	return now_ns > entry->query.time_ns && now_ns - entry->query.time_ns > PENDING_KEEP_NS;
}

void pending__tick(struct pending *pending, uint64_t now_ns)
{
	while (pending->n && is_over(&pending->entries[pending->first], now_ns))
		drop_first(pending);
	for (; pending->looked < pending->n; pending->looked++) {
		uint32_t at = (pending->first + pending->looked) % PENDING_MAX;
		struct entry *entry = &pending->entries[at];

		if (entry->state != WAITS)
			continue;
		if (now_ns < entry->query.time_ns + PENDING_WAIT_NS)
			break;
		entry->state = SHOWN;
		pending->shown(pending->ctx, &entry->query);
	}
}
