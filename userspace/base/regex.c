// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Regular expressions. Contract: regex.h.
 */
#include "base/regex.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

/*
 * Steps of a match. Nearly every one ends within the first, which is free: so many matches as a
 * message has names are near linear. What needs more begins again with the next and pays for that.
 */
static const uint32_t limits[] = { 300, 3000, 30000, 300000 };

#define HEAP_KIB 1024

struct regex {
	pcre2_code *code;
	uint32_t groups;   /* besides the whole */
	uint8_t first[32]; /* what a match may begin with, a bit each; 0: it begins at the start */
	pcre2_match_data *data;
	pcre2_match_context *context;
};

/* What PCRE2 looks for before it tries. */
static void find_first(struct regex *regex)
{
	uint32_t options = 0, type = 0, unit = 0;
	const uint8_t *bitmap = NULL;

	pcre2_pattern_info(regex->code, PCRE2_INFO_ALLOPTIONS, &options);
	pcre2_pattern_info(regex->code, PCRE2_INFO_FIRSTCODETYPE, &type);
	pcre2_pattern_info(regex->code, PCRE2_INFO_FIRSTCODEUNIT, &unit);
	pcre2_pattern_info(regex->code, PCRE2_INFO_FIRSTBITMAP, &bitmap);
	if (options & PCRE2_ANCHORED || type == 2) /* a name has no second line */
		return;
	if (type == 1) {
		regex->first[unit / 8] |= 1 << unit % 8;
		regex->first[(unit ^ 0x20) / 8] |= 1 << unit % 8; /* of either case */
	} else if (bitmap) {
		memcpy(regex->first, bitmap, sizeof(regex->first));
	} else {
		memset(regex->first, 0xff, sizeof(regex->first));
	}
}

int regex__open(const char *pattern, struct regex **out, char *why, size_t why_size)
{
	struct regex *regex = calloc(1, sizeof(*regex));
	PCRE2_SIZE at = 0;
	int error = 0;

	if (!regex)
		return -ENOMEM;
	regex->code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
				    PCRE2_NEVER_UTF | PCRE2_DOLLAR_ENDONLY, &error, &at, NULL);
	if (!regex->code) {
		char text[128] = "";

		pcre2_get_error_message(error, (PCRE2_UCHAR *)text, sizeof(text));
		snprintf(why, why_size, "%s, at character %zu", text, (size_t)at + 1);
		regex__close(regex);
		return -EINVAL;
	}
	pcre2_pattern_info(regex->code, PCRE2_INFO_CAPTURECOUNT, &regex->groups);
	if (regex->groups >= REGEX_GROUPS) {
		snprintf(why, why_size, "it has %u groups; at most %d are supported", regex->groups,
			 REGEX_GROUPS - 1);
		regex__close(regex);
		return -EINVAL;
	}
	pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE); /* where it can be had */
	find_first(regex);
	regex->data = pcre2_match_data_create(REGEX_GROUPS, NULL);
	regex->context = pcre2_match_context_create(NULL);
	if (!regex->data || !regex->context) {
		regex__close(regex);
		return -ENOMEM;
	}
	pcre2_set_heap_limit(regex->context, HEAP_KIB);
	*out = regex;
	return 0;
}

void regex__close(struct regex *regex)
{
	if (!regex)
		return;
	pcre2_code_free(regex->code);
	pcre2_match_data_free(regex->data);
	pcre2_match_context_free(regex->context);
	free(regex);
}

/* Where in @subject PCRE2 may begin: what it calls the limit is that of each beginning. */
static uint32_t beginnings(const struct regex *regex, const char *subject)
{
	uint32_t n = 1;

	for (const uint8_t *c = (const uint8_t *)subject; *c; c++)
		n += regex->first[*c / 8] >> *c % 8 & 1;
	return n;
}

/* As pcre2_match() says it. */
static int match_within(const struct regex *regex, const char *subject, uint32_t limit)
{
	pcre2_set_match_limit(regex->context, limit);
	pcre2_set_depth_limit(regex->context, limit);
	return pcre2_match(regex->code, (PCRE2_SPTR)subject, strlen(subject), 0, 0, regex->data,
			   regex->context);
}

static int match_paid(const struct regex *regex, const char *subject, struct regex_budget *budget)
{
	uint32_t n_begin = beginnings(regex, subject);
	int n = match_within(regex, subject, limits[0] / n_begin);

	for (size_t i = 1; i < sizeof(limits) / sizeof(limits[0]); i++) {
		if ((n != PCRE2_ERROR_MATCHLIMIT && n != PCRE2_ERROR_DEPTHLIMIT) ||
		    budget->steps + limits[i] > REGEX_STEPS)
			break;
		budget->steps += limits[i];
		n = match_within(regex, subject, limits[i] / n_begin);
	}
	return n;
}

int regex__match(const struct regex *regex, const char *subject, struct regex_budget *budget,
		 struct regex_match *match)
{
	int n = match_paid(regex, subject, budget);
	const PCRE2_SIZE *at = pcre2_get_ovector_pointer(regex->data);

	if (n == PCRE2_ERROR_NOMATCH)
		return 0;
	if (n < 0)
		return -ELOOP;
	*match = (struct regex_match){ .subject = subject, .n = regex->groups + 1 };
	for (int i = 0; i < n; i++) {
		if (at[2 * i] == PCRE2_UNSET)
			continue;
		match->group[i].at = at[2 * i];
		match->group[i].len = at[2 * i + 1] - at[2 * i];
	}
	return 1;
}

int regex__group(const struct regex *regex, const char *name)
{
	int number = pcre2_substring_number_from_name(regex->code, (PCRE2_SPTR)name);

	return number > 0 && number < REGEX_GROUPS ? number : -ENOENT;
}
