/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Where a reader of dnstap listens.
 *
 * Contract: pure.
 */
#ifndef NODENS_TAP_ENDPOINT_H
#define NODENS_TAP_ENDPOINT_H

#include <sys/un.h>

#include "base/sockaddr.h"

struct tap_endpoint {
	union {
		struct sockaddr sa;
		struct sockaddr_un un;
		union sockaddr_any ip;
	};
	socklen_t len;
};

#define TAP_ENDPOINT_TEXT (sizeof("unix://") + sizeof(((struct sockaddr_un *)0)->sun_path))

/* PATH, unix:PATH, unix://PATH or tcp://IP:PORT. NULL, or what is wrong with it. */
const char *tap_endpoint__parse(const char *text, struct tap_endpoint *out);
/* "unix:///run/dnstap.sock", "tcp://10.0.0.9:6000" */
const char *tap_endpoint__text(const struct tap_endpoint *endpoint, char *text, size_t size);

#endif /* NODENS_TAP_ENDPOINT_H */
