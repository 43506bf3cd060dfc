// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Tests of libcni's cache, a file at a time. The samples are what libcni 1.1.2 wrote with the
 * plugins bridge and ptp; tests/ns/test_pod_names.py has it write them anew.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "link/cni_result.h"

#define SAMPLE(args, result)                                                                      \
	"{\"kind\":\"cniCacheV1\",\"containerId\":\"c1\",\"config\":\"e30=\",\"ifName\":\"eth0\"" \
	",\"networkName\":\"pods\",\"cniArgs\":[[\"IgnoreUnknown\",\"1\"]" args "],\"result\":"   \
	"{\"cniVersion\":\"0.4.0\",\"dns\":{}" result "}}"
#define POD(ns, name) ",[\"K8S_POD_NAMESPACE\",\"" ns "\"],[\"K8S_POD_NAME\",\"" name "\"]"
#define BRIDGE                                                                        \
	",\"interfaces\":[{\"mac\":\"52:45:76:41:ad:8c\",\"name\":\"cni0\"},"         \
	"{\"mac\":\"96:ca:e7:4a:88:2f\",\"name\":\"vethc907f69c\"},"                  \
	"{\"mac\":\"f2:50:2f:09:a2:09\",\"name\":\"eth0\",\"sandbox\":\"/run/a\"}],"  \
	"\"ips\":[{\"address\":\"10.245.0.2/24\",\"interface\":2,\"version\":\"4\"}," \
	"{\"address\":\"fd00:10:245::2/64\",\"interface\":2,\"version\":\"6\"}]"

static int parse(const char *text, struct cni_result *out)
{
	memset(out, 0xaa, sizeof(*out));
	return cni_result__parse(text, strlen(text), out);
}

static void assert_addr(const struct served_addr *addr, const char *wanted)
{
	char text[INET6_ADDRSTRLEN];

	assert_string_equal(served_addr__text(addr, text, sizeof(text)), wanted);
}

static void test_bridge(void **state)
{
	struct cni_result result;

	(void)state;
	assert_int_equal(parse(SAMPLE(POD("shop", "cart-7d9f"), BRIDGE), &result), 0);
	assert_string_equal(result.pod.ns, "shop");
	assert_string_equal(result.pod.name, "cart-7d9f");
	assert_int_equal(result.n_devices, 2);
	assert_string_equal(result.devices[0], "cni0");
	assert_string_equal(result.devices[1], "vethc907f69c");
	assert_int_equal(result.n_addrs, 2);
	assert_addr(&result.addrs[0], "10.245.0.2");
	assert_addr(&result.addrs[1], "fd00:10:245::2");
}

static void test_old_result(void **state)
{
	struct cni_result result;

	(void)state;
	assert_int_equal(parse(SAMPLE(POD("shop", "old"), ",\"ip4\":{\"ip\":\"10.1.0.9/16\"}"
							  ",\"ip6\":{\"ip\":\"fd00::9/64\"}"),
			       &result),
			 0);
	assert_int_equal(result.n_devices, 0);
	assert_int_equal(result.n_addrs, 2);
	assert_addr(&result.addrs[0], "10.1.0.9");
	assert_addr(&result.addrs[1], "fd00::9");
}

/* podman gives no namespace; a tool gives nothing. */
static void test_no_pod(void **state)
{
	struct cni_result result;

	(void)state;
	assert_int_equal(parse(SAMPLE(",[\"K8S_POD_NAME\",\"web_1\"]", BRIDGE), &result), 0);
	assert_string_equal(result.pod.ns, "");
	assert_string_equal(result.pod.name, "web_1");
	assert_int_equal(parse(SAMPLE("", BRIDGE), &result), -ENOENT);
	assert_int_equal(parse("{\"cniVersion\":\"0.3.1\",\"ips\":[]}", &result), -ENOENT);
	assert_int_equal(parse(SAMPLE(",[\"K8S_POD_NAME\",7],[7,8],9,[]", ""), &result), -ENOENT);
}

/* What is printed can only be a name. */
static void test_names(void **state)
{
	static const char *const bad[] = {
		POD("shop", "a\\u001b[31mred"),
		POD("shop", "a\\nerror: b"),
		POD("shop", "a b"),
		POD("shop", "a/b"),
		POD("shop", ""),
		POD("shop", "a\\u00e9"),
		POD("..\\u0007", "a"),
		POD("shop", "a\\u007f"),
		POD("sh@op", "a"),
	};
	char text[2048], name[300];
	struct cni_result result;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), SAMPLE("%s", ""), bad[i]);
		assert_int_equal(parse(text, &result), -EBADMSG);
	}
	for (size_t len = 250; len < 260; len++) {
		memset(name, 'x', len);
		name[len] = '\0';
		snprintf(text, sizeof(text), SAMPLE(POD("shop", "%s"), ""), name);
		assert_int_equal(parse(text, &result), len <= 253 ? 0 : -EBADMSG);
		snprintf(text, sizeof(text), SAMPLE(POD("%s", "cart"), ""), name + len - 64);
		assert_int_equal(parse(text, &result), -EBADMSG);
	}
	/* NUL is no JSON for jansson */
	assert_int_equal(parse(SAMPLE(POD("shop", "a\\u0000b"), ""), &result), -EINVAL);
}

static void test_no_json(void **state)
{
	static const char sample[] = SAMPLE(POD("shop", "cart"), BRIDGE);
	struct cni_result result;
	char deep[8192];

	(void)state;
	/* cut off anywhere, as a crash or a full disk leaves it; exact memory, for ASan */
	for (size_t len = 0; len < sizeof(sample) - 1; len++) {
		char *part = malloc(len ? len : 1);

		memcpy(part, sample, len);
		assert_int_equal(cni_result__parse(part, len, &result), -EINVAL);
		free(part);
	}
	assert_int_equal(parse("[]", &result), -EINVAL);
	assert_int_equal(parse("null", &result), -EINVAL);
	memset(deep, '[', sizeof(deep) - 1);
	deep[sizeof(deep) - 1] = '\0';
	assert_int_equal(parse(deep, &result), -EINVAL);
}

/* Of the wrong kind, too long, too many: left out. */
static void test_bounds(void **state)
{
	struct cni_result result;
	char text[8192], list[4096] = "";
	size_t at = 0;

	(void)state;
	assert_int_equal(parse(SAMPLE(POD("shop", "cart"),
				      ",\"interfaces\":[7,{},{\"name\":9},{\"name\":\"\"},"
				      "{\"name\":\"longer-than-15-characters\"},{\"name\":\"v0\"}],"
				      "\"ips\":[7,{},{\"address\":\"nonsense\"},{\"address\":9},"
				      "{\"address\":\"10.0.0.1/8\"}],\"ip4\":[]"),
			       &result),
			 0);
	assert_int_equal(result.n_devices, 1);
	assert_string_equal(result.devices[0], "v0");
	assert_int_equal(result.n_addrs, 1);
	for (int i = 0; i < 40; i++)
		at += sprintf(list + at, "%s{\"name\":\"v%d\",\"address\":\"10.0.0.%d\"}",
			      i ? "," : "", i, i);
	snprintf(text, sizeof(text),
		 SAMPLE(POD("shop", "cart"), ",\"interfaces\":[%s],\"ips\":[%s]"), list, list);
	assert_int_equal(parse(text, &result), 0);
	assert_int_equal(result.n_devices, CNI_MAX_DEVICES);
	assert_int_equal(result.n_addrs, CNI_MAX_ADDRS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bridge),	cmocka_unit_test(test_old_result),
		cmocka_unit_test(test_no_pod),	cmocka_unit_test(test_names),
		cmocka_unit_test(test_no_json), cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
