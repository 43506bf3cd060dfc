// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Messages of dnstap in Protocol Buffers' form. Contract: message.h.
 */
#include "dnstap/message.h"

#include <string.h>

#include "base/clock.h"
#include "dnstap.pb-c.h"

/* What protobuf-c packs, and what it points to. */
struct parts {
	Dnstap__Dnstap top;
	Dnstap__Message message;
	struct served_addr querier, responder;
};

static void set_text(protobuf_c_boolean *has, ProtobufCBinaryData *data, const char *text)
{
	if (!text || !*text)
		return;
	*has = 1;
	/* only read: protobuf-c's type is the one for both ways */
	data->data = (uint8_t *)text;
	data->len = strlen(text);
}

static void set_addr(Dnstap__Message *message, const void *from, struct served_addr *addr,
		     protobuf_c_boolean *has, ProtobufCBinaryData *data,
		     protobuf_c_boolean *has_port, uint32_t *port)
{
	if (!from)
		return;
	*addr = served_addr__of(from);
	message->has_socket_family = 1;
	message->socket_family = addr->family == AF_INET6 ? DNSTAP__SOCKET_FAMILY__INET6
							  : DNSTAP__SOCKET_FAMILY__INET;
	*has = *has_port = 1;
	data->data = (uint8_t *)&addr->v4;
	data->len = served_addr__len(addr);
	*port = sockaddr__port(from);
}

static void set_times(const struct tap_message *from, Dnstap__Message *message)
{
	message->has_query_time_sec = message->has_query_time_nsec = from->query_ns != 0;
	message->query_time_sec = from->query_ns / NSEC_PER_SEC;
	message->query_time_nsec = from->query_ns % NSEC_PER_SEC;
	message->has_response_time_sec = message->has_response_time_nsec = from->response_ns != 0;
	message->response_time_sec = from->response_ns / NSEC_PER_SEC;
	message->response_time_nsec = from->response_ns % NSEC_PER_SEC;
}

static void set_message(const struct tap_message *from, Dnstap__Message *message)
{
	ProtobufCBinaryData data = { from->len, (uint8_t *)from->msg };

	if (!from->msg)
		return;
	if (from->type == TAP_CLIENT_QUERY || from->type == TAP_FORWARDER_QUERY) {
		message->has_query_message = 1;
		message->query_message = data;
	} else {
		message->has_response_message = 1;
		message->response_message = data;
	}
}

static void fill(const struct tap_message *from, struct parts *parts)
{
	static const Dnstap__Message__Type types[] = {
		[TAP_CLIENT_QUERY] = DNSTAP__MESSAGE__TYPE__CLIENT_QUERY,
		[TAP_CLIENT_RESPONSE] = DNSTAP__MESSAGE__TYPE__CLIENT_RESPONSE,
		[TAP_FORWARDER_QUERY] = DNSTAP__MESSAGE__TYPE__FORWARDER_QUERY,
		[TAP_FORWARDER_RESPONSE] = DNSTAP__MESSAGE__TYPE__FORWARDER_RESPONSE,
	};
	static const Dnstap__SocketProtocol protos[] = {
		[TAP_UDP] = DNSTAP__SOCKET_PROTOCOL__UDP,
		[TAP_TCP] = DNSTAP__SOCKET_PROTOCOL__TCP,
		[TAP_TLS] = DNSTAP__SOCKET_PROTOCOL__DOT,
	};
	Dnstap__Message *message = &parts->message;
	Dnstap__Dnstap *top = &parts->top;

	dnstap__message__init(message);
	dnstap__dnstap__init(top);
	top->type = DNSTAP__DNSTAP__TYPE__MESSAGE;
	top->message = message;
	set_text(&top->has_identity, &top->identity, from->identity);
	set_text(&top->has_version, &top->version, from->version);
	set_text(&top->has_extra, &top->extra, from->extra);
	message->type = types[from->type];
	message->has_socket_protocol = 1;
	message->socket_protocol = protos[from->proto];
	set_addr(message, from->querier, &parts->querier, &message->has_query_address,
		 &message->query_address, &message->has_query_port, &message->query_port);
	set_addr(message, from->responder, &parts->responder, &message->has_response_address,
		 &message->response_address, &message->has_response_port, &message->response_port);
	set_times(from, message);
	set_message(from, message);
}

size_t tap_message__size(const struct tap_message *message)
{
	struct parts parts;

	fill(message, &parts);
	return dnstap__dnstap__get_packed_size(&parts.top);
}

void tap_message__pack(const struct tap_message *message, uint8_t *out)
{
	struct parts parts;

	fill(message, &parts);
	dnstap__dnstap__pack(&parts.top, out);
}
