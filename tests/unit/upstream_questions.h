/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Questions put to the fixture's upstreams.
 *
 * Contract: within cmocka tests; what goes wrong fails the test.
 */
#ifndef NODENS_UPSTREAM_QUESTIONS_H
#define NODENS_UPSTREAM_QUESTIONS_H

#include "upstream_fixture.h"

#define READ_NS	    (300 * NSEC_PER_MS)
#define DEADLINE_NS (1000 * NSEC_PER_MS)

#define SEQUENTIAL "{\n policy sequential\n}"

struct question {
	struct exchange exchange;
	unsigned int done;
	bool answered;
	enum verdict verdict;
	uint16_t flags;	      /* of the answer */
	unsigned int records; /* in its answer section */
	const struct virtual_loop *v;
	uint64_t ended_ns;
	char error[EXCHANGE_ERROR_MAX]; /* where it was not answered */
};

static inline void on_done(struct exchange *exchange, struct answer *answer, enum verdict verdict)
{
	struct question *q = (struct question *)exchange;

	q->done++;
	q->answered = answer;
	q->verdict = verdict;
	q->flags = answer ? answer->flags : 0;
	q->records = answer ? answer->count[DNS_ANSWER_SECTION] : 0;
	q->ended_ns = q->v->now_ns;
	if (!answer)
		memcpy(q->error, exchange->error, sizeof(q->error));
	answer__free(answer);
}

static inline void question_set(struct upstream_fixture *f, struct question *q, const char *name)
{
	memset(q, 0, sizeof(*q));
	q->v = &f->v;
	assert_int_equal(dns_name__from_text(&q->exchange.qname, name), 0);
	q->exchange.qtype = DNS_TYPE_A;
	q->exchange.done = on_done;
}

static struct error no_error;

/* The first forward of the index-th block. */
static inline struct upstream_group *open_more(struct upstream_fixture *f, size_t index)
{
	struct upstream_group *group = NULL;

	assert_int_equal(
		upstream_group__open(f->ups, &f->cf->blocks[index].forwards[0], &group, &no_error),
		0);
	return group;
}

static inline struct upstream_group *open_group(struct upstream_fixture *f, const char *text)
{
	assert_int_equal(fixture_open(f, text, READ_NS, DEADLINE_NS), 0);
	return open_more(f, 0);
}

/* Asks and waits. */
static inline void ask(struct upstream_fixture *f, struct upstream_group *group, struct question *q)
{
	question_set(f, q, "www.example.");
	/* each query of a client comes in a turn of its own, and some time after the last one */
	fixture_run_for(f, 1);
	assert_int_equal(exchange__start(group, &q->exchange, f->v.now_ns), 0);
	assert_true(fixture_run(f, &q->done, 1));
	assert_int_equal(q->done, 1);
}

#endif /* NODENS_UPSTREAM_QUESTIONS_H */
