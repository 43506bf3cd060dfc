// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What is counted of a hit, against what went in and came out: by series, type, family, reply and
 * size, on every way to an answer and on every hook; how many hits are measured; slots whose series
 * changes under load.
 *
 * Usage: test_series [KERNEL]: with KERNEL ("5.4") the fallbacks for it are used.
 */
#include <pthread.h>

#include "cases.h"

#define SERIES 4 /* that entries of this test have: by the first octet of their name */

/* Any number will do: what it means is the agent's. */
static uint8_t reply_of(const struct nodens_slot *slot)
{
	return (slot->kind << 4 | (ntohs(slot->flags) & 15)) + 16 * !!slot->fixed;
}

static unsigned int type_number(uint16_t qtype)
{
	switch (qtype) {
	case 1:
		return NODENS_QTYPE_1;
	case 28:
		return NODENS_QTYPE_28;
	case 16:
		return NODENS_QTYPE_16;
	case 33:
		return NODENS_QTYPE_33;
	case 65:
		return NODENS_QTYPE_65;
	}
	return NODENS_QTYPE_OTHER;
}

static unsigned int shift;

static struct store_series series_of(void *ctx, const struct nodens_slot *slot, uint16_t partition)
{
	(void)ctx, (void)partition;
	return (struct store_series){ .number = 1 + (slot->data[1] + shift) % SERIES,
				      .type = type_number(ntohs(slot->qtype)),
				      .reply = reply_of(slot) };
}

enum way { PLAIN, FIXED, BELOW, STALE };

static const struct way_in {
	const char *name;
	uint16_t qtype, rcode;
	const char *answer, *authority;
	enum way way;
} entries[] = {
	{ "a.example.org.", 1, 0, "a.example.org. 0 IN A 192.0.2.1", NULL, PLAIN },
	{ "b.example.org.", 28, 0, "b.example.org. 0 IN AAAA 2001:db8::1", NULL, PLAIN },
	{ "b.example.org.", 16, 0, "b.example.org. 0 IN TXT \"text\"", NULL, PLAIN },
	{ "c.example.org.", 99, 0, "c.example.org. 0 IN TYPE99 \\# 1 00", NULL, PLAIN },
	{ "c.example.org.", 300, 0, "c.example.org. 0 IN TYPE300 \\# 1 00", NULL, PLAIN },
	{ "d.example.org.", 1, 3, NULL,
	  "example.org. 0 IN SOA ns.example.org. root.example.org. 1 7200 1800 86400 30", PLAIN },
	{ "d.example.org.", 28, 0, NULL,
	  "example.org. 0 IN SOA ns.example.org. root.example.org. 1 7200 1800 86400 30", PLAIN },
	{ "hosts.example.org.", 1, 0, "hosts.example.org. 0 IN A 192.0.2.2", NULL, FIXED },
	{ "stale.example.org.", 1, 0, "stale.example.org. 0 IN A 192.0.2.3", NULL, STALE },
	{ "nothing.example.org.", 0, 3, NULL,
	  "example.org. 0 IN SOA ns.example.org. root.example.org. 1 7200 1800 86400 30", BELOW },
};

static void put(const struct way_in *in, uint8_t key_flags)
{
	struct stored s = {
		in->name,  in->way == BELOW ? 1 : in->qtype, DNS_QR | DNS_RA | in->rcode,
		key_flags, { in->answer, in->authority },    30
	};
	struct answer *answer = decode(&s);
	struct store_put put = { .kind = in->answer ? NODENS_POSITIVE : NODENS_NEGATIVE,
				 .ttl_s = 3600,
				 .fixed = in->way == FIXED };
	uint64_t now = mono_ns();

	if (in->way == BELOW) {
		struct dns_name name = wire__name(in->name);
		struct answer *below;

		if (answer__make_nx_below(answer, &name, key_flags, &below))
			die(in->name);
		answer__free(answer);
		answer = below;
	}
	if (in->way == STALE) {
		put.ttl_s = 1;
		put.stale_s = put.keep_s = 3600;
		now -= 2000000000;
	}
	if (store__put(env.store, answer, &put, now))
		die(in->name);
}

/* 100 addresses: no client gets all of them. */
static void put_large(void)
{
	static char records[100 * 48];
	size_t n = 0;

	for (int i = 0; i < 100; i++)
		n += snprintf(records + n, sizeof(records) - n,
			      "large.example.org. 0 IN A 192.0.2.%d\n", i);
	put(&(struct way_in){ "large.example.org.", 1, 0, records, NULL, PLAIN }, 0);
}

/* --- what should have been counted ------------------------------------- */

static struct nodens_series want[1 + SERIES];

static unsigned int bounds_below(size_t size)
{
	static const unsigned int bounds[] = { 100, 200, 300, 400, 511, 1023 };
	unsigned int n = 0;

	while (n < 6 && size > bounds[n])
		n++;
	return n;
}

static void expect_hit(unsigned int number, uint8_t reply, uint16_t qtype, bool ip6, bool dnssec_ok,
		       bool stale, size_t request_len, size_t reply_len)
{
	struct nodens_series *w = &want[number];

	w->requests[type_number(qtype) + ip6 * NODENS_SERIES_TYPES]++;
	w->replies[reply]++;
	w->sizes[bounds_below(request_len) * NODENS_SERIES_SIZES + bounds_below(reply_len)]++;
	w->request_bytes += request_len;
	w->reply_bytes += reply_len;
	w->dnssec_ok += dnssec_ok;
	w->stale += stale;
}

static void read_all(struct nodens_series out[1 + SERIES])
{
	for (unsigned int i = 0; i <= SERIES; i++)
		if (datapath__series(env.datapath, i, &out[i]))
			die("no series");
}

static uint64_t sum(const __u64 *n, size_t len)
{
	uint64_t all = 0;

	while (len--)
		all += n[len];
	return all;
}

/* All that was counted since @before is what was wanted, and adds up to @hits. */
static void check(const struct nodens_series before[1 + SERIES], uint64_t hits, const char *what)
{
	struct nodens_series now[1 + SERIES];
	uint64_t requests = 0, replies = 0, sizes = 0;
	bool same = true;

	read_all(now);
	for (unsigned int i = 0; i <= SERIES; i++) {
		const uint64_t *a = (const uint64_t *)&before[i], *w = (const uint64_t *)&want[i];
		uint64_t *b = (uint64_t *)&now[i];

		for (size_t k = 0; k < sizeof(now[i]) / sizeof(*b); k++) {
			b[k] -= a[k];
			if (b[k] != w[k])
				printf("%s: series %u, word %zu: %lu, not %lu\n", what, i, k,
				       (unsigned long)b[k], (unsigned long)w[k]);
			same &= b[k] == w[k];
		}
		requests += sum(now[i].requests, 2 * NODENS_SERIES_TYPES);
		replies += sum(now[i].replies, NODENS_SERIES_REPLIES);
		sizes += sum(now[i].sizes, NODENS_SERIES_SIZES * NODENS_SERIES_SIZES);
	}
	verdict(same && requests == hits && replies == hits && sizes == hits,
		"%s: %lu hits, %lu requests, %lu replies", what, (unsigned long)hits,
		(unsigned long)requests, (unsigned long)replies);
	memset(want, 0, sizeof(want));
}

/* --- every way to an answer -------------------------------------------- */

struct asked {
	const char *name;
	uint16_t qtype;
	struct edns edns;
	bool ip6;
};

/* Returns whether it was a hit; then it is wanted in the counts, sizes as they are on the wire. */
static bool ask_one(enum test_hook hook, const struct asked *q, unsigned int number, uint8_t reply,
		    bool stale)
{
	static uint8_t msg[1024];
	struct frame_spec spec = { .dns = msg, .ip6 = q->ip6 };
	struct frame in;
	struct run run;

	spec.dns_len = build_query(msg, q->name, q->qtype, DNS_RD, &q->edns);
	frame__build(&in, &spec);
	run_frame(&env, hook, &in, &run);
	if (run.retval != sent_back(hook))
		return false;
	expect_hit(number, reply, q->qtype, q->ip6, q->edns.dnssec_ok, stale, spec.dns_len,
		   run.out.len - run.out.dns);
	return true;
}

static void test_ways(enum test_hook hook, const char *what)
{
	static const uint8_t padding[300] = { 0, 12, 1, 40 };
	static const struct edns kinds[] = {
		{ .size = 0 },
		{ .size = 1232 },
		{ .size = 4096, .dnssec_ok = true },
		{ .size = 512, .options = padding, .options_len = sizeof(padding) },
	};
	struct nodens_series before[1 + SERIES];
	uint64_t hits = 0, asked = 0;

	read_all(before);
	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		const struct way_in *e = &entries[i];
		uint8_t reply = ((!e->answer) << 4 | e->rcode) + 16 * (e->way == FIXED);
		char name[DNS_MAX_NAME + 1];

		for (size_t k = 0; k < 2 * sizeof(kinds) / sizeof(kinds[0]); k++) {
			static const uint16_t below_types[] = { 1, 28, 33, 65, 512 };
			struct asked q = { name, e->qtype, kinds[k / 2], k & 1 };

			snprintf(name, sizeof(name), "%s%s", e->way == BELOW ? "x.y." : "",
				 e->name);
			if (e->way == BELOW)
				q.qtype = below_types[k % 5];
			asked++;
			hits += ask_one(hook, &q, 1 + e->name[0] % SERIES, reply, e->way == STALE);
		}
	}
	/* cut to what the client takes; with more, the agent's */
	for (int k = 0; k < 2; k++) {
		asked++;
		hits += ask_one(hook, &(struct asked){ "large.example.org.", 1, kinds[k], k },
				1 + 'l' % SERIES, 0, false);
	}
	/* a miss counts nowhere */
	verdict(!ask_one(hook, &(struct asked){ "miss.example.org.", 1, kinds[0], false }, 0, 0,
			 false),
		"%s: a miss", what);
	verdict(hits == asked, "%s: %lu of %lu asked are hits", what, (unsigned long)hits,
		(unsigned long)asked);
	check(before, hits, what);
}

/* --- sizes to both sides of each bound ---------------------------------- */

static const unsigned int size_edges[] = { 100, 101, 200, 201, 300,  301,
					   400, 401, 511, 512, 1023, 1024 };

#define SIZE_EDGES (sizeof(size_edges) / sizeof(size_edges[0]))

static char *size_name(char name[DNS_MAX_NAME + 1], unsigned int size)
{
	snprintf(name, DNS_MAX_NAME + 1, "t%u.example.org.", size);
	return name;
}

/* A TXT record for each: the reply with its OPT has as many octets. */
static void put_sizes(void)
{
	for (size_t i = 0; i < SIZE_EDGES; i++) {
		char name[DNS_MAX_NAME + 1], record[2048];
		size_t n = snprintf(record, sizeof(record), "%s 0 IN TXT",
				    size_name(name, size_edges[i]));
		size_t rdata = size_edges[i] - 12 - (strlen(name) + 1) - 4 - 12 - 11;

		for (size_t len; rdata; rdata -= len + 1) {
			len = rdata > 256 ? 255 : rdata - 1;
			n += snprintf(record + n, sizeof(record) - n, " \"%0*d\"", (int)len, 0);
		}
		put(&(struct way_in){ name, 16, 0, record, NULL, PLAIN }, 0);
	}
}

static void test_sizes(enum test_hook hook, const char *what)
{
	uint8_t padding[512] = { 0, 12 };
	struct nodens_series before[1 + SERIES];
	unsigned int of_t = 1 + 't' % SERIES, of_a = 1 + 'a' % SERIES, hits = 0, asked = 0;
	uint64_t replies = 0, requests = 0;

	read_all(before);
	for (size_t i = 0; i < SIZE_EDGES; i++) {
		char name[DNS_MAX_NAME + 1];
		struct asked q = { size_name(name, size_edges[i]), 16, { .size = 1232 }, false };

		asked++;
		hits += ask_one(hook, &q, of_t, 0, false);
		replies += size_edges[i];
		if (size_edges[i] > 512)
			continue;
		q = (struct asked){ "a.example.org.", 1, { 1232, .options = padding }, false };
		q.edns.options_len = size_edges[i] - 12 - strlen("a.example.org.") - 1 - 4 - 11;
		put16(padding + 2, q.edns.options_len - 4);
		asked++;
		hits += ask_one(hook, &q, of_a, 0, false);
		requests += size_edges[i];
	}
	verdict(hits == asked && want[of_t].reply_bytes == replies &&
			want[of_a].request_bytes == requests,
		"%s: %u of %u are hits, %lu and %lu octets", what, hits, asked,
		(unsigned long)want[of_t].reply_bytes, (unsigned long)want[of_a].request_bytes);
	check(before, hits, what);
}

static void test_generic_xdp(void)
{
	int native = env.fd[TEST_XDP];
	struct bpf_object *obj;
	struct error err;

	if (native < 0)
		return;
	if (datapath__xdp_object(env.datapath, true, true, &obj, &err) || bpf_object__load(obj))
		die("generic xdp_nodens does not load");
	env.fd[TEST_XDP] = bpf_program__fd(bpf_object__find_program_by_name(obj, "xdp_nodens"));
	test_ways(TEST_XDP, "generic xdp");
	test_sizes(TEST_XDP, "generic xdp, sizes");
	env.fd[TEST_XDP] = native;
	bpf_object__close(obj);
}

/* --- how many are measured --------------------------------------------- */

static uint64_t measured(struct nodens_times *times)
{
	datapath__times(env.datapath, times);
	return sum(times->bucket, NODENS_TIME_BUCKETS);
}

static void test_measured(enum test_hook hook)
{
	const unsigned int n = 100000;
	static uint8_t msg[512];
	struct frame_spec spec = { .dns = msg,
				   .dns_len = build_query(msg, "a.example.org.", 1, DNS_RD, NULL) };
	struct frame in;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in.at);
	struct nodens_times before, after;
	uint64_t samples, all_ns;

	frame__build(&in, &spec);
	opts.data_size_in = in.len;
	samples = measured(&before);
	all_ns = mono_ns();
	for (unsigned int i = 0; i < n; i++) {
		opts.data_size_out = 0;
		if (bpf_prog_test_run_opts(env.fd[hook], &opts))
			die(strerror(errno));
	}
	all_ns = mono_ns() - all_ns;
	samples = measured(&after) - samples;
	after.sum_ns -= before.sum_ns;
	verdict(samples >= n / 2048 - 8 && samples <= n / NODENS_MEASURE_EVERY + 8 &&
			after.sum_ns / samples > 20 && after.sum_ns / samples < 2 * all_ns / n,
		"%s: %lu of %u hits measured, %lu ns each of %lu", hook_name[hook],
		(unsigned long)samples, n, (unsigned long)(after.sum_ns / samples),
		(unsigned long)(all_ns / n));
}

/* --- series that change under load -------------------------------------- */

static volatile bool stop;
static uint64_t asked_on[2];

static void *asker(void *arg)
{
	uint64_t *n = arg;
	static uint8_t msg[512];
	struct frame_spec spec = { .dns = msg };
	struct frame in;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in.at, .repeat = 1);

	spec.dns_len = build_query(msg, "a.example.org.", 1, DNS_RD, NULL);
	frame__build(&in, &spec);
	opts.data_size_in = in.len;
	while (!stop) {
		opts.data_size_out = 0; /* what the last run wrote there would be a limit */
		if (bpf_prog_test_run_opts(env.fd[TEST_TC], &opts))
			die(strerror(errno));
		++*n;
	}
	return NULL;
}

/* Entries change their series again and again while they are hit: no hit is lost or twice. */
static void test_changes(void)
{
	static const uint32_t capacity[1][2] = { { 512, 512 } };
	uint64_t counters[2][NODENS_CTR_COUNT], counted = 0, hits, asked;
	struct nodens_series before[1 + SERIES], after[1 + SERIES];
	pthread_t threads[2];

	read_all(before);
	datapath__counters(env.datapath, counters[0]);
	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, asker, &asked_on[i]);
	for (int i = 0; i < 200; i++) {
		shift++;
		if (store__set_partitions(env.store, capacity, 1, NULL, NULL, mono_ns()))
			die("store__set_partitions");
		usleep(5000);
	}
	stop = true;
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	datapath__counters(env.datapath, counters[1]);
	read_all(after);
	for (unsigned int i = 0; i <= SERIES; i++)
		counted += sum(after[i].requests, 2 * NODENS_SERIES_TYPES) -
			   sum(before[i].requests, 2 * NODENS_SERIES_TYPES);
	hits = counters[1][C(HIT)] - counters[0][C(HIT)];
	asked = asked_on[0] + asked_on[1];
	verdict(counted == hits && counted == asked && counted > 1000 &&
			after[0].request_bytes == before[0].request_bytes,
		"changes: %lu asked, %lu hits, %lu counted by series", (unsigned long)asked,
		(unsigned long)hits, (unsigned long)counted);
	for (int tries = 0; tries < 200 && !store__settled(env.store); tries++)
		usleep(10000);
	verdict(store__settled(env.store), "changes: a grace period later all is settled");
}

int main(int argc, char **argv)
{
	env_series = series_of;
	env__open(&env, argc > 1 ? argv[1] : NULL, 1024);
	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		put(&entries[i], 0);
		put(&entries[i], NODENS_KEY_DO);
	}
	put_large();
	put_sizes();
	for (int hook = 0; hook < TEST_HOOKS; hook++) {
		if (env.fd[hook] < 0)
			continue;
		test_ways(hook, hook_name[hook]);
		test_sizes(hook, "sizes");
		test_measured(hook);
	}
	test_generic_xdp();
	test_changes();
	env__close(&env);
	return closing_line();
}
