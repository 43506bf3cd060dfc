/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A message of dnstap (https://dnstap.info, dnstap.proto here): a query or a response, who asked
 * whom, and when.
 *
 * Contract: pure. What is not set is left out.
 */
#ifndef NODENS_TAP_MESSAGE_H
#define NODENS_TAP_MESSAGE_H

#include "base/sockaddr.h"

enum tap_type {
	TAP_CLIENT_QUERY,
	TAP_CLIENT_RESPONSE,
	TAP_FORWARDER_QUERY,
	TAP_FORWARDER_RESPONSE,
};

enum tap_proto { TAP_UDP, TAP_TCP, TAP_TLS };

struct tap_message {
	enum tap_type type;
	enum tap_proto proto;
	const void *querier, *responder; /* sockaddrs; NULL: not known */
	uint64_t query_ns, response_ns;	 /* since 1970; 0: not known */
	const uint8_t *msg;		 /* of a query or of a response, as type says; NULL: none */
	size_t len;
	const char *identity, *version; /* of who says it; "" and NULL: none */
	const char *extra;		/* the same */
};

/* As packed by tap_message__pack(). */
size_t tap_message__size(const struct tap_message *message);
/* Protocol Buffers' form into @out, which has room for it. */
void tap_message__pack(const struct tap_message *message, uint8_t *out);

#endif /* NODENS_TAP_MESSAGE_H */
