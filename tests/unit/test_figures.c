// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Tests of the figures of the agent's page: how often they are made, what is counted by the second
 * and by rcode. That they fit their schema is shown by tests/ns/test_page.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <event2/buffer.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "agent/figures.h"
#include "agent/history.h"
#include "virtual_loop.h"

struct world {
	struct virtual_loop v;
	struct figures *figures;
	bool standing_by;
	unsigned int asked; /* for the status: so often figures were made */
	uint64_t takes_ns;  /* to make them */
	uint64_t rcodes[RCODE_COUNT];
	const char *probed;
};

static bool status(void *ctx, struct status *out)
{
	struct world *w = ctx;

	if (w->standing_by)
		return false;
	w->asked++;
	w->v.now_ns += w->takes_ns;
	*out = (struct status){ .now_ns = w->v.now_ns, .agent = STATUS_ALIVE };
	out->info.written_ns = w->v.now_ns;
	out->info.front = 1; /* no netfilter is looked through */
	out->devices = calloc(1, sizeof(*out->devices));
	out->upstreams = calloc(1, sizeof(*out->upstreams));
	return true;
}

static void rcodes(void *ctx, uint64_t n[RCODE_COUNT])
{
	memcpy(n, ((struct world *)ctx)->rcodes, RCODE_COUNT * sizeof(*n));
}

static bool upstream(void *ctx, size_t index, struct upstream_stats *out)
{
	(void)ctx;
	*out = (struct upstream_stats){ .to = "192.0.2.1:853", .certificate_ends_s = 1 };
	return index < 1;
}

static bool probe(void *ctx, size_t index, struct probe_stats *out)
{
	const struct world *w = ctx;

	*out = (struct probe_stats){ .zone = ".", .name = w->probed, .via = "node" };
	return w->probed && index < 1;
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct figures_config config = {
		.status = status, .rcodes = rcodes, .upstream = upstream, .probe = probe, .ctx = w
	};

	assert_int_equal(virtual_loop__open(&w->v), 0);
	config.loop = &w->v.loop;
	assert_int_equal(figures_open(&config, &w->figures), 0);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	figures_close(w->figures);
	virtual_loop__close(&w->v);
	free(w);
	return 0;
}

/* The object; NULL where figures_get() returns @want and that is no success. */
static json_t *get(struct world *w, int want)
{
	struct evbuffer *out = evbuffer_new();
	json_t *json = NULL;

	assert_int_equal(figures_get(w->figures, out), want);
	if (!want) {
		json = json_loadb((const char *)evbuffer_pullup(out, -1), evbuffer_get_length(out),
				  0, NULL);
		assert_non_null(json);
	}
	evbuffer_free(out);
	return json;
}

static void test_ten_times_a_second(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 1000; i++) {
		json_decref(get(w, 0));
		w->v.now_ns += NSEC_PER_MS;
	}
	assert_int_equal(w->asked, 10);
	/* what takes 20 ms is made each 400 ms: a twentieth of a CPU */
	w->takes_ns = 20 * NSEC_PER_MS;
	w->v.now_ns += NSEC_PER_SEC;
	w->asked = 0;
	for (int i = 0; i < 1000; i++) {
		json_decref(get(w, 0));
		w->v.now_ns += NSEC_PER_MS;
	}
	assert_in_range(w->asked, 2, 3);
}

static void test_standing_by(void **state)
{
	struct world *w = *state;

	w->standing_by = true;
	get(w, -EAGAIN);
	w->standing_by = false;
	json_decref(get(w, 0));
}

/* The rate of an rcode; -1: null. */
static double per_s(struct world *w, double *seconds)
{
	json_t *json = get(w, 0), *of = json_object_get(json, "rcodes");
	json_t *first = json_array_get(json_object_get(of, "list"), 0);
	json_t *rate = json_object_get(first, "per_s");
	double n = json_is_null(rate) ? -1 : json_real_value(rate);

	assert_string_equal(json_string_value(json_object_get(first, "rcode")), "NXDOMAIN");
	*seconds = json_real_value(json_object_get(of, "seconds"));
	json_decref(json);
	return n;
}

static void test_rcodes(void **state)
{
	struct world *w = *state;
	double seconds;

	w->rcodes[RCODE_3] = 1000;
	assert_true(per_s(w, &seconds) == -1);
	/* 100 a second, read each 2 s: of 10 to 20 s once there are so many */
	for (int s = 2; s <= 60; s += 2) {
		w->v.now_ns += 2 * NSEC_PER_SEC;
		w->rcodes[RCODE_3] += 200;
		assert_true(per_s(w, &seconds) == 100);
		assert_true(s < 10 ? seconds == s : seconds >= 10 && seconds <= 20);
	}
	/* a reload took a zone away: no rate is below nothing */
	w->v.now_ns += 2 * NSEC_PER_SEC;
	w->rcodes[RCODE_3] = 5;
	assert_true(per_s(w, &seconds) == 0);
	/* nobody read for a minute: what was then says nothing of now */
	w->v.now_ns += 60 * NSEC_PER_SEC;
	assert_true(per_s(w, &seconds) == -1);
}

static void test_history(void **state)
{
	static struct history history;
	struct publish_base before = { .at_ns = VIRTUAL_BEGIN_NS }, after = before;
	struct publish_info info = { .miss_p50_ns = 0, .miss_p99_ns = 7000 };
	json_t *json, *list;

	(void)state;
	/* in the same millisecond nothing is a second's count */
	history_add(&history, &before, &after, &info);
	assert_int_equal(history.n, 0);
	for (unsigned int i = 0; i < HISTORY_SAMPLES + 7; i++) {
		after.at_ns += 1001 * NSEC_PER_MS;
		after.kernel[NODENS_CTR_HIT] += i;
		after.kernel[NODENS_CTR_HIT_TC] += 1;
		after.kernel[NODENS_CTR_STEER_OFF] += 2;
		after.agent[AGENT_STAT_QUERIES] += 3;
		after.evicted += 4;
		history_add(&history, &before, &after, &info);
		before = after;
	}
	json = history_json(&history);
	list = json_object_get(json, "kernel");
	assert_int_equal(json_array_size(list), HISTORY_SAMPLES);
	assert_int_equal(json_integer_value(json_array_get(list, 0)), 7 + 1);
	assert_int_equal(json_integer_value(json_array_get(list, HISTORY_SAMPLES - 1)),
			 HISTORY_SAMPLES + 6 + 1);
	list = json_object_get(json, "passed");
	assert_int_equal(json_integer_value(json_array_get(list, 9)), 2);
	list = json_object_get(json, "evicted");
	assert_int_equal(json_integer_value(json_array_get(list, 9)), 4);
	list = json_object_get(json, "ms");
	assert_int_equal(json_integer_value(json_array_get(list, 9)), 1001);
	assert_true(json_is_null(json_array_get(json_object_get(json, "miss_p50_us"), 0)));
	list = json_object_get(json, "miss_p99_us");
	assert_int_equal(json_integer_value(json_array_get(list, 0)), 7);
	json_decref(json);
	/* counters that a new map began anew */
	before.kernel[NODENS_CTR_HIT] = 10000;
	after = (struct publish_base){ .at_ns = before.at_ns + NSEC_PER_SEC };
	history_add(&history, &before, &after, &info);
	assert_int_equal(history.ring[(history.n - 1) % HISTORY_SAMPLES].kernel, 0);
}

/* No octet of a name or of an address ends the text, or the JSON. */
static void test_texts(void **state)
{
	struct world *w = *state;
	json_t *json, *first;

	w->probed = "\"\\\x80.\n</script>";
	json = get(w, 0);
	first = json_array_get(json_object_get(json, "probes"), 0);
	assert_string_equal(json_string_value(json_object_get(first, "name")), "\"\\?.?</script>");
	first = json_array_get(json_object_get(json, "certificates"), 0);
	assert_true(json_real_value(json_object_get(first, "days")) < 0);
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ten_times_a_second, setup, teardown),
		cmocka_unit_test_setup_teardown(test_standing_by, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rcodes, setup, teardown),
		cmocka_unit_test(test_history),
		cmocka_unit_test_setup_teardown(test_texts, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
