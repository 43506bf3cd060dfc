// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What placeholders of the log plugin stand for. Contract: querylog_priv.h.
 */
#include "querylog_priv.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "dns/rrtype.h"

#define NAME_TEXT 1024

void querylog_put(struct querylog_out *out, const char *text, size_t len)
{
	size_t room = out->size - 1 - out->len;

	if (len > room)
		len = room;
	memcpy(out->text + out->len, text, len);
	out->len += len;
}

static __attribute__((format(printf, 2, 3))) void put_fmt(struct querylog_out *out, const char *fmt,
							  ...)
{
	char text[64];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n > 0)
		querylog_put(out, text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
}

static void put_ip(struct querylog_out *out, const struct sockaddr *addr)
{
	struct served_addr ip;
	char text[INET6_ADDRSTRLEN];

	if (!addr) {
		querylog_put(out, "-", 1);
		return;
	}
	ip = served_addr__of(addr);
	served_addr__text(&ip, text, sizeof(text));
	put_fmt(out, ip.family == AF_INET6 ? "[%s]" : "%s", text);
}

static void put_type(struct querylog_out *out, const struct querylog_event *event)
{
	char text[RRTYPE_TEXT];

	put_fmt(out, "%s", rrtype__text(event->query->qtype, text));
}

static void put_name(struct querylog_out *out, const struct querylog_event *event)
{
	struct dns_name lower = event->query->qname;
	char text[NAME_TEXT];
	int n;

	dns_name__lower(&lower);
	n = dns_name__to_text(&lower, text, sizeof(text));
	if (n > 0)
		querylog_put(out, text, (size_t)n);
}

static void put_class(struct querylog_out *out, const struct querylog_event *event)
{
	switch (event->query->qclass) {
	case 1:
		querylog_put(out, "IN", 2);
		break;
	case 3:
		querylog_put(out, "CH", 2);
		break;
	case 4:
		querylog_put(out, "HS", 2);
		break;
	case 254:
		querylog_put(out, "NONE", 4);
		break;
	case 255:
		querylog_put(out, "ANY", 3);
		break;
	default:
		put_fmt(out, "CLASS%u", event->query->qclass);
	}
}

static void put_proto(struct querylog_out *out, const struct querylog_event *event)
{
	querylog_put(out, event->tcp ? "tcp" : "udp", 3);
}

static void put_remote(struct querylog_out *out, const struct querylog_event *event)
{
	put_ip(out, event->peer);
}

static void put_port(struct querylog_out *out, const struct querylog_event *event)
{
	if (event->peer)
		put_fmt(out, "%u", sockaddr__port(event->peer));
	else
		querylog_put(out, "-", 1);
}

static void put_local(struct querylog_out *out, const struct querylog_event *event)
{
	put_ip(out, event->local);
}

/* Of a query that is known by its reply alone. */
static bool edns_unknown(const struct querylog_event *event)
{
	return event->hit && event->query->edns;
}

static void put_size(struct querylog_out *out, const struct querylog_event *event)
{
	if (edns_unknown(event))
		querylog_put(out, "-", 1);
	else
		put_fmt(out, "%zu", event->request_size);
}

static void put_rcode(struct querylog_out *out, const struct querylog_event *event)
{
	char text[RRTYPE_TEXT];

	put_fmt(out, "%s",
		event->rcode == DNS_BADVERS ? "BADVERS" : rcode__text(event->rcode, text));
}

static void put_rsize(struct querylog_out *out, const struct querylog_event *event)
{
	put_fmt(out, "%zu", event->reply ? event->reply_size : 0);
}

/* Seconds with as few digits as say it: 0.00125s, 2s. */
static void put_duration(struct querylog_out *out, const struct querylog_event *event)
{
	char text[40];
	int n = snprintf(text, sizeof(text), "%llu.%09llu",
			 (unsigned long long)(event->duration_ns / 1000000000),
			 (unsigned long long)(event->duration_ns % 1000000000));

	while (text[n - 1] == '0')
		n--;
	if (text[n - 1] == '.')
		n--;
	put_fmt(out, "%.*ss", n, text);
}

static void put_id(struct querylog_out *out, const struct querylog_event *event)
{
	put_fmt(out, "%u", event->query->id);
}

static void put_opcode(struct querylog_out *out, const struct querylog_event *event)
{
	put_fmt(out, "%u", (event->query->flags & DNS_OPCODE) >> 11);
}

static void put_do(struct querylog_out *out, const struct querylog_event *event)
{
	put_fmt(out, "%s", event->query->edns_do ? "true" : "false");
}

/* What the client takes: without EDNS 512, over TCP anything. */
static void put_bufsize(struct querylog_out *out, const struct querylog_event *event)
{
	unsigned int size = event->query->edns_size;

	if (edns_unknown(event)) {
		querylog_put(out, "-", 1);
		return;
	}
	if (event->tcp)
		size = DNS_MAX_MSG;
	put_fmt(out, "%u", size > 512 ? size : 512);
}

static void put_rflags(struct querylog_out *out, const struct querylog_event *event)
{
	static const struct {
		uint16_t bit;
		const char *text;
	} flags[] = { { DNS_QR, "qr" }, { DNS_AA, "aa" }, { DNS_TC, "tc" }, { DNS_RD, "rd" },
		      { DNS_RA, "ra" }, { 0x0040, "z" },  { DNS_AD, "ad" }, { DNS_CD, "cd" } };
	const char *comma = "";
	uint16_t bits;

	if (!event->reply || event->reply_size < DNS_HEADER) {
		querylog_put(out, "-", 1);
		return;
	}
	bits = (uint16_t)(event->reply[2] << 8 | event->reply[3]);
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		if (!(bits & flags[i].bit))
			continue;
		put_fmt(out, "%s%s", comma, flags[i].text);
		comma = ",";
	}
}

static void put_or_dash(struct querylog_out *out, const char *text)
{
	querylog_put(out, text && *text ? text : "-", text && *text ? strlen(text) : 1);
}

static void put_pod_namespace(struct querylog_out *out, const struct querylog_event *event)
{
	put_or_dash(out, event->pod_namespace);
}

static void put_pod_name(struct querylog_out *out, const struct querylog_event *event)
{
	put_or_dash(out, event->pod_name);
}

static void put_nothing(struct querylog_out *out, const struct querylog_event *event)
{
	(void)event;
	querylog_put(out, "-", 1);
}

static const struct querylog_placeholder placeholders[] = {
	{ "{type}", "type", QUERYLOG_TEXT, false, put_type },
	{ "{name}", "name", QUERYLOG_TEXT, false, put_name },
	{ "{class}", "class", QUERYLOG_TEXT, false, put_class },
	{ "{proto}", "proto", QUERYLOG_TEXT, false, put_proto },
	{ "{remote}", "remote", QUERYLOG_TEXT, false, put_remote },
	{ "{port}", "port", QUERYLOG_NUMBER, false, put_port },
	{ "{local}", "local", QUERYLOG_TEXT, false, put_local },
	{ "{size}", "size", QUERYLOG_NUMBER, false, put_size },
	{ "{rcode}", "rcode", QUERYLOG_TEXT, false, put_rcode },
	{ "{rsize}", "rsize", QUERYLOG_NUMBER, false, put_rsize },
	{ "{duration}", "duration_s", QUERYLOG_SECONDS, false, put_duration },
	{ "{>id}", "id", QUERYLOG_NUMBER, false, put_id },
	{ "{>opcode}", "opcode", QUERYLOG_NUMBER, false, put_opcode },
	{ "{>do}", "do", QUERYLOG_BOOL, false, put_do },
	{ "{>bufsize}", "bufsize", QUERYLOG_NUMBER, false, put_bufsize },
	{ "{>rflags}", "rflags", QUERYLOG_TEXT, false, put_rflags },
	/* metadata of CoreDNS' kubernetes plugin */
	{ "{/kubernetes/client-namespace}", "client_namespace", QUERYLOG_TEXT, true,
	  put_pod_namespace },
	{ "{/kubernetes/client-pod-name}", "client_pod_name", QUERYLOG_TEXT, true, put_pod_name },
};

/* Other metadata has no values here. */
static const struct querylog_placeholder nothing = { .text = "{/", .put = put_nothing };

const struct querylog_placeholder *querylog_placeholder_at(const char *text, size_t *len)
{
	const char *end;

	for (size_t i = 0; i < sizeof(placeholders) / sizeof(placeholders[0]); i++) {
		*len = strlen(placeholders[i].text);
		if (!strncmp(text, placeholders[i].text, *len))
			return &placeholders[i];
	}
	end = strchr(text, '}');
	if (!end || strncmp(text, nothing.text, 2) != 0)
		return NULL;
	*len = (size_t)(end - text) + 1;
	return &nothing;
}
