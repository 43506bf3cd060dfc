// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Lines in the formats of -log-format: text as it always was, JSON that jansson reads back whatever
 * octets a message has, priorities for the journal; and which format auto is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

static const char *line_of(enum log_format format, const struct log_record *record)
{
	static char line[LOG_LINE];
	size_t len = log_line__make(format, record, line);

	assert_in_range(len, 1, LOG_LINE - 1);
	line[len] = '\0';
	assert_null(memchr(line, '\n', len));
	return line;
}

static struct log_record record_of(enum log_level level, const char *plugin, const char *text)
{
	return (struct log_record){
		.level = level, .plugin = plugin, .text = text, .len = strlen(text)
	};
}

static void test_text_and_journal(void **state)
{
	static const struct {
		enum log_level level;
		const char *plugin, *text, *journal;
	} cases[] = {
		{ LOG_LEVEL_ERROR, NULL, "error: it is so", "<3>it is so" },
		{ LOG_LEVEL_WARN, NULL, "warn: it is so", "<4>it is so" },
		{ LOG_LEVEL_INFO, NULL, "info: it is so", "<6>it is so" },
		{ LOG_LEVEL_DEBUG, NULL, "debug: it is so", "<7>it is so" },
		{ LOG_LEVEL_INFO, "log", "[INFO] it is so", "<6>it is so" },
		{ LOG_LEVEL_ERROR, "errors", "[ERROR] it is so", "<3>it is so" },
		{ LOG_LEVEL_WARN, "errors", "[WARNING] it is so", "<4>it is so" },
		{ LOG_LEVEL_DEBUG, "errors", "[DEBUG] it is so", "<7>it is so" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct log_record record = record_of(cases[i].level, cases[i].plugin, "it is so");

		assert_string_equal(line_of(LOG_FORMAT_TEXT, &record), cases[i].text);
		record.stamp = "12:00:00 ";
		assert_string_equal(line_of(LOG_FORMAT_JOURNAL, &record), cases[i].journal);
	}
}

static void test_a_terminal_has_the_time(void **state)
{
	struct log_record record = record_of(LOG_LEVEL_INFO, NULL, "ready");

	(void)state;
	record.stamp = "12:00:00 ";
	assert_string_equal(line_of(LOG_FORMAT_TEXT, &record), "12:00:00 info: ready");
}

/* ---- JSON ---- */

/* The caller lets go of it. */
static json_t *object_of(const struct log_record *record)
{
	json_error_t error;
	json_t *object =
		json_loads(line_of(LOG_FORMAT_JSON, record), JSON_REJECT_DUPLICATES, &error);

	if (!object)
		fail_msg("%s: %s", error.text, line_of(LOG_FORMAT_JSON, record));
	return object;
}

static const char *member(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static void test_json(void **state)
{
	struct log_record record =
		record_of(LOG_LEVEL_WARN, NULL, "a \"quoted\" \\ text, \xc3\xa9");
	json_t *object = object_of(&record);
	unsigned int numbers[6], us;

	(void)state;
	assert_int_equal(json_object_size(object), 4);
	assert_string_equal(member(object, "level"), "warn");
	assert_string_equal(member(object, "source"), "agent");
	assert_string_equal(member(object, "msg"), record.text);
	assert_int_equal(strlen(member(object, "time")), strlen("2026-01-01T00:00:00.000000Z"));
	assert_int_equal(sscanf(member(object, "time"), "%u-%u-%uT%u:%u:%u.%uZ", &numbers[0],
				&numbers[1], &numbers[2], &numbers[3], &numbers[4], &numbers[5],
				&us),
			 7);
	assert_in_range(us, 0, 999999);
	json_decref(object);
}

static void test_json_of_a_plugin(void **state)
{
	struct log_record record = record_of(LOG_LEVEL_INFO, "log", "a line");
	json_t *object;

	(void)state;
	record.fields = json_pack("{s:s, s:i, s:f, s:n}", "name", "example.org.", "size", 41,
				  "duration_s", 0.000812, "client_pod_name");
	assert_non_null(strstr(line_of(LOG_FORMAT_JSON, &record), "\"duration_s\":0.000812,"));
	object = object_of(&record);
	assert_string_equal(member(object, "source"), "log");
	assert_string_equal(member(object, "name"), "example.org.");
	assert_int_equal(json_integer_value(json_object_get(object, "size")), 41);
	assert_true(json_is_null(json_object_get(object, "client_pod_name")));
	json_decref(object);
	json_decref(record.fields);
}

static void test_json_of_any_octets(void **state)
{
	char text[600];
	uint32_t seed = 1;

	(void)state;
	for (unsigned int round = 0; round < 2000; round++) {
		struct log_record record = { .level = LOG_LEVEL_INFO, .text = text };

		record.len = round % sizeof(text);
		for (size_t i = 0; i < record.len; i++) {
			seed = seed * 1664525 + 1013904223;
			text[i] = (char)(seed >> 24);
		}
		json_decref(object_of(&record));
	}
}

/* Each octet of it takes two. */
static void test_json_of_a_long_text(void **state)
{
	static char text[3 * LOG_LINE];
	struct log_record record = record_of(LOG_LEVEL_INFO, "log", "");
	json_t *object;

	(void)state;
	memset(text, '"', sizeof(text));
	record.text = text;
	record.len = sizeof(text);
	record.fields = json_pack("{s:s}", "name", "example.org.");
	object = object_of(&record);
	assert_in_range(strlen(member(object, "msg")), 500, LOG_LINE / 2);
	assert_string_equal(member(object, "name"), "example.org.");
	json_decref(object);
	json_decref(record.fields);
}

static void test_long_lines_are_cut(void **state)
{
	static char text[3 * LOG_LINE];
	struct log_record record = { .text = text, .len = sizeof(text) };

	(void)state;
	memset(text, 'x', sizeof(text));
	assert_int_equal(strlen(line_of(LOG_FORMAT_TEXT, &record)), LOG_LINE - 1);
	assert_int_equal(strlen(line_of(LOG_FORMAT_JOURNAL, &record)), LOG_LINE - 1);
}

/* ---- which format ---- */

static void test_auto(void **state)
{
	char stream[64];
	struct stat st;

	(void)state;
	assert_int_equal(log__format(), LOG_FORMAT_TEXT);
	assert_int_equal(fstat(STDERR_FILENO, &st), 0);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log__set_format(LOG_FORMAT_AUTO);
	assert_int_equal(log__format(), LOG_FORMAT_JOURNAL);
	log__set_format(LOG_FORMAT_TEXT);
	assert_int_equal(log__format(), LOG_FORMAT_TEXT);
	/* a service that has sent it elsewhere: 2>/file */
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino + 1);
	setenv("JOURNAL_STREAM", stream, 1);
	log__set_format(LOG_FORMAT_AUTO);
	assert_int_equal(log__format(), LOG_FORMAT_TEXT);
	unsetenv("JOURNAL_STREAM");
	log__set_format(LOG_FORMAT_AUTO);
	assert_int_equal(log__format(), LOG_FORMAT_TEXT);
}

static size_t logged(enum log_format format, char *buf, size_t size)
{
	int saved = dup(STDERR_FILENO), fd[2];
	ssize_t n;

	assert_int_equal(pipe(fd), 0);
	log__set_format(format);
	dup2(fd[1], STDERR_FILENO);
	close(fd[1]);
	log_error("device %s", "a\nb\x7f\xff");
	log_info("as it is");
	log_debug("not said");
	dup2(saved, STDERR_FILENO);
	close(saved);
	log__set_format(LOG_FORMAT_TEXT);
	n = read(fd[0], buf, size - 1);
	close(fd[0]);
	assert_true(n > 0);
	buf[n] = '\0';
	return (size_t)n;
}

static void test_the_log(void **state)
{
	char text[2 * LOG_LINE];
	json_error_t error;
	json_t *object;

	(void)state;
	logged(LOG_FORMAT_TEXT, text, sizeof(text));
	assert_string_equal(text, "error: device a?b?\xff\ninfo: as it is\n");
	logged(LOG_FORMAT_JOURNAL, text, sizeof(text));
	assert_string_equal(text, "<3>device a?b?\xff\n<6>as it is\n");
	logged(LOG_FORMAT_JSON, text, sizeof(text));
	*strchr(text, '\n') = '\0';
	object = json_loads(text, 0, &error);
	assert_non_null(object);
	assert_string_equal(member(object, "msg"), "device a?b??");
	json_decref(object);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_and_journal),
		cmocka_unit_test(test_a_terminal_has_the_time),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_json_of_a_plugin),
		cmocka_unit_test(test_json_of_any_octets),
		cmocka_unit_test(test_json_of_a_long_text),
		cmocka_unit_test(test_long_lines_are_cut),
		cmocka_unit_test(test_auto),
		cmocka_unit_test(test_the_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
