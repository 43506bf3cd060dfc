// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What numbers of rows are called in JSON and on screens. Contract: records.h.
 */
#include "publish/records.h"

const char *const publish_upstream_states[] = { "", "unheard", "up", "down" };

const char *publish__proto(const struct publish_upstream *up)
{
	static const char *const protos[] = { "udp", "tcp", "tls" };

	return protos[up->proto <= PUBLISH_TLS ? up->proto : PUBLISH_UDP];
}
