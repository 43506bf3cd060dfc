// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The program at devices' egress that looks at replies: which packets it sends to its session, and
 * that it lets each go on as it is.
 *
 * Usage: test_replies [KERNEL]: without tcx (Linux 6.6) it has to be refused.
 */
#include "harness.h"

#include "datapath/replies.h"
#include "watch/session.h"

#define TCX_NEXT UINT32_MAX /* -1: whoever is behind runs, or the packet goes on */

static struct env env;
static struct got {
	unsigned int n;
	struct nodens_event head;
	uint8_t packet[NODENS_MAX_SNAP];
} got;

static void on_event(void *ctx, const struct nodens_event *event)
{
	struct got *to = ctx;

	to->n++;
	to->head = *event;
	memcpy(to->packet, event->packet, event->captured);
}

static int prog_named(const char *name)
{
	struct bpf_prog_info info;
	uint32_t id = 0, len;
	int fd;

	while (!bpf_prog_get_next_id(id, &id)) {
		fd = bpf_prog_get_fd_by_id(id);
		if (fd < 0)
			continue;
		memset(&info, 0, sizeof(info));
		len = sizeof(info);
		if (!bpf_obj_get_info_by_fd(fd, &info, &len) && !strcmp(info.name, name))
			return fd;
		close(fd);
	}
	return -1;
}

/* A reply of 40 octets, or more. */
static void build(struct frame *f, bool ip6, size_t dns_len)
{
	static uint8_t dns[2000];
	struct frame_spec spec = { .ip6 = ip6, .dns = dns, .dns_len = dns_len };

	memset(dns, 7, sizeof(dns));
	memcpy(dns, "\x12\x34\x81\x80\0\1\0\1\0\0\0\0\3www\7example\3org", 29);
	frame__build(f, &spec);
	/* the way back: from port 53 */
	put16(f->at + f->l4, 53);
	put16(f->at + f->l4 + 2, 40000);
}

/* What is done to a reply for IPv4; whether it is still one that is sent. */
static void as_it_is(struct frame *f)
{
	(void)f;
}
static void other_port(struct frame *f)
{
	put16(f->at + f->l4, 54);
}
static void query(struct frame *f)
{
	f->at[f->dns + 2] &= 0x7f;
}
static void tcp(struct frame *f)
{
	f->at[f->l3 + 9] = 6;
}
static void last_part(struct frame *f)
{
	put16(f->at + f->l3 + 6, 185);
}
static void first_part(struct frame *f)
{
	put16(f->at + f->l3 + 6, 0x2000);
}
static void arp(struct frame *f)
{
	put16(f->at + 12, 0x0806);
}
static void tagged(struct frame *f)
{
	put16(f->at + 12, 0x8100);
}
static void cut(struct frame *f)
{
	f->len = f->dns + 11;
}
static void ip_alone(struct frame *f)
{
	f->len = f->l4;
}

static void options(struct frame *f)
{
	memmove(f->at + f->l4 + 4, f->at + f->l4, f->len - f->l4);
	memset(f->at + f->l4, 1, 4);
	f->at[f->l3] = 0x46;
	f->l4 += 4;
	f->len += 4;
}

static const struct packet {
	const char *what;
	void (*change)(struct frame *f);
	bool ip6, sent;
	size_t dns_len;
} packets[] = {
	{ "a reply", as_it_is, false, true, 40 },
	{ "a reply, IPv6", as_it_is, true, true, 40 },
	{ "a large one", as_it_is, false, true, 1900 },
	{ "an empty one", as_it_is, false, true, 12 },
	{ "IPv4 options", options, false, true, 40 },
	{ "the first fragment", first_part, false, true, 40 },
	{ "a later fragment", last_part, false, false, 40 },
	{ "from another port", other_port, false, false, 40 },
	{ "a query", query, false, false, 40 },
	{ "TCP", tcp, false, false, 40 },
	{ "ARP", arp, false, false, 40 },
	{ "a tag in the packet", tagged, false, false, 40 },
	{ "eleven octets of DNS", cut, false, false, 40 },
	{ "no more than IP", ip_alone, false, false, 40 },
};

static void run(int prog, const struct frame *in, struct frame *out, uint32_t *retval)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in->at, .data_size_in = in->len,
		    .data_out = out->at, .data_size_out = FRAME_ROOM, .repeat = 1);

	if (bpf_prog_test_run_opts(prog, &opts))
		die("BPF_PROG_RUN");
	out->len = opts.data_size_out;
	*retval = opts.retval;
}

static void test_packets(int prog, struct session *session)
{
	struct frame in, out;
	uint32_t retval;

	for (size_t i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
		const struct packet *p = &packets[i];

		memset(&got, 0, sizeof(got));
		build(&in, p->ip6, p->dns_len);
		p->change(&in);
		run(prog, &in, &out, &retval);
		session__read(session, 0);
		verdict(retval == TCX_NEXT && out.len == in.len && !memcmp(out.at, in.at, in.len),
			"%s: goes on as it is: %u, %zu of %zu octets", p->what, retval, out.len,
			in.len);
		verdict(got.n == p->sent, "%s: %u events", p->what, got.n);
		if (!p->sent)
			continue;
		verdict(got.head.kind == NODENS_EVENT_REPLY && got.head.l3 == in.l3 &&
				got.head.l4 == in.l4 &&
				got.head.flags == (p->ip6 ? NODENS_EVENT_IP6 : 0) &&
				got.head.packet_len == in.len,
			"%s: kind %u, l3 %u, l4 %u, flags %x, %u octets", p->what, got.head.kind,
			got.head.l3, got.head.l4, got.head.flags, got.head.packet_len);
		verdict(got.head.captured == (in.len < SESSION_SNAP ? in.len : SESSION_SNAP) &&
				!memcmp(got.packet, in.at, got.head.captured),
			"%s: %u octets captured", p->what, got.head.captured);
	}
}

/* A ring that is full loses them, and counts; another viewer's session is none of its business. */
static void test_losses(int prog, struct session *session, const struct nodens_filter *filter)
{
	struct nodens_seen seen, later;
	struct frame in, out;
	struct session *next;
	struct error err;
	uint32_t retval = 0;

	build(&in, false, 40);
	for (unsigned int i = 0; i < NODENS_RING_BYTES / NODENS_EVENT_SMALL + 100; i++)
		run(prog, &in, &out, &retval);
	if (session__seen(session, &seen))
		die("session__seen");
	verdict(seen.lost >= 100 && retval == TCX_NEXT, "%llu lost", (unsigned long long)seen.lost);
	session__close(session);
	memset(&got, 0, sizeof(got));
	if (session__open(env.datapath, filter, on_event, &got, &next, &err))
		die(err.text);
	run(prog, &in, &out, &retval);
	session__read(next, 0);
	verdict(!session__seen(next, &later) && !later.sent && !later.lost && !got.n &&
			retval == TCX_NEXT,
		"a session that took its place hears nothing of it");
	session__close(next);
}

int main(int argc, char **argv)
{
	struct nodens_filter filter = session__any();
	struct datapath_sessions maps;
	struct replies *replies;
	struct session *session;
	struct error err;
	int prog, ret;

	env__open(&env, argc > 1 ? argv[1] : NULL, 64);
	if (!datapath__features(env.datapath)->sessions) {
		printf("skip: no sessions without ring buffers\n");
		n_skipped++;
		env__close(&env);
		return closing_line();
	}
	if (session__open(env.datapath, &filter, on_event, &got, &session, &err))
		die(err.text);
	datapath__sessions(env.datapath, &maps);
	ret = replies__open(&maps, session__number(session), &replies, &err);
	if (!datapath__features(env.datapath)->tcx) {
		verdict(ret == -EOPNOTSUPP && strstr(err.text, "6.6"), "refused: %s", err.text);
		session__close(session);
	} else {
		if (ret)
			die(err.text);
		prog = prog_named("tc_replies");
		verdict(prog >= 0, "the program is there");
		test_packets(prog, session);
		test_losses(prog, session, &filter);
		close(prog);
		replies__close(replies);
		prog = prog_named("tc_replies");
		verdict(prog < 0, "the program goes with its viewer");
	}
	env__close(&env);
	return closing_line();
}
