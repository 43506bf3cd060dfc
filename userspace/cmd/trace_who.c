// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Whose query an event is, and which upstream answered. Contract: trace.h.
 */
#include "cmd/trace.h"

#include <string.h>

#include "base/clock.h"
#include "base/text.h"

/* Pods come and go: read again so often where one is not known. */
#define PODS_AGAIN_NS (15 * NSEC_PER_SEC)
/* The agent makes its table anew when it needs more rows. */
#define TABLE_AGAIN_NS NSEC_PER_SEC

int trace_who__open(struct trace_who *who, const char *cni_results, const char *maps_dir)
{
	*who = (struct trace_who){ .cni_results = cni_results, .upstreams = { .fd = -1 } };
	snprintf(who->maps_dir, sizeof(who->maps_dir), "%s", maps_dir);
	who->pods_ns = clock_now();
	return pods__open(NULL, cni_results, &who->pods);
}

void trace_who__close(struct trace_who *who)
{
	pods__close(who->pods);
	table__close(&who->upstreams);
	who->pods = NULL;
	who->upstreams.fd = -1;
}

static void read_pods_again(struct trace_who *who)
{
	struct pods *pods;
	uint64_t now = clock_now();

	if (now - who->pods_ns < PODS_AGAIN_NS)
		return;
	who->pods_ns = now;
	if (pods__open(NULL, who->cni_results, &pods))
		return;
	pods__close(who->pods);
	who->pods = pods;
}

void trace_who__client(struct trace_who *who, const struct watch_event *event,
		       struct trace_client *client)
{
	int device = (int)event->ifindex;

	client->text[0] = client->pod.name[0] = client->dev[0] = '\0';
	if (device)
		if_indextoname(device, client->dev);
	if (!event->has_client)
		return;
	if (!pods__find(who->pods, &event->client, device, &client->pod)) {
		read_pods_again(who);
		if (!pods__find(who->pods, &event->client, device, &client->pod))
			client->pod.name[0] = '\0';
	}
	pods__text(who->pods, &event->client, device, client->text, sizeof(client->text));
}

bool trace_who__upstream(struct trace_who *who, uint16_t number, struct publish_upstream *up)
{
	uint64_t now = clock_now();

	if (now - who->upstreams_ns > TABLE_AGAIN_NS) {
		table__close(&who->upstreams);
		who->upstreams.fd = -1;
		who->upstreams_ns = now;
		if (table__open(&who->upstreams, who->maps_dir, PUBLISH_UPSTREAMS, sizeof(*up)))
			who->upstreams.fd = -1;
	}
	return number && who->upstreams.fd >= 0 && number <= who->upstreams.n &&
	       !table__get(&who->upstreams, number - 1, up) && up->state != PUBLISH_NO_UPSTREAM;
}
