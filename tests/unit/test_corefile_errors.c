// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Tests of what the Corefile parser says of wrong files (test_corefile_errors.h, one row each) and
 * of files that cannot be read, and what it must not say.
 */
#include "corefile_fixture.h"
#include "test_corefile_errors.h"

/* A wrong file gives its message, one line, and leaves the output alone. */
static void test_errors(void **state)
{
	unsigned int wrong = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		struct error err = { "" };
		struct corefile *cf = (struct corefile *)state;
		int ret = corefile__parse(&fake, "Corefile", errors[i].text, strlen(errors[i].text),
					  &cf, &err);

		if (ret >= 0 || strcmp(err.text, errors[i].message) != 0 ||
		    cf != (struct corefile *)state) {
			print_error("--- %s\nwant %s\ngot  %s (%d)\n", errors[i].text,
				    errors[i].message, err.text, ret);
			wrong++;
		}
	}
	assert_int_equal(wrong, 0);
}

/* An imported file may be what nobody wanted in a log: whatever it holds and wherever it stands. */
static void test_secrets(void **state)
{
	static const char *const secrets[] = {
		"hunter2",
		"hunter2 hunter2",
		"hunter2 {",
		"hunter2{",
		"\"hunter2",
		"\"hunter2\" {\n}",
		"{$hunter2}",
		"x {$hunter2}",
		"} hunter2",
		"(hunter2) {",
		"{ hunter2",
		"(hunter2) {\n}\n(hunter2) {\n}",
		". hunter2,",
		"hunter2:99999",
		"a..hunter2",
		"https://hunter2 {",
		"\nhunter2 {\nhunter2\n}",
		"hunter2 https://hunter2/x {\nhunter2\n}",
		"a/hunter2 {\n}",
	};
	static const char *const places[] = {
		"import secret.txt\n",
		"(a) {\nimport secret.txt\n}\n. {\nimport a\n}\n",
		". {\nimport secret.txt\n}\n",
		". {\ncache {\nimport secret.txt\n}\n}\n",
		". {\nforward . 192.0.2.1 {\nimport secret.txt\n}\n}\n",
		". {\nhosts {\nimport secret.txt\n}\n}\n",
		". {\nrewrite name {\nimport secret.txt\n}\n}\n",
		". {\nrewrite name a {\nimport secret.txt\n}\n}\n",
		". {\ntemplate IN A {\nimport secret.txt\n}\n}\n",
		". {\nlog {\nimport secret.txt\n}\n}\n",
		". {\nfrob {\nimport secret.txt\n}\n}\n",
		". {\ndnstap {\nimport secret.txt\n}\n}\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(secrets) * ARRAY_SIZE(places); i++) {
		const char *place = places[i / ARRAY_SIZE(secrets)];
		struct error err = { "" };
		struct corefile *cf = NULL;

		secret = secrets[i % ARRAY_SIZE(secrets)];
		corefile__parse(&fake, "Corefile", place, strlen(place), &cf, &err);
		if (strstr(err.text, "hunter2"))
			fail_msg("%s\n%s\n%s", place, secret, err.text);
		for (size_t k = 0; cf && k < cf->warnings_len; k++) {
			if (strstr(cf->warnings[k], "hunter2"))
				fail_msg("%s\n%s\n%s", place, secret, cf->warnings[k]);
		}
		corefile__free(cf);
	}
	secret = NULL;
}

static void test_unreadable(void **state)
{
	char path[600], text[COREFILE_TEXT_MAX + 2];
	struct error err;
	struct corefile *cf;

	(void)state;
	assert_int_equal(load(TEST_DATA "absent", &cf), -ENOENT);
	assert_int_equal(load(TEST_DATA, &cf), -EISDIR);

	memset(text, ' ', sizeof(text));
	assert_int_equal(
		corefile__parse(&corefile_host_options, "C", text, sizeof(text), &cf, &err),
		-EFBIG);
	assert_int_equal(corefile__parse(&corefile_host_options, "C", "a\0b", 3, &cf, &err),
			 -EINVAL);
	assert_string_equal(err.text, "C:1: syntax: the text has a NUL octet; write plain text");

	/* A long path keeps its end and leaves room for what is wrong. */
	memset(path, 'p', sizeof(path));
	strcpy(path + sizeof(path) - 6, "/file");
	assert_int_equal(
		corefile__parse(&corefile_host_options, path, ". {\nfrob\n}", 10, &cf, &err),
		-EINVAL);
	assert_non_null(strstr(
		err.text, "/file:2: frob: unknown directive; allowed: acl, any, bind, bufsize, "
			  "cache, "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_secrets),
	};

	return cmocka_run_group_tests_name("corefile errors", tests, NULL, NULL);
}
