// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What sessions see of a packet, and that the packet is the same with them and without.
 *
 * Usage: test_observe [KERNEL]: with KERNEL ("5.4") there are no ring buffers, and no session
 * opens.
 */
#include <math.h>

#include "cases.h"
#include "watch/session.h"

#define EVENTS 64

static struct got {
	unsigned int n;
	struct {
		struct nodens_event head;
		uint8_t packet[NODENS_MAX_SNAP];
	} event[EVENTS];
} got, others;

static void on_event(void *ctx, const struct nodens_event *event)
{
	struct got *to = ctx;

	if (to->n < EVENTS) {
		to->event[to->n].head = *event;
		memcpy(to->event[to->n].packet, event->packet, event->captured);
	}
	to->n++;
}

static struct session *open_session(const struct nodens_filter *filter, struct got *to)
{
	struct session *session;
	struct error err;

	memset(to, 0, sizeof(*to));
	if (session__open(env.datapath, filter, on_event, to, &session, &err))
		die(err.text);
	return session;
}

static struct nodens_seen seen_by(const struct session *session)
{
	struct nodens_seen seen;

	if (session__seen(session, &seen))
		die("session__seen");
	return seen;
}

struct asking {
	const char *qname;
	uint16_t qtype, flags;
	bool ip6;
	int vlans;
};

static void build(const struct asking *a, struct frame *in)
{
	static uint8_t msg[512];
	struct frame_spec spec = { .ip6 = a->ip6,
				   .vlans = a->vlans,
				   .dns = msg,
				   .dns_len =
					   build_query(msg, a->qname, a->qtype, a->flags, NULL) };

	frame__build(in, &spec);
}

static void run_asking(enum test_hook hook, const struct asking *a, struct frame *in,
		       struct run *run)
{
	build(a, in);
	run_frame(&env, hook, in, run);
}

static bool same_run(const struct run *a, const struct run *b)
{
	return a->retval == b->retval && a->out.len == b->out.len &&
	       !memcmp(a->out.at, b->out.at, a->out.len) &&
	       !memcmp(a->moved, b->moved, sizeof(a->moved));
}

/* Each way out: its one event, the very packet, and nothing of the packet altered. */
static void test_ways(enum test_hook hook)
{
	static const struct {
		const char *what;
		struct asking ask;
		int kind, outcome, flags; /* kind -1: XDP leaves it to tc, so there is no event */
	} ways[] = {
		{ "hit",
		  { "one.example.org.", 1, DNS_RD, false, 0 },
		  NODENS_EVENT_ANSWERED,
		  C(HIT),
		  0 },
		{ "hit, IPv6, a tag",
		  { "oNe.example.org.", 1, DNS_RD, true, 1 },
		  NODENS_EVENT_ANSWERED,
		  C(HIT),
		  NODENS_EVENT_IP6 },
		{ "stale",
		  { "old.example.org.", 1, DNS_RD, false, 0 },
		  NODENS_EVENT_ANSWERED,
		  C(HIT),
		  NODENS_EVENT_STALE },
		{ "truncated",
		  { "many.example.org.", 1, DNS_RD, false, 0 },
		  NODENS_EVENT_ANSWERED,
		  C(HIT_TC),
		  0 },
		{ "a response",
		  { "one.example.org.", 1, DNS_QR, false, 0 },
		  NODENS_EVENT_PASSED,
		  C(RESPONSE),
		  0 },
		{ "a miss, steering off",
		  { "new.example.org.", 1, DNS_RD, false, 0 },
		  -1,
		  C(STEER_OFF),
		  0 },
	};
	struct nodens_filter filter = session__any();
	struct frame in;
	struct run off, on;

	filter.snap = NODENS_MAX_SNAP;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		int kind = ways[i].kind < 0 && hook == TEST_TC ? NODENS_EVENT_PASSED : ways[i].kind;
		struct session *session = NULL;
		struct nodens_event *e = &got.event[0].head;
		unsigned int tries = 2; /* TTLs count down meanwhile, once a second */
		int flags = ways[i].flags | (hook == TEST_XDP ? NODENS_EVENT_XDP : 0);

		do {
			session__close(session);
			run_asking(hook, &ways[i].ask, &in, &off);
			session = open_session(&filter, &got);
			run_asking(hook, &ways[i].ask, &in, &on);
		} while (!same_run(&on, &off) && --tries);
		session__read(session, 0);
		verdict(same_run(&on, &off), "%s: %s: the same packet and counts with a session",
			hook_name[hook], ways[i].what);
		if (kind < 0) {
			verdict(got.n == 0 && !seen_by(session).filtered, "%s: %s: no event",
				hook_name[hook], ways[i].what);
			session__close(session);
			continue;
		}
		verdict(got.n == 1 && seen_by(session).sent == 1 && e->kind == kind &&
				e->outcome == ways[i].outcome && e->flags == flags &&
				e->l3 == in.l3 && e->l4 == in.l4,
			"%s: %s: %u events, kind %u, outcome %u, flags %x, l3 %u, l4 %u",
			hook_name[hook], ways[i].what, got.n, e->kind, e->outcome, e->flags, e->l3,
			e->l4);
		verdict(e->packet_len == on.out.len && e->captured == on.out.len &&
				!memcmp(got.event[0].packet, on.out.at, on.out.len),
			"%s: %s: %u of %u bytes captured, of %zu", hook_name[hook], ways[i].what,
			e->captured, e->packet_len, on.out.len);
		verdict(e->time_ns <= mono_ns() && e->time_ns + 5000000000ull > mono_ns(),
			"%s: %s: the time", hook_name[hook], ways[i].what);
		session__close(session);
	}
	/* what is no DNS is only counted */
	{
		struct session *session = open_session(&filter, &got);

		build(&ways[0].ask, &in);
		put16(in.at + in.l4 + 2, 54);
		run_frame(&env, hook, &in, &on);
		session__read(session, 0);
		verdict(got.n == 0 && on.moved[C(NOT_DNS)] == 1, "%s: no DNS: no event",
			hook_name[hook]);
		session__close(session);
	}
}

/* A filter and whether the hit for one.example.org. A, from 10.244.1.2 or fd00:1::2, passes. */
static bool lets_through(enum test_hook hook, const struct nodens_filter *filter, bool ip6)
{
	struct asking a = { "One.Example.org.", 1, DNS_RD, ip6, 0 };
	struct session *session = open_session(filter, &got);
	struct nodens_seen seen;
	struct frame in;
	struct run run;

	run_asking(hook, &a, &in, &run);
	session__read(session, 0);
	seen = seen_by(session);
	session__close(session);
	if (got.n + seen.filtered != 1)
		die("an event neither sent nor filtered");
	return got.n;
}

static void suffix(struct nodens_filter *f, const char *name)
{
	struct dns_name wire = wire__name(name);

	f->suffix_len = wire.len;
	memcpy(f->suffix, wire.wire, wire.len);
}

static void test_filters(enum test_hook hook)
{
	struct nodens_filter f;

#define WANT(yes, what, ip6, set)                                                                \
	do {                                                                                     \
		f = session__any();                                                              \
		set;                                                                             \
		verdict(lets_through(hook, &f, ip6) == (yes), "%s: filter: %s", hook_name[hook], \
			what);                                                                   \
	} while (0)
	WANT(true, "anything", false, (void)0);
	WANT(true, "kind", false, f.kinds = 1 << NODENS_EVENT_ANSWERED);
	WANT(false, "other kinds", false, f.kinds = ~(1u << NODENS_EVENT_ANSWERED));
	WANT(true, "outcome", false, f.outcomes = 1ull << C(HIT));
	WANT(false, "other outcomes", false, f.outcomes = ~(1ull << C(HIT)));
	WANT(true, "rcode", false, f.rcodes = 1 << 0);
	WANT(false, "another rcode", false, f.rcodes = 1 << 3);
	WANT(true, "type", false, f.qtype = htons(1));
	WANT(false, "another type", false, f.qtype = htons(28));
	WANT(true, "the name", false, suffix(&f, "one.example.org."));
	WANT(true, "a name above", false, suffix(&f, "example.org."));
	WANT(true, "the root", false, suffix(&f, "."));
	WANT(false, "another name", false, suffix(&f, "example.com."));
	WANT(false, "a name below", false, suffix(&f, "a.one.example.org."));
	WANT(false, "an end that is no label", false, suffix(&f, "ne.example.org."));
	WANT(true, "the client", false,
	     (f.client[2] = htonl(0xffff), f.client[3] = inet_addr("10.244.1.2"),
	      memset(f.client_mask, 0xff, 16)));
	WANT(false, "another client", false,
	     (f.client[2] = htonl(0xffff), f.client[3] = inet_addr("10.244.1.3"),
	      memset(f.client_mask, 0xff, 16)));
	WANT(true, "its network", true,
	     (inet_pton(AF_INET6, "fd00:1::", f.client), memset(f.client_mask, 0xff, 8)));
	WANT(false, "another network", true,
	     (inet_pton(AF_INET6, "fd00:2::", f.client), memset(f.client_mask, 0xff, 8)));
	WANT(false, "IPv4 for IPv6", true,
	     (f.client[2] = htonl(0xffff), memset(f.client_mask, 0xff, 12)));
	WANT(false, "another device", false, f.ifindex = 4711);
#undef WANT
}

static void test_snap(enum test_hook hook)
{
	static const uint16_t snaps[] = { 14, 42, 63, 192, 193, 200, 384, 512, 513, 2016, 9999 };
	struct asking a = { "many.example.org.", 1, DNS_RD, false, 0 };
	struct nodens_filter f = session__any();
	struct frame in;
	struct run run;

	for (size_t i = 0; i < sizeof(snaps) / sizeof(snaps[0]); i++) {
		struct session *session;
		size_t want;

		f.snap = snaps[i];
		session = open_session(&f, &got);
		run_asking(hook, &a, &in, &run);
		session__read(session, 0);
		want = run.out.len < f.snap ? run.out.len : f.snap;
		verdict(got.n == 1 && got.event[0].head.captured == want &&
				!memcmp(got.event[0].packet, run.out.at, want),
			"%s: snap %u: %u captured of %zu", hook_name[hook], f.snap,
			got.event[0].head.captured, run.out.len);
		session__close(session);
	}
}

/* On a slow machine for longer than a session lasts by itself. */
static void ask_often(enum test_hook hook, unsigned int n, struct session *a, struct session *b)
{
	struct asking asking = { "one.example.org.", 1, DNS_RD, false, 0 };
	struct frame in;
	struct run run;

	while (n--) {
		run_asking(hook, &asking, &in, &run);
		if (a && !(n & 63))
			session__renew(a);
		if (b && !(n & 63))
			session__renew(b);
	}
}

/* Nothing waits for a viewer: what its ring has no room for is lost to it, and counted. */
static void test_full(enum test_hook hook)
{
	struct nodens_filter f = session__any(), nx = f;
	struct session *session, *other;
	struct nodens_seen seen;
	unsigned int n = NODENS_RING_BYTES / NODENS_EVENT_LARGE * 2;

	f.snap = NODENS_MAX_SNAP;
	nx.rcodes = 1 << 3;
	session = open_session(&f, &got);
	other = open_session(&nx, &others);
	/* the frame is small, so are its records */
	n = NODENS_RING_BYTES / NODENS_EVENT_SMALL + 1000;
	ask_often(hook, n, session, other);
	seen = seen_by(session);
	verdict(seen.sent + seen.lost == n && seen.lost > 0 && seen.sent > n / 2,
		"%s: full: %lu sent, %lu lost, of %u", hook_name[hook], (unsigned long)seen.sent,
		(unsigned long)seen.lost, n);
	session__read(session, 0);
	session__read(other, 0);
	verdict(got.n == seen.sent, "%s: full: %u read of %lu", hook_name[hook], got.n,
		(unsigned long)seen.sent);
	verdict(others.n == 0 && seen_by(other).filtered == n && !seen_by(other).lost,
		"%s: full: the other session has lost nothing", hook_name[hook]);
	ask_often(hook, 1, session, NULL);
	session__read(session, 0);
	verdict(got.n == seen.sent + 1, "%s: full: read, it goes on", hook_name[hook]);
	session__close(session);
	session__close(other);
}

/* Of @n packets @session has seen one in @one_in: binomial, six deviations. */
static void is_one_in(enum test_hook hook, const char *what, struct session *session,
		      unsigned int n, unsigned int one_in)
{
	double mean = (double)n / one_in, deviation = sqrt(mean * (1 - 1.0 / one_in));
	struct nodens_seen seen = seen_by(session);

	verdict(fabs(seen.sent + seen.lost - mean) <= 6 * deviation && !seen.filtered,
		"%s: %s: one in %u: %lu of %u", hook_name[hook], what, one_in,
		(unsigned long)(seen.sent + seen.lost), n);
}

/* Few packets, and many, of others that look on as well. */
static void test_one_in(enum test_hook hook)
{
	struct nodens_filter f = session__any();
	struct session *eighth, *few, *each;
	struct nodens_seen seen;

	f.one_in = 8;
	eighth = open_session(&f, &got);
	ask_often(hook, 6400, eighth, NULL);
	is_one_in(hook, "alone", eighth, 6400, 8);
	session__close(eighth);

	f.one_in = 2 * NODENS_FEW;
	few = open_session(&f, &got);
	ask_often(hook, 64000, few, NULL);
	is_one_in(hook, "alone", few, 64000, 2 * NODENS_FEW);
	session__close(few);

	few = open_session(&f, &got);
	f.one_in = NODENS_FEW;
	each = open_session(&f, &others);
	ask_often(hook, 64000, few, each);
	is_one_in(hook, "two", few, 64000, 2 * NODENS_FEW);
	is_one_in(hook, "two", each, 64000, NODENS_FEW);
	session__close(each);
	session__close(few);

	f.one_in = 2 * NODENS_FEW;
	few = open_session(&f, &got);
	f.one_in = 1;
	each = open_session(&f, &others);
	ask_often(hook, 64000, few, each);
	is_one_in(hook, "beside each", few, 64000, 2 * NODENS_FEW);
	is_one_in(hook, "beside few", each, 64000, 1);
	session__set_one_in(each, NODENS_FEW);
	seen = seen_by(each);
	ask_often(hook, 64000, few, each);
	seen.sent = seen_by(each).sent + seen_by(each).lost - seen.sent - seen.lost;
	verdict(seen.sent > 800 && seen.sent < 1200, "%s: each, then one in %u: %lu of 64000",
		hook_name[hook], NODENS_FEW, (unsigned long)seen.sent);
	session__close(each);
	session__close(few);
}

/* Who wants but the agent's events looks at no packet. */
static void test_agent_alone(enum test_hook hook)
{
	struct nodens_filter each = session__any(), f = each;
	struct session *session, *other;
	struct nodens_seen seen;

	f.kinds = 1u << NODENS_EVENT_AGENT;
	session = open_session(&f, &got);
	ask_often(hook, 100, session, NULL);
	other = open_session(&each, &others);
	ask_often(hook, 100, session, other);
	verdict(seen_by(other).sent == 100, "%s: beside the agent's alone: %lu of 100",
		hook_name[hook], (unsigned long)seen_by(other).sent);
	session__close(other);
	seen = seen_by(session);
	verdict(!seen.sent && !seen.filtered, "%s: the agent's alone: %lu packets looked at",
		hook_name[hook], (unsigned long)seen.filtered);
	session__close(session);
}

/* A viewer that was killed: the first packet after its time switches it off; another takes over. */
static void test_killed(enum test_hook hook)
{
	struct nodens_filter f = session__any();
	struct session *all[NODENS_SESSIONS], *session, *more;
	struct datapath_sessions maps;
	struct nodens_session entry;
	struct error err;
	uint32_t number, id, i, pids[NODENS_SESSIONS];
	bool full = true;

	for (i = 0; i < NODENS_SESSIONS; i++)
		all[i] = open_session(&f, &got);
	verdict(session__open(env.datapath, &f, on_event, &got, &more, &err) == -EUSERS &&
			session__holders(env.datapath, pids) == NODENS_SESSIONS &&
			pids[0] == (uint32_t)getpid(),
		"%s: so many sessions and no more", hook_name[hook]);
	for (i = 1; i < NODENS_SESSIONS; i++)
		session__close(all[i]);
	for (i = 1; i < NODENS_SESSIONS; i++)
		full &= env.ctl->observe[i];
	session = all[0];
	number = 0;
	datapath__sessions(env.datapath, &maps);
	if (bpf_map_lookup_elem(maps.sessions_fd, &number, &entry))
		die("nodens_sessions");
	entry.until_ns = mono_ns() - 10000000000ull;
	if (bpf_map_update_elem(maps.sessions_fd, &number, &entry, BPF_ANY))
		die("nodens_sessions");
	verdict(env.ctl->observe[0] && !full, "%s: killed: the others are off", hook_name[hook]);
	ask_often(hook, 1, NULL, NULL);
	verdict(env.ctl->observe[0] == 0, "%s: killed: off by the first packet", hook_name[hook]);
	verdict(!bpf_map_lookup_elem(maps.rings_fd, &number, &id), "%s: killed: its ring is there",
		hook_name[hook]);
	session__sweep(env.datapath);
	verdict(bpf_map_lookup_elem(maps.rings_fd, &number, &id) &&
			session__renew(session) == false,
		"%s: killed: swept, and no longer the old viewer's", hook_name[hook]);
	more = open_session(&f, &got);
	session__close(session);
	ask_often(hook, 3, NULL, NULL);
	session__read(more, 0);
	verdict(got.n == 3 && env.ctl->observe[0],
		"%s: killed: its place is another's, and stays when it ends late (%u)",
		hook_name[hook], got.n);
	session__close(more);
	verdict(session__holders(env.datapath, pids) == 0 && !*(uint64_t *)env.ctl->observe,
		"%s: all off", hook_name[hook]);
}

/* What the agent says: the same filters, and what it knows besides. */
static void test_note(void)
{
	struct nodens_agent_note note = { .ifindex = 7,
					  .took_us = 5004123,
					  .upstream = 3,
					  .tries = 2,
					  .flags = NODENS_EVENT_TIMEOUT,
					  .outcome = C(MISS) };
	struct asking a = { "slow.example.org.", 28, DNS_QR | DNS_RD | 2, false, 0 };
	struct nodens_filter f = session__any();
	struct session *session;
	struct __sk_buff skb = {};
	struct nodens_event *e = &got.event[0].head;
	struct error err;
	struct frame in;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = &skb, .ctx_size_in = sizeof(skb));
	int fd = datapath__tc_prog_fd(env.datapath, DATAPATH_TC_NOTE, true, &err);

	if (fd < 0)
		die(err.text);
	build(&a, &in);
	note.l3 = in.l3;
	note.l4 = in.l4;
	memcpy(skb.cb, &note, sizeof(note));
	opts.data_in = in.at;
	opts.data_size_in = in.len;
	f.rcodes = 1 << 2;
	f.qtype = htons(28);
	suffix(&f, "example.org.");
	/* a reply's destination is the client */
	memset(f.client_mask, 0xff, 16);
	f.client[2] = htonl(0xffff);
	f.client[3] = inet_addr("10.96.0.10");
	session = open_session(&f, &got);
	if (bpf_prog_test_run_opts(fd, &opts))
		die("tc_note");
	session__read(session, 0);
	verdict(got.n == 1 && e->kind == NODENS_EVENT_AGENT && e->ifindex == 7 &&
			e->took_us == 5004123 && e->upstream == 3 && e->tries == 2 &&
			e->flags == NODENS_EVENT_TIMEOUT && e->outcome == C(MISS) &&
			e->captured == in.len && !memcmp(got.event[0].packet, in.at, in.len),
		"agent: %u events, device %u, %u us, upstream %u, %u tries, flags %x", got.n,
		e->ifindex, e->took_us, e->upstream, e->tries, e->flags);
	ask_often(TEST_TC, 1, NULL, NULL);
	session__read(session, 0);
	verdict(got.n == 1, "agent: a hit after it does not match");
	session__close(session);
	session = open_session(&(struct nodens_filter){ .kinds = 1 << NODENS_EVENT_ANSWERED,
							.outcomes = UINT64_MAX,
							.rcodes = NODENS_ALL_RCODES,
							.one_in = 1,
							.snap = 64 },
			       &got);
	ask_often(TEST_TC, 1, NULL, NULL);
	session__read(session, 0);
	verdict(got.n == 1 && !e->took_us && !e->upstream && !e->tries,
		"agent: nothing of it is in the next packet's event");
	session__close(session);
}

static void put(const char *qname, const char *records, uint32_t ttl_s, uint64_t age_s,
		uint32_t stale_s)
{
	struct stored s = { qname, 1, DNS_QR | DNS_RA, 0, { records }, 0 };

	store__put(
		env.store, decode(&s),
		&(struct store_put){ .kind = NODENS_POSITIVE, .ttl_s = ttl_s, .stale_s = stale_s },
		mono_ns() - age_s * 1000000000);
}

static void put_answers(void)
{
	static char many[4096];
	int len = 0;

	put("one.example.org.", "one.example.org. 0 IN A 192.0.2.1", 3600, 0, 0);
	put("old.example.org.", "old.example.org. 0 IN A 192.0.2.2", 30, 60, 3600);
	for (int i = 0; i < 60; i++)
		len += snprintf(many + len, sizeof(many) - len,
				"many.example.org. 0 IN A 192.0.2.%d\n", i + 1);
	put("many.example.org.", many, 3600, 0, 0);
}

int main(int argc, char **argv)
{
	struct nodens_filter filter = session__any();
	struct session *session;
	struct error err;

	env__open(&env, argc > 1 ? argv[1] : NULL, 64);
	if (!datapath__features(env.datapath)->sessions) {
		verdict(session__open(env.datapath, &filter, on_event, &got, &session, &err) ==
				-EOPNOTSUPP,
			"without ring buffers no session opens: %s", err.text);
		env__close(&env);
		return closing_line();
	}
	put_answers();
	for (int hook = 0; hook < TEST_HOOKS; hook++) {
		if (env.fd[hook] < 0)
			continue;
		test_ways(hook);
		test_filters(hook);
		test_snap(hook);
		test_full(hook);
		test_one_in(hook);
		test_agent_alone(hook);
		test_killed(hook);
	}
	test_note();
	env__close(&env);
	return closing_line();
}
