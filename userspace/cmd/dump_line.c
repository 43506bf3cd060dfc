// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * A slot as a line of text, or of JSON. Contract: dump.h.
 */
#include <endian.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cmd/dump.h"
#include "cmd/pinned.h"
#include "dns/rrtype.h"

/* What is printed of an entry. */
struct line {
	char name[DNS_NAME_TEXT];
	const char *type, *rcode, *kind;
	char type_text[RRTYPE_TEXT], rcode_text[RRTYPE_TEXT];
	uint32_t ttl_s, said_ttl_s; /* left; what a reply says */
	unsigned int hits;
	bool is_do, is_cd, truncated, agent, nx_below, stale;
};

bool dump_is_live(const struct nodens_slot *slot, uint64_t now_ns, bool *stale)
{
	*stale = slot->expires_ns <= now_ns;
	return !*stale || slot->expires_ns + slot->stale_s * NSEC_PER_SEC > now_ns;
}

static void make_line(const struct nodens_slot *slot, uint64_t now_ns, struct line *line)
{
	struct dns_name name;

	slot__name(slot, &name);
	dns_name__to_text(&name, line->name, sizeof(line->name));
	dump_is_live(slot, now_ns, &line->stale);
	line->nx_below = slot->key_flags & NODENS_KEY_NX_BELOW;
	line->type = line->nx_below ? "cut" : rrtype__text(be16toh(slot->qtype), line->type_text);
	line->rcode = rcode__text(be16toh(slot->flags) & DNS_RCODE, line->rcode_text);
	line->kind = slot->kind == NODENS_POSITIVE ? "positive" : "negative";
	line->ttl_s =
		line->stale ? 0 : (slot->expires_ns - now_ns + NSEC_PER_SEC - 1) / NSEC_PER_SEC;
	line->said_ttl_s = slot->keep_ttl && !line->stale ? slot->ttl_s : line->ttl_s;
	line->hits = slot->hits;
	line->is_do = slot->key_flags & NODENS_KEY_DO;
	line->is_cd = slot->key_flags & NODENS_KEY_CD;
	line->truncated = slot->partial;
	line->agent = slot->key_flags & NODENS_KEY_AGENT;
}

void dump_print_heading(bool records)
{
	printf("%s%-48s %-10s %-9s %7s %9s %-8s %s\n", records ? "; " : "", "NAME", "TYPE", "RCODE",
	       "TTL", "HITS", "KIND", "FLAGS");
}

void dump_print_text(const struct nodens_slot *slot, uint64_t now_ns, bool records)
{
	struct line line;
	const struct {
		const bool *set;
		const char *name;
	} flags[] = {
		{ &line.is_do, "DO" },	  { &line.is_cd, "CD" },    { &line.truncated, "TC" },
		{ &line.stale, "STALE" }, { &line.agent, "AGENT" },
	};
	char text[32] = "";

	make_line(slot, now_ns, &line);
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (*flags[i].set)
			sprintf(text + strlen(text), "%s%s", text[0] ? "," : "", flags[i].name);
	printf("%s%-48s %-10s %-9s %7u %9u %-8s %s\n", records ? "; " : "", line.name, line.type,
	       line.rcode, line.ttl_s, line.hits, line.kind, text[0] ? text : "-");
	if (records)
		dump_records_text(slot, line.said_ttl_s);
}

void dump_print_json(const struct nodens_slot *slot, uint64_t now_ns, bool records, bool first)
{
	struct line line;
	json_t *json;

	make_line(slot, now_ns, &line);
	json = json_pack("{ss ss ss sI sI ss sb sb sb sb sb sb}", "name", line.name, "type",
			 line.type, "rcode", line.rcode, "ttl", (json_int_t)line.ttl_s, "hits",
			 (json_int_t)line.hits, "kind", line.kind, "do", line.is_do, "cd",
			 line.is_cd, "truncated", line.truncated, "cut", line.nx_below, "stale",
			 line.stale, "agent", line.agent);
	if (json && records)
		json_object_set_new(json, "records", dump_records_json(slot, line.said_ttl_s));
	fputs(first ? "\n" : ",\n", stdout);
	print_json_value(json, JSON_COMPACT);
}
