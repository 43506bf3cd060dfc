// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Tests of query log lines: CoreDNS' documented example and placeholders, classes by messages that
 * ldns made, names that try to make two lines of one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <jansson.h>

#include "observe/querylog.h"
#include "wire.h"

#define SOA "example.org. 60 IN SOA ns.example.org. root.example.org. 1 2 3 4 5\n"

struct sample {
	struct dns_query query;
	struct sockaddr_in6 peer, local;
	uint8_t reply[LDNS_MAX_PACKETLEN];
	struct querylog_event event;
};

static struct corefile_log plain = { .classes = COREFILE_LOG_ALL };

/* CoreDNS' example: [::1]:50759 - 29008 "A IN example.org. udp 41 false 4096" NOERROR ... */
static void make_sample(struct sample *s, const char *qname, uint16_t flags, const char *answer,
			const char *authority)
{
	struct wire_message msg = { .id = 29008,
				    .flags = flags,
				    .qname = "example.org.",
				    .qtype = 1,
				    .section = { answer, authority, NULL } };

	memset(s, 0, sizeof(*s));
	s->query = (struct dns_query){ .id = 29008,
				       .flags = 0x0100,
				       .qtype = 1,
				       .qclass = 1,
				       .edns = true,
				       .edns_size = 4096 };
	assert_int_equal(dns_name__from_text(&s->query.qname, qname), 0);
	s->peer.sin6_family = s->local.sin6_family = AF_INET6;
	s->peer.sin6_addr = in6addr_loopback;
	inet_pton(AF_INET6, "fd00::a", &s->local.sin6_addr);
	s->peer.sin6_port = htons(50759);
	s->event = (struct querylog_event){ .query = &s->query,
					    .peer = (struct sockaddr *)&s->peer,
					    .local = (struct sockaddr *)&s->local,
					    .request_size = 41,
					    .reply = s->reply,
					    .rcode = flags & 15,
					    .duration_ns = 37990251 };
	s->event.reply_size = wire__build(s->reply, &msg);
}

static const char *line_of(const struct corefile_log *logs, size_t n,
			   const struct querylog_event *event)
{
	static char line[QUERYLOG_LINE];
	struct querylog *log = NULL;
	const struct querylog_rule *rule;
	size_t len;

	assert_int_equal(querylog__open(logs, n, &log), 0);
	rule = querylog__rule(log, event);
	len = rule ? querylog__line(rule, event, line, sizeof(line)) : 0;
	querylog__close(log);
	assert_int_equal(len, len ? strlen(line) : 0);
	return len ? line : NULL;
}

static const char *format(const char *text, const struct querylog_event *event)
{
	struct corefile_log log = plain;

	log.format = text;
	return line_of(&log, 1, event);
}

static void test_common(void **state)
{
	struct sample s;

	(void)state;
	make_sample(&s, "example.org.", 0x81a0, "example.org. 60 IN A 192.0.2.1\n", NULL);
	s.event.reply_size = 68;
	assert_string_equal(line_of(&plain, 1, &s.event),
			    "[::1]:50759 - 29008 \"A IN example.org. udp 41 false 4096\" "
			    "NOERROR qr,rd,ra,ad 68 0.037990251s");
	assert_string_equal(format("x {combined} y", &s.event),
			    "x [::1]:50759 - 29008 \"A IN example.org. udp 41 false 4096\" "
			    "NOERROR qr,rd,ra,ad 68 0.037990251s \"0\" y");
	assert_string_equal(format("{proto} Request: {name} {type} {>id}", &s.event),
			    "udp Request: example.org. A 29008");
}

static void test_placeholders(void **state)
{
	static const struct {
		const char *format, *line;
	} cases[] = {
		{ "{type}", "A" },
		{ "{name}", "example.org." },
		{ "{class}", "IN" },
		{ "{proto}", "udp" },
		{ "{remote}", "[::1]" },
		{ "{port}", "50759" },
		{ "{local}", "[fd00::a]" },
		{ "{size}", "41" },
		{ "{rcode}", "NXDOMAIN" },
		{ "{>id}{>opcode}", "290080" },
		{ "{>do}", "false" },
		{ "{>bufsize}", "4096" },
		{ "{>rflags}", "qr,aa,rd" },
		{ "{duration}", "0.037990251s" },
		{ "{/metadata/label} {/x}", "- -" },
		{ "{unknown} {>unknown} {", "{unknown} {>unknown} {" },
		{ "{{name}}", "{example.org.}" },
		{ "no placeholder", "no placeholder" },
		{ "two\nlines", "two?lines" },
	};
	struct sample s;

	(void)state;
	make_sample(&s, "Example.ORG.", 0x8503, NULL, SOA);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(format(cases[i].format, &s.event), cases[i].line);
}

static void test_values(void **state)
{
	struct sockaddr_in peer = { .sin_family = AF_INET, .sin_port = htons(5) };
	struct sample s;

	(void)state;
	make_sample(&s, "example.org.", 0x8180, NULL, NULL);
	inet_pton(AF_INET, "10.1.2.3", &peer.sin_addr);
	s.event.peer = (struct sockaddr *)&peer;
	assert_string_equal(format("{remote}:{port}", &s.event), "10.1.2.3:5");
	inet_pton(AF_INET6, "::ffff:10.1.2.4", &s.local.sin6_addr);
	assert_string_equal(format("{local}", &s.event), "10.1.2.4");
	s.event.tcp = true;
	s.query.edns_do = true;
	s.query.qtype = 65280;
	s.query.qclass = 4096;
	s.event.rcode = 16;
	s.event.duration_ns = 2000000000;
	assert_string_equal(
		format("{proto} {>bufsize} {>do} {type} {class} {rcode} {duration}", &s.event),
		"tcp 65535 true TYPE65280 CLASS4096 BADVERS 2s");
	s.event.tcp = false;
	s.query.edns_size = 0;
	s.event.duration_ns = 1250000;
	s.event.reply = NULL;
	assert_string_equal(format("{>bufsize} {duration} {rsize} {>rflags}", &s.event),
			    "512 0.00125s 0 -");
}

static void test_one_line(void **state)
{
	struct sample s;
	const char *line;

	(void)state;
	make_sample(&s, "a\\010b\\000\\027[2Jc\\\"d.example.org.", 0x8180, NULL, NULL);
	line = line_of(&plain, 1, &s.event);
	assert_non_null(strstr(line, "a\\010b\\000\\027[2jc\\\"d.example.org."));
	for (const char *c = line; *c; c++)
		assert_in_range((unsigned char)*c, 0x20, 0x7e);
}

static void test_names(void **state)
{
	struct corefile_zone org = { .name = { 13, "\7example\3org" } };
	struct corefile_zone root = { .name = { .len = 1 } };
	struct corefile_log logs[] = {
		{ .names = { &org, 1 }, .format = "org", .classes = COREFILE_LOG_ALL },
		{ .names = { &root, 1 }, .format = "rest", .classes = COREFILE_LOG_ALL },
	};
	struct sample s;

	(void)state;
	make_sample(&s, "www.EXAMPLE.org.", 0x8180, NULL, NULL);
	assert_string_equal(line_of(logs, 2, &s.event), "org");
	assert_string_equal(line_of(logs, 1, &s.event), "org");
	make_sample(&s, "notexample.org.", 0x8180, NULL, NULL);
	assert_string_equal(line_of(logs, 2, &s.event), "rest");
	assert_null(line_of(logs, 1, &s.event));
	assert_null(line_of(NULL, 0, &s.event));
	/* the first that the name is in decides */
	logs[0].classes = COREFILE_LOG_ERROR;
	make_sample(&s, "example.org.", 0x8180, "example.org. 1 IN A 1.2.3.4\n", NULL);
	assert_null(line_of(logs, 2, &s.event));
}

static void test_classes(void **state)
{
	static const struct {
		uint16_t flags;
		const char *answer, *authority;
		unsigned int class;
	} cases[] = {
		{ 0x8180, "example.org. 1 IN A 1.2.3.4\n", NULL, COREFILE_LOG_SUCCESS },
		{ 0x8180, "example.org. 1 IN CNAME a.example.org.\n", SOA, COREFILE_LOG_SUCCESS },
		{ 0x8180, NULL, SOA, COREFILE_LOG_DENIAL },
		{ 0x8183, NULL, SOA, COREFILE_LOG_DENIAL },
		{ 0x8180, NULL, "example.org. 1 IN NS a.example.org.\n", COREFILE_LOG_SUCCESS },
		{ 0x8180, NULL, NULL, COREFILE_LOG_SUCCESS },
		{ 0x8183, NULL, NULL, COREFILE_LOG_ERROR },
		{ 0x8182, NULL, NULL, COREFILE_LOG_ERROR },
		{ 0x8184, NULL, NULL, COREFILE_LOG_ERROR },
		{ 0x8185, NULL, SOA, COREFILE_LOG_ERROR },
	};
	struct sample s;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned int class;

		make_sample(&s, "example.org.", cases[i].flags, cases[i].answer,
			    cases[i].authority);
		class = querylog__class(s.reply, s.event.reply_size, cases[i].flags & 15);
		assert_int_equal(class, cases[i].class);
		for (unsigned int bit = 1; bit < 8; bit <<= 1) {
			struct corefile_log log = { .classes = bit };

			assert_int_equal(!!line_of(&log, 1, &s.event), bit == class);
		}
		/* cut anywhere it is still a class, and nothing is read beyond */
		for (size_t len = 0; len < s.event.reply_size; len++)
			assert_int_not_equal(querylog__class(s.reply, len, 0), 0);
	}
	assert_int_equal(querylog__class(NULL, 0, 0), COREFILE_LOG_ERROR);
}

static void test_cut(void **state)
{
	struct querylog *log = NULL;
	const struct querylog_rule *rule;
	struct sample s;
	char buf[64], whole[QUERYLOG_LINE];
	size_t len;

	(void)state;
	make_sample(&s, "example.org.", 0x8180, NULL, NULL);
	assert_int_equal(querylog__open(&plain, 1, &log), 0);
	rule = querylog__rule(log, &s.event);
	assert_non_null(rule);
	len = querylog__line(rule, &s.event, whole, sizeof(whole));
	for (size_t size = 1; size < sizeof(buf); size++) {
		memset(buf, 1, sizeof(buf));
		assert_int_equal(querylog__line(rule, &s.event, buf, size), size - 1);
		assert_memory_equal(buf, whole, size - 1);
		assert_int_equal(buf[size - 1], 0);
		assert_int_equal(buf[size], 1);
	}
	assert_true(len > sizeof(buf));
	querylog__close(log);
	querylog__close(NULL);
}

/* As CoreDNS' kubernetes plugin has them, which finds them out by other means. */
static void test_pods(void **state)
{
	static const char names[] =
		"{/kubernetes/client-namespace}/{/kubernetes/client-pod-name} {name}";
	struct corefile_log logs[] = { plain, plain };
	struct querylog *log = NULL;
	struct sample s;

	(void)state;
	make_sample(&s, "example.org.", 0x8180, NULL, SOA);
	assert_string_equal(format(names, &s.event), "-/- example.org.");
	s.event.pod_namespace = "";
	s.event.pod_name = "web_1";
	assert_string_equal(format(names, &s.event), "-/web_1 example.org.");
	s.event.pod_namespace = "shop";
	assert_string_equal(format(names, &s.event), "shop/web_1 example.org.");

	assert_int_equal(querylog__open(logs, 2, &log), 0);
	assert_false(querylog__names_pods(log));
	querylog__close(log);
	logs[1].format = "{/kubernetes/client-pod-name}";
	assert_int_equal(querylog__open(logs, 2, &log), 0);
	assert_true(querylog__names_pods(log));
	querylog__close(log);
	assert_false(querylog__names_pods(NULL));
}

/* The caller lets go of them. */
static json_t *fields_of(const char *text, const struct querylog_event *event)
{
	struct corefile_log line = plain;
	struct querylog *log = NULL;
	json_t *fields;

	line.format = text;
	assert_int_equal(querylog__open(&line, 1, &log), 0);
	fields = querylog__fields(querylog__rule(log, event), event);
	querylog__close(log);
	assert_non_null(fields);
	return fields;
}

static void test_fields(void **state)
{
	struct sample s;
	json_t *fields, *want;

	(void)state;
	make_sample(&s, "example.org.", 0x81a0, "example.org. 60 IN A 192.0.2.1\n", NULL);
	s.event.reply_size = 68;
	s.event.pod_name = "cart-7d9f";
	fields = fields_of("{common} {/kubernetes/client-pod-name}"
			   " {/kubernetes/client-namespace} {/x} {>opcode} {local}",
			   &s.event);
	want = json_pack("{s:s, s:i, s:i, s:s, s:s, s:s, s:s, s:i, s:b, s:i, s:s, s:s, s:i, s:f,"
			 " s:s, s:n, s:i, s:s}",
			 "remote", "[::1]", "port", 50759, "id", 29008, "type", "A", "class", "IN",
			 "name", "example.org.", "proto", "udp", "size", 41, "do", 0, "bufsize",
			 4096, "rcode", "NOERROR", "rflags", "qr,rd,ra,ad", "rsize", 68,
			 "duration_s", 0.037990251, "client_pod_name", "cart-7d9f",
			 "client_namespace", "opcode", 0, "local", "[fd00::a]");
	assert_non_null(want);
	if (!json_equal(fields, want))
		fail_msg("%s", json_dumps(fields, 0));
	json_decref(fields);
	json_decref(want);

	s.event.reply = NULL;
	fields = fields_of("{>rflags}", &s.event);
	assert_true(json_is_null(json_object_get(fields, "rflags")));
	json_decref(fields);
}

/* 250 octets of a name, none of them a letter, take a thousand in text and more in JSON. */
static void test_fields_of_any_name(void **state)
{
	char name[1024], *at = name;
	struct sample s;
	json_t *fields;

	(void)state;
	for (unsigned int i = 0; i < 248; i++)
		at += sprintf(at, i % 62 == 61 ? "\\%03u." : "\\%03u", (i + 128) % 256);
	make_sample(&s, name, 0x8180, NULL, NULL);
	fields = fields_of("{name}", &s.event);
	assert_string_equal(json_string_value(json_object_get(fields, "name")),
			    format("{name}", &s.event));
	json_decref(fields);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_common), cmocka_unit_test(test_placeholders),
		cmocka_unit_test(test_values), cmocka_unit_test(test_one_line),
		cmocka_unit_test(test_names),  cmocka_unit_test(test_classes),
		cmocka_unit_test(test_cut),    cmocka_unit_test(test_pods),
		cmocka_unit_test(test_fields), cmocka_unit_test(test_fields_of_any_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
