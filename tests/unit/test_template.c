// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Templates: what is read of their text, what they answer, what is known before anybody asks, and
 * that no expression takes long.
 */
#include <errno.h>
#include <time.h>

#include "plugin_fixture.h"
#include "base/regex.h"
#include "plugin/template.h"
#include "config/template_text.h"

struct fixture {
	struct plugin_fixture local;
	struct templates *templates;
};

static void open_fixture(struct fixture *f, const char *text)
{
	const struct corefile_block *block;

	plugin_fixture_open(&f->local, text);
	block = f->local.block;
	if (template__open(block->templates, block->templates_len, &f->local.zones, &f->templates,
			   &f->local.err))
		fail_msg("%s", f->local.err.text);
}

static void close_fixture(struct fixture *f)
{
	template__close(f->templates);
	plugin_fixture_close(&f->local);
}

static const char *ask(const struct fixture *f, const char *name, const char *type,
		       const struct ede **ede)
{
	struct dns_name qname = name_of(name);
	struct plugin_query query = { &qname, type_of(type), DNS_CLASS_IN, 0, NULL };
	struct answer *answer = NULL;
	enum plugin_result result = template__answer(f->templates, &query, &answer, ede);

	return result_text(result, answer);
}

/* ---- text with actions ---- */

static void test_forms(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "plain", "plain" },
		{ "", "" },
		{ "{{ .Name }}", "ab-1f.x.test." },
		{ "{{.Name}}", "ab-1f.x.test." },
		{ "a {{- \" \" -}} b", NULL },
		{ "a  {{- .Type -}}  b", "aAAAAb" },
		{ "a  {{ .Type }}  b", "a  AAAA  b" },
		{ "{{ .Class }} {{ .Zone }}", "IN test." },
		{ "{{ .Group.word }}/{{ .Group.hex }}", "ab/1f" },
		{ "{{ .Group.1 }}", "ab" },
		{ "{{ index .Match 0 }} {{ index .Match 2 }}", "ab-1f.x. 1f" },
		{ "{{ index .Group \"hex\" }}", "1f" },
		{ "{{ parseInt .Group.hex 16 8 }}", "31" },
		{ "{{ parseInt .Group.word 16 8 }}", "171" },
		{ "{{ parseInt .Group.hex 16 4 }}", "error" },
		{ "{{ parseInt .Group.hex 10 8 }}", "error" },
		{ "{{ .Group.nosuch }}", "error" },
		{ "{{ index .Match 4 }}", "error" },
		{ "{{ .Group.optional }}.", "." },
		/* what is not supported says so */
		{ "{{ .Remote }}", NULL },
		{ "{{ .Meta \"x\" }}", NULL },
		{ "{{ .Question.Name }}", NULL },
		{ "{{ .Message.Id }}", NULL },
		{ "{{ .Names }}", NULL },
		{ "{{ .Name", NULL },
		{ "{{ }}", NULL },
		{ "{{}}", NULL },
		{ "{{ .Name | printf \"%s\" }}", NULL },
		{ "{{ if .Name }}x{{ end }}", NULL },
		{ "{{ range .Match }}{{ . }}{{ end }}", NULL },
		{ "{{ $x }}", NULL },
		{ "{{ index .Match }}", NULL },
		{ "{{ index .Match x }}", NULL },
		{ "{{ index .Match 64 }}", NULL },
		{ "{{ index .Group \"x }}", NULL },
		{ "{{ parseInt .Group.a 1 8 }}", NULL },
		{ "{{ parseInt .Group.a 16 65 }}", NULL },
		{ "{{ parseInt .Group.a 16 }}", NULL },
		{ "{{ .Group. }}", NULL },
	};
	struct template_values values = {
		.name = "ab-1f.x.test.", .type = "AAAA", .class = "IN", .zone = "test."
	};
	struct regex_budget budget = { 0 };
	struct regex *regex;
	char why[256], out[64];

	(void)state;
	assert_int_equal(regex__open("^(?P<word>[a-z]+)-(?P<hex>[0-9a-f]+)[.]x[.](?P<optional>y)?",
				     &regex, why, sizeof(why)),
			 0);
	assert_true(regex__match(regex, values.name, &budget, &values.match));
	values.regex = regex;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct record_template *record = NULL;
		int ret = record_template__parse(rows[i].text, &record, why, sizeof(why));

		if (!!ret != !rows[i].want)
			fail_msg("%s: read: %d", rows[i].text, ret);
		if (ret) {
			assert_non_null(strstr(why, "write .Name"));
			continue;
		}
		if (record_template__execute(record, &values, out, sizeof(out)))
			strcpy(out, "error");
		assert_string_equal(out, rows[i].want);
		/* no room */
		if (strcmp(out, "error") && *out)
			assert_true(record_template__execute(record, &values, out,
							     strlen(rows[i].want)) < 0);
		record_template__free(record);
	}
	regex__close(regex);
}

/* ---- answers ---- */

#define NIBBLES "[.](?P<n%d>[0-9a-f])"

static void test_answers(void **state)
{
	/* the examples of CoreDNS' documentation, and corners */
	static const char text[] =
		"test {\n"
		" template IN A a.test {\n"
		"  match "
		"(^|[.])ip-(?P<a>[0-9]*)-(?P<b>[0-9]*)-(?P<c>[0-9]*)-(?P<d>[0-9]*)[.]a[.]test[.]$\n"
		"  answer \"{{ .Name }} 60 IN A {{ .Group.a }}.{{ .Group.b }}.{{ .Group.c }}.{{ "
		".Group.d }}\"\n"
		"  fallthrough\n }\n"
		" template IN ANY b.test {\n"
		"  rcode NXDOMAIN\n"
		"  authority \"b.test. 60 {{ .Class }} SOA ns.b.test. hostmaster.b.test. (1 60 60 "
		"60 60)\"\n"
		"  ederror 21 \"Blocked according to RFC2606\"\n }\n"
		" template IN ANY c.test {\n"
		"  match \"example[.]com[.](c[.]test[.])$\"\n"
		"  rcode NXDOMAIN\n"
		"  authority \"{{ index .Match 1 }} 60 IN SOA ns.{{ index .Match 1 }} "
		"hostmaster.{{ index .Match 1 }} (1 60 60 60 60)\"\n"
		"  fallthrough\n }\n"
		" template IN MX d.test {\n"
		"  match ^ip-10-(?P<b>[0-9]*)[.]d[.]test[.]$\n"
		"  answer \"{{ .Name }} 60 IN MX 10 {{ .Name }}\"\n"
		"  additional \"{{ .Name }} 60 IN A 10.{{ .Group.b }}.0.1\"\n"
		"  authority \"d.test. 60 IN NS ns0.d.test\"\n"
		"  fallthrough\n }\n"
		" template IN A e.test {\n  match \"^x[.]\"\n  answer \"{{ .Name }} A "
		"192.0.2.1\"\n }\n"
		" template IN A f.test {\n  answer \"nonsense here\"\n }\n"
		" template IN A g.test {\n  answer \"{{ .Name }} 60 IN A 192.0.2.{{ .Group.x "
		"}}\"\n }\n"
		" template IN A h.test {\n  rcode SERVFAIL\n  ederror 6\n }\n"
		" template IN CNAME i.test {\n  answer \"{{ .Name }} 60 IN {{ .Type }} o.test.\"\n "
		"}\n"
		" template CH ANY j.test {\n  rcode REFUSED\n }\n"
		" template IN A k.test l.test x.k.test {\n  answer \"{{ .Zone }} 60 IN A "
		"192.0.2.1\"\n }\n"
		/* RFC 1035, 5.1: class and TTL in either order */
		" template IN A m.test {\n  answer \"{{ .Name }} IN 60 A 192.0.2.1\" \"{{ .Name "
		"}}\tin\t60\tA 192.0.2.2\" \"{{ .Name }} 60 IN A 192.0.2.3\"\n }\n"
		"}\n";
	static const struct {
		const char *name, *type, *want;
		int ede;
	} rows[] = {
		{ "x.m.test", "A",
		  "NOERROR x.m.test. 60 IN A 192.0.2.1, x.m.test. 60 IN A 192.0.2.2, x.m.test. 60 "
		  "IN "
		  "A 192.0.2.3",
		  -1 },
		{ "ip-1-2-3-4.a.test", "A", "NOERROR ip-1-2-3-4.a.test. 60 IN A 1.2.3.4", -1 },
		{ "y.ip-1-2-3-4.a.test", "A", "NOERROR y.ip-1-2-3-4.a.test. 60 IN A 1.2.3.4", -1 },
		{ "ip-1-2-3-4.a.test", "ANY", "NOERROR ip-1-2-3-4.a.test. 60 IN A 1.2.3.4", -1 },
		{ "ip-1-2-3-4.a.test", "AAAA", "NEXT", -1 },
		{ "other.a.test", "A", "NEXT", -1 },
		{ "ip-1-2-3-999.a.test", "A", "SERVFAIL", -1 },
		{ "x.b.test", "A",
		  "NXDOMAIN | b.test. 60 IN SOA ns.b.test. hostmaster.b.test. 1 60 60 60 60", 21 },
		{ "b.test", "TXT",
		  "NXDOMAIN | b.test. 60 IN SOA ns.b.test. hostmaster.b.test. 1 60 60 60 60", 21 },
		{ "xb.test", "A", "NEXT", -1 },
		{ "www.example.com.c.test", "A",
		  "NXDOMAIN | c.test. 60 IN SOA ns.c.test. hostmaster.c.test. 1 60 60 60 60", -1 },
		{ "www.c.test", "A", "NEXT", -1 },
		{ "ip-10-7.d.test", "MX",
		  "NOERROR ip-10-7.d.test. 60 IN MX 10 ip-10-7.d.test. | d.test. 60 IN NS "
		  "ns0.d.test. | ip-10-7.d.test. 60 IN A 10.7.0.1",
		  -1 },
		{ "x.e.test", "A", "NOERROR x.e.test. 3600 IN A 192.0.2.1", -1 },
		{ "y.e.test", "A", "SERVFAIL", -1 },
		{ "f.test", "A", "SERVFAIL", -1 },
		{ "g.test", "A", "SERVFAIL", -1 },
		{ "h.test", "A", "SERVFAIL", 6 },
		{ "i.test", "CNAME", "NOERROR i.test. 60 IN CNAME o.test.", -1 },
		{ "i.test", "ANY", "NOERROR i.test. 60 IN CNAME o.test.", -1 },
		{ "j.test", "A", "NEXT", -1 },
		{ "k.test", "A", "NOERROR k.test. 60 IN A 192.0.2.1", -1 },
		{ "l.test", "A", "NOERROR l.test. 60 IN A 192.0.2.1", -1 },
		{ "x.k.test", "A", "NOERROR x.k.test. 60 IN A 192.0.2.1", -1 },
		{ "none.test", "A", "NEXT", -1 },
	};
	const struct ede *ede;
	struct fixture f;

	(void)state;
	open_fixture(&f, text);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *got = ask(&f, rows[i].name, rows[i].type, &ede);

		if (strcmp(got, rows[i].want))
			fail_msg("%s %s: got \"%s\", want \"%s\"", rows[i].name, rows[i].type, got,
				 rows[i].want);
		assert_int_equal(ede ? ede->code : -1, rows[i].ede);
	}
	assert_int_equal(template__count(f.templates, 0, TEMPLATE_MATCH), 4);
	assert_int_equal(template__count(f.templates, 0, TEMPLATE_RR_FAILURE), 1);
	assert_int_equal(template__count(f.templates, 5, TEMPLATE_RR_FAILURE), 1);
	assert_int_equal(template__count(f.templates, 6, TEMPLATE_FAILURE), 1);
	close_fixture(&f);
}

/* 32 groups: an address of ip6.arpa. */
static void test_many_groups(void **state)
{
	char text[4096] = "ip6.arpa {\n template IN PTR {\n  match \"^(?P<n0>[0-9a-f])";
	char name[128] = "", want[512];
	const struct ede *ede;
	struct fixture f;

	(void)state;
	for (int i = 1; i < 32; i++)
		snprintf(text + strlen(text), 64, NIBBLES, i);
	strcat(text, "[.]ip6[.]arpa[.]$\"\n  answer \"{{ .Name }} 60 IN PTR ");
	for (int i = 31; i >= 0; i--)
		snprintf(text + strlen(text), 64, "{{ .Group.n%d }}", i);
	strcat(text, ".six.test.\"\n }\n}\n");
	for (int i = 0; i < 32; i++)
		snprintf(name + strlen(name), 8, "%x.", i % 16);
	strcat(name, "ip6.arpa.");
	snprintf(want, sizeof(want),
		 "NOERROR %s 60 IN PTR fedcba9876543210fedcba9876543210.six.test.", name);
	open_fixture(&f, text);
	assert_string_equal(ask(&f, name, "PTR", &ede), want);
	close_fixture(&f);
}

/* ---- before anybody asks ---- */

static void list_suffix(void *ctx, const struct dns_name *suffix, const struct answer *nxdomain)
{
	char *out = ctx, text[1024];

	assert_int_equal(nxdomain->flags & DNS_RCODE, DNS_NXDOMAIN);
	assert_true(dns_name__to_text(suffix, text, sizeof(text)) > 0);
	sprintf(out + strlen(out), "%s%s%s", *out ? " " : "", nxdomain->below_only ? "below:" : "",
		text);
}

static bool list_name(void *ctx, const struct dns_name *name, uint16_t qtype)
{
	char *out = ctx, text[1024], type[RRTYPE_TEXT];

	assert_true(dns_name__to_text(name, text, sizeof(text)) > 0);
	sprintf(out + strlen(out), "%s%s/%s", *out ? " " : "", text, rrtype__text(qtype, type));
	return true;
}

#define T(arguments, more)    " template " arguments " {\n" more "\n }\n"
#define DENY(arguments, more) T(arguments, "  rcode NXDOMAIN\n" more)

static void test_blackholes(void **state)
{
	static const struct {
		const char *templates, *want;
	} rows[] = {
		{ DENY("ANY ANY", ""), "" }, /* the root */
		{ DENY("ANY ANY a.test", ""), "a.test." },
		{ DENY("IN ANY a.test b.test", ""), "a.test. b.test." },
		{ DENY("CH ANY a.test", ""), "" },
		{ DENY("IN A a.test", ""), "" },
		{ T("IN ANY a.test", "  rcode REFUSED"), "" },
		{ T("IN ANY a.test", "  rcode NXDOMAIN\n  answer \"{{ .Name }} A 192.0.2.1\""),
		  "" },
		{ DENY("IN ANY a.test", "  ederror 15"), "" },
		{ DENY("IN ANY a.test", "  authority \"{{ .Zone }} 9 IN SOA n. h. (1 2 3 4 5)\""),
		  "a.test." },
		{ DENY("IN ANY a.test", "  authority \"{{ .Name }} 9 IN SOA n. h. (1 2 3 4 5)\""),
		  "" },
		/* expressions */
		{ DENY("IN ANY", "  match .*\\.a\\.test\\.$\n  fallthrough"), "below:a.test." },
		{ DENY("IN ANY", "  match \\.a\\.test\\.$"), "below:a.test." },
		{ DENY("IN ANY", "  match .*.a.test.$"), "below:a.test." },
		{ DENY("IN ANY", "  match ^(.+)\\.a\\.test\\.$"), "below:a.test." },
		{ DENY("IN ANY", "  match (^|\\.)a\\.test\\.$"), "a.test." },
		{ DENY("IN ANY", "  match (^|[.])a[.]test[.]$"), "a.test." },
		{ DENY("IN ANY", "  match ^(.*\\.)?a\\.test\\.$"), "a.test." },
		{ DENY("IN ANY", "  match a\\.test\\.$"), "a.test." },
		{ DENY("IN ANY", "  match .*a\\.test\\.$"), "a.test." },
		{ DENY("IN ANY", "  match (?i)A\\.test\\.$"), "a.test." },
		{ DENY("IN ANY", "  match A\\.test\\.$"), "" },
		{ DENY("IN ANY", "  match a\\.test$"), "" }, /* never matches: names end in a dot */
		{ DENY("IN ANY", "  match a\\.test\\."), "" },
		{ DENY("IN ANY", "  match ^a\\.test\\.$"), "" },
		{ DENY("IN ANY", "  match (a|b)\\.test\\.$"), "" },
		{ DENY("IN ANY", "  match a.*\\.test\\.$"), "" },
		{ DENY("IN ANY", "  match a?\\.test\\.$"), "" },
		{ DENY("IN ANY", "  match \\.a\\.test\\.$ \\.b\\.test\\.$"),
		  "below:a.test. below:b.test." },
		/* outside of the template's zones nothing is denied */
		{ DENY("IN ANY a.test", "  match \\.b\\.test\\.$"), "" },
		{ DENY("IN ANY a.test", "  match test\\.$"), "a.test." },
		/* others that come before */
		{ T("IN A b.test", "  answer \"{{ .Name }} A 192.0.2.1\"")
			  DENY("IN ANY a.test", ""),
		  "a.test." },
		{ T("IN A a.test", "  answer \"{{ .Name }} A 192.0.2.1\"")
			  DENY("IN ANY a.test", ""),
		  "" },
		{ T("IN A x.a.test", "  answer \"{{ .Name }} A 192.0.2.1\"")
			  DENY("IN ANY a.test", ""),
		  "" },
		{ T("IN A test",
		    "  match ^x\\.\n  answer \"{{ .Name }} A 192.0.2.1\"\n  fallthrough")
			  DENY("IN ANY a.test", ""),
		  "" },
		{ T("IN A test", "  match ^x\\.b\\.test\\.$\n  answer \"{{ .Name }} A "
				 "192.0.2.1\"\n  fallthrough") DENY("IN ANY a.test", ""),
		  "a.test." },
		{ T("IN A test",
		    "  match \\.b\\.test\\.$\n  answer \"{{ .Name }} A 192.0.2.1\"\n  fallthrough")
			  DENY("IN ANY a.test", ""),
		  "a.test." },
		/* without fallthrough the first one ends it: SERVFAIL for all that does not match
		 */
		{ T("IN A test", "  match \\.b\\.test\\.$\n  answer \"{{ .Name }} A 192.0.2.1\"")
			  DENY("IN ANY a.test", ""),
		  "" },
		{ DENY("IN ANY test", "  match \\.b\\.test\\.$\n  fallthrough")
			  DENY("IN ANY a.test", ""),
		  "below:b.test. a.test." },
		{ DENY("IN ANY test", "  match ^x\\.\n  ederror 15\n  fallthrough")
			  DENY("IN ANY a.test", ""),
		  "" },
		{ T("CH A", "  answer \"{{ .Name }} A 192.0.2.1\"") DENY("IN ANY a.test", ""),
		  "a.test." },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[2048], got[1024] = "";
		struct fixture f;

		snprintf(text, sizeof(text), ". {\n%s}\n", rows[i].templates);
		open_fixture(&f, text);
		template__denied(f.templates,
				 &(struct plugin_preload){ .denied = list_suffix, .ctx = got });
		if (strcmp(got, rows[i].want))
			fail_msg("got \"%s\", want \"%s\" of\n%s", got, rows[i].want, text);
		close_fixture(&f);
	}
}

static bool is_b(void *ctx, const struct dns_name *suffix)
{
	struct dns_name b;

	(void)ctx;
	assert_int_equal(dns_name__from_text(&b, "b.test."), 0);
	return dns_name__equal(suffix, &b);
}

static void test_blackholes_wanted(void **state)
{
	struct plugin_preload take = { .wanted = is_b, .denied = list_suffix };
	char got[1024] = "";
	struct fixture f;

	(void)state;
	take.ctx = got;
	open_fixture(&f, ". {\n template ANY ANY a.test b.test c.test {\n rcode NXDOMAIN\n }\n}\n");
	template__denied(f.templates, &take);
	assert_string_equal(got, "b.test.");
	close_fixture(&f);
}

/* What is said to be below or at a suffix is what an answer says. */
static void test_blackholes_agree(void **state)
{
	static const char *const patterns[] = {
		".*\\.a\\.test\\.$",	"\\.a\\.test\\.$",     ".*.a.test.$",
		"^(.+)\\.a\\.test\\.$", "(^|\\.)a\\.test\\.$", "^(.*\\.)?a\\.test\\.$",
		"a\\.test\\.$",		".*a\\.test\\.$",      "^.*\\.a\\.test\\.$",
		"(?i)A\\.test\\.$",	"^.*.a.test.$",	       "(.*)\\.a\\.test\\.$",
	};
	static const char *const below[] = { "x.a.test.", "x.y.z.a.test.", "*.a.test.",
					     "a.a.test." };
	const struct ede *ede;

	(void)state;
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
		char text[512], got[1024] = "";
		struct fixture f;

		snprintf(text, sizeof(text),
			 ". {\n template ANY ANY {\n match %s\n rcode NXDOMAIN\n fallthrough\n "
			 "}\n}\n",
			 patterns[i]);
		open_fixture(&f, text);
		template__denied(f.templates,
				 &(struct plugin_preload){ .denied = list_suffix, .ctx = got });
		assert_non_null(strstr(got, "a.test."));
		for (size_t k = 0; k < sizeof(below) / sizeof(below[0]); k++)
			assert_string_equal(ask(&f, below[k], "A", &ede), "NXDOMAIN");
		assert_string_equal(ask(&f, "a.test.", "A", &ede),
				    strstr(got, "below:") ? "NEXT" : "NXDOMAIN");
		close_fixture(&f);
	}
}

static void test_exact(void **state)
{
	static const char text[] =
		". {\n" T("IN A", "  match ^a[.]test[.]$ ^(.*)[.]b[.]test[.]$ "
				  "^c\\.test\\.$\n  answer \"{{ .Name }} A 192.0.2.1\"")
			T("IN ANY d.test",
			  "  match ^d\\.test\\.$\n  answer \"{{ .Name }} A 192.0.2.1\"") "}\n";
	char got[1024] = "";
	struct fixture f;

	(void)state;
	open_fixture(&f, text);
	template__exact(f.templates, list_name, got);
	assert_string_equal(got, "a.test./A c.test./A d.test./A d.test./AAAA");
	close_fixture(&f);
}

/* ---- expressions ---- */

static void test_catastrophe(void **state)
{
	static const char *const patterns[] = {
		"(a+)+$",    "^(a|aa)+$",	"^((a+)*)*b",
		"(.*)*x[.]", "^(a?){50}a{50}$", "(a*)*(a*)*(a*)*b"
	};
	unsigned int known = 0;
	char subject[255] = "";
	struct timespec ts;
	double start;

	(void)state;
	memset(subject, 'a', 253);
	subject[252] = '!';
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
		struct regex_match match;
		struct regex *regex;
		char why[128];

		assert_int_equal(regex__open(patterns[i], &regex, why, sizeof(why)), 0);
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
		start = ts.tv_sec + ts.tv_nsec / 1e9;
		for (int k = 0; k < 10; k++) {
			struct regex_budget budget = { 0 };

			known += regex__match(regex, subject, &budget, &match) >= 0;
		}
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
		/* 2^250 steps without a limit */
		if (ts.tv_sec + ts.tv_nsec / 1e9 - start > 2)
			fail_msg("%s: %.2f s for 10", patterns[i],
				 ts.tv_sec + ts.tv_nsec / 1e9 - start);
		regex__close(regex);
	}
	/* at the limit it is neither yes nor no */
	assert_in_range(known, 0, 59);
}

/*
 * A message of many names: those that match within a few steps are free, the others share a budget,
 * and one that has to be turned away changes nothing for the former.
 */
static void test_budget(void **state)
{
	static const char easy[] = "abc.test.";
	struct regex_budget budget = { 0 };
	struct regex_match match;
	char hard[255] = "", why[128];
	struct regex *regex;
	int matched = 0;

	(void)state;
	memset(hard, 'a', 200);
	strcat(hard, "t.test.");
	/* at every place, as far as the end: 20,000 steps */
	assert_int_equal(regex__open("a*a*t[.]test[.]$|abc", &regex, why, sizeof(why)), 0);
	for (int i = 0; i < 100000; i++)
		assert_int_equal(regex__match(regex, easy, &budget, &match), 1);
	assert_int_equal(budget.steps, 0);
	regex__close(regex);

	assert_int_equal(regex__open("a*a*x[.]test[.]$|abc", &regex, why, sizeof(why)), 0);
	for (; regex__match(regex, hard, &budget, &match) == 0 && matched < 1000;)
		matched++;
	assert_in_range(matched, 1, 500);
	assert_int_equal(regex__match(regex, hard, &budget, &match), -ELOOP);
	assert_int_equal(regex__match(regex, easy, &budget, &match), 1);
	budget = (struct regex_budget){ 0 };
	assert_int_equal(regex__match(regex, hard, &budget, &match), 0);
	regex__close(regex);
}

/* A template that blocks names blocks those as well on which its expression gives up. */
static void test_catastrophe_is_no_mismatch(void **state)
{
	static const char text[] =
		"test {\n template IN A blocked.test {\n  match ^(a+)+[.]blocked[.]test[.]$\n"
		"  rcode NXDOMAIN\n  fallthrough\n }\n}\n";
	const struct ede *ede;
	struct fixture f;

	(void)state;
	open_fixture(&f, text);
	assert_string_equal(ask(&f, "aaa.blocked.test.", "A", &ede), "NXDOMAIN");
	assert_string_equal(ask(&f, "b.blocked.test.", "A", &ede), "NEXT");
	assert_string_equal(ask(&f,
				"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!."
				"blocked.test.",
				"A", &ede),
			    "SERVFAIL");
	close_fixture(&f);
}

static void test_regex(void **state)
{
	struct regex_budget budget = { 0 };
	struct regex_match match;
	struct regex *regex;
	char why[128], many[1024] = "";

	(void)state;
	assert_true(regex__open("(", &regex, why, sizeof(why)) < 0);
	assert_non_null(strstr(why, "at character"));
	for (int i = 0; i < 64; i++)
		strcat(many, "(x)");
	assert_true(regex__open(many, &regex, why, sizeof(why)) < 0);
	assert_non_null(strstr(why, "64 groups"));
	assert_int_equal(regex__open("^(a)(b)?(?P<c>c)?", &regex, why, sizeof(why)), 0);
	assert_true(regex__match(regex, "ax", &budget, &match));
	/* as with Go, groups that matched nothing are there, and empty */
	assert_int_equal(match.n, 4);
	assert_int_equal(match.group[1].len, 1);
	assert_int_equal(match.group[2].len + match.group[3].len, 0);
	assert_int_equal(regex__group(regex, "c"), 3);
	assert_true(regex__group(regex, "d") < 0);
	regex__close(regex);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_many_groups),
		cmocka_unit_test(test_blackholes),
		cmocka_unit_test(test_blackholes_wanted),
		cmocka_unit_test(test_blackholes_agree),
		cmocka_unit_test(test_exact),
		cmocka_unit_test(test_catastrophe),
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_catastrophe_is_no_mismatch),
		cmocka_unit_test(test_regex),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
