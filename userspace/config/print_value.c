// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Values as a Corefile writes them. Contract: print_priv.h.
 */
#include "print_priv.h"

#include <inttypes.h>

#include "dns/msg.h"
#include "dns/rrtype.h"

void print_text(const char *text, FILE *out)
{
	if (corefile_is_plain(text)) {
		fprintf(out, " %s", text);
		return;
	}
	fputs(" \"", out);
	for (; *text; text++)
		fprintf(out, "%s%c", *text == '"' ? "\\" : "", *text);
	fputc('"', out);
}

void print_ip(const union sockaddr_any *addr, FILE *out)
{
	char text[INET6_ADDRSTRLEN];

	fputs(sockaddr__ip_text(addr, text, sizeof(text)), out);
	if (addr->sa.sa_family == AF_INET6 && addr->v6.sin6_scope_id)
		fprintf(out, "%%%u", addr->v6.sin6_scope_id);
}

void print_named_addr(const union sockaddr_any *addr, const char *name, FILE *out)
{
	bool v6 = addr->sa.sa_family == AF_INET6;

	fputs(v6 ? "[" : "", out);
	print_ip(addr, out);
	fprintf(out, "%s%s%s:%u", *name ? "%" : "", name, v6 ? "]" : "", sockaddr__port(addr));
}

void print_duration(uint64_t ns, FILE *out)
{
	static const struct {
		uint64_t ns;
		const char *name;
	} units[] = { { 1000000000, "s" }, { 1000000, "ms" }, { 1000, "us" }, { 1, "ns" } };
	size_t i = 0;

	while (ns % units[i].ns)
		i++;
	fprintf(out, " %" PRIu64 "%s", ns / units[i].ns, units[i].name);
}

void print_zones(const struct corefile_zones *zones, FILE *out)
{
	for (size_t i = 0; i < zones->len; i++)
		fprintf(out, " %s", zones->list[i].text);
}

void print_type(uint16_t type, FILE *out)
{
	char text[RRTYPE_TEXT];

	fprintf(out, " %s", rrtype__text(type, text));
}

void print_rcode(uint16_t rcode, FILE *out)
{
	char text[RRTYPE_TEXT];

	fprintf(out, " %s", rcode__text(rcode, text));
}

void print_class(uint16_t class, FILE *out)
{
	fputs(class == DNS_CLASS_CH   ? " CH"
	      : class == DNS_CLASS_HS ? " HS"
	      : class == DNS_CLASS_IN ? " IN"
				      : " ANY",
	      out);
}
