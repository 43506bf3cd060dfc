/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A server block at work: its rewrites, the answers it has itself, its upstreams, and the rules by
 * which it keeps answers.
 *
 * Contract: single-threaded; made from a corefile_block, which outlives it. The order of plugins
 * is CoreDNS' fixed one: cache (the resolver's), rewrite, template, hosts, forward, whoami.
 */
#ifndef NODENS_SECTION_H
#define NODENS_SECTION_H

#include "config/corefile.h"
#include "resolver/nxdomain_policy.h"
#include "plugin/hosts.h"
#include "plugin/rewrite.h"
#include "store/store.h"
#include "plugin/template.h"
#include "upstream/upstream.h"

struct section {
	const struct corefile_block *block;
	uint16_t owner; /* of its entries in the store */
	struct rewrite *rewrite;
	struct templates *templates;
	struct hosts *hosts;
	struct upstream_group **groups; /* of each forward */
	struct cut_zone *cut_zones;	/* of each zone */
};

struct section_error {
	char text[512];
};

int section__open(const struct corefile_block *block, uint16_t owner, struct upstreams *upstreams,
		  struct section *out, struct section_error *err);
void section__close(struct section *section);

/* What a plugin of the block says to @query without asking anybody. */
struct section_answer {
	struct answer *answer; /* the caller's */
	const char *plugin;    /* "template", "hosts", "whoami" */
	bool exact;	       /* of a line of a hosts file, and not by a wildcard */
	const char *error;     /* why it is SERVFAIL, if it is */
	const struct ede *ede; /* goes along, and is never kept; NULL: none */
};

/* LOCAL_NEXT: none does, ask upstream. */
enum local_result section__answer(struct section *section, const struct local_query *query,
				  struct section_answer *out);

/*
 * Do upstreams hear who asks? Then nothing of theirs is where the programs find it, each query is
 * an exchange of its own, and only a client brings a new answer. As in CoreDNS, the block's cache
 * is shared by all clients all the same.
 */
bool section__of_client(const struct section *section);

/* The longest zone of the block that is the name or above it; 0 where all is well-formed. */
size_t section__zone(const struct section *section, const struct dns_name *qname_lower);

/* May this answer be kept under a cache's rules; as what, for how long, and with which TTL? */
struct keep {
	bool store;
	int kind;	/* NODENS_POSITIVE, NODENS_NEGATIVE */
	uint32_t ttl_s; /* also what the first reply says */
};
struct keep cache__keep(const struct corefile_cache *cache, const struct answer *answer,
			enum admission admission);
/* The same, and how the store is to hold it; the zones of the cache directive are looked at. */
bool section__keep(const struct section *section, const struct answer *answer,
		   enum admission admission, struct store_put *put, uint32_t *ttl_s);
/*
 * A cut ends with its TTL, however much it is used: then one name below it is asked for, and if
 * that exists, since the server denies empty non-terminals, it is cut no more.
 */
void section__keep_cut(struct store_put *put);
/*
 * How an entry that is there already is held from here on: *put says how it was stored. False: the
 * block does not keep it, or not for so long.
 */
bool section__keep_on(const struct section *section, const struct store_question *question,
		      uint16_t rcode, struct store_put *put);
/* Of what the block itself answers, always alike: held for ever, whatever the cache's rules. */
void section__keep_exact(const struct section *section, const struct answer *answer, uint16_t owner,
			 struct store_put *put, uint32_t *ttl_s);

#endif /* NODENS_SECTION_H */
