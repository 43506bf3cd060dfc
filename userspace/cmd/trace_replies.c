// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Replies to queries that were passed on (datapath/replies.h). Contract: trace.h.
 */
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "cmd/look.h"
#include "cmd/trace.h"
#include "datapath/replies.h"

/* Each device takes a descriptor. */
static void raise_limit(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files))
		return;
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
}

struct replies *trace_replies__open(const struct look *look, const struct session *session)
{
	struct datapath_sessions maps;
	struct replies *replies;
	struct error err = { .text = "" };

	if (look__at_agent(look)) {
		fprintf(stderr, "nodens trace: -with-replies needs the kernel path, with sessions "
				"(Linux 5.8)\n");
		return NULL;
	}
	datapath__sessions(look->datapath, &maps);
	if (replies__open(&maps, session__number(session), &replies, &err)) {
		fprintf(stderr, "nodens trace: %s\n", err.text);
		return NULL;
	}
	raise_limit();
	return replies;
}

static bool is_wanted(const struct table *devices, uint32_t row, const char *dev, uint32_t *ifindex)
{
	struct publish_device device;

	if (table__get(devices, row, &device) || device.state != PUBLISH_ATTACHED ||
	    (dev && fnmatch(dev, device.name, 0)))
		return false;
	*ifindex = device.ifindex;
	return true;
}

void trace_replies__follow(struct replies *replies, const char *maps_dir, const char *dev,
			   int *error)
{
	struct table devices = { .fd = -1 };
	uint32_t *ifindexes, n = 0;
	int ret = table__open(&devices, maps_dir, PUBLISH_DEVICES, sizeof(struct publish_device));

	if (!ret) {
		ifindexes = calloc(devices.n + 1, sizeof(*ifindexes));
		for (uint32_t i = 0; ifindexes && i < devices.n; i++)
			n += is_wanted(&devices, i, dev, &ifindexes[n]);
		ret = ifindexes ? replies__follow(replies, ifindexes, n) : -ENOMEM;
		free(ifindexes);
		table__close(&devices);
	}
	if (ret && ret != *error)
		fprintf(stderr, "nodens trace: replies are not seen at every device: %s\n",
			strerror(-ret));
	*error = ret;
}

bool trace_replies__may_come(const struct watch_event *event, const struct words *words)
{
	struct words alike = *words;

	if (event->kind != NODENS_EVENT_PASSED || event->flags & NODENS_EVENT_TCP ||
	    !event->has_client || !event->has_header || event->is_reply)
		return false;
	/* what these say is not known yet */
	alike.pod = alike.dev = NULL;
	alike.has_rcode = alike.has_slower = alike.unanswered = false;
	return words__match(&alike, event, &(struct words_client){ 0 });
}
