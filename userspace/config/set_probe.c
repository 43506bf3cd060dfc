// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The probe directive: names that must be had.
 * Contract: rows of directives.c call these with the number of arguments already checked.
 */
#include "corefile_priv.h"

#include <string.h>

#include "base/clock.h"

#define LEAST_INTERVAL_NS NSEC_PER_SEC
#define MOST_INTERVAL_NS  (86400 * NSEC_PER_SEC)
#define LEAST_TIMEOUT_NS  (NSEC_PER_SEC / 100)
#define MOST_TIMEOUT_NS	  (5 * NSEC_PER_SEC) /* an exchange's time */

static bool is_file(const char *text)
{
	return *text == '/';
}

static int add_name(struct corefile_parse *p, const struct corefile_token *at)
{
	struct corefile_zones *names = &p->block->probe.names;

	if (strchr(at->text, '/'))
		return corefile_fail(p, at, "'%s' is not a name; write probe NAME... or probe FILE",
				     corefile_show(p, at->text));
	return corefile_zones(p, at, at->text, names);
}

int corefile_set_probe(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	struct corefile_probe *probe = &p->block->probe;
	int err = 0;

	p->block->has_probe = true;
	*probe = (struct corefile_probe){
		.interval_ns = 30 * NSEC_PER_SEC,
		.timeout_ns = 2 * NSEC_PER_SEC,
	};
	if (stmt->args_len == 1 && is_file(stmt->args[0].text))
		return corefile_value_text(p, &stmt->args[0], &probe->file);
	if (stmt->args_len > COREFILE_PROBE_MAX)
		return corefile_fail(p, stmt->name,
				     "more than %d names are given; write those without which "
				     "nothing works",
				     COREFILE_PROBE_MAX);
	for (size_t i = 0; !err && i < stmt->args_len; i++)
		err = add_name(p, &stmt->args[i]);
	return err;
}

int corefile_set_expect(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	struct corefile_probe *probe = &p->block->probe;

	if (!sockaddr__parse_ip(stmt->args[0].text, 0, &probe->expect_addr)) {
		probe->expects_addr = true;
		return 0;
	}
	return corefile_value_rcode(p, &stmt->args[0], &probe->expect_rcode);
}

int corefile_end_probe(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	const struct corefile_probe *probe = &p->block->probe;

	if (probe->interval_ns < LEAST_INTERVAL_NS || probe->interval_ns > MOST_INTERVAL_NS)
		return corefile_fail(p, stmt->name, "the interval is not from 1s to 24h");
	if (probe->timeout_ns < LEAST_TIMEOUT_NS || probe->timeout_ns > MOST_TIMEOUT_NS ||
	    probe->timeout_ns > probe->interval_ns)
		return corefile_fail(p, stmt->name,
				     "the timeout is not from 10ms to 5s, or longer than the "
				     "interval");
	return 0;
}
