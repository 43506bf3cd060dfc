// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Flags: what is accepted, what it means, what is said of the rest.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/flags.h"

#define MAX_ARGS 8

static int parse(struct run_options *opts, struct error *err, const char *const *args)
{
	char *argv[MAX_ARGS + 2] = { (char *)"run" };
	int argc = 1;

	for (; args[argc - 1]; argc++)
		argv[argc] = (char *)args[argc - 1];
	memset(err, 0, sizeof(*err));
	return run_options__parse(opts, argc, argv, err);
}

#define PARSE(opts, err, ...) parse(opts, err, (const char *const[]){ __VA_ARGS__, NULL })

static void test_defaults(void **state)
{
	struct run_options opts;
	struct error err;

	(void)state;
	assert_int_equal(parse(&opts, &err, (const char *const[]){ NULL }), 0);
	assert_string_equal(opts.conf, "/etc/Corefile");
	assert_string_equal(opts.bpffs, NODENS_PIN_DIR);
	assert_int_equal(opts.n_localip, 0);
	assert_int_equal(opts.mode, MODE_AUTO);
	assert_int_equal(opts.hook, HOOK_AUTO);
	assert_int_equal(opts.capacity, 0);
	assert_int_equal(opts.bufsize, 4096);
	assert_int_equal(opts.lease_s, 60);
	assert_false(opts.persist);
	assert_null(opts.interfaces);
	assert_null(opts.exclude);
	assert_null(opts.pretend_kernel);
}

/* What is wrong with the others is said in it. */
static void test_log_format(void **state)
{
	char *argv[] = { (char *)"run", (char *)"-log-format", (char *)"json",
			 (char *)"-nonsense" };
	struct run_options opts;
	struct error err;

	(void)state;
	assert_int_equal(PARSE(&opts, &err, "-log-format", "journal"), 0);
	assert_int_equal(opts.log_format, LOG_FORMAT_JOURNAL);
	assert_int_equal(PARSE(&opts, &err, "-log-level", "debug"), 0);
	assert_int_equal(opts.log_format, LOG_FORMAT_AUTO);
	assert_int_equal(run_options__parse(&opts, 4, argv, &err), -EINVAL);
	assert_int_equal(run_options__log_format(4, argv), LOG_FORMAT_JSON);
}

static void test_one_and_two_dashes(void **state)
{
	static const char *const forms[][3] = {
		{ "-conf", "/x" },
		{ "--conf", "/x" },
		{ "-conf=/x" },
		{ "--conf=/x" },
	};
	struct run_options opts;
	struct error err;

	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		assert_int_equal(parse(&opts, &err, forms[i]), 0);
		assert_string_equal(opts.conf, "/x");
	}
}

static void test_localip(void **state)
{
	struct run_options opts;
	struct error err;
	char text[INET6_ADDRSTRLEN];

	(void)state;
	assert_int_equal(PARSE(&opts, &err, "-localip", "169.254.20.10, fd00::a,169.254.20.10"), 0);
	assert_int_equal(opts.n_localip, 2);
	assert_int_equal(opts.localip[0].family, AF_INET);
	assert_string_equal(inet_ntop(AF_INET, &opts.localip[0].v4, text, sizeof(text)),
			    "169.254.20.10");
	assert_int_equal(opts.localip[1].family, AF_INET6);
	assert_string_equal(inet_ntop(AF_INET6, &opts.localip[1].v6, text, sizeof(text)),
			    "fd00::a");
	/* Twice is more of it, as with a list. */
	assert_int_equal(PARSE(&opts, &err, "-localip=10.0.0.1", "-localip=10.0.0.2"), 0);
	assert_int_equal(opts.n_localip, 2);
	assert_int_equal(PARSE(&opts, &err, "-localip", ""), 0);
	assert_int_equal(opts.n_localip, 0);
}

static void test_too_many_addresses(void **state)
{
	char list[1024] = "";
	struct run_options opts;
	struct error err;

	(void)state;
	for (int i = 1; i <= NODENS_MAX_SERVED; i++)
		sprintf(list + strlen(list), "%s10.0.0.%d", i > 1 ? "," : "", i);
	assert_int_equal(PARSE(&opts, &err, "-localip", list), 0);
	assert_int_equal(opts.n_localip, NODENS_MAX_SERVED);
	strcat(list, ",fd00::1");
	assert_int_equal(PARSE(&opts, &err, "-localip", list), 0);
	strcat(list, ",10.0.1.1");
	assert_int_equal(PARSE(&opts, &err, "-localip", list), -EINVAL);
	assert_non_null(strstr(err.text, "more than 16"));
}

static void test_all_flags(void **state)
{
	struct run_options opts;
	struct error err;

	(void)state;
	assert_int_equal(PARSE(&opts, &err, "--mode=listen", "--hook=xdp-generic",
			       "--interfaces=veth*,lxc*", "--exclude=veth0", "--capacity=1000000",
			       "--bufsize=4096", "--lease=2", "--persist"),
			 0);
	assert_int_equal(opts.mode, MODE_LISTEN);
	assert_int_equal(opts.hook, HOOK_XDP_GENERIC);
	assert_string_equal(opts.interfaces, "veth*,lxc*");
	assert_string_equal(opts.exclude, "veth0");
	assert_int_equal(opts.capacity, 1000000);
	assert_int_equal(opts.bufsize, 4096);
	assert_int_equal(opts.lease_s, 2);
	assert_true(opts.persist);
	assert_int_equal(PARSE(&opts, &err, "-persist=false", "-bpffs", "/sys/fs/bpf/x",
			       "-pretend-kernel", "5.4", "-log-level", "debug", "-pidfile", "/p"),
			 0);
	assert_false(opts.persist);
	assert_string_equal(opts.bpffs, "/sys/fs/bpf/x");
	assert_string_equal(opts.pretend_kernel, "5.4");
	assert_int_equal(opts.log_level, LOG_LEVEL_DEBUG);
	assert_string_equal(opts.pidfile, "/p");
}

static void test_refused(void **state)
{
	static const struct {
		const char *args[3];
		const char *said; /* in the one line */
	} cases[] = {
		{ { "--bogus" }, "-bogus: no such flag" },
		{ { "--bogus=1" }, "-bogus: no such flag" },
		{ { "-x" }, "-x: no such flag" },
		/* Beginnings of names are no names. */
		{ { "-v=2" }, "-v: no such flag" },
		{ { "-vers" }, "-vers: no such flag" },
		{ { "--local", "10.0.0.1" }, "-local: no such flag" },
		{ { "-inter=veth*" }, "-inter: no such flag" },
		{ { "-=x" }, "-: no such flag" },
		{ { "---conf=/x" }, "--conf: no such flag" },
		{ { "-", "-conf" }, "\"-\": only flags" },
		{ { "--", "-conf" }, "\"-conf\": only flags" },
		{ { "--conf" }, "-conf: needs a value" },
		{ { "-localip" }, "-localip: needs a value" },
		{ { "--conf=" }, "-conf" },
		{ { "extra" }, "\"extra\": only flags" },
		{ { "--persist", "extra" }, "\"extra\"" },
		{ { "--persist=maybe" }, "-persist: \"maybe\"" },
		{ { "--mode=both" }, "steer, listen" },
		{ { "--hook=eth" }, "xdp-native" },
		{ { "-localip=10.0.0" }, "is not a list of IP addresses" },
		{ { "-localip", "169.254.20.10,$(KUBE_DNS_SERVICE_HOST)" },
		  "was not filled in by the kubelet" },
		{ { "-localip=10.0.0.1,," }, "-localip" },
		{ { "-localip=,10.0.0.1" }, "-localip" },
		{ { "-localip=0.0.0.0" }, "-localip" },
		{ { "-localip=::" }, "-localip" },
		{ { "-localip=::ffff:1.2.3.4" }, "-localip" },
		{ { "-localip=fe80::1%eth0" }, "-localip" },
		{ { "-localip=10.0.0.1:53" }, "-localip" },
		{ { "-localip=1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc" },
		  "-localip" },
		{ { "--capacity=0" }, "64 to 1000000" },
		{ { "--capacity=1000001" }, "64 to 1000000" },
		{ { "--capacity=-1" }, "64 to 1000000" },
		{ { "--capacity=1e5" }, "64 to 1000000" },
		{ { "--capacity=99999999999999999999999" }, "64 to 1000000" },
		{ { "--capacity=" }, "64 to 1000000" },
		{ { "--bufsize=511" }, "512 to 4096" },
		{ { "--bufsize=4097" }, "512 to 4096" },
		{ { "--lease=1" }, "seconds" },
		{ { "--lease=86401" }, "seconds" },
		{ { "--bpffs=relative" }, "absolute path" },
		{ { "--interfaces=" }, "globs" },
		{ { "--pretend-kernel=5" }, "5.4" },
		{ { "--pretend-kernel=5.4.1" }, "5.4" },
		{ { "--pretend-kernel=x" }, "5.4" },
		{ { "--log-level=loud" }, "debug" },
		{ { "--log-format=xml" }, "auto, text, json, journal" },
	};
	struct run_options opts, before;
	struct error err;

	(void)state;
	memset(&opts, 0x5a, sizeof(opts));
	before = opts;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(parse(&opts, &err, cases[i].args), -EINVAL);
		if (!strstr(err.text, cases[i].said))
			fail_msg("%s: \"%s\" does not hold \"%s\"", cases[i].args[0], err.text,
				 cases[i].said);
		assert_null(strchr(err.text, '\n'));
		assert_memory_equal(&opts, &before, sizeof(opts));
	}
}

static int parse_nodecache(struct run_options *opts, struct error *err, const char *const *args)
{
	char *argv[32] = { (char *)"/node-cache" };
	int argc = 1;

	for (; args[argc - 1]; argc++)
		argv[argc] = (char *)args[argc - 1];
	memset(err, 0, sizeof(*err));
	return run_options__parse(opts, argc, argv, err);
}

#define PARSE_NODECACHE(opts, err, ...) \
	parse_nodecache(opts, err, (const char *const[]){ __VA_ARGS__, NULL })

/* Every flag of node-cache: its default, a value, and what became of that. */
#define NUMBER(member) \
	NULL, NULL, offsetof(struct run_options, member), sizeof(((struct run_options *)0)->member)
#define TEXT(member) #member, NULL, offsetof(struct run_options, member), 0
#define IGNORED(why) NULL, why, 0, 0

static const struct nodecache_flag {
	const char *name, *value; /* NULL: a switch */
	const char *is_text, *ignored;
	size_t offset, size;
	const char *before, *after; /* texts */
	long before_number, after_number;
} nodecache_flags[] = {
	{ "localip", "169.254.20.10,fd00::a", NUMBER(n_localip), NULL, NULL, 0, 2 },
	{ "setupinterface", NULL, NUMBER(setupinterface), NULL, NULL, NO, YES },
	{ "interfacename", "nl0", TEXT(interfacename), "nodelocaldns", "nl0", 0, 0 },
	{ "setupiptables", NULL, IGNORED("-setupiptables"), NULL, NULL, 0, 0 },
	{ "setupebtables", NULL, IGNORED("-setupebtables"), NULL, NULL, 0, 0 },
	{ "skipteardown", NULL, NUMBER(skipteardown), NULL, NULL, false, true },
	{ "syncinterval", "60", IGNORED("-syncinterval"), NULL, NULL, 0, 0 },
	{ "syncinterval", "1m", IGNORED("-syncinterval"), NULL, NULL, 0, 0 },
	{ "initialdelay", "10", IGNORED("-initialdelay"), NULL, NULL, 0, 0 },
	{ "metrics-listen-address", "127.0.0.1:1", TEXT(metrics_address), "0.0.0.0:9353",
	  "127.0.0.1:1", 0, 0 },
	{ "health-port", "8080", IGNORED("-health-port"), NULL, NULL, 0, 0 },
	{ "basecorefile", "/b", TEXT(basecorefile), "/etc/coredns/Corefile.base", "/b", 0, 0 },
	{ "corefile", "/c", TEXT(conf), "/etc/Corefile", "/c", 0, 0 },
	{ "conf", "/d", TEXT(conf), "/etc/Corefile", "/d", 0, 0 },
	{ "kubednscm", "/k", TEXT(kubednscm), "/etc/kube-dns", "/k", 0, 0 },
	{ "kubednscm", "", TEXT(kubednscm), "/etc/kube-dns", "/etc/kube-dns", 0, 0 },
	{ "upstreamsvc", "kube-dns-upstream", TEXT(upstreamsvc), "kube-dns", "kube-dns-upstream", 0,
	  0 },
	{ "reloadwithsignal", NULL, IGNORED("-reloadwithsignal"), NULL, NULL, 0, 0 },
	{ "prometheus-listen-address", ":1", TEXT(prometheus_address), ":9253", ":1", 0, 0 },
	{ "pidfile", "/tmp/node-cache.pid", TEXT(pidfile), NULL, "/tmp/node-cache.pid", 0, 0 },
	{ "dns.port", "5353", NUMBER(dns_port), NULL, NULL, 53, 5353 },
	{ "p", "5353", NUMBER(dns_port), NULL, NULL, 53, 5353 },
	{ "plugins", NULL, NUMBER(show), NULL, NULL, SHOW_NOTHING, SHOW_PLUGINS },
	{ "version", NULL, NUMBER(show), NULL, NULL, SHOW_NOTHING, SHOW_VERSION },
	{ "quiet", NULL, NUMBER(log_level), NULL, NULL, LOG_LEVEL_INFO, LOG_LEVEL_WARN },
};

static long number_at(const struct run_options *opts, const struct nodecache_flag *flag)
{
	const char *at = (const char *)opts + flag->offset;

	switch (flag->size) {
	case 1:
		return *(const uint8_t *)at;
	case 2:
		return *(const uint16_t *)at;
	default:
		assert_int_equal(flag->size, 4);
		return *(const int *)at;
	}
}

static void check_flag(const struct nodecache_flag *flag, const struct run_options *opts,
		       bool given)
{
	const char *want = given ? flag->after : flag->before;
	const char *text =
		flag->is_text ? *(const char *const *)((const char *)opts + flag->offset) : NULL;

	if (flag->ignored) {
		/* taken, with one line that says why nothing is done about it */
		assert_int_equal(opts->n_ignored, given ? 1 : 0);
		if (given && strncmp(opts->ignored[0], flag->ignored, strlen(flag->ignored)))
			fail_msg("-%s: \"%s\"", flag->name, opts->ignored[0]);
	} else if (!flag->is_text) {
		if (number_at(opts, flag) != (given ? flag->after_number : flag->before_number))
			fail_msg("-%s: %ld", flag->name, number_at(opts, flag));
	} else if (!want != !text || (want && strcmp(want, text))) {
		fail_msg("-%s: \"%s\"", flag->name, text ? text : "(null)");
	}
}

static void test_nodecache_flags(void **state)
{
	struct run_options opts;
	struct error err;
	char joined[2][96], apart[2][96];

	(void)state;
	for (size_t i = 0; i < sizeof(nodecache_flags) / sizeof(nodecache_flags[0]); i++) {
		const struct nodecache_flag *flag = &nodecache_flags[i];

		assert_int_equal(parse_nodecache(&opts, &err, (const char *const[]){ NULL }), 0);
		check_flag(flag, &opts, false);
		for (int dashes = 1; dashes <= 2; dashes++) {
			char *with = joined[dashes - 1], *alone = apart[dashes - 1];

			snprintf(alone, 96, "%s%s", "--" + 2 - dashes, flag->name);
			snprintf(with, 96, "%s=%s", alone, flag->value ? flag->value : "true");
			if (PARSE_NODECACHE(&opts, &err, with))
				fail_msg("%s", err.text);
			check_flag(flag, &opts, true);
			if (flag->value ? PARSE_NODECACHE(&opts, &err, alone, flag->value)
					: PARSE_NODECACHE(&opts, &err, alone))
				fail_msg("%s", err.text);
			check_flag(flag, &opts, true);
			assert_true(opts.nodecache);
		}
	}
}

/* node-cache's manifests, word for word. */
static void test_nodecache_manifests(void **state)
{
	struct run_options opts;
	struct error err;

	(void)state;
	assert_int_equal(PARSE_NODECACHE(&opts, &err, "-localip", "169.254.20.10,10.96.0.10",
					 "-conf", "/etc/Corefile", "-upstreamsvc",
					 "kube-dns-upstream", "-pidfile", "/tmp/node-cache.pid"),
			 0);
	assert_int_equal(opts.setupinterface, YES);
	assert_int_equal(opts.n_localip, 2);
	assert_int_equal(opts.n_ignored, 0);
	assert_int_equal(PARSE_NODECACHE(&opts, &err, "-localip", "169.254.20.10,10.96.0.10",
					 "-conf", "/etc/Corefile", "-upstreamsvc",
					 "kube-dns-upstream", "-skipteardown=true",
					 "-setupinterface=false", "-setupiptables=false"),
			 0);
	assert_int_equal(opts.setupinterface, NO);
	assert_true(opts.skipteardown);
	assert_int_equal(opts.n_ignored, 1);
	/* -conf wins over -corefile, in whatever order. */
	assert_int_equal(PARSE_NODECACHE(&opts, &err, "-conf", "/a", "-corefile", "/b"), 0);
	assert_string_equal(opts.conf, "/a");
	assert_int_equal(PARSE_NODECACHE(&opts, &err, "-corefile", "/b", "-conf", "/a"), 0);
	assert_string_equal(opts.conf, "/a");
	/* One line, however often it is given. */
	assert_int_equal(PARSE_NODECACHE(&opts, &err, "-setupiptables", "-setupiptables=false"), 0);
	assert_int_equal(opts.n_ignored, 1);
	/* `nodens run` makes no link unless it is told to. */
	assert_int_equal(PARSE(&opts, &err, "-localip", "169.254.20.10"), 0);
	assert_int_equal(opts.setupinterface, UNSET);
	assert_int_equal(PARSE(&opts, &err, "-setupinterface"), 0);
	assert_int_equal(opts.setupinterface, YES);
	/* In front of a node-cache its port of metrics is left to it. */
	assert_int_equal(PARSE_NODECACHE(&opts, &err, "-mode=front", "-localip=169.254.20.10"), 0);
	assert_string_equal(opts.metrics_address, "");
	assert_int_equal(PARSE_NODECACHE(&opts, &err, "-metrics-listen-address=:1", "-mode=front",
					 "-localip=169.254.20.10"),
			 0);
	assert_string_equal(opts.metrics_address, ":1");
}

static void test_nodecache_refused(void **state)
{
	static const struct {
		const char *arg, *said;
	} cases[] = {
		{ "-setupinterface=maybe", "-setupinterface: \"maybe\"" },
		{ "-interfacename=", "1 to 15 characters" },
		{ "-interfacename=a-name-of-16-char", "1 to 15 characters" },
		{ "-interfacename=a/b", "1 to 15 characters" },
		{ "-dns.port=0", "1 to 65535" },
		{ "-dns.port=65536", "1 to 65535" },
		{ "-upstreamsvc=Kube_DNS", "-upstreamsvc" },
		{ "-upstreamsvc=", "-upstreamsvc" },
		{ "-basecorefile=", "-basecorefile" },
		{ "-metrics-listen-address=9353", "[IP]:PORT" },
		{ "-prometheus-listen-address=9253", "[IP]:PORT" },
		{ "-version=x", "-version: \"x\"" },
	};
	struct run_options opts;
	struct error err;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(PARSE_NODECACHE(&opts, &err, cases[i].arg), -EINVAL);
		if (!strstr(err.text, cases[i].said))
			fail_msg("%s: \"%s\"", cases[i].arg, err.text);
	}
}

static void test_help(void **state)
{
	struct run_options opts;
	struct error err;

	(void)state;
	assert_int_equal(PARSE(&opts, &err, "--help"), -ECANCELED);
	assert_int_equal(PARSE(&opts, &err, "-h"), -ECANCELED);
	assert_int_equal(PARSE(&opts, &err, "-conf", "x", "-help"), -ECANCELED);
}

/* What is printed of flags and given again is the same, for every flag that keeps something. */
static void test_printed(void **state)
{
	static const char *const given[] = {
		"-conf=/x",
		"-localip=10.0.0.1,fd00::a",
		"-mode=listen",
		"-hook=xdp-native",
		"-interfaces=v*",
		"-exclude=veth0",
		"-capacity=640",
		"-bufsize=4096",
		"-lease=3",
		"-persist=true",
		"-device-counts=false",
		"-bpffs=/b",
		"-pretend-kernel=5.4",
		"-cni-results=/r",
		"-pidfile=/p",
		"-basecorefile=/c",
		"-kubednscm=/k",
		"-upstreamsvc=u",
		"-setupinterface=true",
		"-interfacename=nl0",
		"-skipteardown=true",
		"-prometheus-listen-address=:1",
		"-metrics-listen-address=:2",
		"-tls-enabled=true",
		"-tls-cert-file=/t.crt",
		"-tls-private-key-file=/t.key",
		"-client-ca-file=/ca",
		"-client-auth-type=RequireAndVerifyClientCert",
		"-tls-min-version=VersionTLS13",
		"-dns.port=54",
		"-ignore-unsupported=true",
		"-log-level=debug",
		"-log-format=json",
	};
	const size_t n = sizeof(given) / sizeof(given[0]);
	char *argv[sizeof(given) / sizeof(given[0]) + 1] = { (char *)"run" };
	struct run_options opts;
	struct error err;
	char *text = NULL, *line, *rest;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	memcpy(argv + 1, given, sizeof(given));
	if (run_options__parse(&opts, n + 1, argv, &err))
		fail_msg("%s", err.text);
	run_options__print(&opts, out);
	fclose(out);
	line = strtok_r(text, "\n", &rest);
	for (size_t i = 0; i < n; i++, line = strtok_r(NULL, "\n", &rest)) {
		assert_non_null(line);
		assert_memory_equal(line, "# ", 2);
		assert_string_equal(line + 2, given[i]);
	}
	assert_null(line);
	free(text);
	/* What was not given and has no default is not there. */
	assert_int_equal(PARSE(&opts, &err, "-conf=/a\nb"), 0);
	out = open_memstream(&text, &size);
	run_options__print(&opts, out);
	fclose(out);
	assert_non_null(strstr(text, "# -conf=/a?b\n"));
	assert_null(strstr(text, "localip"));
	assert_null(strstr(text, "capacity"));
	free(text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_log_format),
		cmocka_unit_test(test_one_and_two_dashes),
		cmocka_unit_test(test_localip),
		cmocka_unit_test(test_too_many_addresses),
		cmocka_unit_test(test_all_flags),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_nodecache_flags),
		cmocka_unit_test(test_nodecache_manifests),
		cmocka_unit_test(test_nodecache_refused),
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_printed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
