/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The names and addresses that hosts.c answers from, as hosts_table.c reads them.
 *
 * Contract: entries stay where they are while the table lives; lists are in the order in which they
 * were read, and both look-ups see the first of several first.
 */
#ifndef NODENS_HOSTS_PRIV_H
#define NODENS_HOSTS_PRIV_H

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "plugin/hosts.h"

/*
 * One pair; a name with several addresses, and an address with several names, has several. A
 * wildcard is an entry of its own name, "*.example.", that no address leads to.
 */
struct entry {
	struct entry *next;			   /* in the table */
	struct entry *next_of_name, *next_of_addr; /* in their buckets */
	uint8_t family;				   /* AF_INET, AF_INET6 */
	bool inlined;				   /* of the Corefile itself */
	uint8_t name_len;
	uint8_t addr[16];
	uint8_t name[]; /* wire form, lower case */
};

struct table {
	struct entry **by_name, **by_addr;
	size_t buckets, n;
	struct entry *first, *last;
};

/* -ENOMEM, -E2BIG. What is no entry, or of none of the zones, is passed over. */
int hosts_table__read(struct table *table, const struct corefile_zones *zones, FILE *in);
int hosts_table__add(struct table *table, const struct corefile_zones *zones,
		     const struct corefile_hosts_entry *entry);
void hosts_table__free(struct table *table);

/* The first entry of the bucket; NULL. */
const struct entry *hosts_table__name(const struct table *table, const uint8_t *name, size_t len);
const struct entry *hosts_table__addr(const struct table *table, int family, const uint8_t *addr);

static inline size_t addr_len(int family)
{
	return family == AF_INET ? 4 : 16;
}

static inline bool same_addr(const struct entry *a, const struct entry *b)
{
	return a->family == b->family && !memcmp(a->addr, b->addr, sizeof(a->addr));
}

static inline bool same_name(const struct entry *a, const struct entry *b)
{
	return a->name_len == b->name_len && !memcmp(a->name, b->name, a->name_len);
}

#endif /* NODENS_HOSTS_PRIV_H */
