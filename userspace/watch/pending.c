// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Queries that wait for the agent's word. Contract: pending.h.
 *
 * An entry is in three lists, each in order of coming: of those that wait, or of those that were
 * shown; of those with a hash of client and question; of those with a hash of the client alone, for
 * a reply that has no question. What is the same, as of a client that asks again, is told apart by
 * its order. An entry that the agent has spoken of is in none, so that no list grows by repeating.
 */
#include "watch/pending.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret_hash.h"
#include "dns/name.h"

#define NONE UINT32_MAX

enum by { BY_TIME, BY_QUERY, BY_CLIENT, N_BY };

struct list {
	uint32_t first, last;
};

struct entry {
	struct watch_event query;
	bool shown;
	uint32_t query_hash, client_hash;
	struct {
		uint32_t before, after;
	} in[N_BY];
};

struct pending {
	void (*shown)(void *ctx, const struct watch_event *query);
	void *ctx;
	uint32_t n_used; /* entries that have ever been in use */
	uint32_t free;	 /* of these the first that is not; the next is its .after by time */
	struct list waiting, late;
	struct list by_query[PENDING_MAX], by_client[PENDING_MAX];
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
	pending->free = NONE;
	pending->waiting = pending->late = (struct list){ NONE, NONE };
	memset(pending->by_query, 0xff, sizeof(pending->by_query));
	memset(pending->by_client, 0xff, sizeof(pending->by_client));
	*out = pending;
	return 0;
}

void pending__close(struct pending *pending)
{
	free(pending);
}

/* ---- lists ---- */

static void append(struct pending *pending, struct list *list, enum by by, uint32_t at)
{
	pending->entries[at].in[by].before = list->last;
	pending->entries[at].in[by].after = NONE;
	if (list->last == NONE)
		list->first = at;
	else
		pending->entries[list->last].in[by].after = at;
	list->last = at;
}

static void take_out(struct pending *pending, struct list *list, enum by by, uint32_t at)
{
	uint32_t before = pending->entries[at].in[by].before;
	uint32_t after = pending->entries[at].in[by].after;

	if (before == NONE)
		list->first = after;
	else
		pending->entries[before].in[by].after = after;
	if (after == NONE)
		list->last = before;
	else
		pending->entries[after].in[by].before = before;
}

static void release(struct pending *pending, uint32_t at)
{
	struct entry *entry = &pending->entries[at];

	take_out(pending, entry->shown ? &pending->late : &pending->waiting, BY_TIME, at);
	take_out(pending, &pending->by_query[entry->query_hash], BY_QUERY, at);
	take_out(pending, &pending->by_client[entry->client_hash], BY_CLIENT, at);
	entry->in[BY_TIME].after = pending->free;
	pending->free = at;
}

static void show_first(struct pending *pending)
{
	uint32_t at = pending->waiting.first;
	struct entry *entry = &pending->entries[at];

	take_out(pending, &pending->waiting, BY_TIME, at);
	append(pending, &pending->late, BY_TIME, at);
	entry->shown = true;
	pending->shown(pending->ctx, &entry->query);
}

/* An entry to use. Where there is none the oldest goes. */
static uint32_t obtain(struct pending *pending)
{
	uint32_t at;

	if (pending->free == NONE && pending->n_used < PENDING_MAX)
		return pending->n_used++;
	if (pending->free == NONE) {
		if (pending->late.first == NONE)
			show_first(pending);
		release(pending, pending->late.first);
	}
	at = pending->free;
	pending->free = pending->entries[at].in[BY_TIME].after;
	return at;
}

/* ---- queries ---- */

static bool same_client(const struct watch_event *a, const struct watch_event *b)
{
	return a->id == b->id && a->client_port == b->client_port &&
	       served_addr__same(&a->client, &b->client);
}

static bool same_query(const struct watch_event *a, const struct watch_event *b)
{
	return same_client(a, b) && a->qtype == b->qtype && a->has_question == b->has_question &&
	       (!a->has_question || dns_name__equal(&a->qname, &b->qname));
}

static uint32_t client_hash(const struct watch_event *query)
{
	uint64_t address[2] = { 0 };

	memcpy(address, &query->client.v6,
	       query->client.family == AF_INET ? sizeof(query->client.v4) : sizeof(address));
	address[0] = secret_mix(address[0], (uint64_t)query->id << 16 | query->client_port);
	return secret_mix(address[0], address[1]) % PENDING_MAX;
}

static uint32_t query_hash(const struct watch_event *query)
{
	uint64_t hash = query->has_question ? dns_name__hash(&query->qname) : 0;

	hash = secret_mix(hash, (uint64_t)query->id << 32 | (uint32_t)query->client_port << 16 |
					query->qtype);
	return hash % PENDING_MAX;
}

void pending__add(struct pending *pending, const struct watch_event *query)
{
	uint32_t at = obtain(pending);
	struct entry *entry = &pending->entries[at];

	entry->query = *query;
	entry->shown = false;
	entry->query_hash = query_hash(query);
	entry->client_hash = client_hash(query);
	append(pending, &pending->waiting, BY_TIME, at);
	append(pending, &pending->by_query[entry->query_hash], BY_QUERY, at);
	append(pending, &pending->by_client[entry->client_hash], BY_CLIENT, at);
}

/* The oldest that @said may be of, or NONE. */
static uint32_t find(const struct pending *pending, const struct watch_event *said)
{
	const struct entry *entries = pending->entries;
	uint32_t at = pending->by_query[query_hash(said)].first;

	while (at != NONE && !same_query(&entries[at].query, said))
		at = entries[at].in[BY_QUERY].after;
	if (at != NONE || said->has_question)
		return at;
	at = pending->by_client[client_hash(said)].first;
	while (at != NONE && !same_client(&entries[at].query, said))
		at = entries[at].in[BY_CLIENT].after;
	return at;
}

bool pending__end(struct pending *pending, struct watch_event *said)
{
	uint32_t at = find(pending, said);
	const struct entry *entry;

	if (at == NONE)
		return true;
	entry = &pending->entries[at];
	if (!said->ifindex)
		said->ifindex = entry->query.ifindex;
	if (!said->has_question) {
		said->has_question = entry->query.has_question;
		said->qname = entry->query.qname;
		said->qtype = entry->query.qtype;
	}
	release(pending, at);
	return !entry->shown;
}

bool pending__take(struct pending *pending, const struct watch_event *said,
		   struct watch_event *query)
{
	uint32_t at = find(pending, said);
	bool shown;

	if (at == NONE)
		return false;
	shown = pending->entries[at].shown;
	*query = pending->entries[at].query;
	release(pending, at);
	return !shown;
}

void pending__tick(struct pending *pending, uint64_t now_ns)
{
	const struct entry *entries = pending->entries;
	uint32_t at;

	while ((at = pending->waiting.first) != NONE &&
	       now_ns >= entries[at].query.time_ns + PENDING_WAIT_NS)
		show_first(pending);
	while ((at = pending->late.first) != NONE &&
	       now_ns > entries[at].query.time_ns + PENDING_KEEP_NS)
		release(pending, at);
}
