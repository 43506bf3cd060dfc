// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Names and addresses of hosts files. Contract: hosts.h.
 */
#include "hosts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "synth.h"

/* One pair; a name with several addresses, and an address with several names, has several. */
struct entry {
	struct entry *next_of_name, *next_of_addr; /* in their buckets, in the order of the file */
	uint8_t family;				   /* AF_INET, AF_INET6 */
	uint8_t name_len;
	uint8_t addr[16];
	uint8_t name[]; /* wire form, lower case */
};

struct table {
	struct entry **by_name, **by_addr;
	size_t buckets, n;
};

struct hosts {
	const struct corefile_hosts *config;
	const struct corefile_zones *zones;
	struct corefile_zones block_zones;
	struct table table;
	uint64_t next_ns;
	struct stat seen;
};

static uint32_t hash(const uint8_t *octets, size_t len)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ octets[i]) * 16777619u;
	return h;
}

static size_t addr_len(int family)
{
	return family == AF_INET ? 4 : 16;
}

static void table_free(struct table *table)
{
	for (size_t i = 0; table->by_name && i < table->buckets; i++) {
		struct entry *entry, *next;

		for (entry = table->by_name[i]; entry; entry = next) {
			next = entry->next_of_name;
			free(entry);
		}
	}
	free(table->by_name);
	free(table->by_addr);
	*table = (struct table){ .n = 0 };
}

#define HOSTS_BLANKS " \t\v\f"

/* A blocklist gives one address thousands of names: these many are enough to answer its PTR. */
#define MAX_NAMES_OF_ADDR 64

static bool same_addr(const struct entry *a, const struct entry *b)
{
	return a->family == b->family && !memcmp(a->addr, b->addr, sizeof(a->addr));
}

static bool same_name(const struct entry *a, const struct entry *b)
{
	return a->name_len == b->name_len && !memcmp(a->name, b->name, a->name_len);
}

static struct entry **name_bucket(const struct table *table, const struct entry *entry)
{
	return &table->by_name[hash(entry->name, entry->name_len) % table->buckets];
}

static struct entry **addr_bucket(const struct table *table, const struct entry *entry)
{
	return &table->by_addr[hash(entry->addr, addr_len(entry->family)) % table->buckets];
}

static void link_entry(struct table *table, struct entry *entry)
{
	struct entry **at = name_bucket(table, entry);
	unsigned int n = 0;

	while (*at)
		at = &(*at)->next_of_name;
	*at = entry;
	for (at = addr_bucket(table, entry); *at; at = &(*at)->next_of_addr) {
		n += same_addr(*at, entry);
		if (n == MAX_NAMES_OF_ADDR)
			return;
	}
	*at = entry;
}

static int table_resize(struct table *table, size_t buckets)
{
	struct table bigger = { .buckets = buckets, .n = table->n };

	bigger.by_name = calloc(buckets, sizeof(*bigger.by_name));
	bigger.by_addr = calloc(buckets, sizeof(*bigger.by_addr));
	if (!bigger.by_name || !bigger.by_addr) {
		free(bigger.by_name);
		free(bigger.by_addr);
		return -ENOMEM;
	}
	for (size_t i = 0; i < table->buckets; i++) {
		struct entry *entry, *next;

		for (entry = table->by_name[i]; entry; entry = next) {
			next = entry->next_of_name;
			entry->next_of_name = entry->next_of_addr = NULL;
			link_entry(&bigger, entry);
		}
	}
	free(table->by_name);
	free(table->by_addr);
	*table = bigger;
	return 0;
}

static bool known(const struct table *table, const struct entry *like)
{
	const struct entry *entry = *name_bucket(table, like);

	while (entry && !(same_addr(entry, like) && same_name(entry, like)))
		entry = entry->next_of_name;
	return entry;
}

static int add(struct table *table, const struct corefile_zones *zones, int family,
	       const uint8_t *addr, const char *text)
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
	if (!local_in_zones(zones, &name, true))
		return 0;
	if (table->n >= table->buckets &&
	    table_resize(table, table->buckets ? table->buckets * 4 : 256))
		return -ENOMEM;
	entry = calloc(1, sizeof(*entry) + name.len);
	if (!entry)
		return -ENOMEM;
	entry->family = family;
	memcpy(entry->addr, addr, addr_len(family));
	entry->name_len = name.len;
	memcpy(entry->name, name.wire, name.len);
	if (known(table, entry)) {
		free(entry);
		return 0;
	}
	link_entry(table, entry);
	table->n++;
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
		ret = add(table, zones, family, addr, word);
	return ret;
}

static int read_stream(struct table *table, const struct corefile_zones *zones, FILE *in)
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

static int read_file(struct table *table, const struct corefile_zones *zones, const char *path)
{
	FILE *in = fopen(path, "re");
	int ret;

	if (!in)
		return errno == ENOENT ? 0 : -errno;
	ret = read_stream(table, zones, in);
	fclose(in);
	return ret;
}

static int add_entry(struct table *table, const struct corefile_zones *zones,
		     const struct corefile_hosts_entry *entry)
{
	const struct sockaddr_in *in4 = (const struct sockaddr_in *)&entry->addr;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&entry->addr;
	int family = entry->addr.ss_family, ret = 0;
	uint8_t addr[16];

	if (family == AF_INET)
		memcpy(addr, &in4->sin_addr, 4);
	else
		memcpy(addr, &in6->sin6_addr, 16);
	family = unmapped(family, addr);
	for (size_t i = 0; !ret && i < entry->names_len; i++)
		ret = add(table, zones, family, addr, entry->names[i]);
	return ret;
}

static int read_all(const struct hosts *hosts, struct table *out)
{
	const struct corefile_hosts *config = hosts->config;
	struct table table = { .n = 0 };
	int ret = table_resize(&table, 256);

	if (!ret && config->path)
		ret = read_file(&table, hosts->zones, config->path);
	for (size_t i = 0; !ret && i < config->entries_len; i++)
		ret = add_entry(&table, hosts->zones, &config->entries[i]);
	if (ret) {
		table_free(&table);
		return ret;
	}
	*out = table;
	return 0;
}

int hosts__open(const struct corefile_hosts *config, const struct corefile_zones *block_zones,
		struct hosts **out, char *err, size_t err_size)
{
	struct hosts *hosts = calloc(1, sizeof(*hosts));
	int ret;

	if (!hosts)
		return -ENOMEM;
	hosts->config = config;
	hosts->block_zones = *block_zones;
	hosts->zones = config->zones.len ? &config->zones : &hosts->block_zones;
	if (config->path && stat(config->path, &hosts->seen))
		memset(&hosts->seen, 0, sizeof(hosts->seen));
	ret = read_all(hosts, &hosts->table);
	if (ret) {
		snprintf(err, err_size, "hosts: %s: %s", config->path ? config->path : "entries",
			 ret == -E2BIG ? "more than 2000000 names" : strerror(-ret));
		hosts__close(hosts);
		return ret;
	}
	*out = hosts;
	return 0;
}

void hosts__close(struct hosts *hosts)
{
	if (!hosts)
		return;
	table_free(&hosts->table);
	free(hosts);
}

int hosts__reload(struct hosts *hosts, uint64_t now)
{
	const struct corefile_hosts *config = hosts->config;
	struct table table;
	struct stat st;
	int ret;

	if (!config->path || !config->reload_ns || now < hosts->next_ns)
		return 0;
	hosts->next_ns = now + config->reload_ns;
	/* a file that is gone for a moment, as editors do it: what it said holds */
	if (stat(config->path, &st))
		return 0;
	if (st.st_mtim.tv_sec == hosts->seen.st_mtim.tv_sec &&
	    st.st_mtim.tv_nsec == hosts->seen.st_mtim.tv_nsec &&
	    st.st_size == hosts->seen.st_size && st.st_ino == hosts->seen.st_ino)
		return 0;
	ret = read_all(hosts, &table);
	if (ret)
		return ret;
	hosts->seen = st;
	table_free(&hosts->table);
	hosts->table = table;
	return 1;
}

size_t hosts__count(const struct hosts *hosts)
{
	return hosts->table.n;
}

double hosts__written_s(const struct hosts *hosts)
{
	return (double)hosts->seen.st_mtim.tv_sec + (double)hosts->seen.st_mtim.tv_nsec / 1e9;
}

/* ---- answers ---- */

static const struct entry *first_of_name(const struct hosts *hosts, const struct dns_name *name)
{
	const struct table *table = &hosts->table;

	return table->by_name[hash(name->wire, name->len) % table->buckets];
}

static bool names(const struct entry *entry, const struct dns_name *name)
{
	return entry->name_len == name->len && !memcmp(entry->name, name->wire, name->len);
}

/* "1.2.0.192.in-addr.arpa." and the 32 nibbles of ip6.arpa. */
static bool reverse_addr(const struct dns_name *name, int *family, uint8_t addr[16])
{
	static const uint8_t in_addr[] = "\7in-addr\4arpa", ip6[] = "\3ip6\4arpa";
	const uint8_t *at = name->wire;
	size_t left = name->len;

	memset(addr, 0, 16);
	if (left > sizeof(in_addr) &&
	    !memcmp(at + left - sizeof(in_addr), in_addr, sizeof(in_addr))) {
		*family = AF_INET;
		for (int i = 3; i >= 0; i--) {
			unsigned int value = 0, digits = *at++;

			if (!digits || digits > 3)
				return false;
			for (; digits; digits--, at++) {
				if (*at < '0' || *at > '9')
					return false;
				value = value * 10 + *at - '0';
			}
			if (value > 255)
				return false;
			addr[i] = value;
		}
		return at == name->wire + left - sizeof(in_addr);
	}
	if (left != 64 + sizeof(ip6) || memcmp(at + 64, ip6, sizeof(ip6)))
		return false;
	*family = AF_INET6;
	for (int i = 0; i < 32; i++, at += 2) {
		int digit = at[1] >= '0' && at[1] <= '9'   ? at[1] - '0'
			    : at[1] >= 'a' && at[1] <= 'f' ? at[1] - 'a' + 10
							   : -1;

		if (at[0] != 1 || digit < 0)
			return false;
		addr[15 - i / 2] |= digit << (i & 1 ? 4 : 0);
	}
	return true;
}

static int add_record(struct synth *synth, const struct dns_name *owner, const char *type,
		      const char *rdata, uint32_t ttl_s)
{
	char name[1024], text[2200];

	if (dns_name__to_text(owner, name, sizeof(name)) < 0)
		return -EINVAL;
	snprintf(text, sizeof(text), "%s %u IN %s %s", name, ttl_s, type, rdata);
	return synth__add(synth, DNS_ANSWER_SECTION, text);
}

/* *known: the name is there, if perhaps with addresses of the other family alone. */
static int answer_addresses(const struct hosts *hosts, const struct local_query *query, bool *known,
			    struct answer **out)
{
	static uint8_t addrs[SYNTH_MAX_ADDRS * 16];
	int family = query->qtype == DNS_TYPE_A	     ? AF_INET
		     : query->qtype == DNS_TYPE_AAAA ? AF_INET6
						     : AF_UNSPEC;
	const struct entry *entry = first_of_name(hosts, query->qname);
	size_t n = 0;

	for (; entry; entry = entry->next_of_name) {
		if (!names(entry, query->qname))
			continue;
		*known = true;
		if (entry->family == family && n < SYNTH_MAX_ADDRS)
			memcpy(addrs + n++ * addr_len(family), entry->addr, addr_len(family));
	}
	return *known ? synth__addresses(query->qname, query->qtype, query->key_flags,
					 hosts->config->ttl_s, addrs, n, out)
		      : 0;
}

static int add_names(const struct hosts *hosts, const struct local_query *query,
		     struct synth *synth, bool *known)
{
	const struct entry *entry;
	char text[1024];
	uint8_t addr[16];
	int family, ret = 0;

	if (hosts->config->no_reverse || !reverse_addr(query->qname, &family, addr))
		return 0;
	entry = hosts->table.by_addr[hash(addr, addr_len(family)) % hosts->table.buckets];
	for (; !ret && entry; entry = entry->next_of_addr) {
		struct dns_name name = { .len = entry->name_len };

		if (entry->family != family || memcmp(entry->addr, addr, sizeof(addr)))
			continue;
		memcpy(name.wire, entry->name, name.len);
		if (dns_name__to_text(&name, text, sizeof(text)) < 0)
			continue;
		ret = add_record(synth, query->qname, "PTR", text, hosts->config->ttl_s);
		*known = true;
	}
	return ret;
}

static int answer_names(const struct hosts *hosts, const struct local_query *query, bool *known,
			struct answer **out)
{
	struct synth synth;
	int ret = synth__open(&synth, query->qname, query->qtype, DNS_NOERROR);

	if (!ret)
		ret = add_names(hosts, query, &synth, known);
	if (!ret && *known)
		ret = synth__answer(&synth, query->qname, query->qtype, query->key_flags, NULL,
				    out);
	synth__close(&synth);
	return ret;
}

bool hosts__has(const struct hosts *hosts, const struct dns_name *name)
{
	const struct entry *entry = first_of_name(hosts, name);

	while (entry && !names(entry, name))
		entry = entry->next_of_name;
	return entry;
}

bool hosts__below(const struct hosts *hosts, const struct dns_name *name)
{
	for (size_t i = 0; i < hosts->table.buckets; i++) {
		const struct entry *entry = hosts->table.by_name[i];

		for (; entry; entry = entry->next_of_name) {
			if (zone__contains(name->wire, name->len, entry->name, entry->name_len))
				return true;
		}
	}
	return false;
}

enum local_result hosts__answer(const struct hosts *hosts, const struct local_query *query,
				struct answer **out)
{
	bool ptr = query->qtype == DNS_TYPE_PTR, known = false;
	int ret;

	if (query->qclass != DNS_CLASS_IN ||
	    (!ptr && !local_in_zones(hosts->zones, query->qname, true)))
		return LOCAL_NEXT;
	ret = ptr ? answer_names(hosts, query, &known, out)
		  : answer_addresses(hosts, query, &known, out);
	if (ret)
		return LOCAL_SERVFAIL;
	if (known) {
		(*out)->ttl_s = hosts->config->ttl_s; /* also where only the name is known */
		return LOCAL_ANSWER;
	}
	/* Without a SOA there can be no NXDOMAIN: CoreDNS says SERVFAIL, and so do we. */
	return ptr || local_falls_through(&hosts->config->fallthrough, query->qname)
		       ? LOCAL_NEXT
		       : LOCAL_SERVFAIL;
}

static void reverse_name(const struct entry *entry, struct dns_name *name)
{
	char text[80], *at = text;

	if (entry->family == AF_INET) {
		sprintf(at, "%u.%u.%u.%u.in-addr.arpa.", entry->addr[3], entry->addr[2],
			entry->addr[1], entry->addr[0]);
	} else {
		for (int i = 15; i >= 0; i--)
			at += sprintf(at, "%x.%x.", entry->addr[i] & 15, entry->addr[i] >> 4);
		strcpy(at, "ip6.arpa.");
	}
	dns_name__from_text(name, text);
}

static const struct entry *first_like(const struct entry *entry, const struct entry *like,
				      bool by_name)
{
	while (entry && !(by_name ? same_name(entry, like) : same_addr(entry, like)))
		entry = by_name ? entry->next_of_name : entry->next_of_addr;
	return entry;
}

static bool each_of(const struct hosts *hosts, const struct entry *entry, hosts_fn *fn, void *ctx)
{
	const struct table *table = &hosts->table;
	struct dns_name name = { .len = entry->name_len };

	memcpy(name.wire, entry->name, name.len);
	/* both: that there is none of the other kind is known, too */
	if (first_like(*name_bucket(table, entry), entry, true) == entry &&
	    (!fn(ctx, &name, DNS_TYPE_A) || !fn(ctx, &name, DNS_TYPE_AAAA)))
		return false;
	if (hosts->config->no_reverse ||
	    first_like(*addr_bucket(table, entry), entry, false) != entry)
		return true;
	reverse_name(entry, &name);
	return fn(ctx, &name, DNS_TYPE_PTR);
}

void hosts__each(const struct hosts *hosts, hosts_fn *fn, void *ctx)
{
	for (size_t i = 0; i < hosts->table.buckets; i++) {
		const struct entry *entry = hosts->table.by_name[i];

		for (; entry; entry = entry->next_of_name) {
			if (!each_of(hosts, entry, fn, ctx))
				return;
		}
	}
}
