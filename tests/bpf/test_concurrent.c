// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Readers on every CPU while the store is rewritten, expires and is evicted
 * from at full rate: no answer for another name, no answer mixed of two.
 *
 * Each answer tells on itself: every A record holds the name's number, the
 * version of this answer and the record's place; the version says how many
 * records there are, so answers of one name move between all size classes.
 *
 * Usage: test_concurrent [SECONDS [KERNEL]]
 */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "harness.h"
#include "store_flush.h"
#include "index_fixture.h"
#include "wire.h"

#define NAMES	 96 /* more than the store holds: it evicts all the time */
#define NAME_LEN (1 + 8 + 1 + 10 + 1 + 4 + 1)

static struct env env;
static atomic_bool stop;
static atomic_int names_asked = 1;
static atomic_ulong n_replies, n_misses, n_wrong, n_writes, n_refused;
static atomic_int versions_seen[256];
static int n_readers;
static atomic_ulong asked[256]; /* questions that a reader is through with */

static int records_of(unsigned int version)
{
	return 1 + version * 7 % 60;
}

static size_t make_query(uint8_t *msg, int name)
{
	uint8_t *p = msg + 12;

	memset(msg, 0, 12);
	put16(msg, rand());
	msg[2] = 1;
	msg[5] = 1;
	msg[11] = 1;
	p += sprintf((char *)p, "%cname-%03d%cconcurrent%ctest", 8, name, 10, 4) + 1;
	put16(p, 1);
	put16(p + 2, 1);
	memcpy(p + 4, "\0\0\x29\x04\xd0\0\0\0\0\0\0", 11);
	return p + 4 + 11 - msg;
}

/* An upstream's message by hand: fast enough to write at full rate. */
static size_t make_answer(uint8_t *msg, int name, unsigned int version)
{
	size_t len = make_query(msg, name) - 11;
	int n = records_of(version);

	msg[2] = 0x81;
	msg[3] = 0x80;
	put16(msg + 6, n);
	put16(msg + 10, 0);
	for (int i = 0; i < n; i++) {
		uint8_t *rr = msg + len;

		memcpy(rr, "\xc0\x0c\0\1\0\1\0\0\0\x1e\0\4", 12);
		rr[12] = name;
		put16(rr + 13, version);
		rr[15] = i;
		len += 16;
	}
	return len;
}

/* Is the reply whole, of this name, and of one version? */
static bool reply_right(const uint8_t *msg, size_t len, int name)
{
	const uint8_t *rr = msg + 12 + NAME_LEN + 4;
	int n = get16(msg + 6), version = get16(rr + 13);
	uint64_t places = 0;

	if (len != 12u + NAME_LEN + 4 + 16 * n + 11 || n != records_of(version))
		return false;
	for (int i = 0; i < n; i++, rr += 16) {
		if (get16(rr) != 0xc00c || get16(rr + 10) != 4 || rr[12] != name ||
		    get16(rr + 13) != version || rr[15] >= n)
			return false;
		places |= 1ull << rr[15];
	}
	atomic_fetch_add(&versions_seen[version & 255], 1);
	return places == (1ull << n) - 1;
}

static void *reader(void *arg)
{
	int fd = env.fd[(long)arg % TEST_HOOKS] >= 0 ? env.fd[(long)arg % TEST_HOOKS]
						     : env.fd[TEST_TC];
	static __thread uint8_t msg[512], out[FRAME_ROOM];
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET((long)arg / TEST_HOOKS % sysconf(_SC_NPROCESSORS_ONLN), &cpus);
	pthread_setaffinity_np(pthread_self(), sizeof(cpus), &cpus);
	while (!stop) {
		int name = rand() % names_asked;
		struct frame_spec spec = { .dns = msg, .dns_len = make_query(msg, name) };
		struct frame in;
		LIBBPF_OPTS(bpf_test_run_opts, opts, .data_out = out, .data_size_out = sizeof(out));

		frame__build(&in, &spec);
		opts.data_in = in.at;
		opts.data_size_in = in.len;
		if (bpf_prog_test_run_opts(fd, &opts))
			die(strerror(errno));
		if (opts.retval != 3 && opts.retval != 7) {
			n_misses++;
		} else {
			n_replies++;
			if (!reply_right(out + in.dns, opts.data_size_out - in.dns, name))
				n_wrong++;
		}
		asked[(long)arg]++;
	}
	return NULL;
}

/* Until what a reader has in its hands was asked after now, however long it does not get to run. */
static void wait_for_readers(void)
{
	unsigned long from[256];

	for (int i = 0; i < n_readers; i++)
		from[i] = asked[i];
	for (int i = 0; i < n_readers; i++) {
		while (asked[i] < from[i] + 2)
			usleep(1000);
	}
}

/*
 * What the readers are for, seen to work: a slot changed while it is published,
 * record by record, between two versions of as many records.
 */
static void tear_for_a_second(void)
{
	static uint8_t msg[2048];
	unsigned int versions[2] = { 17, 17 + 60 }; /* 60 records each */
	uint64_t end = mono_ns() + 1000000000, hash;
	enum verdict got_verdict;
	struct answer *answer = NULL;
	struct dns_name qname = wire__name("name-000.concurrent.test.");
	struct store_maps maps;
	uint32_t number;
	struct steps *steps;
	uint8_t *rr;

	datapath__store_maps(env.datapath, &maps);
	if (answer__decode(msg, make_answer(msg, 0, versions[0]), &qname, 1, 0, &got_verdict,
			   &answer) ||
	    store__put(env.store, answer,
		       &(struct store_put){ .kind = NODENS_POSITIVE, .ttl_s = 60 }, mono_ns()))
		die("a slot to tear");
	hash = question__hash((const uint64_t *)env.ctl->hash_key, &qname, 1, 0);
	if (!fixture_find(maps.index_fd, hash, &number) ||
	    slot_class_size[NODENS_SLOT_CLASS(number)] <= NODENS_SIZE_SMALL)
		die("where the slot to tear is");
	steps = env__steps(&env);
	if (!steps)
		die("the slots' memory");
	rr = steps__memory(steps) + (size_t)NODENS_SLOT_ADDRESS(number) * NODENS_UNIT;
	rr += ((struct nodens_slot *)rr)->blob_at;
	for (int v = 0; mono_ns() < end; v ^= 1) {
		for (int i = 0; i < records_of(versions[v]); i++)
			put16(rr + 16 * i + 13, versions[v]);
		env__beat(&env);
	}
	steps__close(steps);
	flush_store(env.store, NULL, 0);
	wait_for_readers();
	printf("concurrent: a slot changed in place: %lu of %lu replies were seen to be torn\n",
	       n_wrong, n_replies);
	verdict(n_wrong > 0, "the readers overlook torn answers");
	n_wrong = n_replies = 0;
}

static int put_version(int name, unsigned int version, uint64_t now)
{
	static uint8_t msg[2048];
	enum verdict got_verdict;
	struct answer *answer = NULL;
	struct dns_name qname;
	char text[64];

	sprintf(text, "name-%03d.concurrent.test.", name);
	qname = wire__name(text);
	if (answer__decode(msg, make_answer(msg, name, version & 0xffff), &qname, 1, 0,
			   &got_verdict, &answer) ||
	    got_verdict != VERDICT_POSITIVE)
		die("decode");
	return store__put(env.store, answer,
			  &(struct store_put){ .kind = NODENS_POSITIVE, .ttl_s = 1 }, now);
}

/* Some octets of one entry, the others of another: what a copy that is not whole leaves. */
static uint64_t mixed(uint64_t a, uint64_t b)
{
	uint64_t mask = 0;

	for (int i = 0; i < 8; i++)
		mask |= rand() & 1 ? 0xffull << 8 * i : 0;
	return (a & mask) | (b & ~mask);
}

/* So many, whatever the machine's speed; a second at least, and a minute at most. */
#define SCRAMBLED_REPLIES 1000
#define SCRAMBLED_MISSES  100

static bool scrambled_too_little(uint64_t begin, unsigned long replies, unsigned long misses)
{
	uint64_t passed = mono_ns() - begin;

	if (replies > SCRAMBLED_REPLIES && misses > SCRAMBLED_MISSES)
		return passed < 1000000000;
	return passed < 60 * 1000000000ull;
}

/*
 * An index read while it is torn: entries mixed octet by octet of their own, others' and none,
 * twice over as well, and counts that say anything. The slots are right, and tell.
 */
static void scramble(void)
{
	uint64_t begin = mono_ns(), entry[NAMES] = {};
	unsigned long replies = n_replies, misses = n_misses;
	struct index_place at = {};
	struct store_maps maps;
	struct index *index;
	uint32_t number, n = 0, n_buckets;

	datapath__store_maps(env.datapath, &maps);
	n_buckets = fixture_buckets(maps.index_fd);
	for (int i = 0; i < NAMES; i++)
		put_version(i, 3 * i, mono_ns() + 60 * 1000000000ull);
	index = fixture_index(maps.index_fd);
	while (n < NAMES && index__next(index, &at, &number) > 0)
		entry[n++] = at.entry;
	index__close(index);
	if (n < NAMES / 3)
		die("too few entries to scramble");
	while (scrambled_too_little(begin, n_replies - replies, n_misses - misses)) {
		uint32_t bucket = rand() % n_buckets;
		struct nodens_bucket good, bad;

		if (bpf_map_lookup_elem(maps.index_fd, &bucket, &good))
			die("bucket");
		bad = good;
		for (int i = 0; i < NODENS_BUCKET_ENTRIES; i++) {
			if (rand() % 2)
				bad.entry[i] = mixed(rand() % 4 ? good.entry[i] : entry[rand() % n],
						     rand() % 4 ? entry[rand() % n] : 0);
		}
		bad.beyond = rand() % 2 ? rand() : 0;
		bpf_map_update_elem(maps.index_fd, &bucket, &bad, BPF_ANY);
		bpf_map_update_elem(maps.index_fd, &bucket, &good, BPF_ANY);
		env__beat(&env);
	}
	flush_store(env.store, NULL, 0);
	wait_for_readers();
	printf("concurrent: a scrambled index: %lu replies, %lu misses, %lu wrong\n",
	       n_replies - replies, n_misses - misses, n_wrong);
	verdict(!n_wrong, "%lu wrong answers with a scrambled index", n_wrong);
	verdict(n_replies - replies > SCRAMBLED_REPLIES && n_misses - misses > SCRAMBLED_MISSES,
		"too few replies or misses to tell: %lu, %lu", n_replies - replies,
		n_misses - misses);
	n_wrong = n_replies = 0;
}

static void write_for(int seconds)
{
	uint64_t end = mono_ns() + seconds * 1000000000ull, next_sweep = 0;
	unsigned int version = 0;

	while (mono_ns() < end) {
		uint64_t now = mono_ns();

		/* a third expires within 50 ms */
		if (put_version(rand() % NAMES, version, rand() % 3 ? now : now - 950000000))
			n_refused++;
		n_writes++;
		version++;
		if (now > next_sweep) {
			store__tick(env.store, now);
			env__beat(&env);
			next_sweep = now + 20000000;
		}
		if (version % 4096 == 0)
			flush_store(env.store, NULL, 0);
	}
}

int main(int argc, char **argv)
{
	int seconds = argc > 1 ? atoi(argv[1]) : 4, versions = 0;
	pthread_t thread[256];
	struct store_stats stats;

	env__open(&env, argc > 2 ? argv[2] : NULL, 64);
	n_readers = sysconf(_SC_NPROCESSORS_ONLN) * TEST_HOOKS;
	if (n_readers > 256)
		n_readers = 256;
	for (long i = 0; i < n_readers; i++)
		pthread_create(&thread[i], NULL, reader, (void *)i);
	if (datapath__features(env.datapath)->mmapable)
		tear_for_a_second();
	names_asked = NAMES;
	scramble();
	write_for(seconds);
	stop = true;
	for (int i = 0; i < n_readers; i++)
		pthread_join(thread[i], NULL);
	store__stats(env.store, &stats);
	for (int i = 0; i < 256; i++)
		versions += !!versions_seen[i];
	printf("concurrent: %lu writes (%lu refused), %lu evicted, %lu expired; %lu replies, %lu "
	       "misses, "
	       "%lu wrong\n",
	       n_writes, n_refused, (unsigned long)stats.evicted[0], (unsigned long)stats.expired,
	       n_replies, n_misses, n_wrong);
	verdict(n_wrong == 0, "%lu wrong answers", n_wrong);
	verdict(n_replies > 10000 && versions > 200, "too few replies to tell: %lu of %d versions",
		n_replies, versions);
	env__close(&env);
	return closing_line();
}
