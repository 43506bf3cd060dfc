/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Entries taken out of a store by hand. */
#ifndef STORE_FLUSH_H
#define STORE_FLUSH_H

#include "store/store.h"

struct flush {
	const struct dns_name *name; /* NULL: all */
	uint16_t qtype;		     /* 0: all */
};

static inline bool outlives_flush(void *ctx, const struct store_question *question,
				  const struct nodens_slot *slot)
{
	const struct flush *flush = ctx;

	(void)slot;
	if (flush->qtype && question->qtype != flush->qtype)
		return true;
	return flush->name && !dns_name__equal(flush->name, &question->qname);
}

/* How many went. */
static inline int flush_store(struct store *store, const struct dns_name *qname_lower,
			      uint16_t qtype)
{
	struct flush flush = { qname_lower, qtype };

	return store__filter(store, outlives_flush, &flush);
}

#endif /* STORE_FLUSH_H */
