/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Domain names in wire form: comparison, case, presentation.
 *
 * Contract: pure. Names are well-formed, as the cursor and dns_name__from_text() make them; what
 * is behind len octets is never looked at.
 */
#include <errno.h>
#include <string.h>

#include "dns/msg.h"

#define MAX_LABEL 63 /* RFC 1035, 2.3.4 */

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

void dns_name__lower(struct dns_name *name)
{
	/* Lengths are at most 63, below 'A': no need to tell them from letters. */
	for (size_t i = 0; i < name->len; i++)
		name->wire[i] = dns_lower(name->wire[i]);
}

bool dns_name__within(const struct dns_name *a, const struct dns_name *b)
{
	size_t at = 0;

	while (a->len - at > b->len)
		at += a->wire[at] + 1;
	return a->len - at == b->len && equal_octets(a->wire + at, b->wire, b->len);
}

/* One octet of a label in presentation form, at most four characters. */
static size_t put_octet(char *text, uint8_t c)
{
	if (c <= ' ' || c >= 0x7f) {
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

int dns_name__to_text(const struct dns_name *name, char *text, size_t size)
{
	char buf[DNS_MAX_NAME * 4 + 1];
	size_t len = 0, at = 0;

	while (at < name->len && name->wire[at]) {
		size_t end = at + 1 + name->wire[at];

		for (at++; at < end; at++)
			len += put_octet(buf + len, name->wire[at]);
		buf[len++] = '.';
	}
	if (!len)
		buf[len++] = '.';
	if (len >= size)
		return -ENOSPC;
	memcpy(text, buf, len);
	text[len] = '\0';
	return len;
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

int dns_name__from_text(struct dns_name *name, const char *text)
{
	struct dns_name out = { .len = 0 };
	size_t label = 0, len = 1; /* where the label's length goes; octets with it */

	if (!strcmp(text, ".")) {
		name->len = 1;
		name->wire[0] = 0;
		return 0;
	}
	while (*text) {
		int c = (uint8_t)*text;

		if (c == '.') {
			if (len == label + 1) /* an empty label */
				return -EINVAL;
			out.wire[label] = len - label - 1;
			label = len++;
			text++;
			if (label >= DNS_MAX_NAME)
				return -EINVAL;
			continue;
		}
		if (c == '\\')
			c = get_escaped(&text);
		else
			text++;
		/* One octet must be left for the root. */
		if (c < 0 || len - label > MAX_LABEL || len >= DNS_MAX_NAME - 1)
			return -EINVAL;
		out.wire[len++] = c;
	}
	if (len > label + 1) {
		out.wire[label] = len - label - 1;
		label = len;
	}
	if (!label)
		return -EINVAL;
	out.wire[label] = 0;
	out.len = label + 1;
	*name = out;
	return 0;
}
