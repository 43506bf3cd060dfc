// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What each plugin's directive and options come to, and that printing loses none of it.
 * The wrong ones are rows of test_corefile_errors.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "config/corefile.h"
#include "base/log.h"

#define SECOND 1000000000ull

static const char *fake_env(void *ctx, const char *name)
{
	(void)ctx;
	return strcmp(name, "ITSELF") ? NULL : "a{$ITSELF}";
}

/* Two interfaces: one with an address of each family, and one with one. */
static int fake_interface(void *ctx, const char *name, union sockaddr_any **addrs, size_t *len)
{
	union sockaddr_any *list = calloc(2, sizeof(*list));
	struct sockaddr_in *v4 = (struct sockaddr_in *)&list[0];
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&list[1];

	(void)ctx;
	assert_non_null(list);
	if (strcmp(name, "eth0") && strcmp(name, "eth1")) {
		free(list);
		return -ENODEV;
	}
	v4->sin_family = AF_INET;
	inet_pton(AF_INET, name[3] == '0' ? "192.0.2.10" : "192.0.2.11", &v4->sin_addr);
	v6->sin6_family = AF_INET6;
	inet_pton(AF_INET6, "2001:db8::10", &v6->sin6_addr);
	*addrs = list;
	*len = name[3] == '0' ? 2 : 1;
	return 0;
}

static const struct corefile_options options = {
	.get_env = fake_env,
	.interface = fake_interface,
};

static int try(const char *text, struct corefile **cf, struct error *err)
{
	return corefile__parse(&options, "Corefile", text, strlen(text), cf, err);
}

static char *print(const struct corefile *cf)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	corefile__print(cf, out);
	fclose(out);
	return text;
}

/*
 * ". { @directives }" read, printed, read again: what is asserted of the result is true of what was
 * printed, and printing that again gives the same text.
 */
static struct corefile *read_twice(const char *directives)
{
	struct error err = { "" };
	struct corefile *cf = NULL, *again = NULL;
	char text[2048], *first, *second;

	snprintf(text, sizeof(text), ". {\n%s\nforward . 192.0.2.1\n}\n", directives);
	if (try(text, &cf, &err))
		fail_msg("%s", err.text);
	first = print(cf);
	if (try(first, &again, &err))
		fail_msg("%s\n%s", err.text, first);
	second = print(again);
	assert_string_equal(first, second);
	free(first);
	free(second);
	corefile__free(cf);
	return again;
}

static void assert_ip(const union sockaddr_any *addr, const char *want)
{
	char text[INET6_ADDRSTRLEN];
	const void *ip = addr->sa.sa_family == AF_INET
				 ? (const void *)&((const struct sockaddr_in *)addr)->sin_addr
				 : (const void *)&((const struct sockaddr_in6 *)addr)->sin6_addr;

	assert_non_null(inet_ntop(addr->sa.sa_family, ip, text, sizeof(text)));
	assert_string_equal(text, want);
}

static void test_bind(void **state)
{
	struct corefile *cf = read_twice("bind eth0 192.0.2.9 eth1\nbind 192.0.2.9");
	const struct corefile_block *b = &cf->blocks[0];

	(void)state;
	assert_int_equal(b->binds_len, 4);
	assert_ip(&b->binds[0], "192.0.2.10");
	assert_ip(&b->binds[1], "2001:db8::10");
	assert_ip(&b->binds[2], "192.0.2.9");
	assert_ip(&b->binds[3], "192.0.2.11");
	corefile__free(cf);

	cf = read_twice("bind eth0 192.0.2.9 {\nexcept 192.0.2.10 eth1\n}");
	b = &cf->blocks[0];
	assert_int_equal(b->binds_len, 2);
	assert_ip(&b->binds[0], "2001:db8::10");
	assert_ip(&b->binds[1], "192.0.2.9");
	corefile__free(cf);
}

static void test_small_ones(void **state)
{
	struct corefile *cf = read_twice(
		"bufsize\ndebug\nloop\nwhoami\nloadbalance\nreload\nready\nnxdomain_cut off\n"
		"timeouts {\nread 1s\nidle 2m\n}\nhealth :81 {\nlameduck 5s\n}");
	const struct corefile_block *b = &cf->blocks[0];

	(void)state;
	assert_int_equal(b->bufsize, 1232);
	assert_true(b->debug && b->loop && b->whoami && b->loadbalance && !b->nxdomain_cut);
	assert_true(b->reload.enabled);
	assert_int_equal(b->reload.interval_ns, 30 * SECOND);
	assert_int_equal(b->reload.jitter_ns, 15 * SECOND);
	assert_true(b->ready.enabled);
	assert_int_equal(ntohs(((const struct sockaddr_in6 *)&b->ready.addr)->sin6_port), 8181);
	assert_int_equal(b->timeouts.read_ns, SECOND);
	assert_int_equal(b->timeouts.write_ns, 0);
	assert_int_equal(b->timeouts.idle_ns, 120 * SECOND);
	assert_int_equal(b->health_lameduck_ns, 5 * SECOND);
	corefile__free(cf);

	/* The jitter is at most half the interval, as in CoreDNS; 0: only signals reload. */
	cf = read_twice("reload 10s 30s\nbufsize 512\nloadbalance round_robin\nnxdomain_cut");
	b = &cf->blocks[0];
	assert_int_equal(b->reload.jitter_ns, 5 * SECOND);
	assert_int_equal(b->bufsize, 512);
	assert_true(b->nxdomain_cut && b->loadbalance);
	corefile__free(cf);
	/* A number alone is seconds there; -1 is no limit. */
	cf = read_twice("timeouts {\nread 10\nmaxtcpqueries 128\n}");
	b = &cf->blocks[0];
	assert_int_equal(b->timeouts.read_ns, 10 * SECOND);
	assert_int_equal(b->timeouts.max_queries, 128);
	corefile__free(cf);
	cf = read_twice("timeouts {\nmaxtcpqueries -1\n}");
	assert_int_equal(cf->blocks[0].timeouts.max_queries, -1);
	corefile__free(cf);
	assert_int_equal(
		try(". {\nforward . 192.0.2.1\nprometheus :9153 {\nruntime_metrics\n}\n}\n", &cf,
		    &(struct error){ "" }),
		0);
	assert_true(cf->blocks[0].prometheus.enabled);
	assert_string_equal(cf->warnings[0], "Corefile:4: prometheus: runtime_metrics: there is no "
					     "Go runtime here, and so no series of one");
	corefile__free(cf);
	cf = read_twice("loadbalance {\nprefer 10.1.2.3/8 2001:db8:ffff::/33\nprefer 0.0.0.0/0\n}");
	b = &cf->blocks[0];
	assert_int_equal(b->prefer_len, 3);
	assert_int_equal(b->prefer[0].bits, 8);
	assert_memory_equal(b->prefer[0].addr, "\12\0\0\0", 4);
	assert_memory_equal(b->prefer[1].addr, "\x20\x01\x0d\xb8\x80\0\0\0", 8);
	assert_int_equal(b->prefer[1].family, AF_INET6);
	assert_int_equal(b->prefer[2].bits, 0);
	corefile__free(cf);
	cf = read_twice("reload 2s 0s");
	assert_int_equal(cf->blocks[0].reload.interval_ns, 2 * SECOND);
	assert_int_equal(cf->blocks[0].reload.jitter_ns, 0);
	corefile__free(cf);
	cf = read_twice("reload 0");
	assert_int_equal(cf->blocks[0].reload.interval_ns, 0);
	corefile__free(cf);
}

static void test_cache(void **state)
{
	struct corefile *cf =
		read_twice("cache 60 a.example b.example {\nsuccess 100\n"
			   "denial 50 20 1\nprefetch 3 2m 25%\nserve_stale 2h verify\n"
			   "servfail 0\ndisable denial c.a.example d.a.example\n"
			   "disable success\nkeepttl\n}");
	const struct corefile_cache *c = &cf->blocks[0].cache;

	(void)state;
	assert_int_equal(c->zones.len, 2);
	assert_string_equal(c->zones.list[1].text, "b.example.");
	assert_int_equal(c->success.capacity, 100);
	assert_int_equal(c->success.ttl_s, 60);
	assert_int_equal(c->denial.min_ttl_s, 1);
	assert_int_equal(c->prefetch.amount, 3);
	assert_int_equal(c->prefetch.duration_ns, 120 * SECOND);
	assert_int_equal(c->prefetch.percent, 25);
	assert_int_equal(c->serve_stale_s, 7200);
	assert_int_equal(c->stale, COREFILE_STALE_VERIFY);
	assert_int_equal(c->servfail_s, 0);
	assert_true(c->disable_denial && c->disable_success && c->keepttl);
	assert_int_equal(c->disable_denial_zones.len, 2);
	assert_int_equal(c->disable_success_zones.len, 0);
	corefile__free(cf);

	cf = read_twice("cache {\nprefetch 2\nserve_stale\n}");
	c = &cf->blocks[0].cache;
	assert_int_equal(c->prefetch.duration_ns, 60 * SECOND);
	assert_int_equal(c->prefetch.percent, 10);
	assert_int_equal(c->serve_stale_s, 3600);
	assert_int_equal(c->stale, COREFILE_STALE_IMMEDIATE);
	assert_int_equal(c->servfail_s, 5);
	assert_false(c->keepttl || c->disable_success || c->disable_denial);
	corefile__free(cf);
	cf = read_twice("cache {\nserve_stale 1h verify 100ms 30s 1m\n"
			"serve_stale_policy prefer_positive\n}");
	c = &cf->blocks[0].cache;
	assert_int_equal(c->stale, COREFILE_STALE_VERIFY);
	assert_int_equal(c->stale_wait_ns, SECOND / 10);
	assert_int_equal(c->stale_ttl_s, 30);
	assert_int_equal(c->stale_recheck_ns, 60 * SECOND);
	assert_true(c->prefer_positive);
	corefile__free(cf);
	cf = read_twice("cache {\nserve_stale 1h IMMEDIATE 30s 5m\n}");
	c = &cf->blocks[0].cache;
	assert_int_equal(c->stale, COREFILE_STALE_IMMEDIATE);
	assert_int_equal(c->stale_ttl_s, 30);
	assert_int_equal(c->stale_recheck_ns, 300 * SECOND);
	assert_false(c->prefer_positive);
	corefile__free(cf);
	cf = read_twice("cache {\nserve_stale verify\nservfail 90s\n}");
	assert_int_equal(cf->blocks[0].cache.serve_stale_s, 3600);
	assert_int_equal(cf->blocks[0].cache.stale, COREFILE_STALE_VERIFY);
	assert_int_equal(cf->blocks[0].cache.servfail_s, 90);
	corefile__free(cf);
}

static void test_errors_and_log(void **state)
{
	struct corefile *cf = read_twice(
		"errors {\nstacktrace\nconsolidate 5m \".* i/o timeout$\" warning\n"
		"consolidate 30s \"^say \\\"no\\\"\" error show_first\nconsolidate 1s x\n}\n"
		"log\nlog a.example b.example {combined} {\nclass denial\nclass error\n}\n"
		"log . \"{name} \\\"{type}\\\"\" {\nclass success all\n}\nlog c.example");
	const struct corefile_block *b = &cf->blocks[0];

	(void)state;
	assert_true(b->errors.enabled);
	assert_int_equal(b->errors.consolidate_len, 3);
	assert_string_equal(b->errors.consolidate[0].regex, ".* i/o timeout$");
	assert_int_equal(b->errors.consolidate[0].level, LOG_LEVEL_WARN);
	assert_int_equal(b->errors.consolidate[0].duration_ns, 300 * SECOND);
	assert_string_equal(b->errors.consolidate[1].regex, "^say \"no\"");
	assert_true(b->errors.consolidate[1].show_first);
	assert_int_equal(b->errors.consolidate[2].level, LOG_LEVEL_ERROR);
	assert_int_equal(b->logs_len, 4);
	assert_int_equal(b->logs[0].names.len, 0);
	assert_string_equal(b->logs[0].format, "{common}");
	assert_int_equal(b->logs[0].classes, COREFILE_LOG_ALL);
	assert_int_equal(b->logs[1].names.len, 2);
	assert_string_equal(b->logs[1].format, "{combined}");
	assert_int_equal(b->logs[1].classes, COREFILE_LOG_DENIAL | COREFILE_LOG_ERROR);
	assert_string_equal(b->logs[2].format, "{name} \"{type}\"");
	assert_int_equal(b->logs[2].classes, COREFILE_LOG_ALL);
	assert_string_equal(b->logs[3].names.list[0].text, "c.example.");
	corefile__free(cf);
}

static void test_hosts(void **state)
{
	struct corefile *cf =
		read_twice("hosts \"/etc/a file\" a.example {\n192.0.2.1 one One.two\n"
			   "2001:db8::1 one\nttl 60\nno_reverse\nreload 0\n"
			   "fallthrough in-addr.arpa b.example\n}");
	const struct corefile_hosts *h = &cf->blocks[0].hosts;

	(void)state;
	assert_true(cf->blocks[0].has_hosts);
	assert_string_equal(h->path, "/etc/a file");
	assert_int_equal(h->zones.len, 1);
	assert_int_equal(h->entries_len, 2);
	assert_ip(&h->entries[0].addr, "192.0.2.1");
	assert_string_equal(h->entries[0].names[1], "One.two");
	assert_ip(&h->entries[1].addr, "2001:db8::1");
	assert_int_equal(h->ttl_s, 60);
	assert_true(h->no_reverse && h->fallthrough.on);
	assert_int_equal(h->fallthrough.zones.len, 2);
	assert_int_equal(h->reload_ns, 0);
	corefile__free(cf);

	cf = read_twice("hosts {\nfe80::1%eth0 *.one\nfallthrough_unsupported\nfallthrough\n}");
	h = &cf->blocks[0].hosts;
	assert_ip(&h->entries[0].addr, "fe80::1");
	assert_string_equal(h->entries[0].names[0], "*.one");
	assert_true(h->fallthrough_unsupported && h->fallthrough.on);
	corefile__free(cf);

	cf = read_twice("hosts {\n192.0.2.1 one\n}");
	h = &cf->blocks[0].hosts;
	assert_string_equal(h->path, "/etc/hosts");
	assert_int_equal(h->ttl_s, 3600);
	assert_int_equal(h->reload_ns, 5 * SECOND);
	assert_false(h->fallthrough.on);
	corefile__free(cf);
}

static void test_template(void **state)
{
	struct corefile *cf = read_twice(
		"template ANY ANY x.example {\nrcode NXDOMAIN\n}\n"
		"template IN A {\nmatch \"^ip-(?P<a>[0-9]+)\\.example\\.$\" ^b#\n"
		"answer \"{{ .Name }} 60 IN A 192.0.2.{{ .Group.a }}\"\n"
		"additional \"{{ .Name }} 60 IN TXT \\\"a b\\\"\"\n"
		"authority \"example. 60 IN NS ns.example.\"\n"
		"ederror 15 \"not here\"\nfallthrough\n}\ntemplate CH TYPE300 {\nederror 3\n}");
	const struct corefile_template *t = cf->blocks[0].templates;

	(void)state;
	assert_int_equal(cf->blocks[0].templates_len, 3);
	assert_int_equal(t[0].class, 255);
	assert_int_equal(t[0].type, 255);
	assert_string_equal(t[0].zones.list[0].text, "x.example.");
	assert_true(t[0].has_rcode);
	assert_int_equal(t[0].rcode, 3);
	assert_int_equal(t[1].match.len, 2);
	assert_string_equal(t[1].match.list[0], "^ip-(?P<a>[0-9]+)\\.example\\.$");
	assert_string_equal(t[1].answer.list[0], "{{ .Name }} 60 IN A 192.0.2.{{ .Group.a }}");
	assert_string_equal(t[1].additional.list[0], "{{ .Name }} 60 IN TXT \"a b\"");
	assert_int_equal(t[1].authority.len, 1);
	assert_true(t[1].has_ede && t[1].fallthrough.on && !t[1].has_rcode);
	assert_int_equal(t[1].ede_code, 15);
	assert_string_equal(t[1].ede_text, "not here");
	assert_int_equal(t[2].class, 3);
	assert_int_equal(t[2].type, 300);
	assert_null(t[2].ede_text);
	corefile__free(cf);
}

static void test_rewrite_names(void **state)
{
	struct corefile *cf =
		read_twice("rewrite name a.example b.example\n"
			   "rewrite continue name suffix .a.example .b.example answer auto\n"
			   "rewrite stop name prefix x- y-\nrewrite name substring -a- -b-\n"
			   "rewrite stop {\nname regex (.*)\\.a\\.example {1}.b.example\n"
			   "answer name (.*)\\.b\\.example {1}.a.example\nanswer value x y\n}\n"
			   "rewrite name exact exact exact");
	const struct corefile_rewrite *r = cf->blocks[0].rewrites;

	(void)state;
	assert_int_equal(cf->blocks[0].rewrites_len, 6);
	assert_string_equal(r[0].from, "a.example.");
	assert_string_equal(r[0].to, "b.example.");
	assert_false(r[0].go_on);
	assert_true(r[1].go_on && r[1].answer_auto);
	assert_int_equal(r[1].match, COREFILE_MATCH_SUFFIX);
	assert_string_equal(r[1].from, ".a.example.");
	assert_string_equal(r[2].from, "x-");
	assert_string_equal(r[2].to, "y-");
	assert_int_equal(r[3].match, COREFILE_MATCH_SUBSTRING);
	assert_int_equal(r[4].match, COREFILE_MATCH_REGEX);
	assert_string_equal(r[4].to, "{1}.b.example.");
	assert_int_equal(r[4].answers_len, 2);
	assert_false(r[4].answers[0].value);
	assert_string_equal(r[4].answers[0].from, "(.*)\\.b\\.example");
	assert_string_equal(r[4].answers[0].to, "{1}.a.example.");
	assert_true(r[4].answers[1].value);
	assert_string_equal(r[5].from, "exact.");
	corefile__free(cf);
}

static void test_rewrite_fields(void **state)
{
	struct corefile *cf = read_twice(
		"rewrite type ANY HINFO\nrewrite class CH IN\nrewrite ttl a.example 5\n"
		"rewrite continue ttl regex ^x -10\nrewrite ttl suffix a 5-\n"
		"rewrite rcode prefix a SERVFAIL NXDOMAIN\nrewrite rcode a 5 0\n"
		"rewrite edns0 local set 0xffee 0x6162ff\nrewrite edns0 local replace 65001 abc\n"
		"rewrite edns0 local unset 65001\nrewrite edns0 nsid append revert\n"
		"rewrite edns0 local set 65001 0x\nrewrite edns0 subnet set 24 56 revert\n"
		"rewrite edns0 local set 1 {client_ip}\nrewrite edns0 subnet unset");
	const struct corefile_rewrite *r = cf->blocks[0].rewrites;

	(void)state;
	assert_int_equal(r[0].from_number, 255);
	assert_int_equal(r[0].to_number, 13);
	assert_int_equal(r[1].kind, COREFILE_REWRITE_CLASS);
	assert_int_equal(r[1].from_number, 3);
	assert_int_equal(r[1].to_number, 1);
	assert_int_equal(r[2].ttl_min_s, 5);
	assert_int_equal(r[2].ttl_max_s, 5);
	assert_int_equal(r[3].ttl_min_s, 0);
	assert_int_equal(r[3].ttl_max_s, 10);
	assert_int_equal(r[3].match, COREFILE_MATCH_REGEX);
	assert_int_equal(r[4].ttl_min_s, 5);
	assert_int_equal(r[4].ttl_max_s, INT32_MAX);
	assert_int_equal(r[5].kind, COREFILE_REWRITE_RCODE);
	assert_int_equal(r[5].from_number, 2);
	assert_int_equal(r[5].to_number, 3);
	assert_int_equal(r[6].from_number, 5);
	assert_int_equal(r[6].to_number, 0);
	assert_int_equal(r[7].edns0_code, 0xffee);
	assert_int_equal(r[7].edns0_len, 3);
	assert_memory_equal(r[7].edns0_data, "ab\xff", 3);
	assert_int_equal(r[8].edns0_action, COREFILE_EDNS0_REPLACE);
	assert_memory_equal(r[8].edns0_data, "abc", 3);
	assert_int_equal(r[9].edns0_action, COREFILE_EDNS0_UNSET);
	assert_int_equal(r[10].edns0_code, 3);
	assert_int_equal(r[10].edns0_action, COREFILE_EDNS0_APPEND);
	assert_int_equal(r[11].edns0_len, 0);
	assert_int_equal(r[12].edns0_source, COREFILE_EDNS0_SUBNET);
	assert_true(r[12].edns0_code == 8 && r[12].edns0_bits[0] == 24 &&
		    r[12].edns0_bits[1] == 56);
	assert_int_equal(r[13].edns0_source, COREFILE_EDNS0_CLIENT_IP);
	assert_int_equal(r[14].edns0_action, COREFILE_EDNS0_UNSET);
	assert_int_equal(r[14].edns0_code, 8);
	corefile__free(cf);
}

static void test_dns64(void **state)
{
	static const uint8_t wellknown[16] = { 0, 0x64, 0xff, 0x9b };
	struct corefile *cf = read_twice("dns64");
	const struct corefile_dns64 *d = &cf->blocks[0].dns64;

	(void)state;
	assert_true(d->enabled && !d->translate_all && !d->allow_ipv4);
	assert_int_equal(d->prefix_len, 96);
	assert_memory_equal(d->prefix, wellknown, 16);
	corefile__free(cf);
	cf = read_twice("dns64 2001:db8::/32");
	assert_int_equal(cf->blocks[0].dns64.prefix_len, 32);
	corefile__free(cf);
	cf = read_twice("dns64 {\nprefix 2001:db8:1:2::/64\ntranslate_all\nallow_ipv4\n}");
	d = &cf->blocks[0].dns64;
	assert_int_equal(d->prefix_len, 64);
	assert_true(d->translate_all && d->allow_ipv4);
	corefile__free(cf);
}

static void test_acl(void **state)
{
	struct corefile *cf = read_twice("any\nacl a.example b.example {\n"
					 "allow net 10.1.2.3/8 2001:db8::5\n"
					 "filter type A AAAA net 192.0.2.1 *\n"
					 "drop type TXT *\n}\n"
					 "acl {\nblock\n}");
	const struct corefile_block *b = &cf->blocks[0];
	const struct corefile_acl_policy *p = b->acls[0].policies;

	(void)state;
	assert_true(b->any);
	assert_int_equal(b->acls_len, 2);
	assert_int_equal(b->acls[0].zones.len, 2);
	assert_int_equal(b->acls[0].policies_len, 3);
	assert_int_equal(p[0].action, COREFILE_ACL_ALLOW);
	assert_true(p[0].all_types && !p[0].all_nets && p[0].nets_len == 2);
	assert_true(p[0].nets[0].bits == 8 && p[0].nets[0].addr[1] == 0);
	assert_true(p[0].nets[1].family == AF_INET6 && p[0].nets[1].bits == 128);
	assert_int_equal(p[1].action, COREFILE_ACL_FILTER);
	assert_true(p[1].types_len == 2 && p[1].types[1] == 28 && p[1].all_nets);
	assert_int_equal(p[2].action, COREFILE_ACL_DROP);
	assert_true(p[2].all_types && p[2].all_nets);
	assert_int_equal(b->acls[1].zones.len, 0);
	assert_int_equal(b->acls[1].policies[0].action, COREFILE_ACL_BLOCK);
	corefile__free(cf);
}

static void test_probe(void **state)
{
	struct corefile *cf = read_twice("probe Kubernetes.default.svc.cluster.local example.org");
	const struct corefile_probe *probe = &cf->blocks[0].probe;

	(void)state;
	assert_true(cf->blocks[0].has_probe);
	assert_int_equal(probe->names.len, 2);
	assert_string_equal(probe->names.list[0].text, "kubernetes.default.svc.cluster.local.");
	assert_null(probe->file);
	assert_int_equal(probe->interval_ns, 30 * SECOND);
	assert_int_equal(probe->timeout_ns, 2 * SECOND);
	assert_int_equal(probe->expect_rcode, 0);
	assert_false(probe->expects_addr || probe->upstreams);
	corefile__free(cf);

	cf = read_twice("probe /etc/nodens/names {\ninterval 5s\ntimeout 500ms\n"
			"expect 2001:db8::1\nupstreams\n}");
	probe = &cf->blocks[0].probe;
	assert_string_equal(probe->file, "/etc/nodens/names");
	assert_int_equal(probe->names.len, 0);
	assert_int_equal(probe->interval_ns, 5 * SECOND);
	assert_int_equal(probe->timeout_ns, SECOND / 2);
	assert_true(probe->expects_addr && probe->upstreams);
	assert_ip(&probe->expect_addr, "2001:db8::1");
	corefile__free(cf);

	cf = read_twice("probe gone.example {\nexpect NXDOMAIN\n}");
	assert_int_equal(cf->blocks[0].probe.expect_rcode, 3);
	corefile__free(cf);
	cf = read_twice("cache");
	assert_false(cf->blocks[0].has_probe);
	corefile__free(cf);
}

static void test_forward_source(void **state)
{
	struct corefile *cf =
		read_twice("forward a.example 192.0.2.6 {\nsource_address 192.0.2.7\n}\n"
			   "forward b.example 2001:db8::1 {\n"
			   "source_address 2001:db8::7\n}\n"
			   "forward c.example 192.0.2.6\n");
	const struct corefile_forward *f = cf->blocks[0].forwards;

	(void)state;
	assert_int_equal(f[0].source.sa.sa_family, AF_INET);
	assert_int_equal(f[1].source.sa.sa_family, AF_INET6);
	assert_int_equal(f[2].source.sa.sa_family, AF_UNSPEC);
	assert_int_equal(f[2].read_timeout_ns, 2 * SECOND);
	assert_int_equal(f[2].max_age_ns, 0);
	corefile__free(cf);
}

static void test_forward(void **state)
{
	struct corefile *cf = read_twice(
		"forward a.example tls://192.0.2.2%dns.example:8853 tls://[2001:db8::2%v6.example] "
		"tls://2001:db8::3 tls://[2001:db8::4]%v4.example:854 192.0.2.5 {\n"
		"next NXDOMAIN SERVFAIL 5\nfailfast_all_unhealthy_upstreams\n"
		"max_age 1m\nmax_idle_conns 7\nread_timeout 4s\n"
		"failover refused SERVFAIL\nfailover 4\nnext_on_nodata\n"
		"max_connect_attempts 3\ntls /c.pem \"/my key.pem\" /ca.pem\n}\n"
		"forward a.example 192.0.2.6\n"
		"forward b.example tls://192.0.2.7 {\ntls_servername b.example\ntls /ca.pem\n}\n"
		"forward c.example tls://192.0.2.8 {\ntls /c.pem /k.pem\n}\n"
		"forward d.example tls://192.0.2.8 {\ntls\n}");
	const struct corefile_forward *f = cf->blocks[0].forwards;

	(void)state;
	assert_int_equal(cf->blocks[0].forwards_len, 6);
	assert_true(f->upstreams[0].tls && !f->upstreams[4].tls);
	assert_string_equal(f->upstreams[0].tls_name, "dns.example");
	assert_int_equal(ntohs(((struct sockaddr_in *)&f->upstreams[0].addr)->sin_port), 8853);
	assert_string_equal(f->upstreams[1].tls_name, "v6.example");
	assert_int_equal(ntohs(((struct sockaddr_in6 *)&f->upstreams[1].addr)->sin6_port), 853);
	assert_null(f->upstreams[2].tls_name);
	assert_ip(&f->upstreams[2].addr, "2001:db8::3");
	assert_string_equal(f->upstreams[3].tls_name, "v4.example");
	assert_int_equal(ntohs(((struct sockaddr_in6 *)&f->upstreams[3].addr)->sin6_port), 854);
	assert_int_equal(f->next_rcodes, 1 << 3 | 1 << 2 | 1 << 5);
	assert_true(f->failfast);
	assert_int_equal(f->max_connect_attempts, 3);
	assert_int_equal(f->max_age_ns, 60 * SECOND);
	assert_int_equal(f->max_idle_conns, 7);
	assert_int_equal(f->read_timeout_ns, 4 * SECOND);
	assert_int_equal(f->failover_rcodes, 1 << 5 | 1 << 2 | 1 << 4);
	assert_true(f->next_on_nodata);
	assert_string_equal(f->tls.cert, "/c.pem");
	assert_string_equal(f->tls.key, "/my key.pem");
	assert_string_equal(f->tls.ca, "/ca.pem");
	assert_string_equal(f[2].tls.servername, "b.example");
	assert_string_equal(f[2].tls.ca, "/ca.pem");
	assert_null(f[2].tls.cert);
	assert_string_equal(f[3].tls.key, "/k.pem");
	assert_null(f[3].tls.ca);
	assert_null(f[4].tls.ca);
	assert_int_equal(cf->warnings_len, 0);
	corefile__free(cf);

	cf = read_twice("forward a.example 192.0.2.1 {\ntls_servername b.example\n}");
	assert_non_null(strstr(cf->warnings[0], "no upstream is asked over TLS"));
	corefile__free(cf);
}

static void test_dnstap(void **state)
{
	struct corefile *cf =
		read_twice("dnstap /run/a.sock\n"
			   "dnstap unix:///run/b.sock full {\nidentity x\n"
			   "version \"v 1\"\nextra \"{type} {name}\"\n}\n"
			   "dnstap tcp://[::1]:6000 full 2 3 {\nextra plain\nskipverify\n}");
	const struct corefile_dnstap *taps = cf->blocks[0].dnstaps;
	char text[TAP_ENDPOINT_TEXT];

	(void)state;
	assert_int_equal(cf->blocks[0].dnstaps_len, 3);
	assert_string_equal(tap_endpoint__text(&taps[0].to, text, sizeof(text)),
			    "unix:///run/a.sock");
	assert_false(taps[0].full);
	assert_null(taps[0].identity);
	assert_int_equal(taps[0].write_buffer, 0);
	assert_int_equal(taps[0].queue, 1);
	assert_true(taps[1].full);
	assert_string_equal(taps[1].identity, "x");
	assert_string_equal(taps[1].version, "v 1");
	assert_string_equal(taps[1].extra, "{type} {name}");
	assert_string_equal(tap_endpoint__text(&taps[2].to, text, sizeof(text)),
			    "tcp://[::1]:6000");
	assert_int_equal(taps[2].write_buffer, 2);
	assert_int_equal(taps[2].queue, 3);
	corefile__free(cf);
}

/* Refused by name; where it is asked for, left out with their blocks, and said. */
static void test_unsupported(void **state)
{
	static const char text[] = ". {\ntrace zipkin {\nevery 1 {\n}\n}\n"
				   "pprof :6053\nmetadata a.example\nforward . 192.0.2.1\n}\n";
	struct corefile_options lenient = options;
	struct error err = { "" };
	struct corefile *cf = NULL;

	(void)state;
	assert_int_equal(try(text, &cf, &err), -EINVAL);
	assert_non_null(strstr(err.text, "Corefile:2: trace: not supported by nodens"));
	lenient.ignore_unsupported = true;
	assert_int_equal(corefile__parse(&lenient, "Corefile", text, strlen(text), &cf, &err), 0);
	assert_int_equal(cf->warnings_len, 3);
	assert_string_equal(cf->warnings[0], "Corefile:2: trace: not supported by nodens: ignored");
	assert_int_equal(cf->blocks[0].forwards_len, 1);
	corefile__free(cf);
}

/* A value that reads like a variable could not be printed so that it parses to the same. */
static void test_unprintable(void **state)
{
	struct error err = { "" };
	struct corefile *cf = NULL;

	(void)state;
	assert_int_equal(try(". {\nhosts {$ITSELF}\n}\n", &cf, &err), -EINVAL);
	assert_non_null(strstr(err.text, "Corefile:2: hosts: 'a{$ITSELF}' would be read as"));
	assert_int_equal(try(". {\ntemplate IN A {\nmatch a\\\"{ b\n}\n}\n", &cf, &err), -EINVAL);
	assert_non_null(strstr(err.text, "Corefile:3: template: match: 'a\\\"{' would be read as"));
	corefile__free(read_twice("template IN A {\nmatch a\\\"b \"c\\\\\\\" d\" \"{\"\n}"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bind),	      cmocka_unit_test(test_small_ones),
		cmocka_unit_test(test_cache),	      cmocka_unit_test(test_errors_and_log),
		cmocka_unit_test(test_hosts),	      cmocka_unit_test(test_template),
		cmocka_unit_test(test_rewrite_names), cmocka_unit_test(test_rewrite_fields),
		cmocka_unit_test(test_acl),	      cmocka_unit_test(test_dns64),
		cmocka_unit_test(test_forward),	      cmocka_unit_test(test_forward_source),
		cmocka_unit_test(test_probe),	      cmocka_unit_test(test_dnstap),
		cmocka_unit_test(test_unsupported),   cmocka_unit_test(test_unprintable),
	};

	return cmocka_run_group_tests_name("corefile plugins", tests, NULL, NULL);
}
