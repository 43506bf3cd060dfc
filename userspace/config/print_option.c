// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Options that are more than one of kinds.c' kinds, as a Corefile writes them.
 * Contract: print_priv.h.
 */
#include "print_priv.h"

void print_consolidate(const char *option, const void *at, FILE *out)
{
	const struct errors *errors = at;

	for (size_t i = 0; i < errors->consolidate_len; i++) {
		const struct corefile_consolidate *c = &errors->consolidate[i];

		fprintf(out, OPTION "%s", option);
		print_duration(c->duration_ns, out);
		print_text(c->regex, out);
		fprintf(out, " %s%s\n", corefile_error_levels[c->level],
			c->show_first ? " show_first" : "");
	}
}

void print_side(const char *option, const void *at, FILE *out)
{
	const struct corefile_cache_side *side = at;

	fprintf(out, OPTION "%s %u %u %u\n", option, side->capacity, side->ttl_s, side->min_ttl_s);
}

static void print_disabled(const char *what, bool on, const struct corefile_zones *zones, FILE *out)
{
	if (!on)
		return;
	fprintf(out, OPTION "disable %s", what);
	print_zones(zones, out);
	fputc('\n', out);
}

void print_disable(const char *option, const void *at, FILE *out)
{
	const struct corefile_cache *cache = at;

	(void)option;
	print_disabled("success", cache->disable_success, &cache->disable_success_zones, out);
	print_disabled("denial", cache->disable_denial, &cache->disable_denial_zones, out);
}

void print_prefetch(const char *option, const void *at, FILE *out)
{
	const struct corefile_prefetch *prefetch = at;

	if (!prefetch->amount)
		return;
	fprintf(out, OPTION "%s %u", option, prefetch->amount);
	print_duration(prefetch->duration_ns, out);
	fprintf(out, " %u%%\n", prefetch->percent);
}

void print_serve_stale(const char *option, const void *at, FILE *out)
{
	const struct corefile_cache *cache = at;
	bool verify = cache->stale == COREFILE_STALE_VERIFY;

	if (!cache->serve_stale_s)
		return;
	fprintf(out, OPTION "%s %us %s", option, cache->serve_stale_s,
		verify ? "verify" : "immediate");
	if (cache->stale_wait_ns || cache->stale_ttl_s || cache->stale_recheck_ns) {
		if (verify)
			print_duration(cache->stale_wait_ns, out);
		fprintf(out, " %us", cache->stale_ttl_s);
		print_duration(cache->stale_recheck_ns, out);
	}
	fputc('\n', out);
}

void print_serve_stale_policy(const char *option, const void *at, FILE *out)
{
	if (*(const bool *)at)
		fprintf(out, OPTION "%s prefer_positive\n", option);
}

void print_servfail(const char *option, const void *at, FILE *out)
{
	fprintf(out, OPTION "%s %us\n", option, *(const uint32_t *)at);
}

void print_template_rcode(const char *option, const void *at, FILE *out)
{
	const struct corefile_template *t = at;

	if (!t->has_rcode)
		return;
	fprintf(out, OPTION "%s", option);
	print_rcode(t->rcode, out);
	fputc('\n', out);
}

void print_ederror(const char *option, const void *at, FILE *out)
{
	const struct corefile_template *t = at;

	if (!t->has_ede)
		return;
	fprintf(out, OPTION "%s %u", option, t->ede_code);
	if (t->ede_text)
		print_text(t->ede_text, out);
	fputc('\n', out);
}

void print_except(const char *option, const void *at, FILE *out)
{
	const struct corefile_forward *f = at;

	if (!f->except.len)
		return;
	fprintf(out, OPTION "%s", option);
	print_zones(&f->except, out);
	fputc('\n', out);
}

void print_health_check(const char *option, const void *at, FILE *out)
{
	const struct corefile_forward *f = at;

	fprintf(out, OPTION "%s", option);
	print_duration(f->health_check_ns, out);
	fprintf(out, "%s domain %s\n", f->health_check_rd ? "" : " no_rec",
		f->health_check_domain.text);
}

void print_source_address(const char *option, const void *at, FILE *out)
{
	const union sockaddr_any *addr = at;

	if (!addr->sa.sa_family)
		return;
	fprintf(out, OPTION "%s ", option);
	print_ip(addr, out);
	fputc('\n', out);
}

void print_tls(const char *option, const void *at, FILE *out)
{
	const struct corefile_tls *tls = at;

	if (!tls->cert && !tls->ca)
		return;
	fprintf(out, OPTION "%s", option);
	if (tls->cert) {
		print_text(tls->cert, out);
		print_text(tls->key, out);
	}
	if (tls->ca)
		print_text(tls->ca, out);
	fputc('\n', out);
}

void print_tls_servername(const char *option, const void *at, FILE *out)
{
	const struct corefile_tls *tls = at;

	if (tls->servername)
		fprintf(out, OPTION "%s %s\n", option, tls->servername);
}

void print_maxtcpqueries(const char *option, const void *at, FILE *out)
{
	int32_t n = *(const int32_t *)at;

	if (n)
		fprintf(out, OPTION "%s %d\n", option, n);
}

void print_expect(const char *option, const void *at, FILE *out)
{
	const struct corefile_probe *probe = at;

	fprintf(out, OPTION "%s", option);
	if (probe->expects_addr) {
		fputc(' ', out);
		print_ip(&probe->expect_addr, out);
	} else {
		print_rcode(probe->expect_rcode, out);
	}
	fputc('\n', out);
}
