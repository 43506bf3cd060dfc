// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Directives that say where a block listens and how it serves: bind, health, ready, prometheus,
 * bufsize, loadbalance, nxdomain_cut, reload, timeouts.
 * Contract: rows of directives.c call these with the number of arguments already checked.
 */
#include "corefile_priv.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* ---- bind ---- */

/* An address, or those of an interface: malloc'd, at least one. */
static int addresses(struct corefile_parse *p, const struct corefile_token *arg,
		     union sockaddr_any **out, size_t *len)
{
	union sockaddr_any *list = malloc(sizeof(*list));
	int err = -ENODEV;

	if (!list)
		return corefile_nomem(p);
	if (!sockaddr__parse_ip(arg->text, 0, list)) {
		*out = list;
		*len = 1;
		return 0;
	}
	free(list);
	if (p->options->interface)
		err = p->options->interface(p->options->ctx, arg->text, out, len);
	if (err == -ENOMEM)
		return corefile_nomem(p);
	if (err)
		return corefile_fail(p, arg,
				     "'%s' is neither an IP address nor an interface that is up "
				     "and has an address; write bind IP|INTERFACE...",
				     corefile_show(p, arg->text));
	return 0;
}

static bool bound(const struct corefile_block *b, const union sockaddr_any *addr, size_t *at)
{
	for (*at = 0; *at < b->binds_len; (*at)++) {
		if (sockaddr__same_ip(&b->binds[*at], addr))
			return true;
	}
	return false;
}

static int add_bind(struct corefile_parse *p, const struct corefile_token *arg,
		    const union sockaddr_any *addr)
{
	struct corefile_block *b = p->block;
	size_t at;

	if (bound(b, addr, &at)) /* as in CoreDNS, which templates give the same address twice */
		return 0;
	if (b->binds_len == COREFILE_BIND_MAX)
		return corefile_fail(p, arg, "more than %d addresses are given; write fewer",
				     COREFILE_BIND_MAX);
	return corefile_append(p, &b->binds, &b->binds_len, addr, sizeof(*addr));
}

int corefile_set_bind(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	int err = 0;

	for (size_t i = 0; !err && i < stmt->args_len; i++) {
		union sockaddr_any *list = NULL;
		size_t len = 0;

		err = addresses(p, &stmt->args[i], &list, &len);
		for (size_t k = 0; !err && k < len; k++)
			err = add_bind(p, &stmt->args[i], &list[k]);
		free(list);
	}
	return err;
}

int corefile_set_bind_except(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	struct corefile_block *b = p->block;
	int err = 0;

	for (size_t i = 0; !err && i < stmt->args_len; i++) {
		union sockaddr_any *list = NULL;
		size_t len = 0, at;

		err = addresses(p, &stmt->args[i], &list, &len);
		for (size_t k = 0; !err && k < len; k++) {
			if (!bound(b, &list[k], &at))
				continue;
			b->binds_len--;
			memmove(&b->binds[at], &b->binds[at + 1],
				(b->binds_len - at) * sizeof(b->binds[0]));
		}
		free(list);
	}
	return err;
}

/* None would mean every address: the opposite of what is written there. */
int corefile_end_bind(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	if (p->block->binds_len)
		return 0;
	return corefile_fail(p, stmt->name,
			     "except leaves no address to listen on; take one of them out");
}

/* ---- HTTP endpoints ---- */

int corefile_set_runtime_metrics(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	return corefile_warn(p, stmt->name, "there is no Go runtime here, and so no series of one");
}

/* ---- small ones ---- */

int corefile_set_bufsize(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	uint32_t size = 1232;
	int err = stmt->args_len ? corefile_value_u32(p, &stmt->args[0], 512, 4096,
						      "number of octets", &size)
				 : 0;

	p->block->bufsize = size;
	return err;
}

int corefile_set_loadbalance(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	const struct corefile_token *args = stmt->args;

	p->block->loadbalance = true;
	if (!stmt->args_len)
		return 0;
	if (!strcmp(args[0].text, "weighted"))
		return corefile_fail(p, &args[0],
				     "weighted is not supported: the kernel rotates records and "
				     "knows no weights; write loadbalance [round_robin]");
	if (strcmp(args[0].text, "round_robin"))
		return corefile_fail(p, &args[0],
				     "'%s' is not known; write loadbalance [round_robin]",
				     corefile_show(p, args[0].text));
	if (stmt->args_len == 1)
		return 0;
	return corefile_fail(p, &args[1], "'%s' is one too many; write loadbalance [round_robin]",
			     corefile_show(p, args[1].text));
}

int corefile_set_prefer(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	struct corefile_block *b = p->block;
	int err = 0;

	for (size_t i = 0; !err && i < stmt->args_len; i++) {
		struct corefile_subnet subnet = { .family = AF_INET };

		if (!corefile_subnet(stmt->args[i].text, false, &subnet))
			return corefile_fail(p, &stmt->args[i],
					     "'%s' is not a subnet; write IP/BITS",
					     corefile_show(p, stmt->args[i].text));
		err = corefile_append(p, &b->prefer, &b->prefer_len, &subnet, sizeof(subnet));
	}
	return err;
}

int corefile_set_nxdomain_cut(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	const char *text = stmt->args_len ? stmt->args[0].text : "on";

	if (strcmp(text, "on") && strcmp(text, "off"))
		return corefile_fail(p, &stmt->args[0], "'%s' is not known; write on or off",
				     corefile_show(p, text));
	p->block->nxdomain_cut = !strcmp(text, "on");
	return 0;
}

int corefile_set_reload(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	struct corefile_reload reload = { true, 30 * NSEC_PER_SEC, 15 * NSEC_PER_SEC };
	int err = 0;

	if (stmt->args_len)
		err = corefile_value_duration(p, &stmt->args[0], &reload.interval_ns);
	if (!err && reload.interval_ns && reload.interval_ns < 2 * NSEC_PER_SEC)
		return corefile_fail(p, &stmt->args[0],
				     "the interval is below 2s; write 2s or more, or 0 for none");
	if (!err && stmt->args_len > 1)
		err = corefile_value_duration(p, &stmt->args[1], &reload.jitter_ns);
	if (!err && stmt->args_len > 1 && reload.jitter_ns && reload.jitter_ns < NSEC_PER_SEC)
		return corefile_fail(p, &stmt->args[1],
				     "the jitter is below 1s; write 1s or more, or 0 for none");
	if (reload.jitter_ns > reload.interval_ns / 2)
		reload.jitter_ns = reload.interval_ns / 2;
	if (!err)
		p->block->reload = reload;
	return err;
}

/* ---- timeouts ---- */

int corefile_set_maxtcpqueries(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	uint32_t n;
	int err;

	if (!strcmp(stmt->args[0].text, "-1")) {
		p->block->timeouts.max_queries = -1;
		return 0;
	}
	err = corefile_value_u32(p, &stmt->args[0], 1, INT32_MAX, "number of queries", &n);
	if (!err)
		p->block->timeouts.max_queries = n;
	return err;
}

int corefile_end_timeouts(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	const struct corefile_timeouts *t = &p->block->timeouts;

	if (t->read_ns || t->write_ns || t->idle_ns || t->max_queries)
		return 0;
	return corefile_fail(p, stmt->name,
			     "it has no option; write read, write, idle or maxtcpqueries");
}
