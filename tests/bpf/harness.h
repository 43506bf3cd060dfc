/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The programs under BPF_PROG_RUN: frames built here, a store filled by the
 * agent's own code, replies taken apart by code that shares nothing with either.
 *
 * Contract: every run checks that exactly the wanted counters moved. Runs in a
 * network namespace and under a pin directory of its own.
 */
#ifndef NODENS_TEST_HARNESS_H
#define NODENS_TEST_HARNESS_H

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <ldns/ldns.h>

#include "base/clock.h"
#include "dns/answer.h"
#include "datapath/datapath.h"
#include "datapath/device_counts.h"
#include "dns/slot.h"
#include "link/netns.h"
#include "store/store.h"

enum test_hook { TEST_TC, TEST_XDP, TEST_HOOKS };
static const char *const hook_name[TEST_HOOKS] = { "tc", "xdp" };

#define LOOPBACK 1 /* its ifindex in each network namespace */

struct env {
	char pin_dir[64];
	struct datapath *datapath;
	struct store *store;
	struct bpf_object *xdp; /* NULL where the kernel cannot grow a packet in XDP */
	int fd[TEST_HOOKS];
	struct nodens_ctl *ctl;
	struct device_counts *counts; /* of lo, which frames come from unless a test says otherwise;
					 others are without a number */
};

/* To be closed. */
static inline struct steps *env__steps(const struct env *env)
{
	struct store_maps maps;
	struct steps *steps;

	datapath__store_maps(env->datapath, &maps);
	return steps__open(&maps.slabs, true, &steps) ? NULL : steps;
}

/* A slot as programs see it. */
static inline bool env__slot(const struct env *env, uint32_t number, union slot_buf *buf)
{
	struct steps *steps = env__steps(env);
	bool ok = steps && !steps__read(steps, number, buf->bytes,
					slot_class_size[NODENS_SLOT_CLASS(number)]);

	steps__close(steps);
	return ok;
}

/* What nobody but the agent does. */
static inline bool env__set_slot(const struct env *env, uint32_t number, const union slot_buf *buf)
{
	struct steps *steps = env__steps(env);
	bool ok = steps && !steps__write(steps, number, buf->bytes,
					 slot_class_size[NODENS_SLOT_CLASS(number)]);

	steps__close(steps);
	return ok;
}

static int n_passed, n_failed, n_skipped;

/* store_config's, for a test that sets it before env__open(). */
static struct store_series (*env_series)(void *ctx, const struct nodens_slot *slot,
					 uint16_t partition);

/* Programs of an env that is opened count by device; devices are added by whoever looks. */
static bool env_count_devices = true;

static inline void __attribute__((format(printf, 2, 3))) verdict(bool ok, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (!ok || getenv("V")) {
		printf("%s ", ok ? "ok  " : "FAIL");
		vprintf(fmt, ap);
		putchar('\n');
	}
	va_end(ap);
	*(ok ? &n_passed : &n_failed) += 1;
}

static inline void die(const char *what)
{
	printf("FAIL %s\n0 passed, 1 failed\n", what);
	exit(1);
}

static inline int closing_line(void)
{
	printf("%d passed, %d failed, %d skipped\n", n_passed, n_failed, n_skipped);
	return n_failed || !n_passed;
}

static inline uint64_t mono_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

/* The agent's heartbeat, far ahead, so that no test depends on the clock. */
static inline void env__beat(struct env *env)
{
	env->ctl->heartbeat_ns = mono_ns();
	env->ctl->lease_ns = 3600ull * 1000000000;
	env->ctl->hung_ns = 3600ull * 1000000000;
	datapath__ctl_commit(env->datapath);
}

static inline void env__commit(void *ctx)
{
	datapath__ctl_commit(((struct env *)ctx)->datapath);
}

static inline void env__open(struct env *env, const char *pretend, uint32_t capacity)
{
	struct datapath_config config = { .pin_dir = env->pin_dir,
					  .pretend = pretend,
					  .capacity = { capacity, capacity },
					  .count_devices = env_count_devices };
	struct store_config store = { .capacity = { capacity, capacity },
				      .bufsize = 4096,
				      .series = env_series };
	struct publisher *publisher;
	struct error err;

	memset(env, 0, sizeof(*env));
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) || system("ip link set lo up") ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", "/sys/fs/bpf", "bpf", 0, NULL))
		die("cannot make namespaces of its own (root?)");
	snprintf(env->pin_dir, sizeof(env->pin_dir), "/sys/fs/bpf/nodens-test-%d", getpid());
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	if (datapath__open(&config, &env->datapath, &err))
		die(err.text);
	env->ctl = datapath__ctl(env->datapath);
	env->ctl->bufsize = 4096;
	env->ctl->n_served4 = 2;
	env->ctl->served4[0] = inet_addr("169.254.20.10");
	env->ctl->served4[1] = inet_addr("10.96.0.10");
	env->ctl->n_served6 = 1;
	inet_pton(AF_INET6, "fd00:10:96::a", env->ctl->served6[0]);
	env__beat(env);
	store.hash_key = (const uint64_t *)env->ctl->hash_key;
	store.nx_below_depths = (uint64_t *)&env->ctl->nx_below_depths;
	store.commit = env__commit;
	store.ctx = env;
	if (datapath__publisher(env->datapath, &publisher) ||
	    store__open(publisher, &store, clock_now(), &env->store))
		die("store__open");
	if (device_counts__open(env->datapath, &env->counts) ||
	    device_counts__add(env->counts, LOOPBACK))
		die("counts by device");
	env->fd[TEST_TC] = datapath__tc_prog_fd(env->datapath, DATAPATH_TC_POD, true, &err);
	if (env->fd[TEST_TC] < 0)
		die(err.text);
	env->fd[TEST_XDP] = -1;
	if (datapath__features(env->datapath)->xdp_grow) {
		if (datapath__xdp_object(env->datapath, true, false, &env->xdp, &err))
			die(err.text);
		if (bpf_object__load(env->xdp))
			die("xdp_nodens does not load");
		env->fd[TEST_XDP] =
			bpf_program__fd(bpf_object__find_program_by_name(env->xdp, "xdp_nodens"));
	} else {
		printf("skip xdp: this kernel cannot grow a packet there\n");
		n_skipped++;
	}
}

static inline void env__close(struct env *env)
{
	store__close(env->store);
	device_counts__close(env->counts);
	bpf_object__close(env->xdp);
	datapath__close(env->datapath);
	datapath__unpin(env->pin_dir);
	rmdir(env->pin_dir);
}

/* --- frames ------------------------------------------------------------ */

#define FRAME_ROOM 4096

struct frame {
	uint8_t at[FRAME_ROOM];
	size_t len;
	size_t l3, l4, dns;
	bool ip6;
};

struct frame_spec {
	bool ip6;
	int vlans;
	const uint8_t *dns;
	size_t dns_len;
	uint16_t client_port; /* 0: 40000 */
	uint16_t client;      /* last two octets of the client's address; 0: as below */
	const char *to4;      /* NULL: 10.96.0.10 */
};

static inline void put16(uint8_t *p, uint16_t v)
{
	p[0] = v >> 8;
	p[1] = v & 0xff;
}

static inline uint16_t get16(const uint8_t *p)
{
	return p[0] << 8 | p[1];
}

/* RFC 1071 as it is written, octet by octet: the tests' own. */
static inline uint32_t plain_sum(uint32_t sum, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum += i & 1 ? p[i] : p[i] << 8;
	return sum;
}

static inline uint16_t plain_fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* Sum over pseudo header and UDP: 0xffff where the checksum is right. */
static inline uint16_t udp_sum(const struct frame *f)
{
	const uint8_t *ip = f->at + f->l3, *udp = f->at + f->l4;
	uint16_t len = get16(udp + 4);
	uint32_t sum = 17 + len;

	sum = f->ip6 ? plain_sum(sum, ip + 8, 32) : plain_sum(sum, ip + 12, 8);
	if (f->l4 + len > f->len)
		return 0;
	return plain_fold(plain_sum(sum, udp, len));
}

static inline void frame__build(struct frame *f, const struct frame_spec *spec)
{
	static const uint8_t macs[12] = { 2, 0xaa, 0, 0, 0, 1, 2, 0xbb, 0, 0, 0, 2 };
	uint16_t port = spec->client_port ? spec->client_port : 40000;
	uint8_t *p = f->at;
	size_t udp_len = 8 + spec->dns_len;

	memset(f, 0, sizeof(*f));
	f->ip6 = spec->ip6;
	memcpy(p, macs, 12);
	p += 12;
	for (int i = 0; i < spec->vlans; i++, p += 4) {
		put16(p, i + 1 < spec->vlans ? 0x88a8 : 0x8100);
		put16(p + 2, 100 + i);
	}
	put16(p, spec->ip6 ? 0x86dd : 0x0800);
	p += 2;
	f->l3 = p - f->at;
	if (spec->ip6) {
		p[0] = 0x60;
		put16(p + 4, udp_len);
		p[6] = 17;
		p[7] = 63;
		inet_pton(AF_INET6, "fd00:1::2", p + 8);
		if (spec->client)
			put16(p + 22, spec->client);
		inet_pton(AF_INET6, "fd00:10:96::a", p + 24);
		p += 40;
	} else {
		p[0] = 0x45;
		put16(p + 2, 20 + udp_len);
		put16(p + 4, 0x1234);
		p[6] = 0x40;
		p[8] = 63;
		p[9] = 17;
		inet_pton(AF_INET, "10.244.1.2", p + 12);
		if (spec->client)
			put16(p + 14, spec->client);
		inet_pton(AF_INET, spec->to4 ? spec->to4 : "10.96.0.10", p + 16);
		put16(p + 10, ~plain_fold(plain_sum(0, p, 20)));
		p += 20;
	}
	f->l4 = p - f->at;
	put16(p, port);
	put16(p + 2, 53);
	put16(p + 4, udp_len);
	f->dns = f->l4 + 8;
	memcpy(f->at + f->dns, spec->dns, spec->dns_len);
	f->len = f->dns + spec->dns_len;
	put16(p + 6, ~udp_sum(f));
}

/* --- runs -------------------------------------------------------------- */

struct run {
	struct frame out;
	uint32_t retval;
	int error; /* BPF_PROG_RUN itself refused the frame */
	int64_t moved[NODENS_CTR_COUNT];
	struct nodens_device_counts device; /* the same by device, as it moved */
};

/* Of the device; where it has no number, of all such. */
static inline void device_counts(const struct env *env, uint32_t ifindex,
				 struct nodens_device_counts *counts)
{
	if (device_counts__get(env->datapath, ifindex ? ifindex : LOOPBACK, counts) &&
	    device_counts__get_others(env->datapath, counts))
		die("no counts by device");
}

/* @sum += now - before. */
static inline void device_moved(struct nodens_device_counts *sum,
				const struct nodens_device_counts *before,
				const struct nodens_device_counts *now)
{
	__u64 *to = (__u64 *)sum;

	for (size_t i = 0; i < sizeof(*sum) / sizeof(*to); i++)
		to[i] += ((const __u64 *)now)[i] - ((const __u64 *)before)[i];
}

static const char *const counter_name[] = {
#define X(id, name, help) name,
	NODENS_OUTCOMES(X) NODENS_HIT_KINDS(X) NODENS_STEERS(X)
#undef X
};

static inline void run_frame_on(struct env *env, enum test_hook hook, const struct frame *in,
				uint32_t ifindex, struct run *run)
{
	uint64_t before[NODENS_CTR_COUNT], after[NODENS_CTR_COUNT];
	struct nodens_device_counts device_before, device_after;
	struct __sk_buff skb = { .ifindex = ifindex };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in->at, .data_size_in = in->len,
		    .data_out = run->out.at, .data_size_out = FRAME_ROOM, .repeat = 1);

	if (hook == TEST_TC && ifindex) {
		opts.ctx_in = &skb;
		opts.ctx_size_in = sizeof(skb);
	}
	memset(run, 0, sizeof(*run));
	datapath__counters(env->datapath, before);
	device_counts(env, ifindex, &device_before);
	if (bpf_prog_test_run_opts(env->fd[hook], &opts)) {
		run->error = -errno;
		return;
	}
	datapath__counters(env->datapath, after);
	device_counts(env, ifindex, &device_after);
	device_moved(&run->device, &device_before, &device_after);
	run->out.len = opts.data_size_out;
	run->out.l3 = in->l3;
	run->out.l4 = in->l4;
	run->out.dns = in->dns;
	run->out.ip6 = in->ip6;
	run->retval = opts.retval;
	for (int i = 0; i < NODENS_CTR_COUNT; i++)
		run->moved[i] = after[i] - before[i];
}

static inline void run_frame(struct env *env, enum test_hook hook, const struct frame *in,
			     struct run *run)
{
	run_frame_on(env, hook, in, 0, run);
}

/* What moved of the counters in @mask. */
static inline uint64_t moved_of(const struct run *run, uint64_t mask)
{
	uint64_t sum = 0;

	for (int i = 0; i < NODENS_CTR_COUNT; i++)
		sum += mask >> i & 1 ? run->moved[i] : 0;
	return sum;
}

/* What was counted at the device is what was counted at all, and NXDOMAIN what the reply says. */
static inline bool device_agrees(const struct run *run)
{
	const struct nodens_device_counts *at = &run->device;
	bool nxdomain = at->hits && (run->out.at[run->out.dns + 3] & 15) == 3;

	return at->hits == moved_of(run, NODENS_DEVICE_HITS) &&
	       at->misses == moved_of(run, NODENS_DEVICE_MISSES) &&
	       at->tcp == moved_of(run, NODENS_DEVICE_TCP) &&
	       at->unsteered == moved_of(run, NODENS_DEVICE_UNSTEERED) &&
	       at->passed == moved_of(run, NODENS_DEVICE_PASSED) && at->nxdomain == nxdomain;
}

/* Exactly one outcome, this one; and this steer counter (or none: -1). */
static inline bool counted(const struct run *run, int outcome, int steer, char *why, size_t size)
{
	for (int i = 0; i < NODENS_CTR_COUNT; i++) {
		bool hit = outcome == NODENS_CTR_HIT || outcome == NODENS_CTR_HIT_TC;
		int64_t want = i == outcome || i == steer ||
			       (i == NODENS_CTR_HIT_IP6 && hit && run->out.ip6);

		/* kinds that a test looks at itself */
		if (i == NODENS_CTR_HIT_NX_BELOW || i == NODENS_CTR_HIT_STALE)
			continue;

		if (run->moved[i] != want) {
			snprintf(why, size, "counter %s moved by %ld, not %ld", counter_name[i],
				 (long)run->moved[i], (long)want);
			return false;
		}
	}
	if (!device_agrees(run))
		snprintf(why, size, "another count by device");
	return device_agrees(run);
}

static inline bool unchanged(const struct frame *in, const struct run *run)
{
	return run->out.len == in->len && !memcmp(run->out.at, in->at, in->len);
}

static inline uint32_t sent_back(enum test_hook hook)
{
	return hook == TEST_XDP ? 3 /* XDP_TX */ : 7 /* TC_ACT_REDIRECT */;
}

static inline uint32_t passed_on(enum test_hook hook)
{
	return hook == TEST_XDP ? 2 /* XDP_PASS */ : (uint32_t)-1 /* TC_ACT_UNSPEC */;
}

/*
 * The frame around a reply of @dns_len bytes: addresses, ports, MACs swapped,
 * tags kept, lengths and both checksums right, nothing behind it.
 */
static inline bool reply_frame_ok(const struct frame *in, const struct run *run, size_t dns_len,
				  char *why, size_t size)
{
	const uint8_t *a = in->at, *b = run->out.at;
	size_t addr = in->ip6 ? 16 : 4, src = in->l3 + (in->ip6 ? 8 : 12);
	const char *what = NULL;

	if (run->out.len != in->dns + dns_len)
		what = "length of the frame";
	else if (memcmp(a, b + 6, 6) || memcmp(a + 6, b, 6))
		what = "MACs";
	else if (memcmp(a + 12, b + 12, in->l3 - 12))
		what = "tags or EtherType";
	else if (memcmp(a + src, b + src + addr, addr) || memcmp(a + src + addr, b + src, addr))
		what = "addresses";
	else if (memcmp(a + in->l4, b + in->l4 + 2, 2) || memcmp(a + in->l4 + 2, b + in->l4, 2))
		what = "ports";
	else if (get16(b + in->l4 + 4) != 8 + dns_len)
		what = "UDP length";
	else if (get16(b + in->l3 + (in->ip6 ? 4 : 2)) != (in->ip6 ? 8 : 28) + dns_len)
		what = "IP length";
	else if (b[in->l3 + (in->ip6 ? 7 : 8)] != 64)
		what = "hop limit";
	else if (!in->ip6 && plain_fold(plain_sum(0, b + in->l3, 20)) != 0xffff)
		what = "IP checksum";
	else if (udp_sum(&run->out) != 0xffff || !get16(b + in->l4 + 6))
		what = "UDP checksum";
	if (what)
		snprintf(why, size, "%s", what);
	return !what;
}

#endif /* NODENS_TEST_HARNESS_H */
