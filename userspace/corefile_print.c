// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The effective configuration as a Corefile, defaults written out.
 * Contract: the output parses to the same configuration, whatever the input was.
 */
#include "corefile_priv.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>

static void print_ip(const struct sockaddr_storage *addr, FILE *out)
{
	char text[INET6_ADDRSTRLEN] = "";
	const void *ip = addr->ss_family == AF_INET6
				 ? (const void *)&((const struct sockaddr_in6 *)addr)->sin6_addr
				 : (const void *)&((const struct sockaddr_in *)addr)->sin_addr;

	inet_ntop(addr->ss_family, ip, text, sizeof(text));
	fputs(text, out);
}

static void print_addr(const struct sockaddr_storage *addr, FILE *out)
{
	struct sockaddr_storage copy = *addr;
	bool v6 = addr->ss_family == AF_INET6;

	fputs(v6 ? "[" : "", out);
	print_ip(addr, out);
	fprintf(out, "%s:%u", v6 ? "]" : "", ntohs(*corefile_port_of(&copy)));
}

/* In the largest unit that loses nothing. */
static void print_duration(uint64_t ns, FILE *out)
{
	static const struct {
		uint64_t ns;
		const char *name;
	} units[] = { { 1000000000, "s" }, { 1000000, "ms" }, { 1000, "us" }, { 1, "ns" } };
	size_t i = 0;

	while (ns % units[i].ns)
		i++;
	fprintf(out, "%" PRIu64 "%s", ns / units[i].ns, units[i].name);
}

static void print_side(const char *name, const struct corefile_cache_side *side, FILE *out)
{
	fprintf(out, "        %s %u %u %u\n", name, side->capacity, side->ttl_s, side->min_ttl_s);
}

static void print_forward(const struct corefile_forward *f, FILE *out)
{
	fprintf(out, "    forward %s", f->from.text);
	for (size_t i = 0; i < f->upstreams_len; i++) {
		fputc(' ', out);
		print_addr(&f->upstreams[i].addr, out);
	}
	fputs(" {\n", out);
	if (f->except_len) {
		fputs("        except", out);
		for (size_t i = 0; i < f->except_len; i++)
			fprintf(out, " %s", f->except[i].text);
		fputc('\n', out);
	}
	if (f->force_tcp)
		fputs("        force_tcp\n", out);
	if (f->prefer_udp)
		fputs("        prefer_udp\n", out);
	fprintf(out, "        policy %s\n", corefile_policy_name(f->policy));
	fprintf(out, "        max_fails %u\n", f->max_fails);
	fprintf(out, "        max_concurrent %u\n", f->max_concurrent);
	fputs("        expire ", out);
	print_duration(f->expire_ns, out);
	fputs("\n        health_check ", out);
	print_duration(f->health_check_ns, out);
	fprintf(out, "%s domain %s\n    }\n", f->health_check_rd ? "" : " no_rec",
		f->health_check_domain.text);
}

void corefile__print_block(const struct corefile_block *b, FILE *out)
{
	for (size_t i = 0; i < b->zones_len; i++)
		fprintf(out, "%s:%u ", b->zones[i].text, b->port);
	fputs("{\n", out);
	if (b->binds_len) {
		fputs("    bind", out);
		for (size_t i = 0; i < b->binds_len; i++) {
			fputc(' ', out);
			print_ip(&b->binds[i], out);
		}
		fputc('\n', out);
	}
	if (b->errors.enabled)
		fputs("    errors\n", out);
	if (b->logs_len)
		fputs("    log\n", out);
	if (b->health.enabled) {
		fputs("    health ", out);
		print_addr(&b->health.addr, out);
		fputs(" {\n        lameduck ", out);
		print_duration(b->health_lameduck_ns, out);
		fputs("\n    }\n", out);
	}
	if (b->prometheus.enabled) {
		fputs("    prometheus ", out);
		print_addr(&b->prometheus.addr, out);
		fputc('\n', out);
	}
	if (b->cache.enabled) {
		fputs("    cache {\n", out);
		print_side("success", &b->cache.success, out);
		print_side("denial", &b->cache.denial, out);
		fputs("    }\n", out);
	}
	for (size_t i = 0; i < b->forwards_len; i++)
		print_forward(&b->forwards[i], out);
	fputs("}\n", out);
}

void corefile__print(const struct corefile *cf, FILE *out)
{
	for (size_t i = 0; i < cf->blocks_len; i++) {
		if (i)
			fputc('\n', out);
		corefile__print_block(&cf->blocks[i], out);
	}
}
