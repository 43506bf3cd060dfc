// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The way of a question as far as the kernel: device, address, cache. Contract: explain.h.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/route.h"
#include "cmd/config.h"
#include "cmd/explain.h"
#include "cmd/pinned.h"
#include "datapath/clients.h"
#include "dns/rrtype.h"
#include "link/pods.h"

#define NAME_TEXT 1024 /* dns/msg.h: holds any name */

/* ---- who asks ---- */

struct search {
	struct pods *pods;
	const char *name;
	struct served_addr *addr;
	bool found;
};

static void on_client(void *ctx, const struct served_addr *addr, const struct nodens_client *client)
{
	struct search *search = ctx;
	char text[POD_TEXT];

	if (search->found ||
	    strcmp(pods__text(search->pods, addr, client->ifindex, text, sizeof(text)),
		   search->name))
		return;
	*search->addr = *addr;
	search->found = true;
}

/* An address, or NAMESPACE/NAME of a pod that has asked for something. */
static bool find_pod(const struct explain *ex, const struct pinned *pinned,
		     struct served_addr *addr)
{
	struct search search = { .name = ex->pod, .addr = addr };
	union sockaddr_any parsed;

	if (!sockaddr__parse_ip(ex->pod, 0, &parsed)) {
		*addr = served_addr__of(&parsed);
		return true;
	}
	if (!pinned || pods__open(NULL, ex->cni_results, &search.pods))
		return false;
	clients__each(pinned->datapath, on_client, &search);
	pods__close(search.pods);
	return search.found;
}

/* By what the programs noted, else by the node's routes. */
static uint32_t device_of(const struct pinned *pinned, const struct served_addr *addr)
{
	const union sockaddr_any peer = served_addr__sockaddr(addr, 0);
	uint32_t ifindex = clients__device_of(pinned->datapath, &peer.sa);
	struct route route = { .ifindex = 0 };
	struct nl nl;

	if (ifindex || nl__open(&nl))
		return ifindex;
	if (!route__look_up(&nl, addr, &route) && !route.has_gateway && !route.local)
		ifindex = route.ifindex;
	nl__close(&nl);
	return ifindex;
}

/* Who has it where no program answers it. */
static enum explain_by passes(struct explain *ex)
{
	static const enum explain_by by[] = {
		[STATUS_CLUSTER] = EXPLAIN_CLUSTER,
		[STATUS_BEHIND] = EXPLAIN_BEHIND,
		[STATUS_SOCKETS] = EXPLAIN_OPEN,
		[STATUS_NOBODY] = EXPLAIN_NOBODY,
	};
	enum status_next next = status__next(&ex->status);

	ex->by_sockets |= next == STATUS_SOCKETS;
	return by[next];
}

static void see_device(struct explain *ex, const struct pinned *pinned,
		       const struct served_addr *client)
{
	uint32_t ifindex = client ? device_of(pinned, client) : 0;
	char name[IF_NAMESIZE] = "?";
	unsigned int attached = 0;

	for (size_t i = 0; i < ex->status.n_devices; i++) {
		const struct publish_device *device = &ex->status.devices[i];

		attached += device->state == PUBLISH_ATTACHED;
		if (!client || device->ifindex != ifindex)
			continue;
		if (device->state == PUBLISH_ATTACHED)
			explain_step(ex, "device", EXPLAIN_OPEN, "%s: attached, %s%s%s",
				     device->name, device->hook,
				     device->ahead[0] ? "; before nodens: " : "", device->ahead);
		else
			explain_step(ex, "device", passes(ex), "%s: %s%s", device->name,
				     device->state == PUBLISH_EXCLUDED ? "left out by -exclude"
								       : "not attached: ",
				     device->error);
		return;
	}
	if (!client)
		explain_step(ex, "device", attached ? EXPLAIN_OPEN : passes(ex),
			     "%u devices are attached; -pod says which one it is", attached);
	else if (ifindex)
		explain_step(ex, "device", passes(ex), "%s: no program of nodens is on it",
			     if_indextoname(ifindex, name) ? name : "?");
	else
		explain_step(ex, "device", EXPLAIN_OPEN,
			     "not known: it has not asked yet, and no route says it");
}

static void see_address(struct explain *ex)
{
	const struct publish_info *info = &ex->status.info;
	char text[300] = "", addr[INET6_ADDRSTRLEN];

	for (uint32_t i = 0; i < info->n_served && i < 2 * NODENS_MAX_SERVED; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i ? " " : "",
			 served_addr__text(&info->served[i], addr, sizeof(addr)));
	if (info->n_served)
		explain_step(ex, "address", EXPLAIN_OPEN, "answered for on port 53: %s", text);
	else
		explain_step(ex, "address", passes(ex), "the programs answer for none");
}

/* ---- the cache ---- */

static void name_text(const struct dns_name *name, char text[NAME_TEXT])
{
	if (dns_name__to_text(name, text, NAME_TEXT) < 0)
		snprintf(text, NAME_TEXT, "?");
}

/* True: the programs, or the agent at its sockets, answer with it. */
static bool see_entry(struct explain *ex, const struct pinned_entry *entry, const char *step)
{
	const struct nodens_slot *slot = &entry->copy.slot;
	bool agent = slot->key_flags & NODENS_KEY_AGENT || ex->by_sockets, live, stale;
	uint64_t now = clock_now();
	char name[NAME_TEXT], rcode[RRTYPE_TEXT], left[STATUS_SPAN], age[STATUS_SPAN];
	/* an answer of the configuration has no end */
	bool forever = slot->fixed;

	name_text(&entry->name, name);
	live = slot->expires_ns > now;
	stale = !live && slot->expires_ns + slot->stale_s * NSEC_PER_SEC > now;
	explain_step(ex, step, (live || stale) && !agent ? EXPLAIN_KERNEL : EXPLAIN_OPEN,
		     "%s %s%s, %u records, stored %s ago, %s%s, asked %u times%s", name,
		     rcode__text(be16toh(slot->flags) & DNS_RCODE, rcode),
		     slot->below_only ? " below the name" : "",
		     be16toh(slot->ancount) + be16toh(slot->nscount) + be16toh(slot->arcount),
		     status__span(now - slot->stored_ns, age),
		     forever ? "of the configuration"
		     : live  ? "ends in "
		     : stale ? "expired, answered with a TTL of 0"
			     : "expired",
		     forever || !live ? "" : status__span(slot->expires_ns - now, left), slot->hits,
		     slot->key_flags & NODENS_KEY_AGENT ? "; for the agent alone" : "");
	ex->agent_has_it |= live && agent;
	return ex->agent_has_it || ((live || stale) && !agent);
}

static bool see_nx_below(struct explain *ex, struct pinned *pinned)
{
	struct pinned_entry entry;
	unsigned int depth = 0;

	/* suffixes by their labels; the programs look at those of 8 at most */
	for (size_t at = 0; at < ex->qname.len; at += ex->qname.wire[at] + 1)
		depth += ex->qname.wire[at] != 0;
	for (size_t at = 0; at < ex->qname.len; at += ex->qname.wire[at] + 1, depth--) {
		struct dns_name suffix = { .len = ex->qname.len - at };

		if (depth > NODENS_NX_BELOW_DEPTHS)
			continue;
		memcpy(suffix.wire, ex->qname.wire + at, suffix.len);
		if (!pinned__find(pinned, &suffix, 0, NODENS_KEY_NX_BELOW, &entry))
			continue;
		if ((at || !entry.copy.slot.below_only) && see_entry(ex, &entry, "NXDOMAIN above"))
			return true;
	}
	return false;
}

static void see_cache(struct explain *ex, struct pinned *pinned)
{
	struct pinned_entry entry;
	bool known = false;

	if (!status__lease_left_ns(&ex->status)) {
		explain_step(ex, "kernel", passes(ex),
			     "the lease has run out: programs answer nothing");
		return;
	}
	if (pinned__find(pinned, &ex->qname, ex->qtype, 0, &entry))
		known = see_entry(ex, &entry, "cache");
	else if (pinned__find(pinned, &ex->qname, ex->qtype, NODENS_KEY_AGENT, &entry))
		see_entry(ex, &entry, "cache");
	else
		explain_step(ex, "cache", EXPLAIN_OPEN, "no entry for the name and type");
	if (!known)
		see_nx_below(ex, pinned);
}

/* What becomes of a miss. */
static void see_agent(struct explain *ex)
{
	const struct publish_info *info = &ex->status.info;
	char span[STATUS_SPAN];

	if (ex->status.agent != STATUS_ALIVE)
		explain_step(ex, "agent", passes(ex), "%s: its last beat was %s ago",
			     ex->status.agent == STATUS_DEAD ? "dead" : "hangs",
			     status__span(status__beat_age_ns(&ex->status), span));
	else if (!info->kernel_path)
		explain_step(
			ex, "agent", EXPLAIN_OPEN,
			"answers on its sockets: no kernel path. What it has cached it answers "
			"at once; that is in its own memory, and not seen here");
	else if (info->mode == PUBLISH_STEER && !info->steering)
		explain_step(ex, "agent", passes(ex), "misses are not steered to it: %s",
			     info->why_not_ready);
	else if (ex->status.shed)
		explain_step(ex, "agent", passes(ex),
			     "sheds: too much is under way in it at this moment");
	else
		explain_step(ex, "agent", ex->agent_has_it ? EXPLAIN_AGENT : EXPLAIN_OPEN, "%s",
			     ex->agent_has_it ? "answers from its cache"
					      : "takes what is not cached");
}

static void walk(struct explain *ex, struct pinned *pinned)
{
	struct served_addr client;
	union sockaddr_any peer;
	bool known = ex->pod && find_pod(ex, pinned, &client);

	if (ex->pod && !known)
		explain_step(ex, "pod", EXPLAIN_OPEN,
			     "%s is no address, and no pod of that name has asked: give its "
			     "address",
			     ex->pod);
	if (pinned) {
		see_device(ex, pinned, known ? &client : NULL);
		see_address(ex);
		see_cache(ex, pinned);
	}
	see_agent(ex);
	explain_configuration(ex);
	if (known)
		peer = served_addr__sockaddr(&client, 0);
	if (ex->config.cf)
		explain_blocks(ex, known ? &peer.sa : NULL);
}

int explain__walk(struct explain *ex)
{
	struct pinned pinned;
	int ret = status__read(ex->bpffs, &ex->status);

	if (ret >= 0)
		return ret;
	if (!ex->status.has_maps) {
		walk(ex, NULL);
		return -1;
	}
	ret = pinned__open(&pinned, "explain", ex->bpffs);
	if (ret >= 0)
		return ret;
	walk(ex, &pinned);
	pinned__close(&pinned);
	return -1;
}

void explain__free(struct explain *ex)
{
	status__free(&ex->status);
	if (ex->config.cf)
		conf__free(&ex->config);
}
