// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Which file a configuration is read from, what is made of it, and when it has changed.
 */
#include "conf_fixture.h"

/* Which file is it? */
static void test_choice(void **state)
{
	struct run_options opts = options(V4);
	struct error err;
	const char *path;
	struct conf_notes notes;
	char *text;

	(void)state;
	static const struct {
		bool base_given, nodecache, base, conf;
		bool want_base;
	} cases[] = {
		{ true, true, true, true, true },    { true, false, true, true, true },
		{ false, true, true, true, true },   { false, true, false, true, false },
		{ false, false, true, true, false }, { false, false, true, false, true },
		{ false, true, true, false, true },  { false, false, false, true, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		opts.base_given = cases[i].base_given;
		opts.nodecache = cases[i].nodecache;
		drop(dir, "Corefile");
		drop(dir, "Corefile.base");
		if (cases[i].base)
			put(dir, "Corefile.base", "base");
		if (cases[i].conf)
			put(dir, "Corefile", "conf __PILLAR__CLUSTER__DNS__");
		if (text_of(&opts, &text, &path, &notes, &err))
			fail_msg("%zu: %s", i, err.text);
		assert_string_equal(text,
				    cases[i].want_base ? "base" : "conf __PILLAR__CLUSTER__DNS__");
		assert_string_equal(path, cases[i].want_base ? base_file : conf_file);
		assert_int_equal(conf__from_base(&opts), cases[i].want_base);
		free(text);
	}
}

/* node-cache's manifest, as its installer fills it in. */
static const char manifest[] =
	"cluster.local:53 {\n errors\n cache {\n  success 9984 30\n  denial 9984 5\n }\n reload\n"
	" loop\n bind 169.254.20.10 10.96.0.10\n forward . __PILLAR__CLUSTER__DNS__ {\n"
	"  force_tcp\n }\n prometheus :9253\n health 169.254.20.10:8080\n}\n"
	".:53 {\n errors\n cache 30\n reload\n loop\n bind 169.254.20.10 10.96.0.10\n"
	" forward . __PILLAR__UPSTREAM__SERVERS__\n prometheus :9253\n}\n";

static void load(const struct run_options *opts, struct conf *conf)
{
	struct error err;

	if (conf__load(opts, conf, &err))
		fail_msg("%s", err.text);
}

static void test_load(void **state)
{
	struct run_options opts = options(V4);
	struct conf conf;

	(void)state;
	put(dir, "Corefile.base", manifest);
	put(config_map, "upstreamNameservers", "[\"192.0.2.1\"]");
	put(config_map, "stubDomains", "{\"acme.local\": [\"192.0.2.2\"]}");
	load(&opts, &conf);
	assert_int_equal(conf.cf->blocks_len, 3);
	assert_string_equal(conf.cf->blocks[2].zones[0].text, "acme.local.");
	assert_int_equal(conf.cf->blocks[2].binds_len, 2);
	assert_int_equal(conf.plan->mode, MODE_STEER);
	assert_int_equal(conf.plan->n_served, 2);
	assert_int_equal(conf.plan->n_listen, 2);
	assert_int_equal(conf.notes.len, 0);
	conf__free(&conf);
	/* What is said of the base names its own line. */
	put(dir, "Corefile.base", ".:53 {\n bind __PILLAR__LOCAL__DNS__\n nonsense\n}\n");
	{
		struct error err;

		assert_int_equal(conf__load(&opts, &conf, &err), -EINVAL);
		assert_non_null(strstr(err.text, "Corefile.base:3: nonsense"));
		conf__free(&conf);
	}
}

static void test_default_port(void **state)
{
	struct run_options opts = options("");
	struct conf conf;

	(void)state;
	opts.dns_port = 5300;
	opts.mode = MODE_LISTEN;
	put(dir, "Corefile.base", "cluster.local {\n forward . 192.0.2.1\n}\n");
	put(config_map, "stubDomains", "{\"acme.local\": [\"192.0.2.2\"]}");
	load(&opts, &conf);
	assert_int_equal(conf.cf->blocks[0].port, 5300);
	assert_int_equal(conf.cf->blocks[1].port, 5300);
	conf__free(&conf);
}

static void assert_look(const struct conf *conf, const struct run_options *opts,
			enum conf_change want)
{
	assert_int_equal(conf_watch__look(conf->watch, opts), want);
}

/* Whatever the configuration is made of is a change, and nothing else is. */
static void test_changes(void **state)
{
	struct run_options opts = options(V4);
	struct conf conf;

	(void)state;
	put(dir, "Corefile.base", manifest);
	load(&opts, &conf);
	assert_look(&conf, &opts, CONF_SAME);
	put(config_map, "stubDomains", "{\"acme.local\": [\"192.0.2.2\"]}");
	assert_look(&conf, &opts, CONF_CHANGED);
	drop(config_map, "stubDomains");
	assert_look(&conf, &opts, CONF_SAME);
	put(config_map, "upstreamNameservers", "[\"192.0.2.1\"]");
	assert_look(&conf, &opts, CONF_CHANGED);
	drop(config_map, "upstreamNameservers");
	put(dir, "Corefile.base", "");
	assert_look(&conf, &opts, CONF_CHANGED);
	drop(dir, "Corefile.base");
	assert_look(&conf, &opts, CONF_MISSING);
	conf__free(&conf);
}

/*
 * As AKS, k3s, DigitalOcean and Gardener have it: globs over volumes that come later, beside the
 * file that node-cache would write.
 */
static void test_imports(void **state)
{
	struct run_options opts = options(V4);
	struct error err;
	struct conf conf;
	char custom[128], etc[128];

	(void)state;
	snprintf(custom, sizeof(custom), "%s/custom", dir);
	snprintf(conf_file, sizeof(conf_file), "%s/etc/Corefile", dir);
	put(dir, "Corefile.base",
	    ".:53 {\n bind 169.254.20.10\n forward . 192.0.2.1\n import ../custom/*.override\n}\n"
	    "import ../custom/*.server\n");
	snprintf(etc, sizeof(etc), "%s/etc", dir);
	assert_int_equal(mkdir(etc, 0700), 0);
	/* neither the directory, nor a file in it, nor one that matches */
	load(&opts, &conf);
	assert_int_equal(conf.cf->warnings_len, 2);
	assert_non_null(strstr(conf.cf->warnings[0], "no file matches"));
	assert_look(&conf, &opts, CONF_SAME);
	assert_int_equal(mkdir(custom, 0700), 0);
	assert_look(&conf, &opts, CONF_SAME);
	put(custom, "other", "x");
	assert_look(&conf, &opts, CONF_SAME);
	/* one appears, changes, goes */
	put(custom, "a.override", "cache 30\n");
	assert_look(&conf, &opts, CONF_CHANGED);
	conf__free(&conf);
	load(&opts, &conf);
	assert_true(conf.cf->blocks[0].cache.enabled);
	assert_look(&conf, &opts, CONF_SAME);
	put(custom, "a.override", "cache 60\n");
	assert_look(&conf, &opts, CONF_CHANGED);
	put(custom, "a.override", "cache 30\n");
	assert_look(&conf, &opts, CONF_SAME);
	put(custom, "b.override", "");
	assert_look(&conf, &opts, CONF_CHANGED);
	drop(custom, "b.override");
	assert_look(&conf, &opts, CONF_SAME);
	drop(custom, "a.override");
	assert_look(&conf, &opts, CONF_CHANGED);
	/* what is refused is looked at as well, where it was wrong */
	conf__free(&conf);
	put(custom, "c.server", "x.example {\n frobnicate\n}\n");
	assert_int_equal(conf__load(&opts, &conf, &err), -EINVAL);
	assert_non_null(strstr(err.text, "c.server:2: server block: unknown directive"));
	assert_null(conf.cf);
	assert_look(&conf, &opts, CONF_SAME);
	put(custom, "c.server", "x.example {\n bind 169.254.20.10\n forward . 192.0.2.2\n}\n");
	assert_look(&conf, &opts, CONF_CHANGED);
	conf__free(&conf);
	load(&opts, &conf);
	assert_int_equal(conf.cf->blocks_len, 2);
	conf__free(&conf);
	drop(custom, "c.server");
	drop(custom, "other");
	rmdir(custom);
	rmdir(etc);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_choice, each),
		cmocka_unit_test_setup(test_load, each),
		cmocka_unit_test_setup(test_default_port, each),
		cmocka_unit_test_setup(test_changes, each),
		cmocka_unit_test_setup(test_imports, each),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
