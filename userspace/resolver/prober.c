// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Names that are looked up again and again: which they are, and what came of them. Contract:
 * prober.h; how one is asked for: prober_target.c.
 */
#include "resolver/prober.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "prober_priv.h"

/* How often a file of names is looked at. */
#define FILE_NS (5 * NSEC_PER_SEC)

struct block_probe {
	struct prober *prober;
	const struct server_block *sb;
	const struct corefile_probe *config;
	struct list targets;
	uint64_t look_ns;
	struct stat seen;
	bool read;
	char problem[256];
};

struct prober {
	struct prober_config config;
	size_t n;
	struct block_probe *blocks;
};

/* ---- which names are asked for ---- */

static int add_target(struct block_probe *block, const struct dns_name *name)
{
	struct probe_target *target;
	int ret = probe_target_open(&block->prober->config, block->sb, name, &target);

	if (!ret)
		list__append(&block->targets, &target->link);
	return ret;
}

static struct probe_target *find_target(const struct block_probe *block,
					const struct dns_name *name)
{
	for (struct list *at = block->targets.next; at != &block->targets; at = at->next) {
		struct probe_target *target = list_entry(at, struct probe_target, link);

		if (dns_name__equal(&target->query.qname, name))
			return target;
	}
	return NULL;
}

/* Those that stay go on as they are. */
static int take_names(struct block_probe *block, const struct probe_names *names)
{
	struct list *next;
	int ret = 0;

	for (struct list *at = block->targets.next; at != &block->targets; at = next) {
		struct probe_target *target = list_entry(at, struct probe_target, link);

		next = at->next;
		if (!probe_names_have(names, &target->query.qname))
			probe_target_close(target);
	}
	for (size_t i = 0; !ret && i < names->len; i++) {
		if (!find_target(block, &names->list[i]))
			ret = add_target(block, &names->list[i]);
	}
	return ret;
}

static void tell(struct block_probe *block, const char *problem)
{
	const struct prober_config *config = &block->prober->config;

	if (*problem && strcmp(problem, block->problem) != 0 && config->problem)
		config->problem(config->ctx, problem);
	snprintf(block->problem, sizeof(block->problem), "%s", problem);
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_size == b->st_size && a->st_ino == b->st_ino;
}

/* A file that is gone for a moment, as editors do it: what it said holds. */
static int look_at_file(struct block_probe *block)
{
	struct probe_names names;
	struct stat st = { 0 };
	bool there = !stat(block->config->file, &st);

	if (block->read && (!there || same_file(&st, &block->seen)))
		return 0;
	block->seen = st;
	there = probe_names_read(block->config->file, block->sb->config, &names);
	tell(block, names.problem);
	if (!there)
		return 0;
	block->read = true;
	return take_names(block, &names);
}

void prober__tick(struct prober *prober, uint64_t now)
{
	for (size_t i = 0; prober && i < prober->n; i++) {
		struct block_probe *block = &prober->blocks[i];

		if (!block->config->file || now < block->look_ns)
			continue;
		block->look_ns = now + FILE_NS;
		if (look_at_file(block))
			tell(block, "probe: out of memory: not all names are probed");
	}
}

/* ---- open and close ---- */

/* One cache serves pods, so one block of each zone is probed: the first. */
static bool is_probed(const struct corefile *cf, size_t index)
{
	const struct corefile_block *block = &cf->blocks[index];

	for (size_t i = 0; i < index; i++) {
		if (cf->blocks[i].has_probe && !cf->blocks[i].apart &&
		    dns_name__equal(&cf->blocks[i].zones[0].name, &block->zones[0].name))
			return false;
	}
	return block->has_probe && !block->apart;
}

static int open_block(struct prober *prober, const struct server_block *sb)
{
	struct block_probe *block = &prober->blocks[prober->n++];
	const struct corefile_zones *names = &sb->config->probe.names;
	struct probe_names list = { .len = 0 };

	block->prober = prober;
	block->sb = sb;
	block->config = &sb->config->probe;
	list__init(&block->targets);
	if (block->config->file)
		return look_at_file(block);
	for (size_t i = 0; i < names->len; i++) {
		if (!probe_names_have(&list, &names->list[i].name))
			list.list[list.len++] = names->list[i].name;
	}
	return take_names(block, &list);
}

int prober__open(const struct prober_config *config, const struct corefile *cf, struct prober **out)
{
	const struct server_block *blocks;
	struct prober *prober;
	size_t n, probed = 0;
	int ret = 0;

	blocks = resolver__blocks(config->resolver, &n);
	for (size_t i = 0; i < n; i++)
		probed += is_probed(cf, i);
	*out = NULL;
	if (!probed)
		return 0;
	prober = calloc(1, sizeof(*prober));
	if (!prober)
		return -ENOMEM;
	prober->config = *config;
	prober->blocks = calloc(probed, sizeof(prober->blocks[0]));
	if (!prober->blocks)
		ret = -ENOMEM;
	for (size_t i = 0; !ret && i < n; i++) {
		if (is_probed(cf, i))
			ret = open_block(prober, &blocks[i]);
	}
	if (ret)
		prober__close(prober);
	else
		*out = prober;
	return ret;
}

void prober__stop(struct prober *prober)
{
	struct probe_names none = { .len = 0 };

	for (size_t i = 0; prober && i < prober->n; i++) {
		take_names(&prober->blocks[i], &none);
		prober->blocks[i].look_ns = UINT64_MAX;
	}
}

void prober__close(struct prober *prober)
{
	if (!prober)
		return;
	prober__stop(prober);
	free(prober->blocks);
	free(prober);
}

/* ---- figures ---- */

static struct probe *probe_at(const struct prober *prober, size_t index)
{
	for (size_t i = 0; prober && i < prober->n; i++) {
		const struct list *targets = &prober->blocks[i].targets;

		for (struct list *at = targets->next; at != targets; at = at->next) {
			struct probe_target *target = list_entry(at, struct probe_target, link);

			if (index < target->n)
				return &target->probes[index];
			index -= target->n;
		}
	}
	return NULL;
}

bool prober__stats(const struct prober *prober, size_t index, struct probe_stats *out)
{
	const struct probe *probe = probe_at(prober, index);

	if (probe)
		*out = probe->stats;
	return probe;
}

static bool same_way(const struct probe *a, const struct probe *b)
{
	return !strcmp(a->stats.zone, b->stats.zone) && !strcmp(a->stats.name, b->stats.name) &&
	       !strcmp(a->via, b->via);
}

void prober__inherit(struct prober *prober, const struct prober *before)
{
	struct probe *probe;

	for (size_t i = 0; (probe = probe_at(prober, i)); i++) {
		const struct probe *old;
		size_t k = 0;

		while ((old = probe_at(before, k)) && !same_way(probe, old))
			k++;
		if (!old)
			continue;
		memcpy(probe->stats.outcomes, old->stats.outcomes, sizeof(old->stats.outcomes));
		probe->stats.time = old->stats.time;
		probe->stats.known = old->stats.known;
		probe->stats.success = old->stats.success;
	}
}
