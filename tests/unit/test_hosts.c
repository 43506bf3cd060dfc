// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Hosts files: what is read of them, what is answered, and what a change of the file brings.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "plugin/hosts.h"
#include "plugin_fixture.h"

static char path[] = "/tmp/nodens-hosts-XXXXXX";

static void write_file(const char *text)
{
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	fputs(text, out);
	assert_int_equal(fclose(out), 0);
}

struct fixture {
	struct plugin_fixture local;
	struct hosts *hosts;
};

/* %s: the file */
static void open_fixture(struct fixture *f, const char *format)
{
	char text[2048];

	snprintf(text, sizeof(text), format, path);
	plugin_fixture_open(&f->local, text);
	assert_int_equal(
		hosts__open(&f->local.block->hosts, &f->local.zones, &f->hosts, &f->local.err), 0);
}

static void close_fixture(struct fixture *f)
{
	hosts__close(f->hosts);
	plugin_fixture_close(&f->local);
}

static const char *ask(const struct fixture *f, const char *name, const char *type)
{
	struct dns_name qname = name_of(name);
	struct plugin_query query = { &qname, type_of(type), DNS_CLASS_IN, 0, NULL };
	struct answer *answer = NULL;
	enum plugin_result result = hosts__answer(f->hosts, &query, &answer);

	return result_text(result, answer);
}

struct row {
	const char *name, *type, *want;
};

static void check(const struct fixture *f, const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *got = ask(f, rows[i].name, rows[i].type);

		if (strcmp(got, rows[i].want))
			fail_msg("%s %s: got \"%s\", want \"%s\"", rows[i].name, rows[i].type, got,
				 rows[i].want);
	}
}

#define CHECK(f, rows) check(f, rows, sizeof(rows) / sizeof(rows[0]))

static void test_lines(void **state)
{
	static const struct row rows[] = {
		{ "a.test", "A", "NOERROR a.test. 3600 IN A 192.0.2.1" },
		{ "b.test", "A", "NOERROR b.test. 3600 IN A 192.0.2.1" },
		{ "a.test", "AAAA", "NOERROR" },
		{ "a.test", "MX", "NOERROR" },
		{ "a.test", "ANY", "NOERROR" },
		{ "tab.test", "A", "NOERROR tab.test. 3600 IN A 192.0.2.2" },
		{ "upper.test", "A", "NOERROR upper.test. 3600 IN A 192.0.2.3" },
		{ "dot.test", "A", "NOERROR dot.test. 3600 IN A 192.0.2.3" },
		{ "two.test", "A",
		  "NOERROR two.test. 3600 IN A 192.0.2.4, two.test. 3600 IN A 192.0.2.5" },
		{ "two.test", "AAAA", "NOERROR two.test. 3600 IN AAAA 2001:db8::4" },
		{ "zone.test", "AAAA", "NOERROR zone.test. 3600 IN AAAA fe80::1" },
		{ "mapped.test", "A", "NOERROR mapped.test. 3600 IN A 192.0.2.6" },
		{ "mapped.test", "AAAA", "NOERROR" },
		{ "last.test", "A", "NOERROR last.test. 3600 IN A 192.0.2.8" },
		{ "after.test", "A", "NOERROR after.test. 3600 IN A 192.0.2.7" },
		{ "comment.test", "A", "SERVFAIL" },
		{ "bad1.test", "A", "SERVFAIL" },
		{ "bad2.test", "A", "SERVFAIL" },
		{ "bad3.test", "A", "SERVFAIL" },
		{ "none.test", "A", "SERVFAIL" },
		{ "x.a.test", "A", "SERVFAIL" },
		{ "elsewhere.example", "A", "NEXT" },
		{ "there.example", "A", "NEXT" }, /* in the file, but of no zone of the block */
		{ "1.2.0.192.in-addr.arpa", "PTR",
		  "NOERROR 1.2.0.192.in-addr.arpa. 3600 IN PTR a.test., "
		  "1.2.0.192.in-addr.arpa. 3600 IN PTR b.test." },
		{ "6.2.0.192.in-addr.arpa", "PTR",
		  "NOERROR 6.2.0.192.in-addr.arpa. 3600 IN PTR mapped.test." },
		{ "4.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", "PTR",
		  "NOERROR "
		  "4.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa."
		  " 3600 IN PTR two.test." },
		{ "9.2.0.192.in-addr.arpa", "PTR", "NEXT" },
		{ "1.2.0.192.in-addr.arpa", "A", "SERVFAIL" },
		{ "2.0.192.in-addr.arpa", "PTR", "NEXT" },
		{ "1.2.0.256.in-addr.arpa", "PTR", "NEXT" },
		{ "0001.2.0.192.in-addr.arpa", "PTR", "NEXT" },
		{ "1.1.2.0.192.in-addr.arpa", "PTR", "NEXT" },
		{ "g.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", "PTR",
		  "NEXT" },
		{ "4.8.b.d.0.1.0.0.2.ip6.arpa", "PTR", "NEXT" },
		{ "in-addr.arpa", "PTR", "NEXT" },
		{ "a.test", "PTR", "NEXT" },
	};
	static char text[20000] = "# comment.test\n\n"
				  "192.0.2.1 a.test b.test # comment.test\n"
				  "\t192.0.2.2\ttab.test\t\r\n"
				  "192.0.2.3 UPPER.Test dot.test.\n"
				  "192.0.2.4 two.test\n192.0.2.5 two.test\n192.0.2.4 two.test\n"
				  "2001:db8::4 two.test\nfe80::1%eth0 zone.test\n"
				  "::ffff:192.0.2.6 mapped.test\n"
				  "192.0.2 bad1.test\nnonsense bad2.test\n192.0.2.1\n:: \n"
				  "192.0.2.9 bad3..test .bad3.test\n192.0.2.9 there.example\n"
				  "192.0.2.8";
	struct fixture f;

	(void)state;
	/* one line longer than any buffer */
	for (int i = 0; i < 900; i++)
		snprintf(text + strlen(text), 32, " many%d.test", i);
	strcat(text, " last.test\n192.0.2.7 after.test");
	write_file(text);
	open_fixture(&f, "test 2.0.192.in-addr.arpa ip6.arpa {\n hosts %s\n}\n");
	CHECK(&f, rows);
	close_fixture(&f);
}

static void test_options(void **state)
{
	static const struct row rows[] = {
		{ "file.a.test", "A", "NOERROR file.a.test. 7 IN A 192.0.2.1" },
		{ "in.a.test", "A", "NOERROR in.a.test. 7 IN A 192.0.2.2" },
		{ "in.a.test", "AAAA", "NOERROR in.a.test. 7 IN AAAA 2001:db8::2" },
		{ "file.b.test", "A", "NEXT" },
		{ "x.a.test", "A", "SERVFAIL" },
		{ "x.c.a.test", "A", "NEXT" },
		{ "c.a.test", "A", "NEXT" },
		{ "xc.a.test", "A", "SERVFAIL" },
		{ "1.2.0.192.in-addr.arpa", "PTR", "NEXT" },
	};
	struct fixture f;

	(void)state;
	write_file("192.0.2.1 file.a.test file.b.test\n");
	open_fixture(&f,
		     "test {\n hosts %s a.test {\n 192.0.2.2 in.a.test\n 2001:db8::2 in.a.test\n"
		     " ttl 7\n no_reverse\n fallthrough c.a.test\n}\n}\n");
	CHECK(&f, rows);
	close_fixture(&f);
}

static void test_no_file(void **state)
{
	static const struct row rows[] = {
		{ "in.test", "A", "NOERROR in.test. 3600 IN A 192.0.2.2" },
		{ "x.test", "A", "NEXT" },
	};
	struct fixture f;

	(void)state;
	unlink(path);
	open_fixture(&f, "test {\n hosts %s {\n 192.0.2.2 in.test\n fallthrough\n}\n}\n");
	CHECK(&f, rows);
	close_fixture(&f);
}

/* plugin/hosts/wildcard_test.go has the rules: one label, per family, and the file apart from the
 * Corefile. */
static void test_wildcards(void **state)
{
	static const struct row rows[] = {
		{ "x.w.test", "A", "NOERROR x.w.test. 3600 IN A 192.0.2.1" },
		{ "*.w.test", "A", "NOERROR *.w.test. 3600 IN A 192.0.2.1" },
		{ "x.w.test", "AAAA", "NOERROR" },
		{ "x.w.test", "MX", "NOERROR" },
		{ "x.y.w.test", "A", "NEXT" },
		{ "w.test", "A", "NEXT" },
		{ "test", "A", "NEXT" },
		/* a name of its own hides it, of this family */
		{ "own.w.test", "A", "NOERROR own.w.test. 3600 IN A 192.0.2.2" },
		{ "own6.w.test", "AAAA", "NOERROR own6.w.test. 3600 IN AAAA 2001:db8::3" },
		{ "own6.w.test", "A", "NOERROR own6.w.test. 3600 IN A 192.0.2.1" },
		/* of this file */
		{ "x.both.test", "A",
		  "NOERROR x.both.test. 3600 IN A 192.0.2.4, x.both.test. 3600 IN A 192.0.2.5" },
		{ "y.both.test", "A",
		  "NOERROR y.both.test. 3600 IN A 192.0.2.6, y.both.test. 3600 IN A 192.0.2.5" },
		{ "same.test", "A", "NOERROR same.test. 3600 IN A 192.0.2.7" },
		{ "1.2.0.192.in-addr.arpa", "PTR", "NEXT" },
		{ "x.wtest", "A", "NEXT" },
	};
	struct dns_name made = name_of("x.w.test"), own = name_of("own.w.test"),
			deeper = name_of("x.y.w.test");
	struct fixture f;

	(void)state;
	write_file("192.0.2.1 *.W.test\n192.0.2.2 own.w.test\n2001:db8::3 own6.w.test\n"
		   "192.0.2.4 *.both.test\n192.0.2.6 y.both.test\n192.0.2.7 same.test\n"
		   "192.0.2.8 * *.\n");
	open_fixture(&f, "test {\n hosts %s {\n 192.0.2.5 *.both.test\n 192.0.2.7 same.test\n"
			 " fallthrough\n}\n}\n");
	CHECK(&f, rows);
	assert_true(hosts__has(f.hosts, &made) && hosts__below(f.hosts, &made));
	assert_false(hosts__lists(f.hosts, &made));
	assert_true(hosts__has(f.hosts, &own) && hosts__lists(f.hosts, &own));
	assert_false(hosts__has(f.hosts, &deeper) || hosts__below(f.hosts, &deeper));
	close_fixture(&f);
}

static void test_fallthrough_unsupported(void **state)
{
	static const struct row rows[] = {
		{ "a.in.test", "A", "NOERROR a.in.test. 3600 IN A 192.0.2.1" },
		{ "a.in.test", "AAAA", "NOERROR" },
		{ "a.in.test", "MX", "NEXT" },
		{ "x.in.test", "MX", "NEXT" },
		{ "x.in.test", "A", "NEXT" },
		/* no fallthrough there */
		{ "a.out.test", "MX", "NOERROR" },
		{ "x.out.test", "MX", "SERVFAIL" },
	};
	struct fixture f;

	(void)state;
	write_file("192.0.2.1 a.in.test a.out.test\n");
	open_fixture(&f, "test {\n hosts %s {\n fallthrough in.test\n fallthrough_unsupported\n}\n"
			 "}\n");
	CHECK(&f, rows);
	close_fixture(&f);
}

/* ---- reload ---- */

static void test_reload(void **state)
{
	struct timespec past[2] = { { .tv_sec = 1000000 }, { .tv_sec = 1000000 } };
	struct fixture f;

	(void)state;
	write_file("192.0.2.1 a.test\n");
	open_fixture(&f, "test {\n hosts %s {\n reload 5s\n}\n}\n");
	assert_int_equal(hosts__reload(f.hosts, 1), 0);
	write_file("192.0.2.2 a.test b.test\n");
	assert_int_equal(hosts__reload(f.hosts, 4000000000), 0); /* not looked at yet */
	assert_string_equal(ask(&f, "a.test", "A"), "NOERROR a.test. 3600 IN A 192.0.2.1");
	assert_int_equal(hosts__reload(f.hosts, 5000000001), 1);
	assert_string_equal(ask(&f, "a.test", "A"), "NOERROR a.test. 3600 IN A 192.0.2.2");
	assert_int_equal(hosts__count(f.hosts), 2);
	/* gone: what it said holds */
	unlink(path);
	assert_int_equal(hosts__reload(f.hosts, 20000000000), 0);
	assert_string_equal(ask(&f, "b.test", "A"), "NOERROR b.test. 3600 IN A 192.0.2.2");
	write_file("192.0.2.3 a.test\n");
	assert_int_equal(hosts__reload(f.hosts, 30000000000), 1);
	assert_string_equal(ask(&f, "b.test", "A"), "SERVFAIL");
	/* the same size, an older time */
	write_file("192.0.2.4 a.test\n");
	assert_int_equal(utimensat(AT_FDCWD, path, past, 0), 0);
	assert_int_equal(hosts__reload(f.hosts, 40000000000), 1);
	assert_string_equal(ask(&f, "a.test", "A"), "NOERROR a.test. 3600 IN A 192.0.2.4");
	/* unchanged */
	assert_int_equal(hosts__reload(f.hosts, 50000000000), 0);
	close_fixture(&f);

	open_fixture(&f, "test {\n hosts %s {\n reload 0s\n}\n}\n");
	write_file("192.0.2.5 a.test\n");
	assert_int_equal(hosts__reload(f.hosts, 90000000000), 0);
	close_fixture(&f);
}

/* ---- many ---- */

struct seen {
	unsigned int a, aaaa, ptr, stop_after;
};

static bool see(void *ctx, const struct dns_name *name, uint16_t qtype)
{
	struct seen *seen = ctx;

	assert_true(name->len > 1);
	seen->a += qtype == DNS_TYPE_A;
	seen->aaaa += qtype == DNS_TYPE_AAAA;
	seen->ptr += qtype == DNS_TYPE_PTR;
	return seen->a + seen->aaaa + seen->ptr != seen->stop_after;
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void test_blocklist(void **state)
{
	struct seen seen = { .stop_after = 0 };
	FILE *out = fopen(path, "w");
	struct dns_name below = name_of("x9.test"), nothing = name_of("y.test");
	struct fixture f;
	double start;

	(void)state;
	for (int i = 0; i < 100000; i++)
		fprintf(out, "0.0.0.0 ad%d.x%d.test\n", i, i % 10);
	fputs("192.0.2.1 a.test a.test b.test\n2001:db8::1 a.test\n", out);
	/* whose bucket may be full of 0.0.0.0's names */
	for (int i = 1; i < 250; i++)
		fprintf(out, "10.0.0.%d n%d.test\n", i, i);
	fclose(out);
	start = seconds();
	open_fixture(&f, "test in-addr.arpa {\n hosts %s\n}\n");
	assert_true(seconds() - start < 5); /* 0.07 s on a slow machine */
	assert_int_equal(hosts__count(f.hosts), 100000 + 3 + 249);
	hosts__each(f.hosts, see, &seen);
	/* each name once, each address once */
	assert_int_equal(seen.a, 100000 + 2 + 249);
	assert_int_equal(seen.aaaa, seen.a);
	assert_int_equal(seen.ptr, 1 + 2 + 249);
	for (int i = 1; i < 250; i++) {
		char name[64], want[128];

		snprintf(name, sizeof(name), "%d.0.0.10.in-addr.arpa.", i);
		snprintf(want, sizeof(want), "NOERROR %s 3600 IN PTR n%d.test.", name, i);
		assert_string_equal(ask(&f, name, "PTR"), want);
	}
	seen = (struct seen){ .stop_after = 10 };
	hosts__each(f.hosts, see, &seen);
	assert_int_equal(seen.a + seen.aaaa + seen.ptr, 10);
	assert_true(hosts__below(f.hosts, &below));
	assert_true(hosts__below(f.hosts, &nothing)); /* so many are not looked through */
	close_fixture(&f);
	write_file("10.0.0.1 a.x9.test\n");
	open_fixture(&f, "test {\n hosts %s\n}\n");
	assert_true(hosts__below(f.hosts, &below));
	assert_false(hosts__below(f.hosts, &nothing));
	close_fixture(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_no_file),
		cmocka_unit_test(test_reload),
		cmocka_unit_test(test_blocklist),
		cmocka_unit_test(test_wildcards),
		cmocka_unit_test(test_fallthrough_unsupported),
	};
	int fd = mkstemp(path), ret;

	if (fd < 0)
		return 1;
	close(fd);
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return ret;
}
