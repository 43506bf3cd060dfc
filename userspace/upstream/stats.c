// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What is counted of each upstream's address. Contract: stats.h.
 *
 * Several forwards may name one address, and so do the generations before and
 * after a reload, whose exchanges overlap: all of them count in one place.
 */
#include "upstream/stats.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "upstream_priv.h"

static struct upstream_numbers **find(const struct upstreams *ups, const union sockaddr_any *addr)
{
	for (size_t i = 0; i < ups->n_numbers; i++) {
		if (sockaddr__same(&ups->numbers[i]->addr, addr))
			return &ups->numbers[i];
	}
	return NULL;
}

int upstream_numbers_open(struct upstreams *ups, struct upstream *upstream)
{
	struct upstream_numbers **have = find(ups, upstream->addr), *numbers, **grown;

	if (have) {
		upstream->numbers = *have;
		return 0;
	}
	grown = realloc(ups->numbers, (ups->n_numbers + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	ups->numbers = grown;
	numbers = calloc(1, sizeof(*numbers));
	if (!numbers)
		return -ENOMEM;
	numbers->refs = 1;
	numbers->addr = *upstream->addr;
	sockaddr__text(upstream->addr, numbers->to, sizeof(numbers->to));
	numbers->v.to = numbers->to;
	grown[ups->n_numbers++] = numbers;
	upstream->numbers = numbers;
	return 0;
}

static void put(struct upstream_numbers *numbers)
{
	if (!--numbers->refs)
		free(numbers);
}

void upstream_numbers_close_all(struct upstreams *ups)
{
	for (size_t i = 0; i < ups->n_numbers; i++)
		put(ups->numbers[i]);
	free(ups->numbers);
	ups->numbers = NULL;
	ups->n_numbers = 0;
}

void upstream_numbers_inherit(struct upstreams *ups, const struct upstreams *before)
{
	for (size_t i = 0; i < ups->n_numbers; i++) {
		struct upstream_numbers **old = find(before, &ups->numbers[i]->addr);

		if (!old || *old == ups->numbers[i])
			continue;
		for (struct upstream_group *group = ups->groups; group; group = group->next) {
			for (size_t k = 0; k < group->n; k++) {
				if (group->list[k].numbers == ups->numbers[i])
					group->list[k].numbers = *old;
			}
		}
		put(ups->numbers[i]);
		ups->numbers[i] = *old;
		(*old)->refs++;
	}
}

bool upstreams__metrics(const struct upstreams *ups, size_t index, struct upstream_stats *out)
{
	if (index >= ups->n_numbers)
		return false;
	*out = ups->numbers[index]->v;
	return true;
}

const union sockaddr_any *upstream__addr(const struct upstream *upstream, bool *tls, bool *tcp)
{
	*tls = upstream->tls;
	*tcp = upstream->group->forward->force_tcp;
	return upstream->addr;
}

bool upstreams__view(struct upstreams *ups, size_t index, struct upstream_view *out)
{
	struct upstream_group *group = ups->groups;
	const struct upstream *upstream;
	struct upstream_numbers *numbers;
	uint64_t now = upstreams_now(ups);

	while (group && index >= group->n) {
		index -= group->n;
		group = group->next;
	}
	if (!group)
		return false;
	upstream = &group->list[index];
	numbers = upstream->numbers;
	*out = (struct upstream_view){
		.forward = group->forward,
		.addr = upstream->addr,
		.tls = upstream->tls,
		.tcp = group->forward->force_tcp,
		.heard = upstream->heard_ns,
		.down = upstream->down,
		.since_ns = upstream->since_ns,
		.reason = upstream->reason,
		.queries = numbers->v.requests,
		.timeouts = numbers->v.timeouts,
		.errors = numbers->v.errors,
		.rtt_p50_ns = quantiles__get(&numbers->rtt, now, 50),
		.rtt_p99_ns = quantiles__get(&numbers->rtt, now, 99),
	};
	return true;
}
