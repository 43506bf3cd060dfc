/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the files of the probe directive share.
 *
 * Contract: prober.c knows which names are to be looked up; prober_names.c reads files of them;
 * prober_target.c asks for one.
 */
#ifndef NODENS_PROBER_PRIV_H
#define NODENS_PROBER_PRIV_H

#include "base/list.h"
#include "config/corefile.h"
#include "resolver/prober.h"

#define PROBE_FILE_MAX (1 << 20) /* octets of a file that is read */

struct probe_names {
	struct dns_name list[COREFILE_PROBE_MAX]; /* lower case, each once */
	size_t len;
	char problem[256]; /* "": none */
};

bool probe_names_have(const struct probe_names *names, const struct dns_name *name);
/*
 * A name a line, '#' begins a comment. Names that are none, or in no zone of @block, are left out,
 * and so are those beyond the list: problem says so. False: the file cannot be read, *out says why
 * and has no names.
 */
bool probe_names_read(const char *path, const struct corefile_block *block,
		      struct probe_names *out);

/* One way that a name is asked in: as the node's client, or of one upstream. */
struct probe {
	struct probe_target *target;
	struct exchange exchange;
	uint64_t sent_ns;
	bool out; /* not judged yet */
	char via[SOCKADDR_TEXT];
	struct probe_stats stats;
};

struct probe_target {
	struct resolver_asker asker; /* the client's owner */
	struct list link;
	const struct prober_config *config;
	const struct server_block *sb;
	const struct corefile_probe *how; /* the block's */
	struct dns_query query;
	struct client client;
	struct loop_timer next;	      /* when it is asked again */
	struct loop_timer limit;      /* the timeout */
	struct upstream_group *group; /* NULL: no upstream is asked for itself */
	bool in_resolver;	      /* the node's reply has not come, though it may be late */
	bool gone;		      /* freed when that has come */
	char name[1024];
	size_t n;
	struct probe probes[]; /* the first is the node's */
};

/*
 * @name, lower case, in a zone of @sb, whose `probe` says how: for the first time within its
 * interval. Both outlive it, and so does @config. -ENOMEM.
 */
int probe_target_open(const struct prober_config *config, const struct server_block *sb,
		      const struct dns_name *name, struct probe_target **out);
/* Out of its list, and freed: now, or when the node's reply comes: the resolver knows it. */
void probe_target_close(struct probe_target *target);

#endif /* NODENS_PROBER_PRIV_H */
