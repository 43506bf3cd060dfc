// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Where a reader of dnstap listens. Contract: endpoint.h.
 */
#include "dnstap/endpoint.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* What follows @prefix, or NULL. */
static const char *behind(const char *text, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(text, prefix, len) ? NULL : text + len;
}

static const char *parse_path(const char *path, struct tap_endpoint *out)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	if (!*path)
		return "has no path; write unix:///run/dnstap.sock";
	if (strlen(path) >= sizeof(un.sun_path))
		return "is too long for a socket's path, which has 107 octets at most (unix(7))";
	strcpy(un.sun_path, path);
	out->un = un;
	out->len = offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1;
	return NULL;
}

const char *tap_endpoint__parse(const char *text, struct tap_endpoint *out)
{
	const char *rest = behind(text, "tcp://");

	if (rest) {
		if (sockaddr__parse(rest, 0, &out->ip) || !sockaddr__port(&out->ip))
			return "is no address with a port; write tcp://10.0.0.9:6000, with no "
			       "name: "
			       "to look it up DNS would have to be there already";
		out->len = sockaddr__len(&out->ip);
		return NULL;
	}
	if (behind(text, "tls://"))
		return "is over TLS, which nodens does not speak to readers of dnstap; write a "
		       "socket of this node (unix://) or tcp://, and have the reader there pass it "
		       "on over TLS";
	rest = behind(text, "unix://");
	if (!rest)
		rest = behind(text, "unix:");
	return parse_path(rest ? rest : text, out);
}

const char *tap_endpoint__text(const struct tap_endpoint *endpoint, char *text, size_t size)
{
	char addr[SOCKADDR_TEXT];

	if (endpoint->sa.sa_family == AF_UNIX)
		snprintf(text, size, "unix://%s", endpoint->un.sun_path);
	else
		snprintf(text, size, "tcp://%s", sockaddr__text(&endpoint->ip, addr, sizeof(addr)));
	return text;
}
