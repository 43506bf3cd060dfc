/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The hosts plugin: names and addresses of a file and of the Corefile.
 *
 * Contract: single-threaded; reads its file when it is opened and when hosts__reload() finds it
 * changed. Some 100 bytes a name.
 */
#ifndef NODENS_HOSTS_H
#define NODENS_HOSTS_H

#include "plugin/plugin.h"

#define HOSTS_MAX_NAMES 2000000

struct hosts;

/* A file that is not there is as one that is empty, as with CoreDNS. -EINVAL, -ENOMEM with @err. */
int hosts__open(const struct corefile_hosts *config, const struct corefile_zones *block_zones,
		struct hosts **out, struct error *err);
void hosts__close(struct hosts *hosts);

/* The TTL is the answer's. */
enum plugin_result hosts__answer(const struct hosts *hosts, const struct plugin_query *query,
				 struct answer **out);
/* Looks at the file every config.reload_ns. 1: it says something else now; 0; -errno. */
int hosts__reload(struct hosts *hosts, uint64_t now_ns);
/* Has it an address there, under its name or by a wildcard? */
bool hosts__has(const struct hosts *hosts, const struct dns_name *name);
/* Under its name alone. */
bool hosts__lists(const struct hosts *hosts, const struct dns_name *name);
/* It, or a name below it? Looks at every one; of more than 10,000 one may be, and none is looked
 * at.
 */
bool hosts__below(const struct hosts *hosts, const struct dns_name *name);
/* Once for A and for AAAA of each name, and for PTR of each address, in the order of the file,
 * until @fn says false. */
typedef bool hosts_fn(void *ctx, const struct dns_name *name, uint16_t qtype);
void hosts__each(const struct hosts *hosts, hosts_fn *fn, void *ctx);
size_t hosts__count(const struct hosts *hosts);
/* When the file at work was written, in seconds since 1970; 0: there is none. */
double hosts__written_s(const struct hosts *hosts);

extern const struct plugin hosts_plugin;

#endif /* NODENS_HOSTS_H */
