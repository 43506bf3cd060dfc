// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Steering: who is sent to the agent, and who goes on to the cluster's DNS.
 *
 * Usage: test_steering [KERNEL]: with KERNEL ("5.4") the fallbacks for it are used.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "cases.h"

static void tcp_segment(struct frame *in, uint8_t flags, uint16_t port, bool ip6)
{
	static uint8_t msg[32];
	struct frame_spec spec = { .ip6 = ip6, .dns = msg, .dns_len = 32, .client_port = port };

	frame__build(in, &spec);
	in->at[in->l3 + (ip6 ? 6 : 9)] = 6;
	in->at[in->l4 + 13] = flags;
}

struct steer_want {
	const char *name;
	int outcome, steer;
	bool redirected;
};

static void check_steer(const struct frame *in, const struct run *run, const struct steer_want *w)
{
	struct frame want = *in;
	char why[256] = "action or bytes";
	bool ok;

	if (w->redirected)
		memcpy(want.at, env.ctl->nd1_mac, 6);
	ok = run->retval == (w->redirected ? 7u : (uint32_t)-1) && unchanged(&want, run);
	ok = ok && counted(run, w->outcome, w->steer, why, sizeof(why));
	verdict(ok, "tc: %s%s%s", w->name, ok ? "" : ": ", ok ? "" : why);
}

/* Linux 5.4 refuses a context with a device in it, whichever; here lo, which is always there. */
static bool runs_say_device(const struct frame *in)
{
	struct run run;

	run_frame_on(&env, TEST_TC, in, if_nametoindex("lo"), &run);
	return run.error != -EINVAL;
}

static void steer_query(const struct steer_want *w, bool ip6, uint32_t ifindex, uint16_t client)
{
	static uint8_t msg[512];
	struct frame_spec spec = { .ip6 = ip6,
				   .dns = msg,
				   .client = client,
				   .dns_len =
					   build_query(msg, "new.example.org.", 1, DNS_RD, NULL) };
	struct frame in;
	struct run run;

	frame__build(&in, &spec);
	if (ifindex && !runs_say_device(&in)) {
		printf("skip tc: %s: this kernel's BPF_PROG_RUN takes no device\n", w->name);
		n_skipped++;
		return;
	}
	run_frame_on(&env, TEST_TC, &in, ifindex, &run);
	check_steer(&in, &run, w);
}

static void steer_tcp(const struct steer_want *w, uint8_t flags, uint16_t port, bool ip6)
{
	struct frame in;
	struct run run;

	tcp_segment(&in, flags, port, ip6);
	run_frame(&env, TEST_TC, &in, &run);
	check_steer(&in, &run, w);
}

#define W(name, outcome, steer, redirected)                                \
	&(struct steer_want)                                               \
	{                                                                  \
		name, NODENS_CTR_##outcome, NODENS_CTR_##steer, redirected \
	}

/* Another CPU notes a later use of the address after this one has read the time. */
static void test_later_use(uint32_t other_device)
{
	struct in6_addr key;
	struct nodens_client client;
	int fd = datapath__clients_fd(env.datapath);

	inet_pton(AF_INET6, "::ffff:10.244.1.2", &key);
	if (bpf_map_lookup_elem(fd, &key, &client))
		die("10.244.1.2 is not noted");
	client.seen++;
	if (bpf_map_update_elem(fd, &key, &client, BPF_EXIST))
		die("10.244.1.2 cannot be noted");
	steer_query(W("used later than now: in use", MISS, STEER_CONFLICT, false), false,
		    other_device, 0);
}

/* An address that goes from device to device uses up the share of none. */
static void test_claims_move(uint32_t other_device)
{
	static uint8_t msg[512];
	struct frame_spec spec = { .dns = msg,
				   .client = 0x3000,
				   .dns_len =
					   build_query(msg, "new.example.org.", 1, DNS_RD, NULL) };
	uint32_t devices[2] = { if_nametoindex("lo"), other_device };
	int fd = datapath__clients_fd(env.datapath), steered = 0, moves;
	struct nodens_client client;
	struct in6_addr key;
	struct frame in;
	struct run run;

	frame__build(&in, &spec);
	if (!runs_say_device(&in))
		return; /* said by steer_query() */
	memcpy(&key, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
	memcpy((uint8_t *)&key + 12, in.at + in.l3 + 12, 4);
	for (moves = 0; moves < 3 * NODENS_DEVICE_CLIENTS; moves++) {
		if (!bpf_map_lookup_elem(fd, &key, &client)) {
			client.seen -= NODENS_CLIENT_IDLE; /* as if it had long been silent */
			bpf_map_update_elem(fd, &key, &client, BPF_EXIST);
		}
		run_frame_on(&env, TEST_TC, &in, devices[moves % 2], &run);
		steered += run.moved[C(STEERED)];
	}
	verdict(steered == moves, "tc: %d of %d moves of an address were steered", steered, moves);
	bpf_map_delete_elem(fd, &key);
	for (int i = 0; i < 2; i++) {
		int32_t held;

		if (bpf_map_lookup_elem(datapath__claims_fd(env.datapath), &devices[i], &held))
			die("a device without claims");
		verdict(held >= 0 && held <= 3, "tc: %d addresses held afterwards", held);
	}
	/* the address was deleted behind the programs' back */
	if (!bpf_map_lookup_elem(datapath__claims_fd(env.datapath), &devices[1], &client.seen)) {
		client.seen--;
		bpf_map_update_elem(datapath__claims_fd(env.datapath), &devices[1], &client.seen,
				    BPF_EXIST);
	}
}

/* ---- an address that two CPUs take over at the same time ---- */

#define RACES 2000

struct racer {
	struct frame in;
	uint32_t ifindex;
	_Atomic unsigned int begun, done; /* races */
};

static void *race(void *arg)
{
	struct racer *r = arg;
	struct run run;

	while (r->done < RACES) {
		while (r->begun == r->done)
			sched_yield();
		run_frame_on(&env, TEST_TC, &r->in, r->ifindex, &run);
		r->done++;
	}
	return NULL;
}

/* As if the client had long been silent: another device may have the address. */
static void make_idle(const struct in6_addr *key)
{
	int fd = datapath__clients_fd(env.datapath);
	struct nodens_client client;

	if (bpf_map_lookup_elem(fd, key, &client))
		return;
	client.seen -= NODENS_CLIENT_IDLE;
	bpf_map_update_elem(fd, key, &client, BPF_EXIST);
}

static int32_t claims_of(uint32_t ifindex)
{
	int32_t held = 0;

	bpf_map_lookup_elem(datapath__claims_fd(env.datapath), &ifindex, &held);
	return held;
}

static void give_back(uint32_t ifindex, const struct in6_addr *key)
{
	int32_t held = claims_of(ifindex) - 1;

	bpf_map_delete_elem(datapath__clients_fd(env.datapath), key);
	bpf_map_update_elem(datapath__claims_fd(env.datapath), &ifindex, &held, BPF_EXIST);
}

/* However they meet, each device is counted what it has. */
static void test_claims_raced(uint32_t one_device, uint32_t other_device)
{
	static struct racer other;
	static uint8_t msg[512];
	struct frame_spec spec = { .dns = msg,
				   .client = 0x3001,
				   .dns_len =
					   build_query(msg, "new.example.org.", 1, DNS_RD, NULL) };
	uint32_t home = if_nametoindex("lo");
	int32_t held[3], one, two;
	struct in6_addr key;
	pthread_t thread;
	struct run run;

	frame__build(&other.in, &spec);
	if (!runs_say_device(&other.in))
		return; /* said by steer_query() */
	memcpy(&key, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
	memcpy((uint8_t *)&key + 12, other.in.at + other.in.l3 + 12, 4);
	other.ifindex = other_device;
	one = claims_of(one_device);
	two = claims_of(other_device);
	held[0] = claims_of(home);
	if (pthread_create(&thread, NULL, race, &other))
		die("pthread_create");
	for (unsigned int i = 1; i <= RACES; i++) {
		make_idle(&key);
		other.begun = i;
		run_frame_on(&env, TEST_TC, &other.in, one_device, &run);
		while (other.done < i)
			sched_yield();
		make_idle(&key);
		run_frame_on(&env, TEST_TC, &other.in, home, &run);
	}
	pthread_join(thread, NULL);
	held[1] = claims_of(one_device) - one;
	held[2] = claims_of(other_device) - two;
	held[0] -= claims_of(home);
	verdict(!held[0] && !held[1] && !held[2],
		"tc: after %d races for an address its device counts %d more, the others %d and %d",
		RACES, -held[0], held[1], held[2]);
	give_back(home, &key);
}

/* The program array that the program calls by. */
static int tail_of(int prog)
{
	uint32_t ids[32], len = sizeof(struct bpf_prog_info);
	struct bpf_prog_info info = { .map_ids = (uintptr_t)ids, .nr_map_ids = 32 };
	struct bpf_map_info map;

	if (bpf_obj_get_info_by_fd(prog, &info, &len))
		die("no program");
	for (uint32_t i = 0; i < info.nr_map_ids; i++) {
		int fd = bpf_map_get_fd_by_id(ids[i]);

		len = sizeof(map);
		memset(&map, 0, sizeof(map));
		if (!bpf_obj_get_info_by_fd(fd, &map, &len) && map.type == BPF_MAP_TYPE_PROG_ARRAY)
			return fd;
		close(fd);
	}
	die("no program array");
	return -1;
}

/* tc_steer is gone from behind tc_dns: the last that is asked, since nothing puts it back. */
static void test_no_steering_program(void)
{
	int tail = tail_of(env.fd[TEST_TC]);
	uint32_t steer = NODENS_TAIL_STEER;

	if (bpf_map_delete_elem(tail, &steer))
		die("no steering program");
	close(tail);
	steer_query(W("no steering program: goes on", MISS, STEER_ERROR, false), false, 0, 0);
	steer_tcp(W("no steering program: SYN goes on", TCP, STEER_ERROR, false), 2, 1000, false);
}

/* A device has its share of addresses; what calls itself IPv4 in IPv6 has none. */
static void test_claims(void)
{
	static uint8_t msg[512];
	struct frame_spec spec = { .ip6 = true,
				   .dns = msg,
				   .dns_len =
					   build_query(msg, "new.example.org.", 1, DNS_RD, NULL) };
	struct frame in;
	struct run run;
	int steered = 0;

	frame__build(&in, &spec);
	inet_pton(AF_INET6, "::ffff:10.244.1.9", in.at + in.l3 + 8);
	run_frame(&env, TEST_TC, &in, &run);
	check_steer(&in, &run,
		    W("an IPv4 address in IPv6 claims nothing", MISS, STEER_CONFLICT, false));
	spec.ip6 = false;
	for (int i = 0; i < 2 * NODENS_DEVICE_CLIENTS; i++) {
		spec.client = 0x4000 + i;
		frame__build(&in, &spec);
		run_frame(&env, TEST_TC, &in, &run);
		steered += run.moved[C(STEERED)];
	}
	/* two addresses were claimed before */
	verdict(steered == NODENS_DEVICE_CLIENTS - 2 && run.moved[C(STEER_FULL)] == 1 &&
			unchanged(&in, &run),
		"tc: %d addresses claimed, of %d at most", steered, NODENS_DEVICE_CLIENTS - 2);
	steer_query(W("who has one keeps it", MISS, STEERED, true), false, 0, 0);
}

static void test_steering(void)
{
	struct served_addr addrs[2] = { { .family = AF_INET }, { .family = AF_INET6 } };
	struct error err;
	struct netns *netns;
	struct frame in;
	struct run run;
	int udp4, udp6, tcp4, tcp6;

	inet_pton(AF_INET, "10.96.0.10", &addrs[0].v4);
	inet_pton(AF_INET6, "fd00:10:96::a", &addrs[1].v6);
	if (netns__open(addrs, 2, &netns, &err))
		die(err.text);
	netns__fill_ctl(netns, env.ctl);
	env.ctl->steer = 1;
	datapath__ctl_commit(env.datapath);
	steer_query(W("no socket: the agent is dead", MISS, STEER_DEAD, false), false, 0, 0);
	steer_tcp(W("no socket: SYN goes on", TCP, STEER_DEAD, false), 2, 1000, false);

	udp4 = netns__socket(netns, AF_INET, SOCK_DGRAM, 53);
	udp6 = netns__socket(netns, AF_INET6, SOCK_DGRAM, 53);
	tcp4 = netns__socket(netns, AF_INET, SOCK_STREAM, 53);
	tcp6 = netns__socket(netns, AF_INET6, SOCK_STREAM, 53);
	if (udp4 < 0 || udp6 < 0 || tcp4 < 0 || tcp6 < 0)
		die("netns__socket");
	steer_query(W("a miss is steered", MISS, STEERED, true), false, 0, 0);
	steer_query(W("a miss is steered again", MISS, STEERED, true), false, 0, 0);
	steer_query(W("a miss is steered, IPv6", MISS, STEERED, true), true, 0, 0);
	steer_tcp(W("SYN is steered", TCP, STEERED, true), 2, 1000, false);
	steer_tcp(W("SYN is steered, IPv6", TCP, STEERED, true), 2, 1000, true);
	/* the agent listens, but holds no such connection; tests/ns has those that it holds */
	steer_tcp(W("a connection begun elsewhere stays there", TCP, STEER_TCP_FOREIGN, false), 16,
		  1000, false);
	steer_tcp(
		W("a connection begun elsewhere stays there, IPv6", TCP, STEER_TCP_FOREIGN, false),
		16, 1000, true);
	env.ctl->shed = NODENS_SHED_SYN;
	datapath__ctl_commit(env.datapath);
	steer_query(W("no room for TCP: a query over UDP is steered", MISS, STEERED, true), false,
		    0, 0);
	steer_tcp(W("no room for TCP: SYN goes on", TCP, STEER_SHED, false), 2, 1002, false);
	env.ctl->shed = NODENS_SHED_ALL;
	datapath__ctl_commit(env.datapath);
	steer_query(W("overloaded: goes on", MISS, STEER_SHED, false), false, 0, 0);
	steer_tcp(W("overloaded: SYN goes on", TCP, STEER_SHED, false), 2, 1002, false);
	env.ctl->shed = 0;
	env.ctl->hung_ns = 1000000000;
	env.ctl->heartbeat_ns = mono_ns() - 1500000000;
	datapath__ctl_commit(env.datapath);
	steer_query(W("hung: goes on", MISS, STEER_HUNG, false), false, 0, 0);
	env__beat(&env);
	ask(TEST_TC, "two.example.org.", 1, &in, &run);
	check_steer(&in, &run, W("tagged frames go on", MISS, STEER_VLAN, false));

	if (system("ip link add vt0 type veth peer name vt1 && ip link set vt0 up && ip link set "
		   "vt1 up"))
		die("cannot make a veth pair");
	/* lo holds 10.244.1.2 and fd00:1::2 from above */
	/* 10.244.1.2 was first seen on lo, where BPF_PROG_RUN has its packets come from */
	steer_query(W("an address of another device goes on", MISS, STEER_CONFLICT, false), false,
		    if_nametoindex("vt0"), 0);
	test_later_use(if_nametoindex("vt0"));
	test_claims_move(if_nametoindex("vt0"));
	test_claims_raced(if_nametoindex("vt0"), if_nametoindex("vt1"));
	test_claims();
	close(tcp4);
	close(tcp6);
	close(udp4);
	close(udp6);
	steer_query(W("the socket closed: dead at once", MISS, STEER_DEAD, false), false, 0, 0);
	test_no_steering_program();
	netns__close(netns);
	env.ctl->steer = 0;
	datapath__ctl_commit(env.datapath);
}

int main(int argc, char **argv)
{
	env__open(&env, argc > 1 ? argv[1] : NULL, 1024);
	test_steering();
	env__close(&env);
	return closing_line();
}
