// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What one packet costs in the programs: BPF_PROG_RUN, a wrapper that restores
 * the query, the wrapper's own cost taken off, in alternated rounds.
 *
 * Taken off is what the wrapper costs around a program that does nothing, and,
 * for a reply that is larger than its query, what cutting the packet back costs:
 * half of what it costs more around a program that only grows it by as much. So
 * the growth of the packet stays in the figure, the cut does not.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "harness.h"
#include "watch/session.h"
#include "wire.h"
#include "wrap.skel.h"

#define ROUNDS 25
#define REPEAT 40000

/* Names of which one is asked for at random: a letter says four bits, the lowest first. */
#define FEW_NAMES  (1u << 10)
#define MANY_NAMES (1u << 20)

static struct env env;
static struct env not_counted; /* the same answers, from programs that count nothing by device */
static struct wrap_bpf *wrap;

static struct env *filled = &env; /* where answers are stored */

static void store_text(const char *qname, uint16_t qtype, uint16_t rcode, const char *answer,
		       const char *authority)
{
	struct wire_message m = { .id = 1,
				  .flags = DNS_QR | DNS_RA | rcode,
				  .qname = qname,
				  .qtype = qtype,
				  .section = { answer, authority } };
	static uint8_t wire[DNS_MAX_MSG];
	struct dns_name name = wire__name(qname);
	enum verdict got_verdict;
	struct answer *a = NULL;

	if (answer__decode(wire, wire__build(wire, &m), &name, qtype, 0, &got_verdict, &a) ||
	    store__put(filled->store, a,
		       &(struct store_put){ .kind = answer ? NODENS_POSITIVE : NODENS_NEGATIVE,
					    .ttl_s = 3600 },
		       mono_ns()))
		die(qname);
}

static size_t query(uint8_t *msg, const char *qname, uint16_t qtype, bool edns)
{
	struct dns_name name = wire__name(qname);
	size_t n = 12;

	memset(msg, 0, 12);
	put16(msg, 0x1d1e);
	msg[2] = 1;
	msg[5] = 1;
	msg[11] = edns;
	memcpy(msg + n, name.wire, name.len);
	n += name.len;
	put16(msg + n, qtype);
	put16(msg + n + 2, 1);
	n += 4;
	if (edns) {
		static const uint8_t opt[11] = { 0, 0, 41, 0x04, 0xd0 };

		memcpy(msg + n, opt, 11);
		n += 11;
	}
	return n;
}

/* An NXDOMAIN-below at @qname, as the one that is stored for @below says. */
static void store_nx_below(const char *qname, const char *below, const char *authority)
{
	struct wire_message m = { .id = 1,
				  .flags = DNS_QR | DNS_RA | DNS_NXDOMAIN,
				  .qname = below,
				  .qtype = 1,
				  .section = { NULL, authority } };
	static uint8_t wire[DNS_MAX_MSG];
	struct dns_name name = wire__name(below), at = wire__name(qname);
	struct answer *a = NULL, *nx = NULL;
	enum verdict got_verdict;

	if (answer__decode(wire, wire__build(wire, &m), &name, 1, 0, &got_verdict, &a) ||
	    answer__make_nx_below(a, &at, 0, &nx) ||
	    store__put(filled->store, nx,
		       &(struct store_put){ .kind = NODENS_NEGATIVE, .ttl_s = 3600 }, mono_ns()))
		die(qname);
	answer__free(a);
}

static void random_name(char text[64], uint32_t n)
{
	sprintf(text, "%c%c%c%c%c.payments-productions.example.com.", 'a' + (n & 15),
		'a' + (n >> 4 & 15), 'a' + (n >> 8 & 15), 'a' + (n >> 12 & 15),
		'a' + (n >> 16 & 15));
}

/* As many answers as names; how many a second the store takes, decoding not counted. */
static void fill(uint32_t n_names)
{
	static struct answer *batch[1024];
	uint64_t begin, spent = 0;
	char text[64], record[128];

	for (uint32_t n = 0; n < n_names; n += 1024) {
		for (uint32_t i = 0; i < 1024; i++) {
			static uint8_t wire[DNS_MAX_MSG];
			struct wire_message m = { .id = 1,
						  .flags = DNS_QR | DNS_RA,
						  .qname = text,
						  .qtype = 1,
						  .section = { record } };
			struct dns_name name;
			enum verdict got_verdict;

			random_name(text, n + i);
			name = wire__name(text);
			sprintf(record, "%s 0 IN A 192.0.2.1", text);
			if (answer__decode(wire, wire__build(wire, &m), &name, 1, 0, &got_verdict,
					   &batch[i]))
				die(text);
		}
		begin = mono_ns();
		for (uint32_t i = 0; i < 1024; i++)
			store__put(env.store, batch[i],
				   &(struct store_put){ .kind = NODENS_POSITIVE, .ttl_s = 3600 },
				   begin);
		spent += mono_ns() - begin;
	}
	printf("fills: %.0f a second, %u answers\n", n_names / (spent / 1e9), n_names);
}

static size_t out_len;

static int rounds = ROUNDS;

static double round_ns(enum test_hook hook, int next_fd, const struct frame *in, uint32_t want)
{
	static uint8_t out[FRAME_ROOM];
	struct {
		uint32_t len, pad;
		uint8_t bytes[512];
	} q = { .len = in->len };
	struct bpf_map *next =
		hook == TEST_XDP ? wrap->maps.wrap_xdp_next : wrap->maps.wrap_tc_next;
	int prog = bpf_program__fd(hook == TEST_XDP ? wrap->progs.wrap_xdp : wrap->progs.wrap_tc);
	uint32_t zero = 0;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in->at, .data_size_in = in->len,
		    .data_out = out, .data_size_out = sizeof(out), .repeat = REPEAT);

	memcpy(q.bytes, in->at, in->len);
	if (bpf_map_update_elem(bpf_map__fd(wrap->maps.wrap_query), &zero, &q, 0) ||
	    bpf_map_update_elem(bpf_map__fd(next), &zero, &next_fd, 0) ||
	    bpf_prog_test_run_opts(prog, &opts))
		die(strerror(errno));
	if (opts.retval != want) {
		printf("unexpected action %d\n", (int)opts.retval);
		exit(1);
	}
	out_len = opts.data_size_out;
	return opts.duration;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/*
 * Wrapper, program and growth are measured in turn, so that what else the machine does meets all
 * three; the difference of their medians, and of the least of each, which a busy machine spoils
 * least.
 */
static void net_ns(struct env *at, enum test_hook hook, const struct frame *in, uint32_t want,
		   double *median, double *least)
{
	int null_fd =
		bpf_program__fd(hook == TEST_XDP ? wrap->progs.null_xdp : wrap->progs.null_tc);
	int grow_fd =
		bpf_program__fd(hook == TEST_XDP ? wrap->progs.grow_xdp : wrap->progs.grow_tc);
	double base[ROUNDS], grow[ROUNDS], total[ROUNDS];

	for (int i = 0; i < rounds; i++) {
		uint32_t zero = 0, by;

		env__beat(at);
		base[i] = round_ns(hook, null_fd, in, passed_on(hook));
		total[i] = round_ns(hook, at->fd[hook], in, want);
		by = out_len - in->len;
		bpf_map_update_elem(bpf_map__fd(wrap->maps.wrap_grow), &zero, &by, 0);
		grow[i] = by ? round_ns(hook, grow_fd, in, passed_on(hook)) : base[i];
	}
	qsort(base, rounds, sizeof(base[0]), by_value);
	qsort(grow, rounds, sizeof(grow[0]), by_value);
	qsort(total, rounds, sizeof(total[0]), by_value);
	*median = total[rounds / 2] - (base[rounds / 2] + grow[rounds / 2]) / 2;
	*least = total[0] - (base[0] + grow[0]) / 2;
}

static const struct row {
	const char *what, *qname;
	uint16_t qtype;
	bool ip6, edns, hit;
	void (*mutate)(struct frame *f);
	uint32_t names;	 /* one of so many at random */
	uint32_t one_in; /* a viewer takes one in so many; 0: nobody looks on */
	bool not_counted;
} * row;

static void to_tcp(struct frame *f)
{
	f->at[f->l3 + 9] = 6;
	put16(f->at + f->l4 + 2, 443);
}

static void to_other_port(struct frame *f)
{
	put16(f->at + f->l4 + 2, 443);
}

static const struct row rows[] = {
	{ "one A, name of 36 characters", "api.payments-production.example.com.", 1, 0, 0, 1,
	  NULL },
	{ "four A, rotated", "four.payments-productn.example.com.", 1, 0, 0, 1, NULL },
	{ "AAAA over IPv6", "api.payments-production.example.com.", 28, 1, 0, 1, NULL },
	{ "one A, EDNS", "api.payments-production.example.com.", 1, 0, 1, 1, NULL },
	{ "NXDOMAIN", "example.com.payments.svc.cluster.local.", 1, 0, 0, 1, NULL },
	{ "NXDOMAIN by one of a name above", "example.com.accounts.svc.cluster.local.", 1, 0, 0, 1,
	  NULL },
	{ "one A, name of 86 characters",
	  "a-very-long-service-name-for-a-change.in-a-namespace-as-long.svc.cluster-1.example.org.",
	  1, 0, 0, 1, NULL },
	{ "miss", "not-there.payments-prod.example.com.", 1, 0, 0, 0, NULL },
	{ "TCP, another port", "api.payments-production.example.com.", 1, 0, 0, 0, to_tcp },
	{ "UDP, another port", "api.payments-production.example.com.", 1, 0, 0, 0, to_other_port },
	{ "one A, a viewer takes 1 in 64", "api.payments-production.example.com.", 1, 0, 0, 1, NULL,
	  0, 64 },
	{ "one A, not counted by device", "api.payments-production.example.com.", 1, 0, 0, 1, NULL,
	  0, 0, true },
	{ "miss, not counted by device", "not-there.payments-prod.example.com.", 1, 0, 0, 0, NULL,
	  0, 0, true },
	{ "one A, a viewer takes each", "api.payments-production.example.com.", 1, 0, 0, 1, NULL, 0,
	  1 },
};

static const struct row random_rows[] = {
	{ "one A of 1,024 names at random", "aaaaa.payments-productions.example.com.", 1, 0, 0, 1,
	  NULL, FEW_NAMES },
	{ "one A of 1,048,576 at random", "aaaaa.payments-productions.example.com.", 1, 0, 0, 1,
	  NULL, MANY_NAMES },
};

static atomic_bool viewing;

static void on_event(void *ctx, const struct nodens_event *event)
{
	(void)ctx, (void)event;
}

/* Reads so often that the ring has room, and sleeps meanwhile as a viewer does. */
static void *view(void *session)
{
	for (; viewing; usleep(1000)) {
		session__read(session, 0);
		session__renew(session);
	}
	return NULL;
}

static struct session *begin_view(uint32_t one_in, pthread_t *thread)
{
	struct nodens_filter filter = session__any();
	struct session *session;
	struct error err;

	filter.one_in = one_in;
	if (session__open(env.datapath, &filter, on_event, NULL, &session, &err))
		die(err.text);
	viewing = true;
	if (pthread_create(thread, NULL, view, session))
		die("thread");
	return session;
}

static void end_view(struct session *session, pthread_t thread)
{
	struct nodens_seen seen;

	viewing = false;
	pthread_join(thread, NULL);
	if (!session__seen(session, &seen))
		printf("  (lost %.1f %%)", 100.0 * seen.lost / (seen.sent + seen.lost));
	session__close(session);
}

/* The rows whose text has @part. */
static void measure(const struct row *from, size_t n, const char *part)
{
	uint32_t zero = 0;

	for (row = from; row < from + n; row++) {
		static uint8_t msg[512];
		struct frame_spec spec = { .ip6 = row->ip6,
					   .dns = msg,
					   .dns_len =
						   query(msg, row->qname, row->qtype, row->edns) };
		struct frame in;
		struct {
			uint32_t at, mask;
		} random = { 0, row->names ? row->names - 1 : 0 };
		struct session *session = NULL;
		double median, least;
		pthread_t thread;

		if (!strstr(row->what, part))
			continue;
		frame__build(&in, &spec);
		if (row->mutate)
			row->mutate(&in);
		random.at = in.dns + 12 + 1;
		bpf_map_update_elem(bpf_map__fd(wrap->maps.wrap_random), &zero, &random, 0);
		printf("%-34s", row->what);
		if (row->one_in)
			session = begin_view(row->one_in, &thread);
		for (int hook = 0; hook < TEST_HOOKS; hook++) {
			if (env.fd[hook] < 0) {
				printf(" %16s", "-");
				continue;
			}
			net_ns(row->not_counted ? &not_counted : &env, hook, &in,
			       row->hit ? sent_back(hook) : passed_on(hook), &median, &least);
			printf(" %8.1f %7.1f", median, least);
			fflush(stdout);
		}
		if (session)
			end_view(session, thread);
		printf("\n");
	}
}

static void fill_rows(void)
{
	char text[512];

	store_text(rows[0].qname, 1, 0, "api.payments-production.example.com. 0 IN A 192.0.2.1",
		   NULL);
	store_text(rows[0].qname, 28, 0,
		   "api.payments-production.example.com. 0 IN AAAA 2001:db8::1", NULL);
	store_text(rows[1].qname, 1, 0,
		   "four.payments-productn.example.com. 0 IN A 192.0.2.1\n"
		   "four.payments-productn.example.com. 0 IN A 192.0.2.2\n"
		   "four.payments-productn.example.com. 0 IN A 192.0.2.3\n"
		   "four.payments-productn.example.com. 0 IN A 192.0.2.4",
		   NULL);
	store_text(rows[4].qname, 1, DNS_NXDOMAIN, NULL,
		   "cluster.local. 0 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 "
		   "1800 "
		   "86400 30");
	snprintf(text, sizeof(text), "%s 0 IN A 192.0.2.1", rows[6].qname);
	store_text(rows[6].qname, 1, 0, text, NULL);

	store_nx_below(
		"com.accounts.svc.cluster.local.", rows[5].qname,
		"cluster.local. 0 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 "
		"1800 "
		"86400 30");
}

/* bench_datapath [ROUNDS [PART]]: the rows whose text has PART. */
int main(int argc, char **argv)
{
	const char *part = argc > 2 ? argv[2] : "";

	rounds = argc > 1 ? atoi(argv[1]) : ROUNDS;
	if (rounds < 1 || rounds > ROUNDS)
		die("1 to 25 rounds");
	env_count_devices = false;
	env__open(&not_counted, NULL, 65536);
	filled = &not_counted;
	fill_rows();
	env_count_devices = true;
	env__open(&env, NULL, 65536);
	filled = &env;
	wrap = wrap_bpf__open_and_load();
	if (!wrap)
		die("wrapper does not load");
	fill_rows();
	printf("net ns per packet: by the medians and by the least of %d rounds of %d\n", rounds,
	       REPEAT);
	printf("%-34s %16s %16s\n", "", "tc", "xdp");
	measure(rows, sizeof(rows) / sizeof(rows[0]), part);
	env__close(&env);
	if (strstr("one A of 1,024 names at random, one A of 1,048,576 at random", part)) {
		env__open(&env, NULL, MANY_NAMES);
		fill(MANY_NAMES);
		measure(random_rows, sizeof(random_rows) / sizeof(random_rows[0]), part);
		env__close(&env);
	}
	env__close(&not_counted);
	wrap_bpf__destroy(wrap);
	return 0;
}
