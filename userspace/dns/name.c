/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Domain names in wire form. Contract: name.h.
 */
#include "dns/name.h"

#include <errno.h>
#include <string.h>

#include "base/secret_hash.h"

#define BAD_CHARACTER                                                                              \
	"it has a character other than letters, digits, '-', '_', '*' and '.'; write that one as " \
	"\\DDD"
#define TOO_LONG "it is longer than 255 octets; shorten it"

static bool equal_octets(const uint8_t *a, const uint8_t *b, size_t len)
{
	size_t i = 0;

	/* Messages may be made of thousands of long names that differ at their very end. */
	for (; i + 8 <= len; i += 8) {
		uint64_t wa, wb;

		memcpy(&wa, a + i, 8);
		memcpy(&wb, b + i, 8);
		if (wa != wb && dns_lower_word(wa) != dns_lower_word(wb))
			return false;
	}
	for (; i < len; i++)
		if (dns_lower(a[i]) != dns_lower(b[i]))
			return false;
	return true;
}

bool dns_name__equal(const struct dns_name *a, const struct dns_name *b)
{
	return a->len == b->len && equal_octets(a->wire, b->wire, a->len);
}

/* Eight octets at a time; what is behind the name does not count. */
uint64_t dns_name__hash(const struct dns_name *name)
{
	uint64_t hash = name->len;

	for (size_t i = 0; i < name->len; i += 8) {
		size_t left = name->len - i;
		uint64_t word = 0;

		memcpy(&word, name->wire + i, left < 8 ? left : 8);
		hash = secret_mix(hash, dns_lower_word(word));
	}
	return hash;
}

void dns_name__lower(struct dns_name *name)
{
	/* Lengths are at most 63, below 'A': no need to tell them from letters. */
	for (size_t i = 0; i < name->len; i++)
		name->wire[i] = dns_lower(name->wire[i]);
}

bool dns_wire__within(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	size_t at = 0;

	while (a_len > at + b_len)
		at += a[at] + 1;
	return a_len == at + b_len && equal_octets(a + at, b, b_len);
}

bool dns_name__within(const struct dns_name *a, const struct dns_name *b)
{
	return dns_wire__within(a->wire, a->len, b->wire, b->len);
}

/* Where each label begins, the root's not counted. */
static unsigned int find_labels(const uint8_t *wire, uint8_t at[DNS_MAX_NAME / 2])
{
	unsigned int n = 0;

	for (unsigned int i = 0; wire[i]; i += wire[i] + 1)
		at[n++] = i;
	return n;
}

int dns_wire__order(const uint8_t *a, const uint8_t *b)
{
	uint8_t at_a[DNS_MAX_NAME / 2], at_b[DNS_MAX_NAME / 2];
	unsigned int n_a = find_labels(a, at_a), n_b = find_labels(b, at_b);

	while (n_a && n_b) {
		const uint8_t *x = a + at_a[--n_a], *y = b + at_b[--n_b];
		int diff = memcmp(x + 1, y + 1, *x < *y ? *x : *y);

		if (diff || *x != *y)
			return diff ? diff : *x - *y;
	}
	return (int)n_a - (int)n_b;
}

/* Octets that read the same everywhere: hostnames, underscore labels, a wildcard's asterisk. */
static bool is_plain(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_' || c == '*';
}

/* One octet of a label in presentation form, at most four characters. */
static size_t put_octet(char *text, uint8_t c, bool config)
{
	if (c <= ' ' || c >= 0x7f || (config && !is_plain(c))) {
		text[0] = '\\';
		text[1] = '0' + c / 100;
		text[2] = '0' + c / 10 % 10;
		text[3] = '0' + c % 10;
		return 4;
	}
	if (strchr(".\\\"();@$", c)) {
		text[0] = '\\';
		text[1] = c;
		return 2;
	}
	text[0] = c;
	return 1;
}

static int to_text(const struct dns_name *name, char text[DNS_NAME_TEXT], bool config)
{
	size_t len = 0, at = 0;

	while (at < name->len && name->wire[at]) {
		size_t end = at + 1 + name->wire[at];

		for (at++; at < end; at++)
			len += put_octet(text + len, name->wire[at], config);
		text[len++] = '.';
	}
	if (!len)
		text[len++] = '.';
	text[len] = '\0';
	return len;
}

int dns_name__to_text(const struct dns_name *name, char *text, size_t size)
{
	char buf[DNS_NAME_TEXT];
	int len = to_text(name, buf, false);

	if ((size_t)len >= size)
		return -ENOSPC;
	memcpy(text, buf, len + 1);
	return len;
}

int dns_name__to_config(const struct dns_name *name, char text[DNS_NAME_TEXT])
{
	return to_text(name, text, true);
}

/* \DDD or \X at *text: its octet, or -EINVAL. */
static int get_escaped(const char **text)
{
	const char *s = *text + 1;
	int value = 0;

	if (!*s)
		return -EINVAL;
	if (*s < '0' || *s > '9') {
		*text = s + 1;
		return (uint8_t)*s;
	}
	for (int i = 0; i < 3; i++) {
		if (s[i] < '0' || s[i] > '9')
			return -EINVAL;
		value = value * 10 + s[i] - '0';
	}
	*text = s + 3;
	return value <= 255 ? value : -EINVAL;
}

/* The octet at *text, which moves behind it; -EINVAL. */
static int get_octet(const char **text, bool config, const char **why)
{
	uint8_t c = **text;

	*why = "it has a broken escape; write \\DDD (000 to 255) or \\X";
	if (c == '\\')
		return get_escaped(text);
	*why = c >= 0x80 ? "it is not ASCII; write its xn-- form" : BAD_CHARACTER;
	if (config && !is_plain(c))
		return -EINVAL;
	(*text)++;
	return c;
}

static int from_text(struct dns_name *name, const char *text, bool config, const char **why)
{
	struct dns_name out = { .len = 0 };
	size_t label = 0, len = 1; /* where the label's length goes; octets with it */

	while (*text) {
		int c;

		if (*text != '.') {
			c = get_octet(&text, config, why);
			if (c < 0)
				return -EINVAL;
			*why = "it has a label longer than 63 octets; shorten it";
			if (len - label > DNS_MAX_LABEL)
				return -EINVAL;
			*why = TOO_LONG;
			if (len == DNS_MAX_NAME)
				return -EINVAL;
			out.wire[len++] = c;
			continue;
		}
		text++;
		*why = "it has an empty label; write one dot between labels";
		if (len == label + 1)
			return -EINVAL;
		out.wire[label] = len - label - 1;
		label = len++;
		/* The root's zero, or the next label's length, must still fit. */
		*why = TOO_LONG;
		if (len > DNS_MAX_NAME)
			return -EINVAL;
	}
	if (len > label + 1) { /* no trailing dot: close the last label and add the root */
		*why = TOO_LONG;
		if (len == DNS_MAX_NAME)
			return -EINVAL;
		out.wire[label] = len - label - 1;
		label = len;
	}
	out.wire[label] = 0;
	out.len = label + 1;
	*name = out;
	return 0;
}

int dns_name__from_text(struct dns_name *name, const char *text)
{
	const char *why;

	if (!*text)
		return -EINVAL;
	return from_text(name, strcmp(text, ".") ? text : "", false, &why);
}

int dns_name__from_config(struct dns_name *name, const char *text, const char **why)
{
	int ret = from_text(name, strcmp(text, ".") ? text : "", true, why);

	if (!ret)
		dns_name__lower(name);
	return ret;
}
