// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The cache directive and its options.
 * Contract: rows of directives.c call these with the number of arguments already checked.
 */
#include "corefile_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* A TTL has 31 bits (RFC 2181, 8), and a capacity above that is a slip. */
#define COUNT_MAX      INT32_MAX
#define TTL_MAX	       INT32_MAX
#define SERVFAIL_MAX_S 300
#define RECHECK_MAX_S  300 /* RFC 8767, 5 */

/* CoreDNS reads a first argument that is no number as a zone; but "30s" is no zone that anyone has.
 */
static bool is_meant_as_ttl(const char *text)
{
	return *text && strchr("+-0123456789", *text) && !strpbrk(text, "./");
}

int corefile_set_cache(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	struct corefile_cache *cache = &p->block->cache;
	const struct corefile_token *arg = &stmt->args[0];
	uint32_t ttl;
	size_t zones = 0; /* index of the first argument that must be a zone */
	int err;

	cache->enabled = true;
	if (stmt->args_len && is_meant_as_ttl(arg->text)) {
		err = corefile_value_u32(p, arg, 1, TTL_MAX, "TTL in seconds", &ttl);
		if (err)
			return err;
		cache->success.ttl_s = ttl;
		cache->denial.ttl_s = ttl;
		zones = 1;
	}
	return corefile_value_zones(p, stmt->args + zones, stmt->args_len - zones, &cache->zones);
}

static int set_side(struct corefile_parse *p, const struct corefile_statement *stmt,
		    struct corefile_cache_side *side)
{
	struct corefile_cache_side new = *side;
	int err = corefile_value_u32(p, &stmt->args[0], 0, COUNT_MAX, "capacity", &new.capacity);

	if (!err && stmt->args_len > 1)
		err = corefile_value_u32(p, &stmt->args[1], 1, TTL_MAX, "TTL in seconds",
					 &new.ttl_s);
	if (!err && stmt->args_len > 2)
		err = corefile_value_u32(p, &stmt->args[2], 0, TTL_MAX, "least TTL in seconds",
					 &new.min_ttl_s);
	if (!err && stmt->args_len > 2 && new.min_ttl_s > new.ttl_s)
		err = corefile_fail(
			p, &stmt->args[2],
			"the least TTL %u is above the TTL %u; write it at most as large",
			new.min_ttl_s, new.ttl_s);
	if (!err)
		*side = new;
	return err;
}

int corefile_set_success(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	return set_side(p, stmt, &p->block->cache.success);
}

int corefile_set_denial(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	return set_side(p, stmt, &p->block->cache.denial);
}

int corefile_set_prefetch(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	struct corefile_prefetch prefetch = { .duration_ns = 60 * NSEC_PER_SEC, .percent = 10 };
	int err = corefile_value_u32(p, &stmt->args[0], 0, COUNT_MAX, "number of hits",
				     &prefetch.amount);

	if (!err && stmt->args_len > 1)
		err = corefile_value_duration(p, &stmt->args[1], &prefetch.duration_ns);
	if (!err && stmt->args_len > 2) {
		const char *text = stmt->args[2].text;
		char *end;
		unsigned long percent = strtoul(text, &end, 10);

		if (end == text || strcmp(end, "%") || percent < 10 || percent > 90)
			return corefile_fail(p, &stmt->args[2],
					     "'%s' is not a percentage; write 10%% to 90%%",
					     corefile_show(p, text));
		prefetch.percent = percent;
	}
	if (!err)
		p->block->cache.prefetch = prefetch;
	return err;
}

#define SERVE_STALE                                                            \
	"serve_stale [DURATION] [immediate [TTL [RECHECK]] | verify [TIMEOUT " \
	"[TTL [RECHECK]]]]"

/* TTL, RECHECK: as far as they are there. */
static int set_stale_reply(struct corefile_parse *p, const struct corefile_token *args, size_t n,
			   struct corefile_cache *cache)
{
	uint64_t ns = 0;
	int err = n ? corefile_value_duration(p, &args[0], &ns) : 0;

	if (!err && (ns % NSEC_PER_SEC || ns / NSEC_PER_SEC > TTL_MAX))
		return corefile_fail(p, &args[0],
				     "'%s' is not a TTL in whole seconds of at most 68 years",
				     corefile_show(p, args[0].text));
	if (err)
		return err;
	cache->stale_ttl_s = ns / NSEC_PER_SEC;
	ns = 0;
	if (n > 1)
		err = corefile_value_duration(p, &args[1], &ns);
	if (!err && ns > RECHECK_MAX_S * NSEC_PER_SEC)
		return corefile_fail(p, &args[1], "'%s' is longer than 5m; write 0 to 5m",
				     corefile_show(p, args[1].text));
	if (!err)
		cache->stale_recheck_ns = ns;
	return err;
}

int corefile_set_serve_stale(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	struct corefile_cache *cache = &p->block->cache;
	const struct corefile_token *args = stmt->args;
	size_t n = stmt->args_len, i = 0, most = 1;
	uint64_t ns = 3600 * NSEC_PER_SEC;
	int err = 0;

	if (n && strchr("0123456789.+-", args[0].text[0]))
		err = corefile_value_duration(p, &args[i++], &ns);
	if (!err && ns / NSEC_PER_SEC > TTL_MAX)
		return corefile_fail(p, &args[0], "it is longer than 68 years; write less");
	if (err)
		return err;
	cache->serve_stale_s = ns / NSEC_PER_SEC;
	if (i == n)
		return 0;
	if (strcasecmp(args[i].text, "verify") && strcasecmp(args[i].text, "immediate"))
		return corefile_fail(p, &args[i], "'%s' is not known; write immediate or verify",
				     corefile_show(p, args[i].text));
	cache->stale =
		(*args[i].text | 0x20) == 'v' ? COREFILE_STALE_VERIFY : COREFILE_STALE_IMMEDIATE;
	/* without DURATION a time after the mode could be meant for it */
	if (i++)
		most = cache->stale == COREFILE_STALE_VERIFY ? 5 : 4;
	if (n > most)
		return corefile_fail(p, &args[most], "'%s' is one too many; write " SERVE_STALE,
				     corefile_show(p, args[most].text));
	if (i < n && cache->stale == COREFILE_STALE_VERIFY)
		err = corefile_value_duration(p, &args[i++], &cache->stale_wait_ns);
	return err ? err : set_stale_reply(p, args + i, n - i, cache);
}

int corefile_set_serve_stale_policy(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	if (strcasecmp(stmt->args[0].text, "prefer_positive"))
		return corefile_fail(p, &stmt->args[0], "'%s' is not known; write prefer_positive",
				     corefile_show(p, stmt->args[0].text));
	p->block->cache.prefer_positive = true;
	return 0;
}

int corefile_end_cache(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	const struct corefile_cache *cache = &p->block->cache;

	if (!cache->prefer_positive || cache->serve_stale_s)
		return 0;
	return corefile_fail(p, stmt->name,
			     "serve_stale_policy does nothing alone; write serve_stale as well");
}

int corefile_set_servfail(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	uint64_t ns;
	int err = corefile_value_duration(p, &stmt->args[0], &ns);

	if (!err && ns > SERVFAIL_MAX_S * NSEC_PER_SEC)
		return corefile_fail(p, &stmt->args[0], "'%s' is longer than 5m; write 0 to 5m",
				     corefile_show(p, stmt->args[0].text));
	if (!err)
		p->block->cache.servfail_s = ns / NSEC_PER_SEC;
	return err;
}

int corefile_set_disable(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	struct corefile_cache *cache = &p->block->cache;
	const struct corefile_token *rest = stmt->args + 1;
	const char *what = stmt->args[0].text;
	size_t n = stmt->args_len - 1;

	if (!strcmp(what, "success")) {
		cache->disable_success = true;
		return corefile_value_zones(p, rest, n, &cache->disable_success_zones);
	}
	if (!strcmp(what, "denial")) {
		cache->disable_denial = true;
		return corefile_value_zones(p, rest, n, &cache->disable_denial_zones);
	}
	return corefile_fail(p, &stmt->args[0], "'%s' is not known; write success or denial",
			     corefile_show(p, what));
}
