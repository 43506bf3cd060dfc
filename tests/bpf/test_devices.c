// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Counts by device: whose number a packet counts under, as devices come and go. That each outcome
 * counts as it should is held in every run of every test (harness.h, device_agrees()).
 *
 * Usage: test_devices [KERNEL]: with KERNEL ("5.4") the fallbacks for it are used.
 */
#include "cases.h"
#include "datapath/datapath_priv.h"

#define IN_SET 9 /* devices of one set: one more than it has places */

static uint32_t device[IN_SET];

static void store_one(void)
{
	const struct stored one = { "one.example.org.",
				    1,
				    DNS_QR | DNS_RA,
				    0,
				    { "one.example.org. 60 IN A 192.0.2.1" },
				    60 };

	if (store__put(env.store, decode(&one),
		       &(struct store_put){ .kind = NODENS_POSITIVE, .ttl_s = 60 }, mono_ns()))
		die(one.qname);
}

static void make_devices(void)
{
	char command[128];

	for (int i = 0; i < IN_SET; i++) {
		device[i] = NODENS_DEVICE_SETS * (i + 1) + 7;
		snprintf(command, sizeof(command),
			 "ip link add d%d index %u type veth peer name e%d && ip link set d%d up",
			 i, device[i], i, i);
		if (system(command))
			die(command);
	}
}

static uint64_t hits_of(uint32_t ifindex)
{
	struct nodens_device_counts counts;

	return device_counts__get(env.datapath, ifindex, &counts) ? UINT64_MAX : counts.hits;
}

static uint64_t hits_of_others(void)
{
	struct nodens_device_counts counts;

	if (device_counts__get_others(env.datapath, &counts))
		die("others");
	return counts.hits;
}

/* False: this kernel's BPF_PROG_RUN takes no device. */
static bool hits(uint32_t ifindex, int n)
{
	static uint8_t msg[512];
	struct frame_spec spec = { .dns = msg,
				   .dns_len =
					   build_query(msg, "one.example.org.", 1, DNS_RD, NULL) };
	struct frame in;
	struct run run;
	char why[128];

	frame__build(&in, &spec);
	for (int i = 0; i < n; i++) {
		run_frame_on(&env, TEST_TC, &in, ifindex, &run);
		if (run.error == -EINVAL)
			return false;
		if (!counted(&run, C(HIT), -1, why, sizeof(why)))
			verdict(false, "a hit at device %u: %s", ifindex, why);
	}
	return true;
}

static uint32_t number_of(uint32_t ifindex)
{
	uint32_t key = ifindex % NODENS_DEVICE_SETS;
	struct nodens_device_set set;

	if (bpf_map_lookup_elem(env.datapath->map_fd[MAP_DEVNUM], &key, &set))
		die("nodens_devnum");
	for (int i = 0; i < NODENS_DEVICE_WAYS; i++) {
		if ((uint32_t)set.entry[i] == ifindex)
			return set.entry[i] >> 32;
	}
	return 0;
}

static void test_one_set(void)
{
	uint64_t others = hits_of_others();

	for (int i = 0; i < IN_SET - 1; i++)
		verdict(!device_counts__add(env.counts, device[i]), "device %d of a set", i);
	verdict(device_counts__add(env.counts, device[IN_SET - 1]) == -ENOSPC,
		"one more than the set has room for");
	for (int i = 0; i < IN_SET; i++)
		hits(device[i], i + 1);
	for (int i = 0; i < IN_SET - 1; i++)
		verdict(hits_of(device[i]) == (uint64_t)i + 1, "device %d: %d hits", i, i + 1);
	verdict(hits_of(device[IN_SET - 1]) == UINT64_MAX && hits_of_others() - others == IN_SET,
		"one without a number counts among the others");
}

static void test_comes_and_goes(void)
{
	uint32_t number = number_of(device[2]);

	device_counts__remove(env.counts, device[2]);
	verdict(hits_of(device[2]) == UINT64_MAX, "a device that went has no counts");
	verdict(!device_counts__add(env.counts, device[IN_SET - 1]), "its place is another's");
	verdict(!hits_of(device[IN_SET - 1]), "who begins at 0");
	verdict(number_of(device[IN_SET - 1]) != number, "with a number of its own");
	hits(device[IN_SET - 1], 2);
	verdict(hits_of(device[IN_SET - 1]) == 2, "and counts");
	device_counts__remove(env.counts, device[IN_SET - 1]);
	device_counts__add(env.counts, device[2]);
	verdict(!hits_of(device[2]), "a device that comes again begins at 0");
	verdict(!device_counts__add(env.counts, device[1]) && hits_of(device[1]) == 2,
		"one that is there goes on");
}

static bool is_not_first(void *ctx, uint32_t ifindex)
{
	(void)ctx;
	return ifindex != device[0];
}

/* Another agent finds the maps as they are. */
static void test_taken_over(void)
{
	device_counts__close(env.counts);
	if (device_counts__open(env.datapath, &env.counts))
		die("counts by device");
	device_counts__keep(env.counts, is_not_first, NULL);
	verdict(hits_of(device[0]) == UINT64_MAX, "a device that went meanwhile");
	verdict(hits_of(device[4]) == 5, "one that stayed goes on");
	hits(device[4], 1);
	verdict(hits_of(device[4]) == 6, "and counts");
}

static void test_all_numbers(void)
{
	uint32_t ifindex = 100000, n = 0, seen[NODENS_DEVICE_NUMBERS] = { 0 }, number;

	for (int i = 0; i < IN_SET; i++)
		device_counts__remove(env.counts, device[i]);
	while (!device_counts__add(env.counts, ifindex + n))
		n++;
	/* lo has one, and 0 is nobody's */
	verdict(n == NODENS_DEVICE_NUMBERS - 2, "%u devices found a number", n);
	for (uint32_t i = 0; i < n; i++) {
		number = number_of(ifindex + i);
		verdict(number && number < NODENS_DEVICE_NUMBERS && !seen[number]++,
			"number %u is one device's", number);
	}
	for (uint32_t i = 0; i < n; i++)
		device_counts__remove(env.counts, ifindex + i);
	verdict(!device_counts__add(env.counts, ifindex), "a number that came free");
}

/* Beside XDP, which counts each packet, tc says of misses what became of them. */
static void test_behind_xdp(void)
{
	struct nodens_device_counts before, after, moved = { 0 };
	int own = env.fd[TEST_TC];
	struct frame in;
	struct error err;
	struct run run;

	env.fd[TEST_TC] =
		datapath__tc_prog_fd(env.datapath, DATAPATH_TC_POD_BEHIND_XDP, true, &err);
	if (env.fd[TEST_TC] < 0)
		die(err.text);
	device_counts(&env, 0, &before);
	ask(TEST_TC, "one.example.org.", 0, &in, &run);
	ask(TEST_TC, "new.example.org.", 0, &in, &run);
	device_counts(&env, 0, &after);
	device_moved(&moved, &before, &after);
	verdict(!moved.hits && !moved.misses && !moved.passed && moved.unsteered == 2,
		"behind XDP: %lu hits, %lu misses, %lu passed, %lu unsteered",
		(unsigned long)moved.hits, (unsigned long)moved.misses, (unsigned long)moved.passed,
		(unsigned long)moved.unsteered);
	env.fd[TEST_TC] = own;
}

static void test_off(const char *pretend)
{
	env_count_devices = false;
	env__open(&env, pretend, 64);
	store_one();
	for (int hook = 0; hook < TEST_HOOKS; hook++) {
		struct frame in;
		struct run run;

		if (env.fd[hook] < 0)
			continue;
		ask(hook, "one.example.org.", 0, &in, &run);
		verdict(run.moved[C(HIT)] == 1 && !run.device.hits, "%s: nothing is counted",
			hook_name[hook]);
		ask(hook, "new.example.org.", 0, &in, &run);
		verdict(run.moved[C(MISS)] == 1 && !run.device.misses, "%s: nothing is counted",
			hook_name[hook]);
	}
	env__close(&env);
}

int main(int argc, char **argv)
{
	const char *pretend = argc > 1 ? argv[1] : NULL;

	env__open(&env, pretend, 1024);
	store_one();
	make_devices();
	if (hits(device[0], 1)) {
		test_one_set();
		test_comes_and_goes();
		test_taken_over();
		test_all_numbers();
	} else {
		printf("skip tc: this kernel's BPF_PROG_RUN takes no device\n");
		n_skipped++;
	}
	test_behind_xdp();
	env__close(&env);
	test_off(pretend);
	return closing_line();
}
