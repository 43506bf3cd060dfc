// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * For which names there is an entry that denies all below. Contract: nxdomain_policy.h.
 */
#include "resolver/nxdomain_policy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/secret_hash.h"

#define EXISTS_NS      (3600 * NSEC_PER_SEC)
#define SEEN	       4096 /* names remembered; an older one gives way */
#define OTHER_AGAIN_NS (600 * NSEC_PER_SEC)
#define SILENT_NS      (5 * NSEC_PER_SEC)
#define MAX_LABELS     128

/* One place for each hash: pods choose the names, and are not to choose whose place they take. */
struct nx_below {
	struct {
		uint64_t hash, until_ns;
	} seen[SEEN];
};

static const struct dns_name probes[NX_PROBES] = {
	{ 4, "\3svc" },		  /* the root's zero is the zone's */
	{ 12, "\7default\3svc" }, /* the namespace that every cluster has */
};

#define ALL_PROBES ((1u << NX_PROBES) - 1)

int nx_below__open(struct nx_below **out)
{
	struct nx_below *nx_below = calloc(1, sizeof(*nx_below));

	if (!nx_below)
		return -ENOMEM;
	*out = nx_below;
	return 0;
}

void nx_below__close(struct nx_below *nx_below)
{
	free(nx_below);
}

bool nx_below__eligible(const struct corefile_zone *zone)
{
	static const struct dns_name arpa = { 6, "\4arpa" };

	return zone->name.len > 1 && !dns_name__within(&zone->name, &arpa);
}

bool nx_below__probes_due(struct nx_zone *state, uint64_t now)
{
	if (state->state == NX_ZONE_CLUSTER || state->asking || now < state->again_ns)
		return false;
	state->asking = ALL_PROBES;
	state->confirmed = 0;
	return true;
}

bool nx_below__probe_name(const struct corefile_zone *zone, unsigned int probe,
			  struct dns_name *name)
{
	const struct dns_name *labels = &probes[probe];

	if (labels->len + zone->name.len > DNS_MAX_NAME)
		return false;
	memcpy(name->wire, labels->wire, labels->len);
	memcpy(name->wire + labels->len, zone->name.wire, zone->name.len);
	name->len = labels->len + zone->name.len;
	return true;
}

void nx_below__probe_result(struct nx_zone *state, unsigned int probes, int rcode, uint64_t now)
{
	uint64_t wait_ns = rcode == DNS_NXDOMAIN ? OTHER_AGAIN_NS : SILENT_NS;

	state->asking &= ~probes;
	if (rcode == DNS_NOERROR) {
		state->confirmed |= probes;
		if (state->confirmed == ALL_PROBES)
			state->state = NX_ZONE_CLUSTER;
		return;
	}
	if (rcode == DNS_NXDOMAIN)
		state->state = NX_ZONE_OTHER;
	if (now + wait_ns > state->again_ns)
		state->again_ns = now + wait_ns;
}

/* Where the labels of @name above @zone begin, the one next to the zone first. */
static unsigned int labels_above(const struct corefile_zone *zone, const struct dns_name *name,
				 uint8_t at[MAX_LABELS])
{
	unsigned int n = 0, end = name->len - zone->name.len;
	uint8_t forward[MAX_LABELS];

	if (!dns_name__within(name, &zone->name))
		return 0;
	for (unsigned int i = 0; i < end && n < MAX_LABELS; i += name->wire[i] + 1)
		forward[n++] = i;
	for (unsigned int i = 0; i < n; i++)
		at[i] = forward[n - 1 - i];
	return n;
}

void nx_below__exists(struct nx_below *nx_below, const struct corefile_zone *zone,
		      const struct dns_name *name, uint64_t now)
{
	uint8_t at[MAX_LABELS];
	unsigned int n = labels_above(zone, name, at);

	/* candidates have three labels above the zone at most */
	for (unsigned int i = 0; i < n && i < 3; i++) {
		uint64_t hash = secret_hash(name->wire + at[i], name->len - at[i]);

		nx_below->seen[hash % SEEN].hash = hash;
		nx_below->seen[hash % SEEN].until_ns = now + EXISTS_NS;
	}
}

static bool known(const struct nx_below *nx_below, const struct dns_name *name, unsigned int at,
		  uint64_t now)
{
	uint64_t hash = secret_hash(name->wire + at, name->len - at);

	return nx_below->seen[hash % SEEN].hash == hash &&
	       nx_below->seen[hash % SEEN].until_ns > now;
}

static bool is_structure(const struct dns_name *name, unsigned int at)
{
	return !memcmp(name->wire + at, "\3svc", 4) || !memcmp(name->wire + at, "\3pod", 4);
}

/*
 * The search suffixes are ZONE, svc.ZONE and NAMESPACE.svc.ZONE. What stands where a namespace
 * does is asked about first: if it is none, nothing exists below it.
 */
bool nx_below__candidate(const struct nx_below *nx_below, const struct corefile_zone *zone,
			 const struct dns_name *name, uint64_t now, struct dns_name *candidate)
{
	uint8_t at[MAX_LABELS];
	unsigned int n = labels_above(zone, name, at), i = 0, last = 0;

	if (n && is_structure(name, at[0])) {
		i = 1;
		last = 2;
	}
	while (i <= last && i < n && known(nx_below, name, at[i], now))
		i++;
	if (i > last || i >= n)
		return false;
	candidate->len = name->len - at[i];
	memmove(candidate->wire, name->wire + at[i], candidate->len);
	return true;
}
