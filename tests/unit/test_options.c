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
#include <string.h>

#include "options.h"

#define MAX_ARGS 8

static int parse(struct run_options *opts, struct options_error *err, const char *const *args)
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
	struct options_error err;

	(void)state;
	assert_int_equal(parse(&opts, &err, (const char *const[]){ NULL }), 0);
	assert_string_equal(opts.conf, "/etc/Corefile");
	assert_string_equal(opts.bpffs, KERN_PIN_DIR);
	assert_int_equal(opts.n_localip, 0);
	assert_int_equal(opts.mode, MODE_AUTO);
	assert_int_equal(opts.hook, HOOK_AUTO);
	assert_int_equal(opts.capacity, 0);
	assert_int_equal(opts.bufsize, 1232);
	assert_int_equal(opts.lease_s, 60);
	assert_false(opts.persist);
	assert_null(opts.interfaces);
	assert_null(opts.exclude);
	assert_null(opts.pretend_kernel);
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
	struct options_error err;

	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		assert_int_equal(parse(&opts, &err, forms[i]), 0);
		assert_string_equal(opts.conf, "/x");
	}
}

static void test_localip(void **state)
{
	struct run_options opts;
	struct options_error err;
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
	struct options_error err;

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
	struct options_error err;

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
		{ { "--conf" }, "-conf: needs a value" },
		{ { "-localip" }, "-localip: needs a value" },
		{ { "--conf=" }, "-conf" },
		{ { "extra" }, "\"extra\": only flags" },
		{ { "--persist", "extra" }, "\"extra\"" },
		{ { "--persist=maybe" }, "-persist: \"maybe\"" },
		{ { "--mode=both" }, "steer, listen" },
		{ { "--hook=eth" }, "xdp-native" },
		{ { "-localip=10.0.0" }, "-localip" },
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
	};
	struct run_options opts, before;
	struct options_error err;

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

static void test_help(void **state)
{
	struct run_options opts;
	struct options_error err;

	(void)state;
	assert_int_equal(PARSE(&opts, &err, "--help"), -ECANCELED);
	assert_int_equal(PARSE(&opts, &err, "-conf", "x", "-help"), -ECANCELED);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),  cmocka_unit_test(test_one_and_two_dashes),
		cmocka_unit_test(test_localip),	  cmocka_unit_test(test_too_many_addresses),
		cmocka_unit_test(test_all_flags), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
