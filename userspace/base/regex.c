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

/* A name has 1,000 characters at most; what needs more steps than this is backtracking for ever. */
#define MATCH_LIMIT 100000
#define HEAP_KIB    1024

struct regex {
	pcre2_code *code;
	uint32_t groups; /* besides the whole */
	pcre2_match_data *data;
	pcre2_match_context *context;
};

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
	regex->data = pcre2_match_data_create(REGEX_GROUPS, NULL);
	regex->context = pcre2_match_context_create(NULL);
	if (!regex->data || !regex->context) {
		regex__close(regex);
		return -ENOMEM;
	}
	pcre2_set_match_limit(regex->context, MATCH_LIMIT);
	pcre2_set_depth_limit(regex->context, MATCH_LIMIT);
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

int regex__match(const struct regex *regex, const char *subject, struct regex_match *match)
{
	int n = pcre2_match(regex->code, (PCRE2_SPTR)subject, strlen(subject), 0, 0, regex->data,
			    regex->context);
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
