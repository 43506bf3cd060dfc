// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What a hit depends on beside the question: time, the query's ID, the hash, the
 * slot's marks, the reply's size, the checksum's kind.
 *
 * Usage: test_hits [KERNEL]: with KERNEL ("5.4") the fallbacks for it are used.
 */
#include <math.h>

#include "cases.h"
#include "dns/slot.h"
#include "index_fixture.h"

static void test_time(enum test_hook hook)
{
	static const struct {
		uint32_t ttl_s;
		uint64_t age_ms;
		uint32_t want;
	} ages[] = {
		{ 30, 0, 30 },	   { 30, 500, 30 },	 { 30, 1500, 29 },
		{ 30, 12500, 18 }, { 30, 28500, 2 },	 { 30, 29500, 1 },
		{ 30, 30500, 0 },  { 3600, 3598500, 2 }, { 86400, 43200500, 43200 },
	};
	struct stored s = { "aged.example.org.",
			    1,
			    DNS_QR | DNS_RA,
			    0,
			    { "aged.example.org. 0 IN A 192.0.2.1" },
			    0 };
	struct frame in;
	struct run run;

	for (size_t i = 0; i < sizeof(ages) / sizeof(ages[0]); i++) {
		bool hit;

		store__put(env.store, decode(&s),
			   &(struct store_put){ .kind = NODENS_POSITIVE, .ttl_s = ages[i].ttl_s },
			   mono_ns() - ages[i].age_ms * 1000000);
		hit = ask(hook, s.qname, 0, &in, &run);
		verdict(hit == !!ages[i].want && (!hit || ttl_of(&run, in.dns) == ages[i].want),
			"%s: TTL %u after %lu ms is %u (want %u)", hook_name[hook], ages[i].ttl_s,
			(unsigned long)ages[i].age_ms, hit ? ttl_of(&run, in.dns) : 0,
			ages[i].want);
	}

	env.ctl->heartbeat_ns = mono_ns() - 61000000000ull;
	env.ctl->lease_ns = 60000000000ull;
	datapath__ctl_commit(env.datapath);
	verdict(!ask(hook, "one.example.org.", 0, &in, &run) && run.moved[C(DISARMED)] == 1 &&
			unchanged(&in, &run),
		"%s: disarmed after the lease", hook_name[hook]);
	env__beat(&env);
}

/* The rdata order over many IDs: each RR leads about as often as any other. */
static void test_rotation(enum test_hook hook)
{
	static uint8_t msg[1024];
	int led[4] = { 0 };

	for (int id = 0; id < 400; id++) {
		struct frame_spec spec = { .dns = msg,
					   .dns_len = build_query(msg, "four.example.org.", 1,
								  DNS_RD, NULL) };
		struct frame in;
		struct run run;
		uint8_t *rr;

		put16(msg, id);
		frame__build(&in, &spec);
		run_frame(&env, hook, &in, &run);
		rr = run.out.at + in.len;
		led[(rr[15] - 1) & 3]++;
		for (int i = 1; i < 4; i++) /* the order is kept, it only begins elsewhere */
			if ((rr[16 * i + 15] - 1) % 4 != (rr[15] - 1 + i) % 4)
				led[0] = -1000;
	}
	verdict(led[0] > 80 && led[1] > 80 && led[2] > 80 && led[3] > 80,
		"%s: four A rotate (%d %d %d %d of 400)", hook_name[hook], led[0], led[1], led[2],
		led[3]);
}

/*
 * Another question's hash pointed at a slot: as if the two collided. The slot's
 * own name decides: a miss.
 */
static void test_collision(enum test_hook hook)
{
	struct dns_name a = wire__name("one.example.org."), b = wire__name("collides.example.org.");
	uint64_t ha = question__hash((const uint64_t *)env.ctl->hash_key, &a, 1, 0);
	uint64_t hb = question__hash((const uint64_t *)env.ctl->hash_key, &b, 1, 0);
	uint64_t ht = question__hash((const uint64_t *)env.ctl->hash_key, &a, 16, 0);
	uint64_t hd = question__hash((const uint64_t *)env.ctl->hash_key, &a, 1, NODENS_KEY_CD);
	struct store_maps maps;
	struct frame in;
	struct run run;
	uint32_t slot, wild = NODENS_SLOT(3, 0x0fffffff), class_wild = 0xf0000000;
	static uint8_t msg[512];
	struct frame_spec spec = { .dns = msg };

	datapath__store_maps(env.datapath, &maps);
	if (!fixture_find(maps.index_fd, ha, &slot))
		die("the index does not hold what was stored");
	fixture_publish(maps.index_fd, hb, slot);
	verdict(!ask(hook, "collides.example.org.", 0, &in, &run) && run.moved[C(MISS)] == 1,
		"%s: another name with the same hash misses", hook_name[hook]);
	fixture_publish(maps.index_fd, ht, slot);
	spec.dns_len = build_query(msg, "one.example.org.", 16, DNS_RD, NULL);
	frame__build(&in, &spec);
	run_frame(&env, hook, &in, &run);
	verdict(run.moved[C(MISS)] == 1, "%s: another type with the same hash misses",
		hook_name[hook]);
	fixture_publish(maps.index_fd, hd, slot);
	spec.dns_len = build_query(msg, "one.example.org.", 1, DNS_RD | DNS_CD, NULL);
	frame__build(&in, &spec);
	run_frame(&env, hook, &in, &run);
	verdict(run.moved[C(MISS)] == 1, "%s: another CD with the same hash misses",
		hook_name[hook]);
	fixture_publish(maps.index_fd, hb, wild);
	verdict(!ask(hook, "collides.example.org.", 0, &in, &run) && run.moved[C(MISS)] == 1,
		"%s: a slot beyond the steps misses", hook_name[hook]);
	fixture_publish(maps.index_fd, hb, class_wild);
	verdict(!ask(hook, "collides.example.org.", 0, &in, &run) && run.moved[C(MISS)] == 1,
		"%s: a class that is none misses", hook_name[hook]);
	fixture_unpublish(maps.index_fd, hb);
	fixture_unpublish(maps.index_fd, ht);
	fixture_unpublish(maps.index_fd, hd);
}

/* The client's size counts up to bufsize, 4096 at most. */
static void test_bufsize(enum test_hook hook)
{
	static const uint16_t sizes[] = { 512, 1232, 4095, 4096, 65535 };
	static uint8_t msg[512];

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct edns edns = { .size = sizes[i] };
		struct frame_spec spec = { .dns = msg,
					   .dns_len = build_query(msg, "one.example.org.", 1,
								  DNS_RD, &edns) };
		struct frame in;
		struct run run;

		frame__build(&in, &spec);
		run_frame(&env, hook, &in, &run);
		verdict(run.moved[C(HIT)] == 1, "%s: bufsize 4096, client's size %u",
			hook_name[hook], sizes[i]);
	}
}

/*
 * Generic XDP sees skbs. A query whose checksum field is the pseudo header's sum
 * is CHECKSUM_PARTIAL, and so is its reply; if that sum is right as a whole
 * checksum too, nobody can tell, and it goes on.
 */
static void test_generic_xdp(void)
{
	static uint8_t msg[512];
	struct frame_spec spec = { .dns = msg };
	struct error err;
	struct bpf_object *obj;
	int native = env.fd[TEST_XDP], either = 0, wrong = 0, partial = 0;

	if (native < 0)
		return;
	if (datapath__xdp_object(env.datapath, true, true, &obj, &err) || bpf_object__load(obj))
		die("generic xdp_nodens does not load");
	env.fd[TEST_XDP] = bpf_program__fd(bpf_object__find_program_by_name(obj, "xdp_nodens"));
	spec.dns_len = build_query(msg, "one.example.org.", 1, DNS_RD, NULL);
	for (int id = 0; id < 65536; id++) {
		struct frame in;
		struct run run;
		uint16_t pseudo, whole;

		put16(msg, id);
		spec.ip6 = id & 1;
		frame__build(&in, &spec);
		whole = get16(in.at + in.l4 + 6);
		pseudo = plain_fold((in.ip6 ? plain_sum(0, in.at + in.l3 + 8, 32)
					    : plain_sum(0, in.at + in.l3 + 12, 8)) +
				    17 + 8 + spec.dns_len);
		if (id % 16 == 2) /* as a pod's veth has it */
			put16(in.at + in.l4 + 6, pseudo);
		/* of the many that are one or the other, some */
		if (whole != pseudo && id % 16 != 2 && id % 16 != 5)
			continue;
		run_frame(&env, TEST_XDP, &in, &run);
		if (whole == pseudo) {
			either++;
			wrong += run.moved[C(MISS)] != 1 || !unchanged(&in, &run);
		} else if (id % 16 == 2) {
			uint8_t *field = run.out.at + in.l4 + 6;
			uint16_t reply_pseudo = pseudo; /* of the reply only the length differs */

			reply_pseudo = plain_fold(reply_pseudo + run.out.len - in.len);
			partial++;
			wrong += run.moved[C(HIT)] != 1 || get16(field) != reply_pseudo;
		} else {
			wrong += run.moved[C(HIT)] != 1 || udp_sum(&run.out) != 0xffff;
		}
	}
	verdict(!wrong && either && partial > 4000,
		"generic xdp: %d wrong, %d partial, %d that could be either", wrong, partial,
		either);
	env.fd[TEST_XDP] = native;
	bpf_object__close(obj);
}

static void store_text(const char *name, const char *records)
{
	struct stored s = { name, 1, DNS_QR | DNS_RA, 0, { records }, 30 };

	if (store__put(env.store, decode(&s),
		       &(struct store_put){ .kind = NODENS_POSITIVE, .ttl_s = 3600 }, mono_ns()))
		die(name);
}

/* The number of the slot of @name, and its bytes. */
static uint32_t find_slot(const char *text, union slot_buf *buf)
{
	struct dns_name name = wire__name(text);
	uint64_t hash = question__hash((const uint64_t *)env.ctl->hash_key, &name, 1, 0);
	struct store_maps maps;
	uint32_t number;

	datapath__store_maps(env.datapath, &maps);
	if (!fixture_find(maps.index_fd, hash, &number))
		die("the index does not hold what was stored");
	if (!env__slot(&env, number, buf))
		die("no slot");
	return number;
}

/* A slot that nobody wrote so: what it makes of the query goes nowhere. */
static void test_broken(enum test_hook hook)
{
	static const char *const what[] = { "records beyond the cell", "a TTL beyond the packet",
					    "a set beyond the cell" };
	uint32_t drop = hook == TEST_XDP ? 1 /* XDP_DROP */ : 2 /* TC_ACT_SHOT */;
	union slot_buf good, bad;
	uint32_t number = find_slot("four.example.org.", &good);

	for (size_t i = 0; i < sizeof(what) / sizeof(what[0]); i++) {
		struct frame in;
		struct run run;

		bad = good;
		if (i == 0)
			bad.slot.blob_at = 2040;
		else if (i == 1)
			put16(bad.bytes + bad.slot.ttls_at, 0xdc05); /* 1500 */
		else
			bad.slot.rot_at = 2000;
		if (!env__set_slot(&env, number, &bad))
			die("a slot to break");
		ask(hook, "four.example.org.", 0, &in, &run);
		verdict(run.retval == drop && run.moved[C(BROKEN)] == 1, "%s: %s: action %d",
			hook_name[hook], what[i], run.retval);
	}
	env__set_slot(&env, number, &good);
}

/* A few hits are counted one by one, however fast they come. */
static void test_marks(enum test_hook hook)
{
	static const unsigned int n = NODENS_HITS_EXACT;
	union slot_buf buf;
	uint32_t number, before, hits;
	struct frame in;
	struct run run;

	number = find_slot("one.example.org.", &buf);
	before = buf.slot.hits;
	usleep(1200000); /* a second of its own; a new one may begin meanwhile */
	for (unsigned int i = 0; i < n; i++)
		ask(hook, "one.example.org.", 0, &in, &run);
	env__slot(&env, number, &buf);
	hits = buf.slot.hits - before;
	verdict(hits == n && (mono_ns() >> 30) - buf.slot.last_use <= 1,
		"%s: marks: %u hits noted of %u", hook_name[hook], hits, n);
}

/*
 * A million queries by Zipf's law over 84 names, against a count of their own: what `dump` shows
 * has the ten hottest in order, each within four standard deviations of drawing one in 16. Then two
 * names by turns, as A and AAAA of one name are asked.
 */
#define ZIPF_NAMES 84

static void zipf_name(char *text, unsigned int i)
{
	sprintf(text, "zipf-%02u.example.org.", i);
}

static uint32_t hits_of(unsigned int i)
{
	union slot_buf buf;
	char text[64];

	zipf_name(text, i);
	find_slot(text, &buf);
	return buf.slot.hits;
}

static void ask_many(struct frame *frames, const unsigned int *order, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		struct frame *in = &frames[order[i]];
		LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in->at, .data_size_in = in->len);

		if (bpf_prog_test_run_opts(env.fd[TEST_TC], &opts))
			die("BPF_PROG_RUN");
	}
}

static void test_zipf(void)
{
	static struct frame frames[ZIPF_NAMES];
	static unsigned int order[1000000];
	unsigned int asked[ZIPF_NAMES] = {}, wrong = 0, disorder = 0;
	double sum = 0, upto[ZIPF_NAMES];
	uint32_t before[2];

	for (unsigned int i = 0; i < ZIPF_NAMES; i++) {
		static uint8_t msg[512];
		struct frame_spec spec = { .dns = msg };
		char text[64], records[128];

		zipf_name(text, i);
		sprintf(records, "%s 0 IN A 192.0.2.1", text);
		store_text(text, records);
		spec.dns_len = build_query(msg, text, 1, DNS_RD, NULL);
		frame__build(&frames[i], &spec);
		upto[i] = sum += pow(i + 1, -1.3);
	}
	srand(1);
	for (size_t k = 0; k < sizeof(order) / sizeof(order[0]); k++) {
		double at = sum * rand() / RAND_MAX;

		while (order[k] < ZIPF_NAMES - 1 && upto[order[k]] < at)
			order[k]++;
		asked[order[k]]++;
	}
	ask_many(frames, order, sizeof(order) / sizeof(order[0]));
	for (unsigned int i = 0; i < 10; i++) {
		uint32_t hits = hits_of(i);

		printf("zipf: name %u asked %u times, %u noted\n", i, asked[i], hits);
		wrong += fabs((double)hits - asked[i]) > 4 * sqrt(15.0 * asked[i]);
		disorder += hits <= hits_of(i + 1);
	}
	verdict(!wrong && !disorder, "zipf: %u of ten hottest too far off, %u out of order", wrong,
		disorder);
	for (unsigned int k = 0; k < 200000; k++)
		order[k] = 10 + k % 2;
	before[0] = hits_of(10), before[1] = hits_of(11);
	ask_many(frames, order, 200000);
	for (int i = 0; i < 2; i++) {
		uint32_t hits = hits_of(10 + i) - before[i];

		verdict(hits > 95000 && hits < 105000, "zipf: %u of 100000 noted, by turns", hits);
	}
}

int main(int argc, char **argv)
{
	env__open(&env, argc > 1 ? argv[1] : NULL, 1024);
	store_text("one.example.org.", "one.example.org. 0 IN A 192.0.2.1");
	store_text("four.example.org.",
		   "four.example.org. 0 IN A 192.0.2.1\nfour.example.org. 0 IN A 192.0.2.2\n"
		   "four.example.org. 0 IN A 192.0.2.3\nfour.example.org. 0 IN A 192.0.2.4");
	for (int hook = 0; hook < TEST_HOOKS; hook++) {
		if (env.fd[hook] < 0)
			continue;
		test_time(hook);
		test_rotation(hook);
		test_collision(hook);
		test_marks(hook);
		test_broken(hook);
		test_bufsize(hook);
	}
	/* Two minutes in an emulated guest, and the same on every kernel. */
	if (!getenv("NODENS_VM"))
		test_zipf();
	test_generic_xdp();
	env__close(&env);
	return closing_line();
}
