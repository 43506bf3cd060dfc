// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Flags and Corefile to served addresses and sockets. Contract: plan.h.
 */
#include "config/plan.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdarg.h>
#include <string.h>

#define DNS_PORT 53

static bool is_served(const struct plan *plan, const struct served_addr *addr)
{
	for (int i = 0; i < plan->n_served; i++) {
		if (served_addr__same(&plan->served[i], addr))
			return true;
	}
	return false;
}

static int add_served(struct plan *plan, const struct served_addr *addr)
{
	int n = 0;

	if (is_served(plan, addr))
		return 0;
	for (int i = 0; i < plan->n_served; i++)
		n += plan->served[i].family == addr->family;
	if (n == NODENS_MAX_SERVED)
		return -E2BIG;
	plan->served[plan->n_served++] = *addr;
	return 0;
}

static int add_listen(struct plan *plan, const union sockaddr_any *addr, bool implied)
{
	for (int i = 0; i < plan->n_listen; i++) {
		struct plan_listen *have = &plan->listen[i];

		if (have->addr.sa.sa_family != addr->sa.sa_family ||
		    sockaddr__port(&have->addr) != sockaddr__port(addr))
			continue;
		/* The wildcard takes the queries of each single address, too. */
		if (sockaddr__is_wildcard(&have->addr))
			return 0;
		if (sockaddr__is_wildcard(addr)) {
			*have = plan->listen[--plan->n_listen];
			i--;
		} else if (sockaddr__same_ip(&have->addr, addr)) {
			return 0;
		}
	}
	if (plan->n_listen == PLAN_MAX_LISTEN)
		return -E2BIG;
	plan->listen[plan->n_listen++] = (struct plan_listen){ *addr, implied, false };
	return 0;
}

/* As with Go's sockets, "::" means both families. */
static int add_bind(struct plan *plan, const union sockaddr_any *addr)
{
	struct served_addr any4 = { .family = AF_INET };
	union sockaddr_any addr4 = served_addr__sockaddr(&any4, sockaddr__port(addr));
	int ret = add_listen(plan, addr, false);

	if (!ret && addr->sa.sa_family == AF_INET6 && sockaddr__is_wildcard(addr))
		ret = add_listen(plan, &addr4, true);
	return ret;
}

static int add_everywhere(struct plan *plan, uint16_t port)
{
	struct served_addr any4 = { .family = AF_INET }, any6 = { .family = AF_INET6 };
	union sockaddr_any addr = served_addr__sockaddr(&any4, port);
	int ret = add_listen(plan, &addr, false);

	addr = served_addr__sockaddr(&any6, port);
	return ret ? ret : add_listen(plan, &addr, true);
}

/* A block without `bind` is everywhere; of nodens' own command line -localip says where. */
static bool is_everywhere(const struct run_options *opts, const struct corefile_block *block)
{
	return !block->binds_len && (opts->nodecache || !opts->n_localip);
}

static int add_block(struct plan *plan, const struct run_options *opts,
		     const struct corefile_block *block)
{
	union sockaddr_any addr;
	int ret = 0;

	if (is_everywhere(opts, block))
		return add_everywhere(plan, block->port);
	for (size_t i = 0; !ret && i < block->binds_len; i++)
		ret = add_bind(plan, &block->binds[i]);
	for (int i = 0; !ret && !block->binds_len && i < opts->n_localip; i++) {
		addr = served_addr__sockaddr(&opts->localip[i], block->port);
		ret = add_listen(plan, &addr, false);
	}
	return ret;
}

static int too_many(const struct corefile_block *block, struct error *err)
{
	return error__set(err, -EINVAL, "%s:%u: more than %d addresses to listen on", block->file,
			  block->line, PLAN_MAX_LISTEN);
}

static int plan_listen(struct plan *plan, const struct run_options *opts, const struct corefile *cf,
		       struct error *err)
{
	for (size_t i = 0; i < cf->blocks_len; i++) {
		const struct corefile_block *block = &cf->blocks[i];

		if (add_block(plan, opts, block))
			return too_many(block, err);
	}
	for (int i = 0; i < plan->n_listen; i++) {
		const union sockaddr_any *addr = &plan->listen[i].addr;
		struct served_addr served = served_addr__of(addr);

		if (sockaddr__port(addr) != DNS_PORT)
			continue;
		if (sockaddr__is_wildcard(addr))
			plan->wildcard = true;
		else if (add_served(plan, &served))
			return error__set(err, -EINVAL,
					  "more than %d addresses of one family to serve",
					  NODENS_MAX_SERVED);
	}
	return 0;
}

static bool has_dns_port(const struct corefile *cf)
{
	for (size_t i = 0; i < cf->blocks_len; i++) {
		if (cf->blocks[i].port == DNS_PORT)
			return true;
	}
	return false;
}

/* Steering is for port 53; the blocks of other ports have sockets of this node, as node-cache's. */
static int plan_steer(struct plan *plan, const struct run_options *opts, const struct corefile *cf,
		      struct error *err)
{
	int ret = 0;

	if (!has_dns_port(cf))
		return error__set(err, -EINVAL,
				  "no block is for port 53, which is the one that steering answers;"
				  " use -mode listen");
	for (size_t i = 0; i < cf->blocks_len; i++) {
		const struct corefile_block *block = &cf->blocks[i];

		if (block->port != DNS_PORT) {
			if (add_block(plan, opts, block))
				return too_many(block, err);
			continue;
		}
		for (size_t k = 0; !opts->n_localip && !ret && k < block->binds_len; k++) {
			struct served_addr addr = served_addr__of(&block->binds[k]);

			if (!sockaddr__is_wildcard(&block->binds[k]))
				ret = add_served(plan, &addr);
		}
	}
	for (int i = 0; !ret && i < opts->n_localip; i++)
		ret = add_served(plan, &opts->localip[i]);
	if (ret)
		return error__set(err, -EINVAL, "more than %d addresses of one family to serve",
				  NODENS_MAX_SERVED);
	if (!plan->n_served)
		return error__set(err, -EINVAL,
				  "no address to serve: give -localip IP[,IP...], or bind in the"
				  " Corefile");
	return 0;
}

/*
 * One store serves all addresses, whatever its key says about them: nothing. So
 * a name must belong to the same block wherever it is asked for.
 */
static int check_addr(const struct corefile *cf, const union sockaddr_any *local, struct error *err)
{
	for (size_t i = 0; i < cf->blocks_len; i++) {
		const struct corefile_block *block = &cf->blocks[i];

		for (size_t k = 0; k < block->zones_len; k++) {
			const struct corefile_zone *zone = &block->zones[k];
			const struct corefile_block *here, *first;

			here = corefile__block_at(cf, &zone->name, local);
			first = corefile__block_for(cf, &zone->name);
			if (!here || here == first || here->apart)
				continue;
			if (!here->cache.enabled && !first->cache.enabled)
				continue;
			return error__set(
				err, -EINVAL,
				"%s:%u: zone %s is answered by the block at line %u on other"
				" addresses: nodens has one cache; give both blocks the same"
				" bind, or none of them cache",
				here->file, here->line, zone->text, first->line);
		}
	}
	return 0;
}

/* As it mostly is: then one look is enough, however many zones there are. */
static bool all_listen_alike(const struct corefile *cf)
{
	const struct corefile_block *first = &cf->blocks[0];

	for (size_t i = 1; i < cf->blocks_len; i++) {
		const struct corefile_block *block = &cf->blocks[i];

		if (block->port != first->port || block->binds_len != first->binds_len)
			return false;
		for (size_t k = 0; k < block->binds_len; k++) {
			if (!sockaddr__same_ip(&block->binds[k], &first->binds[k]))
				return false;
		}
	}
	return true;
}

static int check_one_store(const struct plan *plan, const struct corefile *cf, struct error *err)
{
	int ret = 0;

	if (all_listen_alike(cf))
		return 0;
	for (int i = 0; !ret && i < plan->n_listen; i++)
		ret = check_addr(cf, &plan->listen[i].addr, err);
	for (int i = 0; !ret && i < plan->n_served; i++) {
		union sockaddr_any local = served_addr__sockaddr(&plan->served[i], DNS_PORT);

		ret = check_addr(cf, &local, err);
	}
	return ret;
}

static void warn_unanswered(struct plan *plan, const struct corefile *cf)
{
	for (int i = 0; i < plan->n_served && !plan->warning[0]; i++) {
		union sockaddr_any local = served_addr__sockaddr(&plan->served[i], DNS_PORT);
		char text[INET6_ADDRSTRLEN];
		bool found = false;

		for (size_t k = 0; !found && k < cf->blocks_len; k++) {
			const struct corefile_zone *zone = &cf->blocks[k].zones[0];

			found = corefile__block_at(cf, &zone->name, &local);
		}
		if (found)
			continue;
		served_addr__text(&plan->served[i], text, sizeof(text));
		snprintf(plan->warning, sizeof(plan->warning),
			 "-localip: %s: no block of the Corefile binds it; its queries are REFUSED",
			 text);
	}
}

/* Does a block name an address of its own? */
static bool names_address(const struct corefile *cf)
{
	for (size_t i = 0; i < cf->blocks_len; i++) {
		for (size_t k = 0; k < cf->blocks[i].binds_len; k++) {
			if (!sockaddr__is_wildcard(&cf->blocks[i].binds[k]))
				return true;
		}
	}
	return false;
}

/*
 * node-cache's manifests say it without a word of ours: on a node with kube-proxy they have it make
 * a link with its addresses; behind a Local Redirect Policy they tell it not to, and bind
 * wildcards.
 */
static enum agent_mode choose_mode(const struct run_options *opts, const struct corefile *cf,
				   const char **why)
{
	if (opts->mode == MODE_FRONT)
		return MODE_STEER;
	if (opts->mode != MODE_AUTO)
		return opts->mode;
	if (!has_dns_port(cf)) {
		*why = "no block is for port 53";
		return MODE_LISTEN;
	}
	if (opts->setupinterface == NO && opts->nodecache) {
		*why = "-setupinterface=false: queries come to this pod's own addresses";
		return MODE_LISTEN;
	}
	if (!opts->n_localip && !names_address(cf)) {
		*why = "no address is named";
		return MODE_LISTEN;
	}
	*why = "addresses are named";
	return MODE_STEER;
}

/* Does a block of port 53 answer at every IPv4, or IPv6, address of the node? */
static bool has_wide(const struct run_options *opts, const struct corefile *cf, int family)
{
	for (size_t i = 0; i < cf->blocks_len; i++) {
		const struct corefile_block *block = &cf->blocks[i];

		if (block->port != DNS_PORT)
			continue;
		if (is_everywhere(opts, block))
			return true;
		for (size_t k = 0; k < block->binds_len; k++) {
			/* "::" means both */
			if (sockaddr__is_wildcard(&block->binds[k]) &&
			    (block->binds[k].sa.sa_family == AF_INET6 || family == AF_INET))
				return true;
		}
	}
	return false;
}

/*
 * Processes of the node itself reach the local addresses on the link that -setupinterface makes;
 * where a block binds a wildcard, whoever reaches the node has all of its addresses, as with
 * node-cache. The local ones stay in the list behind it: where another server of the node has the
 * port, those are what there is.
 */
static int plan_link(struct plan *plan, const struct run_options *opts, const struct corefile *cf,
		     struct error *err)
{
	static const int families[] = { AF_INET, AF_INET6 };
	struct plan_listen wide[2];
	int n = 0;

	for (int i = 0; i < opts->n_localip; i++) {
		union sockaddr_any addr = served_addr__sockaddr(&opts->localip[i], DNS_PORT);

		if (add_listen(plan, &addr, false))
			return error__set(err, -EINVAL, "more than %d addresses to listen on",
					  PLAN_MAX_LISTEN);
	}
	for (int i = 0; i < 2; i++) {
		struct served_addr any = { .family = families[i] };

		if (has_wide(opts, cf, families[i]))
			wide[n++] = (struct plan_listen){ served_addr__sockaddr(&any, DNS_PORT),
							  true, true };
	}
	if (plan->n_listen + n > PLAN_MAX_LISTEN)
		return error__set(err, -EINVAL, "more than %d addresses to listen on",
				  PLAN_MAX_LISTEN);
	memmove(plan->listen + n, plan->listen, plan->n_listen * sizeof(plan->listen[0]));
	memcpy(plan->listen, wide, n * sizeof(wide[0]));
	plan->n_listen += n;
	return 0;
}

int plan__make(const struct run_options *opts, const struct corefile *cf, struct plan *plan,
	       struct error *err)
{
	struct plan made = { .n_served = 0 };
	int ret;

	made.mode = choose_mode(opts, cf, &made.why_mode);
	if (made.mode == MODE_STEER)
		ret = plan_steer(&made, opts, cf, err);
	else
		ret = plan_listen(&made, opts, cf, err);
	if (!ret && made.mode == MODE_STEER && opts->setupinterface == YES)
		ret = plan_link(&made, opts, cf, err);
	if (!ret)
		ret = check_one_store(&made, cf, err);
	if (ret)
		return ret;
	warn_unanswered(&made, cf);
	*plan = made;
	return 0;
}

static bool to_served(const struct ifaddrs *ifa, struct served_addr *addr)
{
	if (!ifa->ifa_addr || ifa->ifa_flags & IFF_LOOPBACK)
		return false;
	if (ifa->ifa_addr->sa_family != AF_INET && ifa->ifa_addr->sa_family != AF_INET6)
		return false;
	*addr = served_addr__of(ifa->ifa_addr);
	return true;
}

int plan__local_addrs(struct plan *plan)
{
	struct ifaddrs *all, *ifa;
	struct served_addr addr;
	int ret = 0;

	if (!plan->wildcard)
		return 0;
	if (getifaddrs(&all))
		return -errno;
	plan->n_served = 0;
	for (ifa = all; ifa; ifa = ifa->ifa_next) {
		/* More than the programs can hold: the agent answers the rest itself. */
		if (to_served(ifa, &addr) && add_served(plan, &addr))
			ret = -E2BIG;
	}
	freeifaddrs(all);
	return ret;
}

bool plan__device_holds(const struct plan *plan, const char *ifname)
{
	struct ifaddrs *all, *ifa;
	struct served_addr addr;
	bool holds = false;

	if (getifaddrs(&all))
		return false;
	for (ifa = all; ifa && !holds; ifa = ifa->ifa_next)
		holds = !strcmp(ifa->ifa_name, ifname) && to_served(ifa, &addr) &&
			is_served(plan, &addr);
	freeifaddrs(all);
	return holds;
}

static uint32_t capped(uint64_t n)
{
	return n < 64 ? 64 : n > OPTIONS_CAPACITY_MAX ? OPTIONS_CAPACITY_MAX : n;
}

void plan__capacity(const struct run_options *opts, const struct corefile *cf, uint32_t capacity[2])
{
	uint64_t sum[2] = { 0, 0 };
	bool fixed = false;

	for (size_t i = 0; i < cf->blocks_len; i++) {
		const struct corefile_block *block = &cf->blocks[i];

		fixed |= block->has_hosts || block->templates_len;
		if (!block->cache.enabled)
			continue;
		sum[NODENS_POSITIVE] += block->cache.success.capacity;
		sum[NODENS_NEGATIVE] += block->cache.denial.capacity;
	}
	for (int kind = 0; kind < 2; kind++)
		capacity[kind] = capped(sum[kind] + (fixed ? PLAN_STATIC_CAPACITY : 0));
	if (opts->capacity) {
		capacity[NODENS_POSITIVE] = opts->capacity - opts->capacity / 2;
		capacity[NODENS_NEGATIVE] = opts->capacity / 2;
	}
}

uint32_t plan__series(const struct corefile *cf)
{
	size_t zones = 0;

	for (size_t i = 0; i < cf->blocks_len; i++)
		zones += cf->blocks[i].zones_len;
	return zones < UINT32_MAX / 4 ? zones + 1 : UINT32_MAX / 4;
}
