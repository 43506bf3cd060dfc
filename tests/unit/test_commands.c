// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Tests of stats, dump and flush over pinned maps, beside a live store as the agent has it: what
 * they print, what they remove, what they say to bad arguments and where there is nothing.
 *
 * Contract: needs root; mounts a bpffs of its own in a mount namespace of its own.
 */
#include "store_fixture.h"

#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <bpf/libbpf.h>

#include "base/clock.h"
#include "base/counters.h"
#include "cmd/cmd.h"
#include "datapath/datapath.h"

static char mount_point[64], pin_dir[96];
static char out[65536], err[65536]; /* what the last command printed */

static bool private_bpffs(void)
{
	snprintf(mount_point, sizeof(mount_point), "/tmp/nodens-test-XXXXXX");
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    !mkdtemp(mount_point))
		return false;
	if (mount("bpf", mount_point, "bpf", 0, NULL)) {
		rmdir(mount_point);
		return false;
	}
	snprintf(pin_dir, sizeof(pin_dir), "%s/nodens", mount_point);
	return true;
}

/* Redirects @fd to a file; returns what it was. */
static int redirect(int fd, FILE *to)
{
	int saved = dup(fd);

	assert_true(saved >= 0 && dup2(fileno(to), fd) >= 0);
	return saved;
}

static void restore(int fd, int saved, FILE *from, char *text, size_t size)
{
	size_t n;

	dup2(saved, fd);
	close(saved);
	rewind(from);
	n = fread(text, 1, size - 1, from);
	text[n] = '\0';
	fclose(from);
}

/* Runs a command line, split at spaces; "DIR" stands for the pin directory. */
static int run(const char *line)
{
	static const struct {
		const char *name;
		int (*run)(int argc, char **argv);
	} commands[] = { { "stats", cmd_stats }, { "dump", cmd_dump }, { "flush", cmd_flush } };
	FILE *out_file = tmpfile(), *err_file = tmpfile();
	char copy[1024], *argv[16], *save = NULL;
	int argc = 0, status = -1, saved_out, saved_err;

	snprintf(copy, sizeof(copy), "%s", line);
	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
		argv[argc++] = strcmp(word, "DIR") ? word : pin_dir;
	argv[argc] = NULL;
	fflush(NULL);
	saved_out = redirect(STDOUT_FILENO, out_file);
	saved_err = redirect(STDERR_FILENO, err_file);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(argv[0], commands[i].name))
			status = commands[i].run(argc, argv);
	fflush(NULL);
	restore(STDOUT_FILENO, saved_out, out_file, out, sizeof(out));
	restore(STDERR_FILENO, saved_err, err_file, err, sizeof(err));
	return status;
}

static unsigned int lines(const char *text)
{
	unsigned int n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

/* The number behind "key": inside of "section": {...}; fails where there is none. */
static unsigned long long json_number(const char *section, const char *key)
{
	char pattern[64];
	const char *at;

	snprintf(pattern, sizeof(pattern), "\"%s\": {", section);
	at = strstr(out, pattern);
	assert_non_null(at);
	snprintf(pattern, sizeof(pattern), "\"%s\": ", key);
	at = strstr(at, pattern);
	assert_non_null(at);
	return strtoull(at + strlen(pattern), NULL, 10);
}

struct world {
	struct datapath *datapath;
	struct store_maps maps;
	struct store *store;
};

static int setup_as(void **state, const char *pretend, uint32_t positive, uint32_t negative)
{
	struct world *w = calloc(1, sizeof(*w));
	struct datapath_config config = {
		.pin_dir = pin_dir,
		.capacity = { positive, negative },
		.pretend = pretend,
	};
	struct store_config store = { .capacity = { positive, negative }, .bufsize = 1232 };
	struct error error = { .text = "" };
	struct publisher *publisher;

	*state = w;
	if (datapath__open(&config, &w->datapath, &error)) {
		print_message("%s\n", error.text);
		return -1;
	}
	datapath__store_maps(w->datapath, &w->maps);
	store.hash_key = (const uint64_t *)datapath__ctl(w->datapath)->hash_key;
	if (datapath__publisher(w->datapath, &publisher))
		return -1;
	return store__open(publisher, &store, clock_now(), &w->store);
}

static int setup(void **state)
{
	return setup_as(state, NULL, 1000, 500);
}

/* A few buckets, which are read and written back. */
static int setup_not_mapped(void **state)
{
	return setup_as(state, "5.4", 30, 2);
}

static int teardown(void **state)
{
	struct world *w = *state;

	store__close(w->store);
	datapath__close(w->datapath);
	datapath__unpin(pin_dir);
	free(w);
	return 0;
}

static void put(struct world *w, const char *text, uint16_t type, uint8_t flags, uint16_t rcode,
		unsigned int n)
{
	struct answer *answer = fixture_answer(text, n, 1);

	answer->qtype = type;
	answer->key_flags = flags;
	answer->flags |= rcode;
	assert_int_equal(
		store__put(w->store, answer,
			   &(struct store_put){ .kind = rcode ? NODENS_NEGATIVE : NODENS_POSITIVE,
						.ttl_s = 100 },
			   fixture_now()),
		0);
}

static bool has(struct world *w, const char *text, uint16_t type, uint8_t flags)
{
	struct dns_name name = fixture_name(text);
	uint32_t ttl_s;

	return store__get(w->store, &name, type, flags, fixture_now(), &ttl_s);
}

static void fill(struct world *w)
{
	put(w, "a.example.", DNS_TYPE_A, 0, 0, 2);
	put(w, "a.example.", DNS_TYPE_AAAA, 0, 0, 1);
	put(w, "a.example.", DNS_TYPE_A, NODENS_KEY_DO, 0, 1);
	put(w, "a.example.", 65280, NODENS_KEY_DO | NODENS_KEY_CD, 0, 1);
	put(w, "nx.example.", DNS_TYPE_A, 0, DNS_NXDOMAIN, 0);
	put(w, "big.example.", DNS_TYPE_A, 0, 0, 200);
	put(w, "we\\\"ird\\\\\\007\\255\\.x.example.", DNS_TYPE_TXT, 0, 0, 1);
	put(w, ".", 2, 0, 0, 1);
}

/* Names of a zone, and what says that names do not exist. */
static void fill_zone(struct world *w)
{
	fill(w);
	put(w, "x.z.example.", DNS_TYPE_A, 0, 0, 1);
	put(w, "z.example.", DNS_TYPE_A, 0, 0, 1);
	put(w, "xz.example.", DNS_TYPE_A, 0, 0, 1);
	put(w, "no.z.example.", DNS_TYPE_AAAA, 0, DNS_NXDOMAIN, 0);
	put(w, "gone.example.", 0, NODENS_KEY_NX_BELOW, DNS_NXDOMAIN, 0);
}

static void test_nothing_there(void **state)
{
	(void)state;
	assert_int_equal(run("stats -bpffs DIR"), 3);
	assert_non_null(strstr(err, "nodens is not running here: no maps under /tmp/"));
	assert_int_equal(lines(err), 1);
	assert_string_equal(out, "");
	assert_int_equal(run("stats --json --bpffs=/nowhere/at/all"), 3);
	assert_string_equal(err, "nodens is not running here: no maps under /nowhere/at/all\n");
	assert_int_equal(run("dump --bpffs DIR"), 3);
	assert_int_equal(lines(err), 1);
	assert_int_equal(run("flush --bpffs DIR"), 3);
	assert_int_equal(lines(err), 1);
}

static void test_bad_arguments(void **state)
{
	static const char *const bad[] = {
		"stats x",
		"stats --frobnicate",
		"stats --json=maybe",
		"stats --bpffs",
		"stats --bpffs relative/dir",
		"dump x y",
		"dump a..b",
		"dump --no",
		"dump --sort size",
		"dump --sort",
		"flush a b c",
		"flush a..b",
		"flush a NOTYPE",
		"flush a TYPE65536",
		"flush a TYPE",
		"flush a TYPE1x",
		"flush a\\999.b",
		"flush --json",
		"flush --tree",
		"flush --tree a A b",
		"flush *.",
		"flush aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(run(bad[i]), 2);
		assert_int_equal(lines(err), 1);
		assert_string_equal(out, "");
	}
	assert_int_equal(run("stats --help"), 0);
	assert_non_null(strstr(out, "hits_truncated"));
	assert_int_equal(run("dump -help"), 0);
	assert_int_equal(run("flush --help"), 0);
}

static void test_dump(void **state)
{
	struct world *w = *state;

	fill(w);
	assert_int_equal(run("dump --bpffs DIR"), 0);
	assert_int_equal(lines(out), 9);
	assert_non_null(strstr(out, "nx.example."));
	assert_non_null(strstr(out, "NXDOMAIN"));
	assert_non_null(strstr(out, "TYPE65280"));
	assert_non_null(strstr(out, "DO,CD"));
	assert_int_equal(run("dump --bpffs DIR --json"), 0);
	assert_int_equal(lines(out), 10);
	assert_non_null(strstr(out,
			       "{\"name\":\"nx.example.\",\"type\":\"A\",\"rcode\":\"NXDOMAIN\","
			       "\"ttl\":100,\"hits\":0,\"kind\":\"negative\",\"do\":false,"
			       "\"cd\":false,\"truncated\":false,\"cut\":false,"
			       "\"stale\":false,\"agent\":false}"));
	assert_non_null(strstr(out,
			       "{\"name\":\"big.example.\",\"type\":\"A\",\"rcode\":\"NOERROR\","
			       "\"ttl\":100,\"hits\":0,\"kind\":\"positive\",\"do\":false,"
			       "\"cd\":false,\"truncated\":true,\"cut\":false,"
			       "\"stale\":false,\"agent\":false}"));
	assert_non_null(strstr(out, "{\"name\":\".\",\"type\":\"NS\""));
	/* escaped for DNS, and that for JSON */
	assert_non_null(
		strstr(out, "{\"name\":\"we\\\\\\\"ird\\\\\\\\\\\\007\\\\255\\\\.x.example.\""));
}

static void test_dump_empty(void **state)
{
	(void)state;
	assert_int_equal(run("dump --bpffs DIR --json"), 0);
	assert_string_equal(out, "{\"schema\":1,\"answers\":[\n]}\n");
	assert_int_equal(run("dump --bpffs DIR"), 0);
	assert_int_equal(lines(out), 1);
}

/* In which lines of the output the words stand, in that order and no other lines but a heading. */
static void in_order(const char *const *words, unsigned int n)
{
	char copy[sizeof(out)], *save = NULL, *line;

	snprintf(copy, sizeof(copy), "%s", out);
	line = strtok_r(copy, "\n", &save);
	assert_non_null(strstr(line, "NAME"));
	for (unsigned int i = 0; i < n; i++) {
		line = strtok_r(NULL, "\n", &save);
		assert_non_null(line);
		if (strncmp(line, words[i], strlen(words[i])))
			fail_msg("\"%s\" does not begin with %s", line, words[i]);
	}
	assert_null(strtok_r(NULL, "\n", &save));
}

static void test_dump_names(void **state)
{
	static const char *const all[] = {
		". ",
		"a.example. ",
		"a.example. ",
		"a.example. ",
		"a.example. ",
		"big.example. ",
		"gone.example. ",
		"nx.example. ",
		"we",
		"xz.example. ",
		"z.example. ",
		"no.z.example. ",
		"x.z.example. ",
	};
	static const char *const below[] = { "no.z.example. ", "x.z.example. " };
	static const char *const nx[] = { "gone.example. ", "nx.example. ", "no.z.example. " };
	static const char *const covers[] = { "gone.example. " };
	struct world *w = *state;

	fill_zone(w);
	assert_int_equal(run("dump --sort name --bpffs DIR"), 0);
	in_order(all, ARRAY_SIZE(all));
	assert_int_equal(run("dump *.Z.example --sort name --bpffs DIR"), 0);
	in_order(below, ARRAY_SIZE(below));
	assert_int_equal(run("dump --nx --sort name --bpffs DIR"), 0);
	in_order(nx, ARRAY_SIZE(nx));
	assert_int_equal(run("dump x.gone.example --bpffs DIR"), 0);
	in_order(covers, ARRAY_SIZE(covers));
	assert_int_equal(run("dump nosuch.example --bpffs DIR"), 1);
	in_order(NULL, 0);
	assert_int_equal(run("dump --stale --bpffs DIR"), 0);
	in_order(NULL, 0);
	assert_int_equal(run("dump --nx a.example --json --bpffs DIR"), 1);
	assert_string_equal(out, "{\"schema\":1,\"answers\":[\n]}\n");
}

/* As a program's sample. */
static void hit(struct world *w, const char *text, uint32_t hits)
{
	struct dns_name name = fixture_name(text);
	const uint64_t *key = (const uint64_t *)datapath__ctl(w->datapath)->hash_key;
	uint32_t number;

	assert_true(
		fixture_find(w->maps.index_fd, question__hash(key, &name, DNS_TYPE_A, 0), &number));
	kernel_mark(&w->maps, number, hits, 1);
}

static void test_dump_orders(void **state)
{
	static const char *const by_hits[] = { "b.", "a.", "c." }, *const by_ttl[] = { "c.", "a.",
										       "b." };
	static const struct {
		const char *name;
		uint32_t hits, ttl_s;
	} entries[] = { { "a.", 7, 20 }, { "b.", 4000000000u, 30 }, { "c.", 0, 10 } };
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
		assert_int_equal(store__put(w->store, fixture_answer(entries[i].name, 1, 1),
					    &(struct store_put){ .ttl_s = entries[i].ttl_s },
					    fixture_now()),
				 0);
		hit(w, entries[i].name, entries[i].hits);
	}
	assert_int_equal(run("dump --sort hits --bpffs DIR"), 0);
	in_order(by_hits, 3);
	assert_non_null(strstr(out, " 4000000000 "));
	assert_int_equal(run("dump --sort ttl --bpffs DIR"), 0);
	in_order(by_ttl, 3);
}

static void test_dump_stale(void **state)
{
	struct store_put ended = { .ttl_s = 1, .stale_s = 3600, .keep_s = 3600 },
			 gone = { .ttl_s = 1 };
	struct world *w = *state;
	uint64_t then = fixture_now() - 5000000000ull;

	fill(w);
	assert_int_equal(store__put(w->store, fixture_answer("old.", 1, 1), &ended, then), 0);
	assert_int_equal(store__put(w->store, fixture_answer("gone.", 1, 1), &gone, then), 0);
	assert_int_equal(run("dump --stale --answers --bpffs DIR"), 0);
	assert_int_equal(lines(out), 5);
	assert_non_null(strstr(out, "\n; old. "));
	assert_non_null(strstr(out, " STALE\n;; ANSWER SECTION:\nold.\t0\tIN\tA\t10.0.0.1\n\n"));
	assert_int_equal(run("dump --bpffs DIR gone"), 1);
}

static void test_dump_answers(void **state)
{
	struct world *w = *state;

	fill(w);
	assert_int_equal(run("dump --answers a.example --sort ttl --bpffs DIR"), 0);
	assert_non_null(strstr(out, ";; ANSWER SECTION:\na.example.\t100\tIN\tA\t10.0.0.1\n"
				    "a.example.\t100\tIN\tA\t10.0.0.1\n\n"));
	assert_int_equal(run("dump --answers --json nx.example --bpffs DIR"), 0);
	assert_non_null(strstr(out, "\"agent\":false,\"records\":[]}"));
	assert_int_equal(run("dump --answers --json --sort name . --bpffs DIR"), 0);
	assert_non_null(strstr(out, "\"records\":[{\"section\":\"answer\",\"name\":\".\","
				    "\"type\":\"A\",\"ttl\":100,\"data\":\"10.0.0.1\"}]}"));
	/* what of a large one is in the slot */
	assert_int_equal(run("dump --answers big.example --bpffs DIR"), 0);
	assert_true(lines(out) > 60 && lines(out) < 100);
}

static void test_flush(void **state)
{
	struct world *w = *state;

	fill(w);
	assert_int_equal(run("flush --bpffs DIR nosuch.example"), 1);
	assert_string_equal(out, "flushed 0\n");
	assert_int_equal(run("flush --bpffs DIR A.Example. aaaa"), 0);
	assert_string_equal(out, "flushed 1\n");
	assert_false(has(w, "a.example.", DNS_TYPE_AAAA, 0));
	assert_true(has(w, "a.example.", DNS_TYPE_A, 0));
	assert_int_equal(run("flush --bpffs DIR a.example"), 0);
	assert_string_equal(out, "flushed 3\n");
	assert_false(has(w, "a.example.", DNS_TYPE_A, 0));
	assert_false(has(w, "a.example.", DNS_TYPE_A, NODENS_KEY_DO));
	assert_true(has(w, "nx.example.", DNS_TYPE_A, 0));
	assert_int_equal(run("flush --bpffs DIR big.example TYPE1"), 0);
	assert_string_equal(out, "flushed 1\n");
	assert_false(has(w, "big.example.", DNS_TYPE_A, 0));
	assert_int_equal(run("flush --bpffs DIR ."), 0);
	assert_string_equal(out, "flushed 1\n");
	assert_int_equal(run("flush --bpffs DIR"), 0);
	assert_string_equal(out, "flushed 2\n");
	assert_int_equal(index_count(&w->maps), 0);
	assert_int_equal(run("flush --bpffs DIR"), 0);
	assert_string_equal(out, "flushed 0\n");
	fill(w);
	assert_true(has(w, "big.example.", DNS_TYPE_A, 0));
}

static void flushed(const char *line, int status, unsigned int n)
{
	char want[32];

	assert_int_equal(run(line), status);
	snprintf(want, sizeof(want), "flushed %u\n", n);
	assert_string_equal(out, want);
	assert_string_equal(err, "");
}

static void test_flush_tree(void **state)
{
	struct world *w = *state;

	fill_zone(w);
	flushed("flush --tree --bpffs DIR nosuch.example", 1, 0);
	flushed("flush Z.Example AAAA --tree --bpffs DIR", 0, 1);
	flushed("flush Z.Example --tree --bpffs DIR", 0, 2);
	assert_false(has(w, "z.example.", DNS_TYPE_A, 0));
	assert_false(has(w, "x.z.example.", DNS_TYPE_A, 0));
	assert_true(has(w, "xz.example.", DNS_TYPE_A, 0));
	fill_zone(w);
	flushed("flush --bpffs DIR *.z.example", 0, 2);
	assert_true(has(w, "z.example.", DNS_TYPE_A, 0));
	flushed("flush --tree --bpffs DIR .", 0, 11);
	assert_int_equal(index_count(&w->maps), 0);
}

static void test_flush_nx(void **state)
{
	struct world *w = *state;

	fill_zone(w);
	flushed("flush --nx --bpffs DIR a.example", 1, 0);
	flushed("flush --nx --tree z.example --bpffs DIR", 0, 1);
	flushed("flush --nx --bpffs DIR", 0, 2);
	assert_int_equal(index_count(&w->maps), 10);
	flushed("flush --nx --bpffs DIR", 0, 0);
}

/* What covers a name goes with it: else the kernel would go on denying it. */
static void test_flush_what_covers(void **state)
{
	struct world *w = *state;

	fill_zone(w);
	flushed("flush --bpffs DIR one.example", 1, 0);
	flushed("flush --bpffs DIR x.y.gone.example A", 0, 1);
	fill_zone(w);
	flushed("flush --bpffs DIR *.gone.example", 0, 1);
	fill_zone(w);
	flushed("flush --bpffs DIR gone.example", 0, 1);
	fill_zone(w);
	flushed("flush --bpffs DIR --tree y.gone.example", 0, 1);
}

#define VICTIMS 10

struct writer {
	int index_fd;
	uint32_t slot;
	bool stop, pause, paused;
};

/* Entries in each bucket that change all the time. */
static void *write_on(void *arg)
{
	struct writer *writer = arg;
	struct index *index;

	assert_int_equal(index__open(writer->index_fd, false, &index), 0);
	for (uint64_t i = 0; !__atomic_load_n(&writer->stop, __ATOMIC_SEQ_CST); i++) {
		bool pause = __atomic_load_n(&writer->pause, __ATOMIC_SEQ_CST);

		__atomic_store_n(&writer->paused, pause, __ATOMIC_SEQ_CST);
		if (!pause)
			assert_int_equal(index__set(index, i << 61 | 1, writer->slot + (i & 8)), 0);
	}
	index__close(index);
	return NULL;
}

/* It spins, and so is at work as soon as it may be. */
static void let(struct writer *writer, bool write)
{
	__atomic_store_n(&writer->pause, !write, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&writer->paused, __ATOMIC_SEQ_CST) == write)
		sched_yield();
}

/* The agent writes buckets back that it read a moment before, with what was flushed meanwhile. */
static void test_flush_beside_a_writer(void **state)
{
	struct world *w = *state;
	const uint64_t *key = (const uint64_t *)datapath__ctl(w->datapath)->hash_key;
	struct writer writer = { .index_fd = w->maps.index_fd };
	uint64_t hash[VICTIMS];
	uint32_t number[VICTIMS];
	unsigned int left = 0;
	pthread_t thread;

	for (int i = 0; i < VICTIMS; i++) {
		char text[16];
		struct dns_name name;

		snprintf(text, sizeof(text), "v%d.v.", i);
		put(w, text, DNS_TYPE_A, 0, 0, 1);
		name = fixture_name(text);
		hash[i] = question__hash(key, &name, DNS_TYPE_A, 0);
		assert_true(fixture_find(w->maps.index_fd, hash[i], &number[i]));
	}
	writer.slot = number[0];
	assert_int_equal(pthread_create(&thread, NULL, write_on, &writer), 0);
	for (int round = 0; round < 60; round++) {
		let(&writer, false); /* two do not fill places */
		for (int i = 0; i < VICTIMS; i++)
			fixture_publish(w->maps.index_fd, hash[i], number[i]);
		let(&writer, true);
		run("flush --tree v --bpffs DIR");
		assert_string_equal(err, "");
		left += run("dump *.v --bpffs DIR") != 1;
	}
	__atomic_store_n(&writer.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	assert_int_equal(left, 0);
}

static void test_stats(void **state)
{
	struct world *w = *state;
	struct nodens_percpu *percpu;
	int n_cpus = libbpf_num_possible_cpus(), fd;
	uint32_t zero = 0;
	char path[160];

	fill(w);
	snprintf(path, sizeof(path), "%s/nodens_percpu", datapath__dir(w->datapath));
	fd = bpf_obj_get(path);
	assert_true(fd >= 0);
	percpu = calloc(n_cpus, sizeof(*percpu));
	for (int i = 0; i < n_cpus; i++) {
		percpu[i].counters[NODENS_CTR_HIT] = 1000;
		percpu[i].counters[NODENS_CTR_HIT_TC] = 1;
		percpu[i].counters[NODENS_CTR_RETURN_UNKNOWN] = 7;
	}
	assert_int_equal(bpf_map_update_elem(fd, &zero, percpu, BPF_ANY), 0);
	free(percpu);
	close(fd);

	assert_int_equal(run("stats --bpffs DIR --json"), 0);
	assert_int_equal(json_number("kernel", "hits"), 1001 * n_cpus);
	assert_int_equal(json_number("kernel", "hits_truncated"), n_cpus);
	assert_int_equal(json_number("kernel", "misses"), 0);
	assert_int_equal(json_number("kernel", "return_unknown"), 7 * n_cpus);
	assert_int_equal(json_number("agent", "running"), 1);
	assert_int_equal(json_number("cache", "entries"), 8);
	assert_int_equal(json_number("cache", "positive_entries"), 7);
	assert_int_equal(json_number("cache", "negative_entries"), 1);
	assert_true(json_number("cache", "bytes") > 500000);
	assert_int_equal(run("stats --bpffs DIR"), 0);
	assert_non_null(strstr(out, "kernel\n  hits "));
	assert_non_null(strstr(out, "cache\n  entries "));
	assert_null(strstr(out, "pass_vlan"));
}

static void test_agent_stats(void **state)
{
	struct world *w = *state;
	uint32_t key = AGENT_STAT_COALESCED;
	uint64_t value = 0x123456789;
	char path[160];
	int fd;

	fd = fixture_map(BPF_MAP_TYPE_ARRAY, AGENT_STATS_MAP, 4, 8, AGENT_STAT_COUNT - 1, 0);
	assert_int_equal(bpf_map_update_elem(fd, &key, &value, BPF_ANY), 0);
	snprintf(path, sizeof(path), "%s/" AGENT_STATS_MAP, datapath__dir(w->datapath));
	assert_int_equal(bpf_obj_pin(fd, path), 0);
	close(fd);
	assert_int_equal(run("stats --bpffs DIR --json"), 0);
	assert_true(json_number("agent", "coalesced") == value);
	assert_int_equal(json_number("agent", "queries"), 0);
}

/* The agent is gone: all is as it was. */
static void test_without_agent(void **state)
{
	struct world *w = *state;

	fill(w);
	store__close(w->store);
	w->store = NULL;
	datapath__close(w->datapath);
	w->datapath = NULL;
	assert_int_equal(run("stats --bpffs DIR --json"), 0);
	assert_int_equal(json_number("agent", "running"), 0);
	assert_int_equal(json_number("cache", "entries"), 8);
	assert_int_equal(run("dump --bpffs DIR"), 0);
	assert_int_equal(lines(out), 9);
	assert_int_equal(run("flush --bpffs DIR a.example"), 0);
	assert_string_equal(out, "flushed 4\n");
	assert_int_equal(run("dump --bpffs DIR"), 0);
	assert_int_equal(lines(out), 5);
}

/* An index that names what is no slot of ours: left out, and flushed with all. */
static void test_garbage(void **state)
{
	struct world *w = *state;
	uint32_t number;
	union slot_buf slot;

	fill(w);
	memset(&slot, 0xff, sizeof(slot));
	assert_int_equal(fixture_set_slot(&w->maps, NODENS_SLOT(1, 64), &slot), 0);
	for (uint64_t hash = 1; hash < 100; hash++) {
		number = hash == 1 ? NODENS_SLOT(1, 64) : (uint32_t)(hash * 0x0fedcba9);
		fixture_publish(w->maps.index_fd, hash * 0x9e3779b97f4a7c15ull, number);
	}
	assert_int_equal(run("dump --bpffs DIR --json"), 0);
	assert_int_equal(lines(out), 10);
	assert_int_equal(run("stats --bpffs DIR --json"), 0);
	assert_int_equal(json_number("cache", "entries"), 8);
	assert_int_equal(run("flush --bpffs DIR a.example"), 0);
	assert_string_equal(out, "flushed 4\n");
	assert_int_equal(run("flush --bpffs DIR"), 0);
	assert_string_equal(out, "flushed 103\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_there),
		cmocka_unit_test(test_bad_arguments),
		cmocka_unit_test_setup_teardown(test_dump, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dump_empty, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dump_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dump_orders, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dump_stale, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dump_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_flush, setup, teardown),
		cmocka_unit_test_setup_teardown(test_flush_tree, setup, teardown),
		cmocka_unit_test_setup_teardown(test_flush_nx, setup, teardown),
		cmocka_unit_test_setup_teardown(test_flush_what_covers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_flush_beside_a_writer, setup_not_mapped,
						teardown),
		cmocka_unit_test_setup_teardown(test_stats, setup, teardown),
		cmocka_unit_test_setup_teardown(test_agent_stats, setup, teardown),
		cmocka_unit_test_setup_teardown(test_without_agent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_garbage, setup, teardown),
	};
	int ret;

	if (!private_bpffs()) {
		printf("1..0 # SKIP no permission to mount a bpffs\n");
		return 0;
	}
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	umount2(mount_point, MNT_DETACH);
	rmdir(mount_point);
	return ret;
}
