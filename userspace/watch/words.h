/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Which events a viewer wants, in words: `name *.example.org rcode !NOERROR`.
 *
 * Contract: an event is wanted where all words hold. words__match() is exact. What the programs
 * are given, words__filter(), lets through at least that; more where they cannot tell.
 */
#ifndef NODENS_WATCH_WORDS_H
#define NODENS_WATCH_WORDS_H

#include "base/error.h"
#include "nodens_sessions.h"
#include "watch/event.h"

/* What became of a query. An event is one of these. */
enum watch_outcome {
	WATCH_HIT,    /* a cached answer, of the programs or of the agent */
	WATCH_STALE,  /* one that had expired */
	WATCH_CUT,    /* NXDOMAIN by an entry for a name above */
	WATCH_MISS,   /* what the agent had to find out or knows by configuration */
	WATCH_TCP,    /* of the agent, asked by TCP */
	WATCH_PASSED, /* on as it came, to whom it was sent */
	WATCH_DROPPED,
	WATCH_OUTCOMES
};

extern const char *const watch_outcome_text[WATCH_OUTCOMES];

enum watch_outcome watch_outcome__of(const struct watch_event *event);
/*
 * Of what the agent had: there is no reply, or it is SERVFAIL because an upstream did not answer in
 * time. Of what was passed on: no reply came in time.
 */
bool watch__unanswered(const struct watch_event *event);

struct words {
	bool any;     /* there are some */
	bool replies; /* what came back to queries that were passed on is known: not a word */
	bool has_name, below; /* below: the names below it, not itself */
	struct dns_name name;
	bool has_type;
	uint16_t type;
	bool has_rcode, not_rcode;
	uint16_t rcode;
	bool has_client;
	uint8_t client[16], mask[16]; /* as struct nodens_filter has them */
	const char *pod, *dev;	      /* globs, of argv; NULL: any */
	uint32_t outcomes;	      /* bits of enum watch_outcome; 0: any */
	bool has_slower;
	uint64_t slower_ns;
	bool unanswered;
};

/* What words__match() cannot read out of an event. */
struct words_client {
	const char *pod; /* "namespace/name"; NULL: not known */
	const char *dev; /* NULL: not known */
};

/* @argv: pairs of a word and its value, and `unanswered`. -EINVAL. */
int words__parse(int argc, char *const *argv, struct words *words, struct error *err);
/* What may be given, a line each but for the last line's end; 1 KB holds it. */
void words__help(char *text, size_t size);

/* Narrows @filter, which lets through all of the kinds that the viewer shows. */
void words__filter(const struct words *words, struct nodens_filter *filter);
bool words__match(const struct words *words, const struct watch_event *event,
		  const struct words_client *client);

#endif /* NODENS_WATCH_WORDS_H */
