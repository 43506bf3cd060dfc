// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The upstreams of all forwards: opened, kept up, closed. Contract: upstream.h.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "upstream_priv.h"

#define IDLE_SOCKET_NS (10 * NSEC_PER_SEC)

static void on_upkeep(void *arg, uint64_t now)
{
	struct upstreams *ups = arg;

	upstream_udp_close_idle(ups, now > IDLE_SOCKET_NS ? now - IDLE_SOCKET_NS : 0);
	for (struct upstream_group *group = ups->groups; group; group = group->next) {
		uint64_t expire = group->forward->expire_ns;

		for (size_t i = 0; i < group->n; i++)
			upstream_tcp_close_idle(&group->list[i], now > expire ? now - expire : 0,
						now);
	}
}

static const struct upstream *find_upstream(const struct upstreams *ups,
					    const struct upstream *like)
{
	for (const struct upstream_group *group = ups->groups; group; group = group->next) {
		for (size_t i = 0; i < group->n; i++) {
			const struct upstream *upstream = &group->list[i];

			if (sockaddr__same(upstream->addr, like->addr) &&
			    upstream->tls == like->tls)
				return upstream;
		}
	}
	return NULL;
}

static void inherit(struct upstream *upstream, const struct upstream *old)
{
	upstream->rtt_ns = old->rtt_ns;
	upstream->rtt_var_ns = old->rtt_var_ns;
	upstream->heard_ns = old->heard_ns;
	upstream->edns = old->edns;
	upstream->edns_until_ns = old->edns_until_ns;
	upstream->edns_good_ns = old->edns_good_ns;
	upstream_health_inherit(upstream, old);
}

void upstreams__inherit(struct upstreams *ups, struct upstreams *before)
{
	for (struct upstream_group *group = ups->groups; group; group = group->next) {
		for (size_t i = 0; i < group->n; i++) {
			const struct upstream *old = find_upstream(before, &group->list[i]);

			if (old)
				inherit(&group->list[i], old);
		}
	}
	upstream_numbers_inherit(ups, before);
	for (struct upstream_group *group = before->groups; group; group = group->next) {
		for (size_t i = 0; i < group->n; i++)
			upstream_retire(&group->list[i]);
	}
	before->retired = true;
}

int upstreams__open(const struct upstreams_config *config, struct upstreams **out)
{
	struct upstreams *ups = calloc(1, sizeof(*ups));

	if (!ups)
		return -ENOMEM;
	ups->config = *config;
	ups->events = &exchange_events;
	list__init(&ups->by_deadline);
	for (int i = 0; i < RESENDS; i++)
		list__init(&ups->by_resend[i]);
	loop_timer__init(&ups->timer, config->loop, exchanges_timer, ups);
	loop_timer__init(&ups->upkeep, config->loop, on_upkeep, ups);
	if (upstream_udp_open(ups) || loop_timer__every(&ups->upkeep, NSEC_PER_SEC)) {
		upstreams__close(ups);
		return -ENOMEM;
	}
	*out = ups;
	return 0;
}

static void group_close(struct upstream_group *group)
{
	for (size_t i = 0; i < group->n; i++) {
		struct upstream *upstream = &group->list[i];

		upstream_probe_close(upstream);
		if (upstream->down)
			upstream_count_down(upstream, -1);
		upstream_tcp_close_idle(upstream, UINT64_MAX, 0);
		SSL_SESSION_free(upstream->session);
	}
	SSL_CTX_free(group->tls);
	free(group);
}

void upstreams__close(struct upstreams *ups)
{
	if (!ups)
		return;
	while (ups->groups) {
		struct upstream_group *group = ups->groups;

		ups->groups = group->next;
		group_close(group);
	}
	while (ups->reads) {
		struct read_class *read = ups->reads;

		ups->reads = read->next;
		free(read);
	}
	upstream_udp_close(ups);
	loop_timer__stop(&ups->timer);
	loop_timer__stop(&ups->upkeep);
	upstream_numbers_close_all(ups);
	free(ups);
}

static bool wants_tls(const struct corefile_forward *forward)
{
	for (size_t i = 0; i < forward->upstreams_len; i++) {
		if (forward->upstreams[i].tls)
			return true;
	}
	/* Nobody is asked over it, but files that are named must be good. */
	return forward->tls.cert || forward->tls.ca;
}

/* To connect to no address is to connect to this machine. */
static void set_peer(struct upstream *upstream)
{
	union sockaddr_any *peer = &upstream->peer;

	*peer = *upstream->addr;
	if (sockaddr__is_wildcard(peer))
		sockaddr__parse_ip(peer->sa.sa_family == AF_INET6 ? "::1" : "127.0.0.1",
				   sockaddr__port(peer), peer);
}

static int upstream_init(struct upstream *upstream, struct upstream_group *group,
			 const struct corefile_upstream *to)
{
	upstream->group = group;
	upstream->addr = &to->addr;
	set_peer(upstream);
	upstream->tls = to->tls;
	upstream->tls_name = to->tls_name ? to->tls_name : group->forward->tls.servername;
	upstream->addr_len = sockaddr__len(&to->addr);
	upstream_probe_init(upstream);
	return upstream_numbers_open(group->owner, upstream);
}

/* NULL: no memory. They are few: as many as the Corefile has different read_timeouts. */
static struct read_class *read_class(struct upstreams *ups, uint64_t read_ns)
{
	struct read_class *read = ups->reads;

	while (read && read->read_ns != read_ns)
		read = read->next;
	if (read)
		return read;
	read = calloc(1, sizeof(*read));
	if (!read)
		return NULL;
	read->read_ns = read_ns;
	list__init(&read->by_end);
	read->next = ups->reads;
	ups->reads = read;
	return read;
}

int upstream_group__open(struct upstreams *ups, const struct corefile_forward *forward,
			 struct upstream_group **out, struct error *err)
{
	size_t n = forward->upstreams_len;
	struct upstream_group *group = calloc(1, sizeof(*group) + n * sizeof(group->list[0]));
	int ret = 0;

	err->text[0] = '\0';
	if (!group)
		return -ENOMEM;
	group->owner = ups;
	group->forward = forward;
	group->n = n;
	group->probe_name = forward->health_check_domain.name;
	if (!group->probe_name.len)
		group->probe_name.len = 1; /* the root */
	for (size_t i = 0; i < n; i++)
		list__init(&group->list[i].conns);
	group->read = read_class(ups, forward->read_timeout_ns);
	if (!group->read)
		ret = -ENOMEM;
	else if (wants_tls(forward))
		ret = upstream_tls_open(forward, &group->tls, err);
	for (size_t i = 0; !ret && i < n; i++)
		ret = upstream_init(&group->list[i], group, &forward->upstreams[i]);
	if (ret) {
		group_close(group);
		return ret;
	}
	group->next = ups->groups;
	ups->groups = group;
	*out = group;
	return 0;
}
