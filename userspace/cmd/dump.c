// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * `nodens dump`: the live entries of the cache, with an agent or without.
 *
 * Contract: reads only. An entry that changes while it is read is left out or
 * shown as it was before or after, never mixed.
 */
#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmd/cmd.h"
#include "cmd/config.h"
#include "dns/rrtype.h"
#include "cmd/pinned.h"

#define NSEC	  1000000000ull
#define NAME_TEXT 1024 /* dns/msg.h: holds any name */

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * NSEC + t.tv_nsec;
}

/* What is printed of an entry. */
struct line {
	char name[NAME_TEXT];
	const char *type, *rcode, *kind;
	char type_text[RRTYPE_TEXT], rcode_text[RRTYPE_TEXT];
	unsigned long long ttl_s;
	unsigned int hits;
	bool is_do, is_cd, truncated, agent, nx_below, stale;
};

/* False where no program answers with it: expired, or the agent's alone. */
static bool make_line(const struct pinned_entry *entry, uint64_t now_ns, struct line *line)
{
	const struct nodens_slot *slot = &entry->copy.slot;

	line->stale = slot->expires_ns <= now_ns;
	if (line->stale && slot->expires_ns + slot->stale_s * NSEC <= now_ns)
		return false;
	if (dns_name__to_text(&entry->name, line->name, sizeof(line->name)) < 0)
		return false;
	line->nx_below = slot->key_flags & NODENS_KEY_NX_BELOW;
	line->type = line->nx_below ? "cut" : rrtype__text(be16toh(slot->qtype), line->type_text);
	line->rcode = rcode__text(be16toh(slot->flags) & DNS_RCODE, line->rcode_text);
	line->kind = slot->kind == NODENS_POSITIVE ? "positive" : "negative";
	line->ttl_s = line->stale ? 0 : (slot->expires_ns - now_ns + NSEC - 1) / NSEC;
	line->hits = slot->hits;
	line->is_do = slot->key_flags & NODENS_KEY_DO;
	line->is_cd = slot->key_flags & NODENS_KEY_CD;
	line->truncated = slot->partial;
	line->agent = slot->key_flags & NODENS_KEY_AGENT;
	return true;
}

static void print_text(const struct line *line)
{
	const struct {
		bool set;
		const char *name;
	} flags[] = {
		{ line->is_do, "DO" },	  { line->is_cd, "CD" },    { line->truncated, "TC" },
		{ line->stale, "STALE" }, { line->agent, "AGENT" },
	};
	char text[32] = "";

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (flags[i].set)
			sprintf(text + strlen(text), "%s%s", text[0] ? "," : "", flags[i].name);
	printf("%-48s %-10s %-9s %7llu %9u %-8s %s\n", line->name, line->type, line->rcode,
	       line->ttl_s, line->hits, line->kind, text[0] ? text : "-");
}

static void print_json(const struct line *line, bool first)
{
	json_t *json =
		json_pack("{ss ss ss sI sI ss sb sb sb sb sb sb}", "name", line->name, "type",
			  line->type, "rcode", line->rcode, "ttl", (json_int_t)line->ttl_s, "hits",
			  (json_int_t)line->hits, "kind", line->kind, "do", line->is_do, "cd",
			  line->is_cd, "truncated", line->truncated, "cut", line->nx_below, "stale",
			  line->stale, "agent", line->agent);

	fputs(first ? "\n" : ",\n", stdout);
	print_json_value(json, JSON_COMPACT);
}

static int dump(struct pinned *pinned, bool json)
{
	struct pinned_entry entry;
	bool first = true, sound;
	struct line line;
	int ret;

	if (json)
		printf("{\"schema\":1,\"answers\":[");
	else
		printf("%-48s %-10s %-9s %7s %9s %-8s %s\n", "NAME", "TYPE", "RCODE", "TTL", "HITS",
		       "KIND", "FLAGS");
	while ((ret = pinned__next(pinned, &entry, &sound)) > 0 && !ferror(stdout)) {
		if (!sound || !make_line(&entry, now(), &line))
			continue;
		if (json)
			print_json(&line, first);
		else
			print_text(&line);
		first = false;
	}
	if (json)
		printf("\n]}\n");
	return ret < 0 ? ret : 0;
}

static const char about[] =
	"Prints the live answers in the cache: name, type, response code, seconds left,\n"
	"hits (sampled: up to a second late), kind, and for which queries (DO, CD; TC: too\n"
	"large for UDP, answered with TC=1; STALE: expired, answered with a TTL of 0; AGENT: for\n"
	"the agent alone). Type \"cut\": NXDOMAIN for the name and all below it.";

int cmd_dump(int argc, char **argv)
{
	struct pinned_options opts;
	struct pinned pinned;
	int ret;

	ret = pinned__options(argc, argv, "", about, "one JSON object: docs/schema/dump.json",
			      &opts, NULL);
	if (ret >= 0)
		return ret;
	ret = pinned__open(&pinned, argv[0], opts.bpffs);
	if (ret >= 0)
		return ret;
	ret = dump(&pinned, opts.json);
	pinned__close(&pinned);
	return ret ? EXIT_FAILURE : pinned__finish(argv[0]);
}
