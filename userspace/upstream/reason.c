// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Why an attempt failed, in the words that CoreDNS logs: "read udp 10.0.0.1:41234->10.0.0.10:53:
 * i/o timeout". Expressions of `errors { consolidate }` are written against those.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "upstream_priv.h"

static void error_text(char *text, size_t size, const char *call, int error)
{
	switch (error) {
	case -ETIMEDOUT:
		snprintf(text, size, "i/o timeout");
		return;
	case -EBADMSG:
		snprintf(text, size, "malformed message");
		return;
	case UPSTREAM_EOF:
		snprintf(text, size, "EOF");
		return;
	default:
		snprintf(text, size, "%s: %s", call, strerror(-error));
		if (strlen(text) > strlen(call) + 2)
			text[strlen(call) + 2] = tolower((unsigned char)text[strlen(call) + 2]);
	}
}

void upstream_reason(struct upstream *upstream, const char *proto, int fd, int error)
{
	const char *to = upstream->numbers->to;
	char local_text[SOCKADDR_TEXT] = "?", why[96];
	union sockaddr_any local = { 0 };
	socklen_t len = sizeof(local);

	if (fd < 0) {
		error_text(why, sizeof(why), "connect", error);
		snprintf(upstream->reason, sizeof(upstream->reason), "dial %s %s: %s", proto, to,
			 why);
		return;
	}
	error_text(why, sizeof(why), "read", error);
	if (!getsockname(fd, (struct sockaddr *)&local, &len))
		sockaddr__text(&local, local_text, sizeof(local_text));
	snprintf(upstream->reason, sizeof(upstream->reason), "read %s %s->%s: %s", proto,
		 local_text, to, why);
}

void upstream_reason_tls(struct upstream *upstream, const char *why)
{
	snprintf(upstream->reason, sizeof(upstream->reason), "dial tcp %s: tls: %s",
		 upstream->numbers->to, why);
}
