// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Names and addresses of hosts files. Contract: hosts.h.
 */
#include "plugin/hosts.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "hosts_priv.h"
#include "plugin/synth.h"

#define BELOW_MAX 10000 /* names that are looked through for those below another: 0.1 ms */

struct hosts {
	const struct corefile_hosts *config;
	const struct corefile_zones *zones;
	struct corefile_zones block_zones;
	struct table table;
	uint64_t next_ns;
	struct stat seen;
};

static int read_file(struct table *table, const struct corefile_zones *zones, const char *path)
{
	FILE *in = fopen(path, "re");
	int ret;

	if (!in)
		return errno == ENOENT ? 0 : -errno;
	ret = hosts_table__read(table, zones, in);
	fclose(in);
	return ret;
}

static int read_all(const struct hosts *hosts, struct table *out)
{
	const struct corefile_hosts *config = hosts->config;
	struct table table = { .n = 0 };
	int ret = 0;

	if (config->path)
		ret = read_file(&table, hosts->zones, config->path);
	for (size_t i = 0; !ret && i < config->entries_len; i++)
		ret = hosts_table__add(&table, hosts->zones, &config->entries[i]);
	if (ret) {
		hosts_table__free(&table);
		return ret;
	}
	*out = table;
	return 0;
}

int hosts__open(const struct corefile_hosts *config, const struct corefile_zones *block_zones,
		struct hosts **out, struct error *err)
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
		error__set(err, ret, "hosts: %s: %s", config->path ? config->path : "entries",
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
	hosts_table__free(&hosts->table);
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
	hosts_table__free(&hosts->table);
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
	return hosts_table__name(&hosts->table, name->wire, name->len);
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

/*
 * "*.example." answers for each name of one label more. Per file and family, so where the name
 * itself has none there. False: @name has no label that could be replaced.
 */
static bool wildcard_of(const struct dns_name *name, struct dns_name *out)
{
	unsigned int label = 1u + name->wire[0];

	if (label + 1u >= name->len)
		return false;
	out->wire[0] = 1;
	out->wire[1] = '*';
	out->len = 2 + name->len - label;
	memcpy(out->wire + 2, name->wire + label, name->len - label);
	return true;
}

bool hosts__lists(const struct hosts *hosts, const struct dns_name *name)
{
	const struct entry *entry = first_of_name(hosts, name);

	while (entry && !names(entry, name))
		entry = entry->next_of_name;
	return entry;
}

bool hosts__has(const struct hosts *hosts, const struct dns_name *name)
{
	struct dns_name wildcard;

	return hosts__lists(hosts, name) ||
	       (wildcard_of(name, &wildcard) && hosts__lists(hosts, &wildcard));
}

struct addresses {
	size_t n;
	uint8_t octets[SYNTH_MAX_ADDRS * 16];
};

/* @family's addresses of this very name in the file, or in the Corefile; false: there are none. */
static bool add_of_name(const struct hosts *hosts, const struct dns_name *name, int family,
			bool inlined, struct addresses *to)
{
	const struct entry *entry = first_of_name(hosts, name);
	size_t len = addr_len(family), i;
	bool any = false;

	for (; entry; entry = entry->next_of_name) {
		if (entry->family != family || entry->inlined != inlined || !names(entry, name))
			continue;
		any = true;
		for (i = 0; i < to->n && memcmp(to->octets + i * len, entry->addr, len);)
			i++;
		if (i == to->n && i < SYNTH_MAX_ADDRS)
			memcpy(to->octets + to->n++ * len, entry->addr, len);
	}
	return any;
}

/* *known: the name is there, if perhaps with addresses of the other family alone. */
static int answer_addresses(const struct hosts *hosts, const struct plugin_query *query,
			    bool *known, struct answer **out)
{
	static struct addresses addrs;
	int family = query->qtype == DNS_TYPE_A	     ? AF_INET
		     : query->qtype == DNS_TYPE_AAAA ? AF_INET6
						     : AF_UNSPEC;
	struct dns_name wildcard;

	*known = hosts__has(hosts, query->qname);
	if (!*known)
		return 0;
	addrs.n = 0;
	for (int inlined = 0; family && inlined < 2; inlined++) {
		if (!add_of_name(hosts, query->qname, family, inlined, &addrs) &&
		    wildcard_of(query->qname, &wildcard))
			add_of_name(hosts, &wildcard, family, inlined, &addrs);
	}
	return synth__addresses(query->qname, query->qtype, query->key_flags, hosts->config->ttl_s,
				addrs.octets, addrs.n, out);
}

static int add_names(const struct hosts *hosts, const struct plugin_query *query,
		     struct synth *synth, bool *known)
{
	const struct entry *entry;
	char text[1024];
	uint8_t addr[16];
	int family, ret = 0;

	if (hosts->config->no_reverse || !reverse_addr(query->qname, &family, addr))
		return 0;
	entry = hosts_table__addr(&hosts->table, family, addr);
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

static int answer_names(const struct hosts *hosts, const struct plugin_query *query, bool *known,
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

bool hosts__below(const struct hosts *hosts, const struct dns_name *name)
{
	const struct entry *entry = hosts->table.first;

	/* asked of names that pods choose */
	if (hosts->table.n > BELOW_MAX)
		return true;
	while (entry && !dns_wire__within(entry->name, entry->name_len, name->wire, name->len))
		entry = entry->next;
	return entry || hosts__has(hosts, name);
}

enum plugin_result hosts__answer(const struct hosts *hosts, const struct plugin_query *query,
				 struct answer **out)
{
	bool ptr = query->qtype == DNS_TYPE_PTR, known = false;
	int ret;

	if (query->qclass != DNS_CLASS_IN ||
	    (!ptr && !plugin__in_zones(hosts->zones, query->qname, true)))
		return PLUGIN_NEXT;
	if (hosts->config->fallthrough_unsupported && !ptr && query->qtype != DNS_TYPE_A &&
	    query->qtype != DNS_TYPE_AAAA &&
	    plugin__falls_through(&hosts->config->fallthrough, query->qname))
		return PLUGIN_NEXT;
	ret = ptr ? answer_names(hosts, query, &known, out)
		  : answer_addresses(hosts, query, &known, out);
	if (ret)
		return PLUGIN_SERVFAIL;
	if (known) {
		(*out)->ttl_s = hosts->config->ttl_s; /* also where only the name is known */
		return PLUGIN_ANSWER;
	}
	/* Without a SOA there can be no NXDOMAIN: CoreDNS says SERVFAIL, and so do we. */
	return ptr || plugin__falls_through(&hosts->config->fallthrough, query->qname)
		       ? PLUGIN_NEXT
		       : PLUGIN_SERVFAIL;
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
	if (first_like(hosts_table__name(table, entry->name, entry->name_len), entry, true) ==
		    entry &&
	    (!fn(ctx, &name, DNS_TYPE_A) || !fn(ctx, &name, DNS_TYPE_AAAA)))
		return false;
	if (hosts->config->no_reverse ||
	    first_like(hosts_table__addr(table, entry->family, entry->addr), entry, false) != entry)
		return true;
	reverse_name(entry, &name);
	return fn(ctx, &name, DNS_TYPE_PTR);
}

void hosts__each(const struct hosts *hosts, hosts_fn *fn, void *ctx)
{
	const struct entry *entry = hosts->table.first;

	while (entry && each_of(hosts, entry, fn, ctx))
		entry = entry->next;
}

/* ---- in the chain ---- */

static int open_block(const struct plugin_open *open, void **state)
{
	struct hosts *hosts;
	int ret;

	if (!open->block->has_hosts)
		return 0;
	ret = hosts__open(&open->block->hosts, &open->zones, &hosts, open->err);
	if (!ret)
		*state = hosts;
	return ret;
}

static void close_block(void *state)
{
	hosts__close(state);
}

static enum plugin_result hosts_query(void *state, struct passage *passage)
{
	const struct plugin_query *query = &passage->query;
	enum plugin_result result = hosts__answer(state, query, &passage->answer);

	if (result == PLUGIN_SERVFAIL)
		return plugin__fail(passage, DNS_SERVFAIL,
				    "hosts: no such name, and no fallthrough");
	if (result == PLUGIN_ANSWER) {
		passage->verdict = plugin__verdict(passage->answer);
		/* names that a wildcard makes are as many as clients like: the cache's affair */
		passage->exact = query->qtype == DNS_TYPE_PTR || hosts__lists(state, query->qname);
	}
	return result;
}

static bool answers_below(const void *state, const struct dns_name *name)
{
	return hosts__below(state, name);
}

static void preload(void *state, const struct plugin_preload *to)
{
	if (to->question)
		hosts__each(state, to->question, to->ctx);
}

static size_t lists(const void *state)
{
	return hosts__count(state);
}

static bool has(const void *state, const struct dns_name *name)
{
	return hosts__has(state, name);
}

static int reload(void *state, uint64_t now)
{
	return hosts__reload(state, now);
}

const struct plugin hosts_plugin = {
	.id = PLUGIN_HOSTS,
	.open = open_block,
	.close = close_block,
	.query = hosts_query,
	.answers_below = answers_below,
	.preload = preload,
	.lists = lists,
	.has = has,
	.reload = reload,
};
