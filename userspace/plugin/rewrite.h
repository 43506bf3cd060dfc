/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The rewrite plugin: what is asked under another name, type or class, and how the answer is turned
 * back.
 *
 * Contract: pure but for malloc. The question of a reply is always the client's. Records owned by
 * the name that was asked for become the client's name without an `answer` rule, too: CoreDNS
 * leaves such replies for clients to refuse. With `answer auto` rules are undone the last one
 * first.
 */
#ifndef NODENS_REWRITE_H
#define NODENS_REWRITE_H

#include "plugin/plugin.h"

#define REWRITE_MAX_RULES 16 /* that may apply to one question, with continue */

struct rewrite;

struct rewrite_result {
	struct dns_name qname; /* lower case: what to ask for */
	uint16_t qtype, qclass;
	bool invalid; /* a rule made what is no name: SERVFAIL */
	bool reverts; /* rewrite__revert() has something to do */
	size_t n;
	uint16_t applied[REWRITE_MAX_RULES]; /* rules, by their place */
	size_t options_len;
	uint8_t options[]; /* for the upstream: OPT's rdata */
};

/* -EINVAL with @err, -ENOMEM. */
int rewrite__open(const struct corefile_rewrite *rules, size_t len, struct rewrite **out,
		  struct error *err);
void rewrite__close(struct rewrite *rewrite);

/* What becomes of the question; NULL: it stays as it is, and so will its answer. */
struct rewrite_result *rewrite__apply(const struct rewrite *rewrite,
				      const struct plugin_query *query);
/* Is there a rule that could make NXDOMAIN out of something else, or the reverse? */
bool rewrite__changes(const struct rewrite *rewrite);
void rewrite_result__free(struct rewrite_result *result);

/*
 * The answer to @result's question as the one to (qname, qtype). -EINVAL, -ENOMEM, -EMSGSIZE;
 * -ELOOP: whether an answer rule matches a name cannot be told. *verdict is
 * left alone where the answer fits its question or denies the name, else it says that it is not to
 * be kept.
 */
int rewrite__revert(const struct rewrite *rewrite, const struct rewrite_result *result,
		    const struct answer *answer, const struct dns_name *qname, uint16_t qtype,
		    uint8_t key_flags, enum verdict *verdict, struct answer **out);

extern const struct plugin rewrite_plugin;

#endif /* NODENS_REWRITE_H */
