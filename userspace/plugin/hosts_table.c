// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Hosts files read into a table. Contract: hosts_priv.h.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#include "hosts_priv.h"
#include "base/secret_hash.h"
#include "plugin/synth.h"

void hosts_table__free(struct table *table)
{
	struct entry *entry = table->first, *next;

	for (; entry; entry = next) {
		next = entry->next;
		free(entry);
	}
	free(table->by_name);
	free(table->by_addr);
	*table = (struct table){ .n = 0 };
}

#define HOSTS_BLANKS " \t\v\f"

/* A blocklist gives one address thousands of names: these many are enough to answer its PTR. */
#define MAX_NAMES_OF_ADDR 64

static struct entry **name_bucket(const struct table *table, const struct entry *entry)
{
	return &table->by_name[secret_hash(entry->name, entry->name_len) % table->buckets];
}

static struct entry **addr_bucket(const struct table *table, const struct entry *entry)
{
	return &table->by_addr[secret_hash(entry->addr, addr_len(entry->family)) % table->buckets];
}

static bool is_wildcard(const uint8_t *name)
{
	return name[0] == 1 && name[1] == '*';
}

static void link_entry(struct table *table, struct entry *entry)
{
	struct entry **at = name_bucket(table, entry);
	unsigned int n = 0;

	while (*at)
		at = &(*at)->next_of_name;
	*at = entry;
	if (is_wildcard(entry->name))
		return;
	for (at = addr_bucket(table, entry); *at; at = &(*at)->next_of_addr) {
		n += same_addr(*at, entry);
		if (n == MAX_NAMES_OF_ADDR)
			return;
	}
	*at = entry;
}

static int table_resize(struct table *table, size_t buckets)
{
	struct table bigger = *table;

	bigger.buckets = buckets;
	bigger.by_name = calloc(buckets, sizeof(*bigger.by_name));
	bigger.by_addr = calloc(buckets, sizeof(*bigger.by_addr));
	if (!bigger.by_name || !bigger.by_addr) {
		free(bigger.by_name);
		free(bigger.by_addr);
		return -ENOMEM;
	}
	for (struct entry *entry = table->first; entry; entry = entry->next) {
		entry->next_of_name = entry->next_of_addr = NULL;
		link_entry(&bigger, entry);
	}
	free(table->by_name);
	free(table->by_addr);
	*table = bigger;
	return 0;
}

/* Is it there, or has its name more addresses than an answer may have? */
static bool superfluous(const struct table *table, const struct entry *like)
{
	const struct entry *entry = *name_bucket(table, like);
	unsigned int n = 0;

	for (; entry && n < SYNTH_MAX_ADDRS; entry = entry->next_of_name) {
		if (!same_name(entry, like) || entry->inlined != like->inlined)
			continue;
		if (same_addr(entry, like))
			return true;
		n++;
	}
	return n == SYNTH_MAX_ADDRS;
}

static void append(struct table *table, struct entry *entry)
{
	if (table->last)
		table->last->next = entry;
	else
		table->first = entry;
	table->last = entry;
	table->n++;
	link_entry(table, entry);
}

static int add(struct table *table, const struct corefile_zones *zones, int family,
	       const uint8_t *addr, bool inlined, const char *text)
{
	struct dns_name name;
	struct entry *entry;

	if (table->n >= HOSTS_MAX_NAMES)
		return -E2BIG;
	/* As with CoreDNS: a word that is no name, and a name of no zone of ours, is passed over.
	 */
	if (dns_name__from_text(&name, text) || name.len < 2)
		return 0;
	dns_name__lower(&name);
	if (!plugin__in_zones(zones, &name, true))
		return 0;
	if (table->n >= table->buckets &&
	    table_resize(table, table->buckets ? table->buckets * 4 : 256))
		return -ENOMEM;
	entry = calloc(1, sizeof(*entry) + name.len);
	if (!entry)
		return -ENOMEM;
	entry->family = family;
	entry->inlined = inlined;
	memcpy(entry->addr, addr, addr_len(family));
	entry->name_len = name.len;
	memcpy(entry->name, name.wire, name.len);
	if (superfluous(table, entry))
		free(entry);
	else
		append(table, entry);
	return 0;
}

/* ::ffff:192.0.2.1 is 192.0.2.1, as Go reads it. */
static int unmapped(int family, uint8_t addr[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (family != AF_INET6 || memcmp(addr, mapped, sizeof(mapped)))
		return family;
	memmove(addr, addr + sizeof(mapped), 4);
	return AF_INET;
}

/* AF_UNSPEC: it is no address. */
static int read_addr(char *word, uint8_t addr[16])
{
	word[strcspn(word, "%")] = '\0'; /* a zone of a link-local address */
	if (inet_pton(AF_INET, word, addr) == 1)
		return AF_INET;
	return inet_pton(AF_INET6, word, addr) == 1 ? unmapped(AF_INET6, addr) : AF_UNSPEC;
}

static int add_line(struct table *table, const struct corefile_zones *zones, char *line)
{
	uint8_t addr[16];
	char *save, *word;
	int family, ret = 0;

	line[strcspn(line, "#\r\n")] = '\0';
	word = strtok_r(line, HOSTS_BLANKS, &save);
	family = word ? read_addr(word, addr) : AF_UNSPEC;
	while (family && !ret && (word = strtok_r(NULL, HOSTS_BLANKS, &save)))
		ret = add(table, zones, family, addr, false, word);
	return ret;
}

int hosts_table__read(struct table *table, const struct corefile_zones *zones, FILE *in)
{
	char *line = NULL;
	size_t size = 0;
	int ret = 0;

	while (!ret && getline(&line, &size, in) >= 0)
		ret = add_line(table, zones, line);
	if (!ret && !feof(in))
		ret = ferror(in) ? -EIO : -ENOMEM;
	free(line);
	return ret;
}

int hosts_table__add(struct table *table, const struct corefile_zones *zones,
		     const struct corefile_hosts_entry *entry)
{
	const struct sockaddr_in *in4 = (const struct sockaddr_in *)&entry->addr;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&entry->addr;
	int family = entry->addr.sa.sa_family, ret = 0;
	uint8_t addr[16];

	if (family == AF_INET)
		memcpy(addr, &in4->sin_addr, 4);
	else
		memcpy(addr, &in6->sin6_addr, 16);
	family = unmapped(family, addr);
	for (size_t i = 0; !ret && i < entry->names_len; i++)
		ret = add(table, zones, family, addr, true, entry->names[i]);
	return ret;
}

const struct entry *hosts_table__name(const struct table *table, const uint8_t *name, size_t len)
{
	return table->n ? table->by_name[secret_hash(name, len) % table->buckets] : NULL;
}

const struct entry *hosts_table__addr(const struct table *table, int family, const uint8_t *addr)
{
	return table->n ? table->by_addr[secret_hash(addr, addr_len(family)) % table->buckets]
			: NULL;
}
