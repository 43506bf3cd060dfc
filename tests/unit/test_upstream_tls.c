// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Upstreams over TLS: certificates good and bad, client certificates, files, kept connections.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sys/stat.h>

#include "observe/metrics.h"
#include "stream_fixture.h"

#include "certificates.h"

#define NAME "dns.test.example"

static char dir[] = "/tmp/test_upstream_tls.XXXXXX";
static struct identity ca, other_ca, client;

struct tls_fixture {
	struct upstream_fixture f;
	struct stream_fake server;
	struct upstream_group *group;
};

static int choose_dot(SSL *ssl, const unsigned char **out, unsigned char *out_len,
		      const unsigned char *in, unsigned int in_len, void *arg)
{
	static const unsigned char dot[] = "\x03"
					   "dot";

	(void)ssl;
	(void)arg;
	return SSL_select_next_proto((unsigned char **)out, out_len, dot, sizeof(dot) - 1, in,
				     in_len) == OPENSSL_NPN_NEGOTIATED
		       ? SSL_TLSEXT_ERR_OK
		       : SSL_TLSEXT_ERR_NOACK;
}

/* A server with @id on the port of the first fake, which answers UDP there. */
static void serve_tls(struct tls_fixture *t, const struct identity *id)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	stream_fake_open(&t->server, t->f.v.loop.events, t->f.fake[0].port);
	assert_true(SSL_CTX_use_certificate(ctx, id->cert));
	assert_true(SSL_CTX_use_PrivateKey(ctx, id->key));
	SSL_CTX_set_alpn_select_cb(ctx, choose_dot, NULL);
	SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"test", 4);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	t->server.tls = ctx;
}

/* "%n" in @upstream stands for the fakes' addresses, @options may name files of `dir`. */
static void open_tls(struct tls_fixture *t, const struct identity *id, const char *upstream,
		     const char *options)
{
	char text[1024];

	snprintf(text, sizeof(text), ".:53 {\n forward . %s {\n %s\n}\n}\n", upstream, options);
	assert_int_equal(fixture_open(&t->f, text, FORWARD_READ_NS, UPSTREAM_DEADLINE_NS), 0);
	t->group = open_more(&t->f, 0);
	serve_tls(t, id);
}

static void close_tls(struct tls_fixture *t)
{
	/* Never in the clear, whatever went wrong. */
	assert_int_equal(t->f.fake[0].queries + t->f.fake[0].probes, 0);
	assert_int_equal(t->f.stats.v[AGENT_STAT_IN_FLIGHT], 0);
	stream_fake_close(&t->server);
	fixture_close(&t->f);
}

static const char *ca_option(const char *more)
{
	static char text[512];

	snprintf(text, sizeof(text), "tls %s/ca.pem\n %s", dir, more);
	return text;
}

static void test_connections_are_kept_and_resumed(void **state)
{
	struct identity id = identity_new(&ca, "x", "DNS:" NAME, -1, 1);
	struct upstream_stats m;
	struct tls_fixture t;
	struct question q;

	(void)state;
	open_tls(&t, &id, "tls://%1%" NAME, ca_option("expire 1s"));
	for (int i = 0; i < 5; i++) {
		ask(&t.f, t.group, &q);
		assert_true(q.answered);
	}
	assert_int_equal(t.server.connections, 1);
	assert_int_equal(t.server.dot, 1);
	assert_int_equal(t.server.resumed, 0);
	assert_true(upstreams__metrics(t.f.ups, 0, &m));
	assert_int_equal(m.conn_cache_misses[UPSTREAM_TLS], 1);
	assert_int_equal(m.conn_cache_hits[UPSTREAM_TLS], 4);
	for (int i = 0; t.server.open && i < 50; i++)
		fixture_run_for(&t.f, 100);
	assert_int_equal(t.server.open, 0);
	ask(&t.f, t.group, &q);
	assert_true(q.answered);
	assert_int_equal(t.server.connections, 2);
	assert_int_equal(t.server.resumed, 1);
	close_tls(&t);
	identity_free(&id);
}

static void test_out_of_order_over_tls(void **state)
{
	struct identity id = identity_new(&ca, "x", "DNS:" NAME, -1, 1);
	struct tls_fixture t;
	struct question a, b;

	(void)state;
	open_tls(&t, &id, "tls://%1%" NAME, ca_option(""));
	t.server.behaviour = STREAM_TWO_REVERSED;
	question_set(&t.f, &a, "a.example.");
	question_set(&t.f, &b, "b.example.");
	assert_int_equal(exchange__start(t.group, &a.exchange, t.f.v.now_ns), 0);
	assert_int_equal(exchange__start(t.group, &b.exchange, t.f.v.now_ns), 0);
	assert_true(fixture_run(&t.f, &a.done, 1));
	assert_true(a.answered && b.answered);
	assert_int_equal(t.server.connections, 1);
	close_tls(&t);
	identity_free(&id);
}

/* Closed mid-answer: not an answer, and no retry without end or pause. */
static void test_cut_and_closed_over_tls(void **state)
{
	static const enum stream_behaviour kinds[] = { STREAM_CUT, STREAM_CLOSES };
	struct identity id = identity_new(&ca, "x", "DNS:" NAME, -1, 1);
	struct tls_fixture t;
	struct question q;

	(void)state;
	for (int i = 0; i < 2; i++) {
		open_tls(&t, &id, "tls://%1%" NAME, ca_option(""));
		t.server.behaviour = kinds[i];
		ask(&t.f, t.group, &q);
		assert_false(q.answered);
		assert_in_range(t.server.queries, 5, 20);
		t.server.behaviour = STREAM_ONCE;
		for (int k = 0; k < 10; k++) {
			ask(&t.f, t.group, &q);
			assert_true(q.answered);
		}
		close_tls(&t);
	}
	identity_free(&id);
}

/* Over TLS nobody is asked without OPT, whatever is said; over TCP it is as over UDP. */
static void test_opt_over_tls(void **state)
{
	struct identity id = identity_new(&ca, "x", "DNS:" NAME, -1, 1);
	struct tls_fixture t;
	struct question q;

	(void)state;
	open_tls(&t, &id, "tls://%1%" NAME, ca_option(""));
	t.server.behaviour = STREAM_NO_EDNS;
	for (unsigned int i = 1; i <= 3; i++) {
		ask(&t.f, t.group, &q);
		assert_true(q.answered);
		assert_int_equal(q.flags & DNS_RCODE, DNS_FORMERR);
		assert_int_equal(t.server.queries, i);
	}
	close_tls(&t);
	identity_free(&id);
}

/* Which name a certificate must have, and which are good. */
static void test_names(void **state)
{
	static const struct {
		const char *names, *upstream, *more;
		const char *error; /* NULL: good */
	} cases[] = {
		{ "DNS:" NAME, "tls://%1%" NAME, "", NULL },
		{ "DNS:" NAME, "tls://%1%" NAME ".", "", NULL },
		{ "DNS:" NAME, "tls://%1", "tls_servername " NAME, NULL },
		{ "DNS:*.test.example", "tls://%1%" NAME, "", NULL },
		{ "IP:127.0.0.1", "tls://%1", "", NULL },
		{ "DNS:other.example", "tls://%1%" NAME, "", "ostname mismatch" },
		{ "DNS:" NAME, "tls://%1", "tls_servername other.example", "ostname mismatch" },
		{ "DNS:" NAME, "tls://%1", "", "IP address mismatch" },
		{ "IP:127.0.0.2", "tls://%1", "", "IP address mismatch" },
		{ "DNS:127.0.0.1", "tls://%1", "", "IP address mismatch" },
		/* the common name is no name (RFC 6125, 6.4.4) */
		{ NULL, "tls://%1%" NAME, "", "ostname mismatch" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct identity id = identity_new(&ca, NAME, cases[i].names, -1, 1);
		struct tls_fixture t;
		struct question q;

		open_tls(&t, &id, cases[i].upstream, ca_option(cases[i].more));
		ask(&t.f, t.group, &q);
		assert_int_equal(q.answered, !cases[i].error);
		if (cases[i].error)
			assert_non_null(strstr(q.error, cases[i].error));
		assert_int_equal(t.server.queries, !cases[i].error);
		close_tls(&t);
		identity_free(&id);
	}
}

/* Chains that lead nowhere, and times that are over or yet to come. */
static void test_bad_certificates(void **state)
{
	struct {
		struct identity id;
		const char *error;
	} cases[] = {
		{ identity_new(&ca, "x", "DNS:" NAME, -10, -1), "certificate has expired" },
		{ identity_new(&ca, "x", "DNS:" NAME, 1, 10), "certificate is not yet valid" },
		{ identity_new(&other_ca, "x", "DNS:" NAME, -1, 1),
		  "unable to get local issuer certificate" },
		{ identity_new(NULL, "x", "DNS:" NAME, -1, 1), "self-signed certificate" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tls_fixture t;
		struct question q;
		char want[64];

		open_tls(&t, &cases[i].id, "tls://%1%" NAME, ca_option("max_fails 1"));
		ask(&t.f, t.group, &q);
		assert_false(q.answered);
		snprintf(want, sizeof(want), "dial tcp 127.0.0.1:%u: tls: ", t.f.fake[0].port);
		assert_ptr_equal(strstr(q.error, want), q.error);
		assert_non_null(strstr(q.error, "failed to verify certificate: "));
		assert_non_null(strstr(q.error, cases[i].error));
		/* It counts as dead, and its probes fail in the same way: said once. */
		assert_true(fixture_run(&t.f, &t.f.went_down, 1));
		assert_non_null(strstr(t.f.reason, cases[i].error));
		fixture_run_for(&t.f, 700);
		assert_int_equal(t.f.went_down, 1);
		assert_int_equal(t.server.queries + t.server.probes, 0);
		assert_true(t.server.connections >= 2);
		close_tls(&t);
		identity_free(&cases[i].id);
	}
}

/* Without a file, the system's CAs: ours is none of them, until the environment says so. */
static void test_the_systems_cas(void **state)
{
	struct identity id = identity_new(&ca, "x", "DNS:" NAME, -1, 1);
	char path[PATH_MAX];
	struct tls_fixture t;
	struct question q;

	(void)state;
	unsetenv("SSL_CERT_FILE");
	open_tls(&t, &id, "tls://%1%" NAME, "");
	ask(&t.f, t.group, &q);
	assert_false(q.answered);
	assert_non_null(strstr(q.error, "unable to get local issuer certificate"));
	close_tls(&t);
	snprintf(path, sizeof(path), "%s/ca.pem", dir);
	setenv("SSL_CERT_FILE", path, 1);
	open_tls(&t, &id, "tls://%1%" NAME, "");
	unsetenv("SSL_CERT_FILE");
	ask(&t.f, t.group, &q);
	assert_true(q.answered);
	close_tls(&t);
	identity_free(&id);
}

/* The next upstream is asked where one has a bad certificate. */
static void test_others_are_used(void **state)
{
	struct identity id = identity_new(&ca, "x", "DNS:other.example", -1, 1);
	struct tls_fixture t;
	struct question q;

	(void)state;
	open_tls(&t, &id, "tls://%1%" NAME " %2", ca_option("policy sequential"));
	ask(&t.f, t.group, &q);
	assert_true(q.answered);
	assert_int_equal(t.f.fake[1].queries, 1);
	close_tls(&t);
	identity_free(&id);
}

static void test_client_certificates(void **state)
{
	struct identity id = identity_new(&ca, "x", "DNS:" NAME, -1, 1);
	struct tls_fixture t;
	struct question q;
	char options[512];

	(void)state;
	for (int given = 0; given < 2; given++) {
		snprintf(options, sizeof(options), "tls %s/client.pem %s/client.key %s/ca.pem", dir,
			 dir, dir);
		open_tls(&t, &id, "tls://%1%" NAME, given ? options : ca_option(""));
		SSL_CTX_set_verify(t.server.tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
				   NULL);
		X509_STORE_add_cert(SSL_CTX_get_cert_store(t.server.tls), ca.cert);
		ask(&t.f, t.group, &q);
		assert_int_equal(q.answered, given);
		assert_int_equal(t.server.with_certificate, given);
		if (!given)
			assert_non_null(strstr(q.error, "certificate required"));
		close_tls(&t);
	}
	identity_free(&id);
}

static void test_old_versions_are_refused(void **state)
{
	struct identity id = identity_new(&ca, "x", "DNS:" NAME, -1, 1);
	static const int versions[] = { TLS1_1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION };
	struct tls_fixture t;
	struct question q;

	(void)state;
	for (int i = 0; i < 3; i++) {
		open_tls(&t, &id, "tls://%1%" NAME, ca_option(""));
		SSL_CTX_set_security_level(t.server.tls, 0);
		SSL_CTX_set_max_proto_version(t.server.tls, versions[i]);
		SSL_CTX_set_min_proto_version(t.server.tls, versions[i]);
		ask(&t.f, t.group, &q);
		assert_int_equal(q.answered, i > 0);
		if (!i)
			assert_non_null(strstr(q.error, "tls: "));
		close_tls(&t);
	}
	identity_free(&id);
}

static void test_probes_over_tls(void **state)
{
	struct identity id = identity_new(&ca, "x", "DNS:" NAME, -1, 1);
	struct tls_fixture t;

	(void)state;
	open_tls(&t, &id, "tls://%1%" NAME, ca_option(""));
	upstreams__probe(t.f.ups);
	assert_true(fixture_run(&t.f, &t.server.probes, 1));
	fixture_run_for(&t.f, 50);
	assert_true(upstreams__answered(t.f.ups, NULL));
	close_tls(&t);
	identity_free(&id);
}

/* Who accepts but never speaks TLS, and who speaks something else. */
static void test_no_tls_there(void **state)
{
	struct identity id = identity_new(&ca, "x", "DNS:" NAME, -1, 1);
	struct tls_fixture t;
	struct question q;

	(void)state;
	open_tls(&t, &id, "tls://%1%" NAME, ca_option(""));
	SSL_CTX_free(t.server.tls);
	t.server.tls = NULL;
	question_set(&t.f, &q, "www.example.");
	assert_int_equal(exchange__start(t.group, &q.exchange, t.f.v.now_ns), 0);
	assert_true(fixture_run(&t.f, &q.done, 1));
	assert_false(q.answered);
	assert_non_null(strstr(q.error, "i/o timeout"));
	/* A ClientHello, read as DNS, is an incomplete message. */
	assert_int_equal(t.server.queries, 0);
	close_tls(&t);
	identity_free(&id);
}

static void expect_refused(const char *options, const char *file, const char *why)
{
	struct upstream_group *group = NULL;
	struct error err = { "" };
	struct upstream_fixture f;
	char text[1024];

	snprintf(text, sizeof(text), ".:53 {\n forward . tls://%%1 {\n %s\n}\n}\n", options);
	assert_int_equal(fixture_open(&f, text, READ_NS, DEADLINE_NS), 0);
	assert_int_equal(upstream_group__open(f.ups, &f.cf->blocks[0].forwards[0], &group, &err),
			 -EINVAL);
	assert_non_null(strstr(err.text, file));
	assert_non_null(strstr(err.text, why));
	fixture_close(&f);
}

static void test_files_that_cannot_be_used(void **state)
{
	static const struct {
		const char *options; /* @ is the directory */
		const char *file, *why;
	} cases[] = {
		{ "tls @/missing.pem", "CA file", "No such file or directory" },
		{ "tls @/empty.pem", "CA file @/empty.pem", "" },
		{ "tls @/missing.pem @/client.key", "certificate", "No such file or directory" },
		{ "tls @/client.pem @/missing.key", "key", "No such file or directory" },
		{ "tls @/client.pem @/other.key", "key", "key values mismatch" },
		{ "tls @/client.pem @/locked.key", "key @/locked.key", "" },
		{ "tls @/empty.pem @/client.key @/ca.pem", "certificate @/empty.pem", "" },
		{ "tls @/client.pem @/client.key @/missing.pem", "CA file", "No such file" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *texts[2] = { cases[i].options, cases[i].file };
		char out[2][512];

		for (int k = 0; k < 2; k++) {
			char *at = out[k];

			for (const char *c = texts[k]; *c; c++)
				at += *c == '@' ? sprintf(at, "%s", dir) : sprintf(at, "%c", *c);
		}
		expect_refused(out[0], out[1], cases[i].why);
	}
}

static char *path_of(const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static int set_up(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	if (!mkdtemp(dir))
		return -1;
	ca = identity_new(NULL, "test CA", NULL, -1, 10);
	other_ca = identity_new(NULL, "other CA", NULL, -1, 10);
	client = identity_new(&ca, "client", NULL, -1, 10);
	write_cert(&ca, path_of("ca.pem"));
	write_cert(&client, path_of("client.pem"));
	write_key(&client, path_of("client.key"), NULL);
	write_key(&client, path_of("locked.key"), "secret");
	write_key(&other_ca, path_of("other.key"), NULL);
	fclose(fopen(path_of("empty.pem"), "w"));
	return 0;
}

static int tear_down(void **state)
{
	static const char *const files[] = { "ca.pem",	   "client.pem", "client.key",
					     "locked.key", "other.key",	 "empty.pem" };

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		unlink(path_of(files[i]));
	rmdir(dir);
	identity_free(&ca);
	identity_free(&other_ca);
	identity_free(&client);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connections_are_kept_and_resumed),
		cmocka_unit_test(test_out_of_order_over_tls),
		cmocka_unit_test(test_cut_and_closed_over_tls),
		cmocka_unit_test(test_opt_over_tls),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_bad_certificates),
		cmocka_unit_test(test_the_systems_cas),
		cmocka_unit_test(test_others_are_used),
		cmocka_unit_test(test_client_certificates),
		cmocka_unit_test(test_old_versions_are_refused),
		cmocka_unit_test(test_probes_over_tls),
		cmocka_unit_test(test_no_tls_there),
		cmocka_unit_test(test_files_that_cannot_be_used),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
