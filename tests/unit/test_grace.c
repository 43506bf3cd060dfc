// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Tests of grace periods with the kernel's own: order of tickets, an idle thread, hurry, errors;
 * and that a period does wait for a program that runs.
 */
#include "store_fixture.h"

#include <pthread.h>
#include <sys/resource.h>

#include "store/grace.h"

#define WAIT_MS 30000 /* a guest without KVM is slow */

struct world {
	int outer, inner;
	struct grace *grace;
};

static int setup(void **state)
{
	static struct world w;
	LIBBPF_OPTS(bpf_map_create_opts, opts);

	w.inner = fixture_map(BPF_MAP_TYPE_ARRAY, "t_inner", 4, 4, 1, 0);
	opts.inner_map_fd = w.inner;
	w.outer = bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "t_grace", 4, 4, 1, &opts);
	w.grace = NULL;
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	grace__close(w->grace);
	close(w->outer);
	close(w->inner);
	return 0;
}

static void open_grace(struct world *w)
{
	if (w->outer < 0) {
		print_message("no permission to make maps\n");
		skip();
	}
	assert_int_equal(grace__open(w->outer, w->inner, &w->grace), 0);
}

static uint64_t wait_for(struct grace *grace, uint64_t ticket)
{
	uint64_t begin = fixture_now();

	while (grace__passed(grace) < ticket) {
		usleep(200);
		assert_true(fixture_now() - begin < WAIT_MS * 1000000ull);
	}
	return fixture_now() - begin;
}

static void test_tickets(void **state)
{
	struct world *w = *state;
	uint64_t last = 0;

	open_grace(w);
	for (int i = 0; i < 5; i++) {
		uint64_t ticket = grace__ticket(w->grace);

		assert_true(ticket >= last);
		assert_true(ticket > grace__passed(w->grace));
		wait_for(w->grace, ticket);
		last = ticket;
	}
}

/* One period serves all that gathered for it. */
static void test_batch(void **state)
{
	struct world *w = *state;
	uint64_t begin = fixture_now(), first = 0, last = 0;

	open_grace(w);
	while (fixture_now() - begin < 300000000ull) {
		last = grace__ticket(w->grace);
		first = first ? first : last;
		usleep(100);
	}
	wait_for(w->grace, last);
	assert_in_range(last - first, 1, 12);
}

static void test_idle(void **state)
{
	struct world *w = *state;
	struct rusage before, after;
	uint64_t passed;

	open_grace(w);
	wait_for(w->grace, grace__ticket(w->grace));
	usleep(100000);
	passed = grace__passed(w->grace);
	getrusage(RUSAGE_SELF, &before);
	usleep(300000);
	getrusage(RUSAGE_SELF, &after);
	assert_int_equal(grace__passed(w->grace), passed);
	assert_in_range(after.ru_nvcsw - before.ru_nvcsw, 0, 5);
}

static void test_close_at_once(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 5; i++) {
		open_grace(w);
		for (int k = 0; k < i; k++)
			grace__ticket(w->grace);
		grace__close(w->grace);
		w->grace = NULL;
	}
	grace__close(NULL);
}

/* A step made ahead is there when it is asked for; without having been asked for none is. */
static void test_grow(void **state)
{
	struct world *w = *state;
	struct steps_config config = { .fd = steps__create(2, false), .max = 2 };
	struct steps *steps;
	int fd;

	open_grace(w);
	assert_int_equal(steps__open(&config, true, &steps), 0);
	assert_int_equal(grace__grown(w->grace), -ENODATA);
	for (int i = 0; i < 2; i++) {
		grace__grow(w->grace, steps);
		grace__grow(w->grace, steps); /* once is enough */
		fd = grace__grown(w->grace);
		assert_true(fd >= 0);
		assert_int_equal(steps__add(steps, fd), 0);
		assert_int_equal(steps__count(steps), i + 1);
		assert_int_equal(grace__grown(w->grace), -ENODATA);
	}
	grace__grow(w->grace, steps);
	assert_int_equal(grace__grown(w->grace), -ENOSPC);
	wait_for(w->grace, grace__ticket(w->grace));
	grace__close(w->grace);
	w->grace = NULL;
	steps__close(steps);
	close(config.fd);
}

static void test_errors(void **state)
{
	struct world *w = *state;
	struct grace *grace = NULL;

	open_grace(w);
	assert_int_equal(grace__open(-1, w->inner, &grace), -EBADF);
	assert_int_equal(grace__open(w->outer, -1, &grace), -EBADF);
}

struct runner {
	int prog, map;
};

static void *run_program(void *arg)
{
	struct runner *r = arg;
	char packet[64] = {};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet, .data_size_in = sizeof(packet),
		    .repeat = 1);

	bpf_prog_test_run_opts(r->prog, &opts);
	return NULL;
}

/*
 * A program that runs for some 80 ms and more: it copies 64 KiB from one entry of an array to the
 * other, LONG_ROUNDS times, which the verifier walks through one by one. The first entry begins
 * with how far it has come.
 */
enum { NOT_BEGUN, RUNNING, ENDED };

#define LONG_ROUNDS 40000
#define LONG_VALUE  65536

#define LD_MAP(reg, fd)                      \
	{ .code = BPF_LD | BPF_DW | BPF_IMM, \
	  .dst_reg = reg,                    \
	  .src_reg = BPF_PSEUDO_MAP_FD,      \
	  .imm = fd },                       \
	{                                    \
		.code = 0                    \
	}
#define MOV_K(reg, value)                                                         \
	{                                                                         \
		.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = reg, .imm = value \
	}
#define MOV_X(reg, from)                                                             \
	{                                                                            \
		.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = reg, .src_reg = from \
	}
#define ADD_K(reg, value)                                                         \
	{                                                                         \
		.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = reg, .imm = value \
	}
#define ST_W(reg, at, value)                                                              \
	{                                                                                 \
		.code = BPF_ST | BPF_MEM | BPF_W, .dst_reg = reg, .off = at, .imm = value \
	}
#define CALL(func)                                      \
	{                                               \
		.code = BPF_JMP | BPF_CALL, .imm = func \
	}
#define EXIT                               \
	{                                  \
		.code = BPF_JMP | BPF_EXIT \
	}

static int load_long_program(int map)
{
	const struct bpf_insn insns[] = {
		ST_W(10, -4, 0),
		ST_W(10, -8, 1),
		LD_MAP(1, map),
		MOV_X(2, 10),
		ADD_K(2, -4),
		CALL(BPF_FUNC_map_lookup_elem),
		{ .code = BPF_JMP | BPF_JNE | BPF_K, .dst_reg = 0, .imm = 0, .off = 1 },
		EXIT,
		MOV_X(6, 0),
		MOV_K(7, 0),
		ST_W(6, 0, RUNNING),
		/* the loop: 8 instructions, and a jump back over them */
		LD_MAP(1, map),
		MOV_X(2, 10),
		ADD_K(2, -8),
		MOV_X(3, 6),
		MOV_K(4, 0),
		CALL(BPF_FUNC_map_update_elem),
		ADD_K(7, 1),
		{ .code = BPF_JMP | BPF_JLT | BPF_K, .dst_reg = 7, .imm = LONG_ROUNDS, .off = -9 },
		ST_W(6, 0, ENDED),
		MOV_K(0, 0),
		EXIT,
	};

	return bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "t_long", "GPL", insns, ARRAY_SIZE(insns),
			     NULL);
}

static uint32_t progress(const struct runner *r)
{
	static uint32_t value[LONG_VALUE / 4];
	uint32_t zero = 0;

	assert_int_equal(bpf_map_lookup_elem(r->map, &zero, value), 0);
	return value[0];
}

static void test_waits_for_program(void **state)
{
	static const uint32_t fresh[LONG_VALUE / 4];
	struct world *w = *state;
	struct runner r = { .map = fixture_map(BPF_MAP_TYPE_ARRAY, "t_long", 4, LONG_VALUE, 2, 0) };
	uint32_t zero = 0;
	int caught = 0;

	open_grace(w);
	r.prog = load_long_program(r.map);
	assert_true(r.prog >= 0);
	/* on busy CPUs this thread is back only after most of the runs have ended */
	for (int i = 0; i < 200 && caught < 3; i++) {
		pthread_t thread;
		bool running;

		assert_int_equal(bpf_map_update_elem(r.map, &zero, fresh, BPF_ANY), 0);
		assert_int_equal(pthread_create(&thread, NULL, run_program, &r), 0);
		while (progress(&r) == NOT_BEGUN)
			usleep(100);
		running = progress(&r) == RUNNING;
		wait_for(w->grace, grace__ticket(w->grace));
		assert_int_equal(progress(&r), ENDED);
		caught += running;
		pthread_join(thread, NULL);
	}
	assert_int_equal(caught, 3);
	close(r.prog);
	close(r.map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_tickets, setup, teardown),
		cmocka_unit_test_setup_teardown(test_batch, setup, teardown),
		cmocka_unit_test_setup_teardown(test_idle, setup, teardown),
		cmocka_unit_test_setup_teardown(test_close_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_errors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_grow, setup, teardown),
		cmocka_unit_test_setup_teardown(test_waits_for_program, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
