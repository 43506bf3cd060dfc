// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The upstreams: which one is next, which one is dead. Contract: upstream.h.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "upstream_priv.h"

#define IDLE_SOCKET_NS (10 * NSEC_PER_SEC)
/* A probe of a dead upstream; then the next is sent, lest its return goes unnoticed for long. */
#define PROBE_NS       NSEC_PER_SEC
#define PROBE_LEAST_NS (50 * NSEC_PER_MS) /* between probes, whatever health_check says */

int upstreams__random16(struct upstreams *ups)
{
	if (!ups->random_left) {
		if (getrandom(ups->random, sizeof(ups->random), 0) != sizeof(ups->random))
			return -EIO;
		ups->random_left = RANDOM_IDS;
	}
	return ups->random[--ups->random_left];
}

/* ---- health ---- */

static void tell(struct upstream *upstream, bool up)
{
	const struct upstreams_config *config = &upstream->group->owner->config;

	upstream->told = !up;
	if (config->changed)
		config->changed(config->ctx, upstream->addr, up, up ? NULL : upstream->reason);
}

void upstream_probe_ended(struct upstream *upstream)
{
	upstream->probing = false;
	/* One more chance than the others had: only now it is worth a word. */
	if (upstream->down && !upstream->told)
		tell(upstream, false);
}

static void probe_give_up(struct upstream *upstream)
{
	struct attempt *attempt = &upstream->probe.attempts[0];

	upstreams_count(upstream->group->owner, AGENT_STAT_UPSTREAM_TIMEOUTS);
	attempt_reason(attempt, attempt->refused ? attempt->refused : -ETIMEDOUT);
	upstream->numbers->v.healthcheck_failures++;
	exchange_unlink(&upstream->probe);
	upstream_probe_ended(upstream);
}

/* Where one is under way that little is to be hoped for, it makes way. */
static void probe_start(struct upstream *upstream)
{
	const struct attempt *attempt = &upstream->probe.attempts[0];
	uint64_t now = upstreams_now(upstream->group->owner);

	if (upstream->probing) {
		if (!attempt->refused && now - attempt->sent_ns < PROBE_NS)
			return;
		probe_give_up(upstream);
	}
	upstream->probing = true;
	exchange_probe(upstream, now);
}

static void probe_again_later(struct upstream *upstream)
{
	uint64_t wait_ns = upstream->group->forward->health_check_ns;

	loop_timer__set(&upstream->probe_timer,
			wait_ns > PROBE_LEAST_NS ? wait_ns : PROBE_LEAST_NS);
}

static void on_probe_timer(void *arg, uint64_t now)
{
	struct upstream *upstream = arg;

	(void)now;
	if (!upstream->down)
		return;
	probe_again_later(upstream);
	probe_start(upstream);
}

static void measure(struct upstream *upstream, uint64_t rtt_ns)
{
	uint64_t off;

	if (!upstream->rtt_ns) {
		upstream->rtt_ns = rtt_ns;
		upstream->rtt_var_ns = rtt_ns / 2;
		return;
	}
	off = rtt_ns > upstream->rtt_ns ? rtt_ns - upstream->rtt_ns : upstream->rtt_ns - rtt_ns;
	upstream->rtt_var_ns = (3 * upstream->rtt_var_ns + off) / 4;
	upstream->rtt_ns = (7 * upstream->rtt_ns + rtt_ns) / 8;
}

void upstream_succeeded(struct upstream *upstream, uint64_t sent_ns, uint64_t now)
{
	struct upstreams *ups = upstream->group->owner;

	measure(upstream, now - sent_ns);
	upstream->heard_ns = now;
	upstream->fails = 0;
	if (!upstream->down)
		return;
	upstream->down = false;
	loop_timer__stop(&upstream->probe_timer);
	ups->config.stats->v[AGENT_STAT_UPSTREAMS_DOWN]--;
	if (upstream->told)
		tell(upstream, true);
}

void upstream_has_failed(struct upstream *upstream, uint64_t now)
{
	const struct corefile_forward *forward = upstream->group->forward;
	struct upstreams *ups = upstream->group->owner;

	upstream->fails++;
	if (upstream->down || !forward->max_fails || upstream->fails < forward->max_fails)
		return;
	upstream->down = true;
	ups->config.stats->v[AGENT_STAT_UPSTREAMS_DOWN]++;
	/* Not from here: the probe could fail at once, and so on. */
	loop_timer__set(&upstream->probe_timer, 0);
	if (upstream->group->n > 1)
		exchanges_abandon(upstream, now);
}

/* ---- choice ---- */

static bool all_down(const struct upstream_group *group)
{
	for (size_t i = 0; i < group->n; i++) {
		if (!group->list[i].down)
			return false;
	}
	return true;
}

size_t upstream_first_choice(struct upstream_group *group)
{
	enum corefile_policy policy = group->forward->policy;
	int random;

	/* Then perhaps it is the probes that fail: any of them may answer. */
	if (all_down(group))
		policy = COREFILE_POLICY_RANDOM;
	switch (policy) {
	case COREFILE_POLICY_SEQUENTIAL:
		return 0;
	case COREFILE_POLICY_ROUND_ROBIN:
		return group->round_robin++ % group->n;
	default:
		random = group->n > 1 ? upstreams__random16(group->owner) : 0;
		return random < 0 ? 0 : random % group->n;
	}
}

/*
 * Live ones first, each once; then, once all of those have refused, the ones that are taken for
 * dead, each once and unless failfast is set; then the live ones again, or the dead ones, until
 * time is up. Who gave a malformed answer is not asked again.
 */
struct upstream *upstream_choose(struct exchange *ex)
{
	struct upstream_group *group = ex->group;
	struct upstream *live = NULL, *dead = NULL, *dead_again = NULL;
	bool refused = true;

	for (size_t k = 0; k < group->n; k++) {
		size_t i = (ex->next + k) % group->n;
		struct upstream *upstream = &group->list[i];
		bool tried = ex->tried >> i & 1;

		if (ex->barred >> i & 1)
			continue;
		if (!upstream->down && !tried)
			return upstream;
		if (!upstream->down) {
			live = live ? live : upstream;
			refused &= ex->refused >> i & 1;
		} else if (!tried) {
			dead = dead ? dead : upstream;
		} else {
			dead_again = dead_again ? dead_again : upstream;
		}
	}
	if (dead && refused && !group->forward->failfast)
		return dead;
	if (live) {
		ex->tried = 0;
		return live;
	}
	return group->forward->failfast ? NULL : dead_again;
}

int upstream_bind(const struct upstream *upstream, int fd)
{
	const struct sockaddr_storage *source = &upstream->group->forward->source;
	int on = 1;

	if (!source->ss_family)
		return 0;
	/* the port is then chosen by connect(), which knows which are free towards there */
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	return bind(fd, (const struct sockaddr *)source, upstream->addr_len) ? -errno : 0;
}

/* ---- open and close ---- */

static void on_upkeep(void *arg, uint64_t now)
{
	struct upstreams *ups = arg;

	upstream_udp__close_idle(ups, now > IDLE_SOCKET_NS ? now - IDLE_SOCKET_NS : 0);
	for (struct upstream_group *group = ups->groups; group; group = group->next) {
		uint64_t expire = group->forward->expire_ns;

		for (size_t i = 0; i < group->n; i++)
			upstream_tcp__close_idle(&group->list[i], now > expire ? now - expire : 0,
						 now);
	}
}

bool upstream_group__answered(const struct upstream_group *group)
{
	for (size_t i = 0; i < group->n; i++) {
		if (group->list[i].heard_ns)
			return true;
	}
	return false;
}

bool upstreams__answered(const struct upstreams *ups, const struct corefile_forward **waiting)
{
	for (const struct upstream_group *group = ups->groups; group; group = group->next) {
		if (upstream_group__answered(group))
			continue;
		if (waiting)
			*waiting = group->forward;
		return false;
	}
	return true;
}

static const struct upstream *find_upstream(const struct upstreams *ups,
					    const struct upstream *like)
{
	for (const struct upstream_group *group = ups->groups; group; group = group->next) {
		for (size_t i = 0; i < group->n; i++) {
			const struct upstream *upstream = &group->list[i];

			if (!memcmp(upstream->addr, like->addr, sizeof(*like->addr)) &&
			    upstream->tls == like->tls)
				return upstream;
		}
	}
	return NULL;
}

void upstreams__inherit(struct upstreams *ups, const struct upstreams *before)
{
	for (struct upstream_group *group = ups->groups; group; group = group->next) {
		for (size_t i = 0; i < group->n; i++) {
			const struct upstream *old = find_upstream(before, &group->list[i]);

			if (!old)
				continue;
			group->list[i].rtt_ns = old->rtt_ns;
			group->list[i].rtt_var_ns = old->rtt_var_ns;
			group->list[i].heard_ns = old->heard_ns;
			group->list[i].edns = old->edns;
			group->list[i].edns_until_ns = old->edns_until_ns;
			group->list[i].edns_good_ns = old->edns_good_ns;
		}
	}
	upstream_numbers__inherit(ups, before);
}

void upstreams__probe(struct upstreams *ups)
{
	for (struct upstream_group *group = ups->groups; group; group = group->next) {
		if (upstream_group__answered(group))
			continue;
		for (size_t i = 0; i < group->n; i++) {
			if (!group->list[i].heard_ns)
				probe_start(&group->list[i]);
		}
	}
}

int upstreams__open(const struct upstreams_config *config, struct upstreams **out)
{
	struct upstreams *ups = calloc(1, sizeof(*ups));

	if (!ups)
		return -ENOMEM;
	ups->config = *config;
	list__init(&ups->by_deadline);
	for (int i = 0; i < RESENDS; i++)
		list__init(&ups->by_resend[i]);
	list__init(&ups->udp_idle[0]);
	list__init(&ups->udp_idle[1]);
	loop_timer__init(&ups->timer, config->loop, exchanges_timer, ups);
	loop_timer__init(&ups->upkeep, config->loop, on_upkeep, ups);
	if (loop_timer__every(&ups->upkeep, NSEC_PER_SEC)) {
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

		exchange_unlink(&upstream->probe);
		if (upstream->down)
			group->owner->config.stats->v[AGENT_STAT_UPSTREAMS_DOWN]--;
		loop_timer__stop(&upstream->probe_timer);
		upstream_tcp__close_idle(upstream, UINT64_MAX, 0);
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
	upstream_udp__close_idle(ups, UINT64_MAX);
	loop_timer__stop(&ups->timer);
	loop_timer__stop(&ups->upkeep);
	upstream_numbers__close_all(ups);
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
	struct sockaddr_in6 *peer6 = (struct sockaddr_in6 *)&upstream->peer;
	struct sockaddr_in *peer4 = (struct sockaddr_in *)&upstream->peer;

	upstream->peer = *upstream->addr;
	if (upstream->peer.ss_family == AF_INET && peer4->sin_addr.s_addr == htonl(INADDR_ANY))
		peer4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else if (upstream->peer.ss_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&peer6->sin6_addr))
		peer6->sin6_addr = in6addr_loopback;
}

static int upstream_init(struct upstream *upstream, struct upstream_group *group,
			 const struct corefile_upstream *to)
{
	upstream->group = group;
	upstream->addr = &to->addr;
	set_peer(upstream);
	upstream->tls = to->tls;
	upstream->tls_name = to->tls_name ? to->tls_name : group->forward->tls.servername;
	upstream->addr_len = to->addr.ss_family == AF_INET ? sizeof(struct sockaddr_in)
							   : sizeof(struct sockaddr_in6);
	loop_timer__init(&upstream->probe_timer, group->owner->config.loop, on_probe_timer,
			 upstream);
	return upstream_numbers__open(group->owner, upstream);
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
			 struct upstream_group **out, struct upstream_error *err)
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
	group->probe_name.len = forward->health_check_domain.wire_len;
	memcpy(group->probe_name.wire, forward->health_check_domain.wire, group->probe_name.len);
	if (!group->probe_name.len)
		group->probe_name.len = 1; /* the root */
	for (size_t i = 0; i < n; i++)
		list__init(&group->list[i].conns);
	group->read = read_class(ups, forward->read_timeout_ns);
	if (!group->read)
		ret = -ENOMEM;
	else if (wants_tls(forward))
		ret = upstream_tls__open(forward, &group->tls, err);
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
