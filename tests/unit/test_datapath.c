// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * dp: probes, maps made and adopted, programs of every variant.
 *
 * Contract: needs root; works in a mount namespace with a bpffs of its own, so nothing of it stays.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cmocka.h>

#include "base/clock.h"
#include "datapath/datapath.h"
#include "index_fixture.h"

#define MOUNT	"/tmp"
#define PIN_DIR MOUNT "/nodens"
#define LAYOUT	PIN_DIR "/layout-10"

static bool ready;
static struct error err;

_Static_assert(NODENS_LAYOUT == 10, "LAYOUT above");

static int setup(void **state)
{
	(void)state;
	ready = !unshare(CLONE_NEWNS) && !mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
		!mount("bpf", MOUNT, "bpf", 0, NULL);
	return 0;
}

static void begin(void)
{
	if (!ready) {
		print_message("SKIP: needs root\n");
		skip();
	}
	assert_true(datapath__unpin(PIN_DIR) >= 0);
	memset(&err, 0, sizeof(err));
}

static struct datapath_config config(const char *pretend)
{
	return (struct datapath_config){
		.pin_dir = PIN_DIR, .pretend = pretend, .capacity = { 1000, 500 }, .adopt = true
	};
}

static struct datapath *open_kern(const char *pretend)
{
	struct datapath_config c = config(pretend);
	struct datapath *dp = NULL;
	int ret = datapath__open(&c, &dp, &err);

	if (ret)
		fail_msg("%d: %s", ret, err.text);
	return dp;
}

static void test_pretend(void **state)
{
	static const char *const bad[] = { "",	   "5",	   "5.",   ".4",  "5.4.1",
					   "4.19", "-5.4", "5.4x", "six", "99999999999.1",
					   "5.999" };
	struct datapath_features now, old, before = { .tcx = true };
	size_t i;

	(void)state;
	begin();
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		old = before;
		err.text[0] = '\0';
		assert_int_equal(datapath_features__probe(&old, bad[i], &err), -EINVAL);
		assert_string_not_equal(err.text, "");
		assert_memory_equal(&old, &before, sizeof(old));
	}
	assert_int_equal(datapath_features__probe(&now, NULL, &err), 0);
	assert_int_equal(datapath_features__probe(&old, "5.4", &err), 0);
	assert_false(old.mmapable || old.coarse_clock || old.xdp_grow || old.redirect_peer ||
		     old.tcx || old.memcg || old.xdp_dispatcher);
	assert_int_equal(datapath_features__probe(&old, "5.10", &err), 0);
	assert_int_equal(old.mmapable, now.mmapable);
	assert_int_equal(old.redirect_peer, now.redirect_peer);
	assert_false(old.coarse_clock || old.tcx || old.memcg);
	assert_int_equal(datapath_features__probe(&old, "99.0", &err), 0);
	assert_memory_equal(&old, &now, sizeof(old));
}

/* The probe lowers RLIMIT_MEMLOCK for a moment. */
static void test_probe_leaves_limits(void **state)
{
	struct datapath_features features;
	struct rlimit before, after;

	(void)state;
	begin();
	assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &before), 0);
	assert_int_equal(datapath_features__probe(&features, NULL, NULL), 0);
	assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &after), 0);
	if (features.memcg)
		assert_int_equal(before.rlim_cur, after.rlim_cur);
}

static void adopt_keeps(const char *pretend)
{
	uint64_t key[NODENS_HASH_WORDS], hash = 42;
	uint32_t slot = NODENS_SLOT(1, 7), zero = 0, got;
	struct nodens_client client = { .ifindex = 77 };
	uint8_t address[16] = { 1 };
	struct store_maps maps;
	struct nodens_ctl in_map;
	struct datapath *dp;
	int ctl_fd;

	dp = open_kern(pretend);
	assert_false(datapath__adopted(dp));
	assert_int_equal(datapath__ctl(dp)->layout, NODENS_LAYOUT);
	assert_int_equal(datapath__ctl(dp)->agent_pid, getpid());
	memcpy(key, datapath__ctl(dp)->hash_key, sizeof(key));
	datapath__ctl(dp)->steer = 1;
	datapath__ctl(dp)->bufsize = 1400;
	assert_int_equal(datapath__ctl_commit(dp), 0);
	datapath__store_maps(dp, &maps);
	fixture_publish(maps.index_fd, hash, slot);
	assert_int_equal(bpf_map_update_elem(datapath__clients_fd(dp), address, &client, BPF_ANY),
			 0);
	datapath__close(dp);

	dp = open_kern(pretend);
	assert_true(datapath__adopted(dp));
	assert_memory_equal(key, datapath__ctl(dp)->hash_key, sizeof(key));
	assert_int_equal(datapath__ctl(dp)->bufsize, 1400);
	assert_int_equal(datapath__ctl(dp)->steer, 0);
	datapath__store_maps(dp, &maps);
	assert_true(fixture_find(maps.index_fd, hash, &got));
	assert_int_equal(got, slot);
	/* Devices may have gone since: nobody has an address any more. */
	assert_true(bpf_map_get_next_key(datapath__clients_fd(dp), NULL, address) < 0);
	/* What the programs see is what was committed. */
	ctl_fd = bpf_obj_get(LAYOUT "/nodens_ctl");
	assert_true(ctl_fd >= 0);
	assert_int_equal(bpf_map_lookup_elem(ctl_fd, &zero, &in_map), 0);
	assert_memory_equal(&in_map, datapath__ctl(dp), sizeof(in_map));
	close(ctl_fd);
	datapath__close(dp);
}

/* Another number of zones loses no cache as long as there are series for all of them. */
static void test_adopt_series(void **state)
{
	static const struct {
		uint32_t needed, count;
		bool adopted;
	} steps[] = {
		{ 5, 16, false },
		{ 16, 16, true },
		{ 17, 64, false },
		{ 3, 64, true },
	};

	(void)state;
	begin();
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct datapath_config c = config(NULL);
		struct datapath *dp;

		c.series = steps[i].needed;
		assert_int_equal(datapath__open(&c, &dp, &err), 0);
		assert_int_equal(datapath__adopted(dp), steps[i].adopted);
		assert_int_equal(datapath__series_count(dp), steps[i].count);
		datapath__close(dp);
	}
}

static void test_adopt(void **state)
{
	(void)state;
	begin();
	adopt_keeps(NULL);
	begin();
	adopt_keeps("5.4");
}

static void test_new_key(void **state)
{
	uint64_t key[NODENS_HASH_WORDS];
	struct datapath_config c = config(NULL);
	struct datapath *dp;

	(void)state;
	begin();
	dp = open_kern(NULL);
	memcpy(key, datapath__ctl(dp)->hash_key, sizeof(key));
	datapath__close(dp);
	c.adopt = false;
	assert_int_equal(datapath__open(&c, &dp, &err), 0);
	assert_false(datapath__adopted(dp));
	assert_memory_not_equal(key, datapath__ctl(dp)->hash_key, sizeof(key));
	datapath__close(dp);
}

/* Maps of another size, of another layout, or not all of them, are not adopted. */
static void test_not_adopted(void **state)
{
	struct datapath_config c = config(NULL);
	struct datapath *dp;
	int fd;

	(void)state;
	begin();
	datapath__close(open_kern(NULL));
	c.capacity[1] *= 4;
	assert_int_equal(datapath__open(&c, &dp, &err), 0);
	assert_false(datapath__adopted(dp));
	datapath__ctl(dp)->layout = 99;
	datapath__close(dp);
	assert_int_equal(datapath__open(&c, &dp, &err), 0);
	assert_false(datapath__adopted(dp));
	datapath__close(dp);
	assert_int_equal(unlink(LAYOUT "/nodens_claims"), 0);
	assert_int_equal(datapath__open(&c, &dp, &err), 0);
	assert_false(datapath__adopted(dp));
	datapath__close(dp);
	assert_int_equal(unlink(LAYOUT "/nodens_percpu"), 0);
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "other", 4, 8, 1, NULL);
	assert_int_equal(bpf_obj_pin(fd, LAYOUT "/nodens_percpu"), 0);
	close(fd);
	assert_int_equal(datapath__open_pinned(PIN_DIR, &dp, &err), -ESTALE);
	assert_int_equal(datapath__open(&c, &dp, &err), 0);
	assert_false(datapath__adopted(dp));
	datapath__close(dp);
}

static void test_maps(void **state)
{
	static const uint32_t capacity[2] = { 1000, 500 };
	uint32_t len, zero = 0;
	struct bpf_map_info info = {};
	struct store_maps maps;
	struct datapath *dp;
	struct steps *steps;
	int fd;

	(void)state;
	begin();
	dp = open_kern(NULL);
	datapath__store_maps(dp, &maps);
	assert_int_equal(maps.slabs.max, store__plan(capacity));
	len = sizeof(info);
	assert_int_equal(bpf_obj_get_info_by_fd(maps.index_fd, &info, &len), 0);
	assert_int_equal(info.max_entries, 512);
	assert_int_equal(!!(info.map_flags & BPF_F_MMAPABLE), maps.slabs.mmapable);
	assert_int_equal(maps.slabs.mmapable, datapath__features(dp)->mmapable);
	assert_int_equal(bpf_map_update_elem(maps.grace_fd, &zero, &maps.grace_inner_fd, BPF_ANY),
			 0);
	assert_true(datapath__bytes(dp) > 64 * 1024);
	datapath__close(dp);
	/* Without mmapable arrays. */
	begin();
	dp = open_kern("5.4");
	datapath__store_maps(dp, &maps);
	assert_false(maps.slabs.mmapable);
	assert_int_equal(steps__open(&maps.slabs, true, &steps), 0);
	assert_int_equal(steps__add(steps, steps__make(steps)), 0);
	steps__close(steps);
	fd = bpf_obj_get(LAYOUT "/steps/0");
	len = sizeof(info);
	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &len), 0);
	assert_int_equal(info.map_flags & BPF_F_MMAPABLE, 0);
	close(fd);
	datapath__close(dp);
}

static void test_counters(void **state)
{
	int cpus = libbpf_num_possible_cpus(), cpu, fd;
	uint64_t counters[NODENS_CTR_COUNT];
	struct nodens_percpu *values;
	uint32_t zero = 0;
	struct datapath *dp;

	(void)state;
	begin();
	datapath__close(open_kern(NULL));
	values = calloc(cpus, sizeof(*values));
	for (cpu = 0; cpu < cpus; cpu++) {
		values[cpu].counters[0] = 10 + cpu;
		values[cpu].counters[NODENS_CTR_COUNT - 1] = 1;
	}
	fd = bpf_obj_get(LAYOUT "/nodens_percpu");
	assert_int_equal(bpf_map_update_elem(fd, &zero, values, BPF_ANY), 0);
	close(fd);
	free(values);
	assert_int_equal(datapath__open_pinned(PIN_DIR, &dp, &err), 0);
	assert_int_equal(datapath__counters(dp, counters), 0);
	assert_int_equal(counters[0], 10 * cpus + cpus * (cpus - 1) / 2);
	assert_int_equal(counters[NODENS_CTR_COUNT - 1], cpus);
	assert_int_equal(counters[1], 0);
	datapath__close(dp);
	datapath__close(NULL);
}

static void load_all(const char *pretend)
{
	struct bpf_object *obj;
	struct datapath *dp = open_kern(pretend);
	int which, steer, fd;

	for (which = 0; which < DATAPATH_TC_PROGS; which++)
		for (steer = 0; steer < 2; steer++) {
			fd = datapath__tc_prog_fd(dp, which, steer, &err);
			if (which == DATAPATH_TC_NOTE && !datapath__features(dp)->sessions) {
				assert_int_equal(fd, -EOPNOTSUPP);
				continue;
			}
			if (fd < 0)
				fail_msg("program %d: %s", which, err.text);
			assert_int_equal(datapath__tc_prog_fd(dp, which, steer, &err), fd);
		}
	if (datapath__features(dp)->xdp_grow) {
		assert_int_equal(datapath__xdp_object(dp, true, true, &obj, &err), 0);
		assert_int_equal(bpf_object__load(obj), 0);
		bpf_object__close(obj);
	}
	datapath__close(dp);
}

/* Rings hold nothing that lasts: those who had none leave a cache all the same, as do those who
 * had. */
static void test_rings_come_and_go(void **state)
{
	struct datapath *dp;
	uint64_t key;

	(void)state;
	begin();
	dp = open_kern(NULL);
	if (!datapath__features(dp)->sessions) {
		datapath__close(dp);
		skip();
	}
	key = datapath__ctl(dp)->hash_key[0];
	datapath__close(dp);
	assert_int_equal(unlink(LAYOUT "/nodens_rings"), 0);
	dp = open_kern(NULL);
	assert_true(datapath__adopted(dp));
	assert_int_equal(datapath__ctl(dp)->hash_key[0], key);
	assert_int_equal(access(LAYOUT "/nodens_rings", F_OK), 0);
	assert_true(datapath__tc_prog_fd(dp, DATAPATH_TC_NOTE, true, &err) >= 0);
	datapath__close(dp);
	/* mmap came with 5.5: the other maps are as they were */
	dp = open_kern("5.7");
	assert_true(datapath__adopted(dp));
	assert_int_equal(access(LAYOUT "/nodens_rings", F_OK), -1);
	datapath__close(dp);
}

static void test_may(void **state)
{
	(void)state;
	begin();
	assert_int_equal(datapath__may_load(&err), 0);
	assert_int_equal(datapath__may_pin(PIN_DIR, &err), 0);
	assert_int_equal(datapath__may_pin("/proc/nodens", &err), -ENODEV);
	assert_non_null(strstr(err.text, "not in a bpffs"));
	assert_int_equal(access(PIN_DIR, F_OK), -1);
}

static void test_programs(void **state)
{
	(void)state;
	begin();
	load_all(NULL);
	begin();
	load_all("5.10");
	begin();
	load_all("5.4");
}

static void test_pinned_only(void **state)
{
	struct datapath *dp = NULL;
	bool ring_buffers;
	pid_t pid;
	int fd;

	(void)state;
	begin();
	assert_int_equal(datapath__open_pinned(PIN_DIR, &dp, &err), -ENOENT);
	assert_null(dp);
	assert_int_equal(datapath__agent_runs(PIN_DIR, &pid), 0);
	dp = open_kern(NULL);
	assert_int_equal(datapath__agent_runs(PIN_DIR, &pid), 1);
	assert_int_equal(pid, getpid());
	ring_buffers = datapath__features(dp)->sessions;
	datapath__close(dp);
	assert_int_equal(datapath__agent_runs(PIN_DIR, &pid), 0);
	/* somebody else looks at the same time */
	fd = open(PIN_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_SH | LOCK_NB), 0);
	assert_int_equal(datapath__agent_runs(PIN_DIR, &pid), 0);
	close(fd);
	assert_int_equal(datapath__unpin(PIN_DIR), ring_buffers ? 13 : 12);
	assert_int_equal(datapath__unpin(PIN_DIR), 0);
	assert_int_equal(access(PIN_DIR, F_OK), -1);
}

/* What is not below a layout's directory is not ours. */
static void test_foreign_pin_stays(void **state)
{
	int fd;

	(void)state;
	begin();
	datapath__close(open_kern(NULL));
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "other", 4, 8, 1, NULL);
	assert_int_equal(bpf_obj_pin(fd, PIN_DIR "/other"), 0);
	close(fd);
	assert_int_equal(mkdir(PIN_DIR "/layout-x", 0700), 0);
	datapath__unpin(PIN_DIR);
	assert_int_equal(access(PIN_DIR "/other", F_OK), 0);
	assert_int_equal(access(PIN_DIR "/layout-x", F_OK), 0);
	assert_int_equal(access(LAYOUT, F_OK), -1);
	unlink(PIN_DIR "/other");
	rmdir(PIN_DIR "/layout-x");
}

/* A pin cannot take the place of a directory: the start fails when half of them are there. */
static void test_half_way(void **state)
{
	struct datapath_config c = config(NULL);
	struct datapath *dp = NULL;

	(void)state;
	begin();
	assert_int_equal(mkdir(PIN_DIR, 0700), 0);
	assert_int_equal(mkdir(LAYOUT, 0700), 0);
	assert_int_equal(mkdir(LAYOUT "/nodens_clients", 0700), 0);
	assert_true(datapath__open(&c, &dp, &err) < 0);
	assert_null(dp);
	assert_non_null(strstr(err.text, "cannot pin"));
	assert_int_equal(rmdir(LAYOUT "/nodens_clients"), 0);
	/* Nothing else is in there. */
	assert_int_equal(rmdir(LAYOUT), 0);
	assert_int_equal(rmdir(PIN_DIR), 0);
	datapath__close(open_kern(NULL));
}

static void test_bad_config(void **state)
{
	static const struct {
		const char *pin_dir, *pretend;
		uint32_t capacity;
		int ret;
	} rows[] = {
		{ "relative", NULL, 100, -EINVAL },
		{ "/proc/nodens", NULL, 100, -ENODEV },
		{ "/nonexistent/nodens", NULL, 100, -ENODEV },
		{ MOUNT "/with.dot", NULL, 100, -EPERM },
		{ PIN_DIR, "4.4", 100, -EINVAL },
		{ PIN_DIR, NULL, UINT32_MAX, -E2BIG },
	};
	struct datapath *dp = NULL;
	size_t i;

	(void)state;
	begin();
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct datapath_config c = { .pin_dir = rows[i].pin_dir,
					     .pretend = rows[i].pretend,
					     .capacity = { rows[i].capacity, rows[i].capacity } };

		err.text[0] = '\0';
		assert_int_equal(datapath__open(&c, &dp, &err), rows[i].ret);
		assert_null(dp);
		assert_string_not_equal(err.text, "");
		assert_null(strchr(err.text, '\n'));
	}
	assert_int_equal(access(PIN_DIR, F_OK), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pretend),
		cmocka_unit_test(test_probe_leaves_limits),
		cmocka_unit_test(test_adopt),
		cmocka_unit_test(test_adopt_series),
		cmocka_unit_test(test_new_key),
		cmocka_unit_test(test_not_adopted),
		cmocka_unit_test(test_maps),
		cmocka_unit_test(test_counters),
		cmocka_unit_test(test_may),
		cmocka_unit_test(test_rings_come_and_go),
		cmocka_unit_test(test_programs),
		cmocka_unit_test(test_pinned_only),
		cmocka_unit_test(test_foreign_pin_stays),
		cmocka_unit_test(test_half_way),
		cmocka_unit_test(test_bad_config),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
