// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * node-cache's Corefile.base, the kube-dns ConfigMap and the environment to the text of a Corefile.
 */
#include "conf_fixture.h"

#define DUAL  "fd00::10,169.254.20.10"
#define BINDS "169.254.20.10 10.96.0.10"

static void expect(const char *localip, const char *base, const char *want, const char *want_note)
{
	struct run_options opts = options(localip);
	struct error err;
	const char *path;
	struct conf_notes notes;
	char *text;

	put(dir, "Corefile.base", base);
	if (text_of(&opts, &text, &path, &notes, &err))
		fail_msg("%s: %s", base, err.text);
	assert_string_equal(text, want);
	assert_string_equal(path, base_file);
	check_note(&notes, want_note);
	free(text);
}

static void test_placeholders(void **state)
{
	(void)state;
	expect(V4, "forward . __PILLAR__CLUSTER__DNS__ {", "forward . 10.96.0.11 {", "");
	expect(V4, "bind __PILLAR__LOCAL__DNS__ __PILLAR__DNS__SERVER__\n",
	       "bind 169.254.20.10 10.96.0.10 \n", "");
	expect(DUAL, "bind __PILLAR__LOCAL__DNS__\n", "bind fd00::10 169.254.20.10\n", "");
	expect("", "bind __PILLAR__LOCAL__DNS__.", "bind .", "");
	/* Before a port there is room for one, in brackets if need be. */
	expect(V4, "health __PILLAR__LOCAL__DNS__:8080\n", "health 169.254.20.10:8080\n", "");
	expect(DUAL, "health __PILLAR__LOCAL__DNS__:8080\n", "health [fd00::10]:8080\n", "");
	expect(V4, "prometheus __PROMETHEUS__ENDPOINT__\n", "prometheus :9999\n", "");
	expect(V4, "forward . __PILLAR__UPSTREAM__SERVERS__\n", "forward . /etc/resolv.conf\n", "");
	expect(V4, "a __PILLAR__CLUSTER__DNS____PILLAR__CLUSTER__DNS__ b",
	       "a 10.96.0.1110.96.0.11 b", "");
}

static void test_upstream_nameservers(void **state)
{
	static const struct {
		const char *json, *servers, *note;
	} cases[] = {
		{ "[\"8.8.8.8\", \"8.8.4.4:5353\"]", "8.8.8.8:53 8.8.4.4:5353", "" },
		{ "[\"2001:db8::1\", \"[2001:DB8::2]:54\"]", "[2001:db8::1]:53 [2001:db8::2]:54",
		  "" },
		{ "[]", "/etc/resolv.conf", "" },
		{ "null", "/etc/resolv.conf", "" },
		{ " \n", "/etc/resolv.conf", "" },
		{ "[\"1.1.1.1\",\"1.1.1.2\",\"1.1.1.3\",\"1.1.1.4\"]",
		  "1.1.1.1:53 1.1.1.2:53 1.1.1.3:53", "the first 3 are used" },
		{ "[\"dns.example\", \"8.8.8.8\"]", "8.8.8.8:53", "'dns.example' is left out" },
		{ "[\"8.8.8.8 }\"]", "/etc/resolv.conf", "'8.8.8.8 }' is left out" },
		/* A port is a number, and ends the address: nothing else gets into the text. */
		{ "[\"8.8.8.8:53\\n}\\nbank.example {\"]", "/etc/resolv.conf", "no" },
		{ "[\"8.8.8.8:53 6.6.6.6\"]", "/etc/resolv.conf",
		  "is left out: its port is not from" },
		{ "[\"8.8.8.8:dns\", \"8.8.4.4\"]", "8.8.4.4:53",
		  "'8.8.8.8:dns' is left out: its port is not from 1 to 65535" },
		{ "[\"8.8.8.8:0\", \"8.8.4.4\"]", "8.8.4.4:53", "'8.8.8.8:0' is left out" },
		{ "[\"8.8.8.8:65536\", \"8.8.4.4:65535\"]", "8.8.4.4:65535",
		  "'8.8.8.8:65536' is left out" },
		{ "[\"8.8.8.8:\", \"8.8.4.4:1\"]", "8.8.4.4:1", "'8.8.8.8:' is left out" },
		{ "[\"[2001:db8::1]x\", \"8.8.4.4\"]", "8.8.4.4:53", "is left out" },
		{ "[\"8.8.8.8\\u0000 {\"]", "/etc/resolv.conf", "left out" },
		{ "[7]", "/etc/resolv.conf", "left out" },
		{ "\"8.8.8.8\"", "/etc/resolv.conf", "left out" },
		{ "[\"8.8.8.8\"", "/etc/resolv.conf",
		  "upstreamNameservers: left out: it is not JSON (line 1)" },
	};
	char want[256];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put(config_map, "upstreamNameservers", cases[i].json);
		snprintf(want, sizeof(want), "forward . %s\n", cases[i].servers);
		expect(V4, "forward . __PILLAR__UPSTREAM__SERVERS__\n", want, cases[i].note);
	}
}

/* Older manifests force TCP upon resolv.conf's servers, which others need not have. */
static void test_upstreams_by_udp(void **state)
{
	static const char base[] = ".:53 {\n    forward . __PILLAR__UPSTREAM__SERVERS__ {\n"
				   "            force_tcp\n    }\n    errors\n}\n"
				   "a:53 {\n    forward . __PILLAR__CLUSTER__DNS__ {\n"
				   "            force_tcp\n    }\n}\n";
	static const char cluster[] = "a:53 {\n    forward . 10.96.0.11 {\n"
				      "            force_tcp\n    }\n}\n";
	char want[512];

	(void)state;
	snprintf(want, sizeof(want),
		 ".:53 {\n    forward . /etc/resolv.conf {\n"
		 "            force_tcp\n    }\n    errors\n}\n%s",
		 cluster);
	expect(V4, base, want, "");
	put(config_map, "upstreamNameservers", "[\"8.8.8.8\"]");
	/* as many lines as before */
	snprintf(want, sizeof(want),
		 ".:53 {\n    forward . 8.8.8.8:53  \n%21s\n%5s\n    errors\n}\n%s", "", "",
		 cluster);
	expect(V4, base, want, "");
}

/* "ZONE:PORT bind ADDR... to ADDR...;" for each block after the base's one. */
static void print_stubs(const struct corefile *cf, char *out)
{
	char ip[INET6_ADDRSTRLEN];

	*out = '\0';
	for (size_t i = 1; i < cf->blocks_len; i++) {
		const struct corefile_block *b = &cf->blocks[i];

		out += sprintf(out, "%s:%u", b->zones[0].text, b->port);
		assert_int_equal(b->zones_len, 1);
		assert_true(b->errors.enabled && b->cache.enabled);
		assert_int_equal(b->cache.success.ttl_s, 30);
		assert_int_equal(b->cache.denial.ttl_s, 30);
		assert_int_equal(b->forwards_len, 1);
		assert_string_equal(b->forwards[0].from.text, ".");
		for (size_t k = 0; k < b->binds_len; k++)
			out += sprintf(
				out, " %s",
				inet_ntop(
					b->binds[k].sa.sa_family,
					b->binds[k].sa.sa_family == AF_INET6
						? (const void *)&(
							  (const struct sockaddr_in6 *)&b->binds[k])
							  ->sin6_addr
						: &((const struct sockaddr_in *)&b->binds[k])
							   ->sin_addr,
					ip, sizeof(ip)));
		out += sprintf(out, " ->");
		for (size_t k = 0; k < b->forwards[0].upstreams_len; k++) {
			const union sockaddr_any *addr = &b->forwards[0].upstreams[k].addr;
			const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)addr;
			const struct sockaddr_in *v4 = (const struct sockaddr_in *)addr;
			bool is_v6 = addr->sa.sa_family == AF_INET6;

			inet_ntop(addr->sa.sa_family,
				  is_v6 ? (const void *)&v6->sin6_addr : &v4->sin_addr, ip,
				  sizeof(ip));
			out += sprintf(out, " %s|%u", ip, ntohs(v4->sin_port));
		}
		out += sprintf(out, ";");
	}
}

#define BASE(bind) ".:53 {\n cache\n " bind "\n forward . 192.0.2.1\n}\n"

static void expect_stubs(const char *localip, const char *base, const char *json, const char *want,
			 const char *want_note)
{
	struct run_options opts = options(localip);
	struct error err;
	struct conf conf;
	char got[4096];

	opts.setupinterface = NO;
	opts.mode = MODE_LISTEN;
	put(dir, "Corefile.base", base);
	put(config_map, "stubDomains", json);
	if (conf__load(&opts, &conf, &err))
		fail_msg("%s: %s", json, err.text);
	print_stubs(conf.cf, got);
	if (strcmp(got, want))
		fail_msg("%s: \"%s\", want \"%s\"", json, got, want);
	check_note(&conf.notes, want_note);
	conf__free(&conf);
}

static void test_stub_domains(void **state)
{
	static const struct {
		const char *localip, *json, *blocks, *note;
	} cases[] = {
		{ V4, "{\"acme.local\": [\"1.2.3.4\", \"1.2.3.5:54\"]}",
		  "acme.local.:53 169.254.20.10 10.96.0.10 -> 1.2.3.4|53 1.2.3.5|54;", "" },
		{ "", "{\"acme.local\": [\"1.2.3.4\"], \"my.cluster.local\": [\"fd00::1\"]}",
		  "acme.local.:53 -> 1.2.3.4|53;my.cluster.local.:53 -> fd00::1|53;", "" },
		{ V4, "{}", "", "" },
		{ V4, "null", "", "" },
		{ V4, "", "", "" },
		{ "", "{\"a b\": [\"1.2.3.4\"], \"ok.example\": [\"1.2.3.4\"]}",
		  "ok.example.:53 -> 1.2.3.4|53;", "'a b' is left out" },
		{ "", "{\"evil {\": [\"1.2.3.4\"]}", "", "'evil {' is left out" },
		{ "", "{\"a..b\": [\"1.2.3.4\"]}", "", "'a..b' is left out" },
		{ "", "{\"a.example\": []}", "", "" },
		{ "", "{\"a.example\": [\"x\"]}", "", "'x' is left out" },
		{ "", "[\"a.example\"]", "", "stubDomains: left out" },
		{ "", "{\"a.example\": ", "", "stubDomains: left out: it is not JSON (line 1)" },
		/* Nothing of it is ever text of a Corefile. */
		{ "",
		  "{\"corp.example\": [\"10.1.1.1:53\\n}\\nbank.example {\\n forward . 6.6.6.6\"]}",
		  "", "is left out: its port is not from 1 to 65535" },
		{ "", "{\"corp.example\": [\"10.1.1.1 6.6.6.6\"]}", "", "is left out" },
		{ "", "{\"corp.example\": [\"/etc/hostname\"]}", "",
		  "'/etc/hostname' is left out" },
		{ "", "{\"corp.example\": [\"10.1.1.1:dns\", \"10.1.1.2\"]}",
		  "corp.example.:53 -> 10.1.1.2|53;", "'10.1.1.1:dns' is left out" },
		{ "", "{\"a,b\": [\"10.1.1.1\"]}", "", "'a,b' is left out" },
		{ "", "{\"a:54\": [\"10.1.1.1\"]}", "", "'a:54' is left out" },
		{ "", "{\"{$HOME}\": [\"10.1.1.1\"]}", "", "is left out" },
		{ "", "{\"10.0.0.0/8\": [\"10.1.1.1\"]}", "", "is left out" },
		/* Each is named, not the last one alone. */
		{ "", "{\"a b\": [\"1.2.3.4\"], \"c d\": [\"1.2.3.4\"]}", "", "'a b' is left out" },
		{ "", "{\"a b\": [\"1.2.3.4\"], \"c d\": [\"1.2.3.4\"]}", "", "'c d' is left out" },
		/* A zone twice, and one of the base's. */
		{ "", "{\"A.example\": [\"1.2.3.4\"], \"a.example.\": [\"1.2.3.5\"]}",
		  "a.example.:53 -> 1.2.3.4|53;",
		  "'a.example.' is left out: a block has this zone" },
		{ "", "{\"a.example\": [\"1.2.3.4\"], \"a.example\": [\"1.2.3.5\"]}",
		  "a.example.:53 -> 1.2.3.5|53;", "a name is there twice" },
		{ V4, "{\".\": [\"1.2.3.4\"], \"a.example\": [\"1.2.3.5\"]}",
		  "a.example.:53 169.254.20.10 10.96.0.10 -> 1.2.3.5|53;",
		  "'.' is left out: a block" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_stubs(cases[i].localip, cases[i].localip[0] ? BASE("bind " BINDS) : BASE(""),
			     cases[i].json, cases[i].blocks, cases[i].note);
	/* Of the base's on another address: two answers for one name. */
	expect_stubs("10.0.0.1", BASE("bind 10.0.0.2"), "{\".\": [\"1.2.3.4\"]}", "",
		     "'.' is left out");
	expect_stubs("10.0.0.1", BASE("bind 10.0.0.2 10.0.0.1"), "{\"a.example\": [\"1.2.3.4\"]}",
		     "", "stubDomains: left out: ");
}

static void test_refused(void **state)
{
	static const struct {
		const char *base, *said;
	} cases[] = {
		{ "\n\n__PILLAR__DNS__DOMAIN__:53 {\n",
		  "base:3: __PILLAR__DNS__DOMAIN__: whoever installs the manifest replaces it" },
		{ "bind __PILLAR__NO__SUCH__\n", "base:1: __PILLAR__NO__SUCH__" },
	};
	struct run_options opts = options(V4);
	struct error err;
	const char *path;
	struct conf_notes notes;
	char *text;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put(dir, "Corefile.base", cases[i].base);
		assert_int_equal(text_of(&opts, &text, &path, &notes, &err), -EINVAL);
		if (!strstr(err.text, cases[i].said))
			fail_msg("\"%s\" does not hold \"%s\"", err.text, cases[i].said);
	}
	unsetenv(ENV);
	put(dir, "Corefile.base", "a\nforward . __PILLAR__CLUSTER__DNS__\n");
	assert_int_equal(text_of(&opts, &text, &path, &notes, &err), -EINVAL);
	assert_non_null(strstr(err.text, "base:2: __PILLAR__CLUSTER__DNS__"));
	assert_non_null(strstr(err.text, ENV));
	drop(dir, "Corefile.base");
	assert_int_equal(text_of(&opts, &text, &path, &notes, &err), -ENOENT);
	assert_non_null(strstr(err.text,
			       "Corefile.base: cannot be read: No such file or directory; "
			       "name a readable Corefile"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_placeholders, each),
		cmocka_unit_test_setup(test_upstream_nameservers, each),
		cmocka_unit_test_setup(test_upstreams_by_udp, each),
		cmocka_unit_test_setup(test_stub_domains, each),
		cmocka_unit_test_setup(test_refused, each),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
