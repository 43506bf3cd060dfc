// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Words. Contract: words.h.
 */
#include "watch/words.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fnmatch.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "dns/msg.h"
#include "dns/rrtype.h"
#include "nodens_abi.h"

const char *const watch_outcome_text[WATCH_OUTCOMES] = {
	[WATCH_HIT] = "hit",	     [WATCH_STALE] = "stale", [WATCH_CUT] = "cut",
	[WATCH_MISS] = "miss",	     [WATCH_TCP] = "tcp",     [WATCH_PASSED] = "passed",
	[WATCH_DROPPED] = "dropped",
};

enum watch_outcome watch_outcome__of(const struct watch_event *event)
{
	switch (event->kind) {
	case NODENS_EVENT_PASSED:
		return WATCH_PASSED;
	case NODENS_EVENT_DROPPED:
		return WATCH_DROPPED;
	}
	if (event->outcome == NODENS_CTR_TCP || event->flags & NODENS_EVENT_TCP)
		return WATCH_TCP;
	if (event->flags & NODENS_EVENT_STALE)
		return WATCH_STALE;
	if (event->flags & NODENS_EVENT_NX_BELOW)
		return WATCH_CUT;
	return event->kind == NODENS_EVENT_ANSWERED || event->flags & NODENS_EVENT_CACHED
		       ? WATCH_HIT
		       : WATCH_MISS;
}

bool watch__unanswered(const struct watch_event *event)
{
	if (event->kind == NODENS_EVENT_TO_AGENT || event->no_reply)
		return true;
	return event->kind == NODENS_EVENT_AGENT &&
	       (!event->is_reply ||
		(event->flags & NODENS_EVENT_TIMEOUT && event->rcode == DNS_SERVFAIL));
}

/* ---- values; 0 or a reason ---- */

static const char *parse_name(struct words *words, const char *value)
{
	words->below = !strncmp(value, "*.", 2);
	words->has_name = true;
	return dns_name__from_text(&words->name, value + (words->below ? 2 : 0))
		       ? "is no name; write www.example.org, or *.example.org for all below it"
		       : NULL;
}

static const char *parse_type(struct words *words, const char *value)
{
	words->has_type = true;
	return rrtype__parse(value, &words->type) ? "is no type; write AAAA or TYPE65" : NULL;
}

static const char *parse_rcode(struct words *words, const char *value)
{
	char text[RRTYPE_TEXT];

	words->has_rcode = true;
	words->not_rcode = value[0] == '!';
	value += words->not_rcode;
	for (words->rcode = 0; words->rcode <= DNS_BADVERS; words->rcode++) {
		if (!strcasecmp(value, rcode__text(words->rcode, text)))
			return NULL;
	}
	return "is no rcode; write NXDOMAIN, or !NOERROR for all others";
}

static const char *parse_pod(struct words *words, const char *value)
{
	words->pod = value;
	return strchr(value, '/') ? NULL : "is no pod; write NAMESPACE/NAME, with * for any";
}

static const char *parse_client(struct words *words, const char *value)
{
	char text[INET6_ADDRSTRLEN + 4], *slash, *end;
	bool ip6 = strchr(value, ':');
	unsigned long most = ip6 ? 128 : 32, bits = most;
	static const char why[] = "is no address; write 10.244.1.2 or 10.244.0.0/16";

	if (strlen(value) >= sizeof(text))
		return why;
	strcpy(text, value);
	slash = strchr(text, '/');
	if (slash) {
		*slash++ = '\0';
		bits = strtoul(slash, &end, 10);
		if (*slash < '0' || *slash > '9' || *end || bits > most)
			return why;
	}
	memset(words->client, 0, sizeof(words->client));
	memset(words->mask, 0, sizeof(words->mask));
	if (!ip6)
		words->client[10] = words->client[11] = 0xff;
	if (inet_pton(ip6 ? AF_INET6 : AF_INET, text, words->client + (ip6 ? 0 : 12)) != 1)
		return why;
	bits += 128 - most;
	for (unsigned long i = 0; i < bits; i++)
		words->mask[i / 8] |= 0x80 >> i % 8;
	for (size_t i = 0; i < sizeof(words->client); i++)
		words->client[i] &= words->mask[i];
	words->has_client = true;
	return NULL;
}

static const char *parse_dev(struct words *words, const char *value)
{
	words->dev = value;
	return NULL;
}

static const char *parse_outcome(struct words *words, const char *value)
{
	while (*value) {
		size_t len = strcspn(value, ",|");
		unsigned int i;

		for (i = 0; i < WATCH_OUTCOMES; i++) {
			if (strlen(watch_outcome_text[i]) == len &&
			    !strncmp(value, watch_outcome_text[i], len))
				break;
		}
		if (i == WATCH_OUTCOMES)
			break;
		words->outcomes |= 1u << i;
		value += len;
		value += *value != '\0';
	}
	return *value || !words->outcomes ? "is none of hit, stale, cut, miss, tcp, passed, "
					    "dropped; several are divided by commas"
					  : NULL;
}

static const char *parse_slower(struct words *words, const char *value)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} units[] = { { "us", 1000 }, { "ms", 1000000 }, { "s", 1000000000 } };
	char *end;
	unsigned long long n = strtoull(value, &end, 10);

	words->has_slower = true;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (value[0] < '0' || value[0] > '9' || strcmp(end, units[i].text))
			continue;
		words->slower_ns = n * units[i].ns;
		return n > 3600000000ull ? "is longer than an hour" : NULL;
	}
	return "is no time; write 50ms, 800us or 2s";
}

static const char *parse_unanswered(struct words *words, const char *value)
{
	(void)value;
	words->unanswered = true;
	return NULL;
}

/* ---- the words ---- */

static const struct word {
	const char *name, *arg; /* NULL: none */
	const char *(*parse)(struct words *words, const char *value);
	const char *help;
} table[] = {
	{ "name", "NAME", parse_name, "a name; *.example.org: all below example.org" },
	{ "type", "TYPE", parse_type, "AAAA, TYPE65, ..." },
	{ "rcode", "[!]RCODE", parse_rcode, "NXDOMAIN; !NOERROR: replies with another" },
	{ "pod", "NAMESPACE/NAME", parse_pod, "who asks; * stands for anything" },
	{ "client", "ADDRESS[/BITS]", parse_client, "who asks, by address" },
	{ "dev", "DEVICE", parse_dev, "where the query came in; * stands for anything" },
	{ "outcome", "OUTCOME[,...]", parse_outcome,
	  "hit, stale, cut, miss, tcp, passed, dropped" },
	{ "slower", "TIME", parse_slower, "what took the agent longer: 50ms, 800us, 2s" },
	{ "unanswered", NULL, parse_unanswered,
	  "what upstreams did not answer in time, or the agent" },
};

#define N_WORDS (sizeof(table) / sizeof(table[0]))

void words__help(char *text, size_t size)
{
	size_t at = 0;

	text[0] = '\0';
	for (size_t i = 0; i < N_WORDS && at < size; i++) {
		char form[40];

		snprintf(form, sizeof(form), "%s %s", table[i].name, table[i].arg ?: "");
		at += snprintf(text + at, size - at, "%s  %-24s %s", i ? "\n" : "", form,
			       table[i].help);
	}
}

static const struct word *find_word(const char *name)
{
	for (size_t i = 0; i < N_WORDS; i++) {
		if (!strcmp(table[i].name, name))
			return &table[i];
	}
	return NULL;
}

int words__parse(int argc, char *const *argv, struct words *words, struct error *err)
{
	unsigned int given = 0;

	*words = (struct words){ .any = argc > 0 };
	for (int i = 0; i < argc; i++) {
		const struct word *word = find_word(argv[i]);
		const char *value = "", *why;

		if (!word)
			return error__set(err, -EINVAL,
					  "\"%s\" is no word; there are name, type, rcode, pod, "
					  "client, dev, outcome, slower and unanswered",
					  argv[i]);
		if (given >> (word - table) & 1)
			return error__set(err, -EINVAL, "%s: given twice", word->name);
		given |= 1u << (word - table);
		if (word->arg && ++i == argc)
			return error__set(err, -EINVAL, "%s: needs %s", word->name, word->arg);
		if (word->arg)
			value = argv[i];
		why = word->parse(words, value);
		if (why)
			return error__set(err, -EINVAL, "%s: \"%s\" %s", word->name, value, why);
	}
	return 0;
}

/* ---- for the programs ---- */

#define KIND(id) (1u << NODENS_EVENT_##id)

/* Events of which some may have the outcome. The agent's have any but the programs'. */
static const uint32_t outcome_kinds[WATCH_OUTCOMES] = {
	[WATCH_HIT] = KIND(ANSWERED) | KIND(AGENT),
	[WATCH_STALE] = KIND(ANSWERED) | KIND(AGENT),
	[WATCH_CUT] = KIND(ANSWERED) | KIND(AGENT),
	/* with TO_AGENT alone nobody could say that the agent has answered */
	[WATCH_MISS] = KIND(TO_AGENT) | KIND(RETURNED) | KIND(AGENT),
	[WATCH_TCP] = KIND(TO_AGENT) | KIND(RETURNED) | KIND(AGENT),
	[WATCH_PASSED] = KIND(PASSED),
	[WATCH_DROPPED] = KIND(DROPPED),
};

static void filter_kinds(const struct words *words, struct nodens_filter *filter)
{
	uint32_t kinds = 0, passed = words->replies ? KIND(PASSED) : 0;

	for (unsigned int i = 0; i < WATCH_OUTCOMES; i++)
		kinds |= words->outcomes >> i & 1 ? outcome_kinds[i] : 0;
	if (words->outcomes)
		filter->kinds &= kinds;
	if (words->unanswered)
		filter->kinds &= KIND(TO_AGENT) | KIND(AGENT) | passed;
	if (words->has_slower)
		filter->kinds &= KIND(AGENT) | passed;
}

/* What of a name's end the programs compare. */
static void filter_name(const struct words *words, struct nodens_filter *filter)
{
	struct dns_name lower = words->name;
	size_t skip = lower.len > NODENS_SUFFIX_MAX ? lower.len - NODENS_SUFFIX_MAX : 0;

	dns_name__lower(&lower);
	filter->suffix_len = lower.len - skip;
	memcpy(filter->suffix, lower.wire + skip, filter->suffix_len);
}

static void filter_rcodes(const struct words *words, struct nodens_filter *filter)
{
	/* the query must come, for its reply may be it */
	if (words->replies)
		return;
	/* of an rcode above 15 the header, where the programs look, has the lower bits */
	if (words->has_rcode && !(words->not_rcode && words->rcode > DNS_RCODE))
		filter->rcodes = 1u << (words->rcode & DNS_RCODE);
	if (words->not_rcode && words->rcode <= DNS_RCODE)
		filter->rcodes ^= NODENS_ALL_RCODES;
}

void words__filter(const struct words *words, struct nodens_filter *filter)
{
	filter_kinds(words, filter);
	if (words->has_name)
		filter_name(words, filter);
	if (words->has_type)
		filter->qtype = htons(words->type);
	filter_rcodes(words, filter);
	if (words->has_client) {
		memcpy(filter->client, words->client, sizeof(filter->client));
		memcpy(filter->client_mask, words->mask, sizeof(filter->client_mask));
	}
	if (words->dev && !strpbrk(words->dev, "*?[\\"))
		filter->ifindex = if_nametoindex(words->dev); /* 0: it may come yet */
}

/* ---- exactly ---- */

static bool match_name(const struct words *words, const struct watch_event *event)
{
	if (!event->has_question || !dns_name__within(&event->qname, &words->name))
		return false;
	return words->below ? event->qname.len > words->name.len
			    : event->qname.len == words->name.len;
}

/*
 * What is not to be NOERROR is judged by the header alone, as the programs do: BADVERS is NOERROR
 * there.
 */
static bool match_rcode(const struct words *words, const struct watch_event *event)
{
	if (!event->is_reply && !event->replied)
		return false;
	if (words->not_rcode && words->rcode <= DNS_RCODE)
		return (event->rcode & DNS_RCODE) != words->rcode;
	return (event->rcode == words->rcode) != words->not_rcode;
}

static bool match_client(const struct words *words, const struct watch_event *event)
{
	struct in6_addr addr;

	if (!event->has_client)
		return false;
	addr = served_addr__ip6(&event->client);
	for (size_t i = 0; i < sizeof(addr); i++) {
		if ((addr.s6_addr[i] & words->mask[i]) != words->client[i])
			return false;
	}
	return true;
}

static bool match_glob(const char *glob, const char *text)
{
	return !glob || (text && !fnmatch(glob, text, 0));
}

bool words__match(const struct words *words, const struct watch_event *event,
		  const struct words_client *client)
{
	if (words->has_name && !match_name(words, event))
		return false;
	if (words->has_type && (!event->has_question || event->qtype != words->type))
		return false;
	if (words->has_rcode && !match_rcode(words, event))
		return false;
	if (words->has_client && !match_client(words, event))
		return false;
	if (words->outcomes && !(words->outcomes >> watch_outcome__of(event) & 1))
		return false;
	if (words->has_slower && ((event->kind != NODENS_EVENT_AGENT && !event->replied) ||
				  event->took_us * 1000ull <= words->slower_ns))
		return false;
	if (words->unanswered && !watch__unanswered(event))
		return false;
	return match_glob(words->pod, client->pod) && match_glob(words->dev, client->dev);
}
