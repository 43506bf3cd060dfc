// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Network devices as they come and go: attached to, left, forgotten.
 *
 * Contract: agent_priv.h. One device that cannot be attached to is one line in
 * the log, once; it is tried again each second.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent_priv.h"
#include "base/clock.h"
#include "datapath/clients.h"

struct device {
	struct list link;
	struct netdev info;
	struct attachment *attachment; /* NULL: failed, see the log */
	uint64_t lost_ns;	       /* when it was last said that its program was gone */
};

/* Who takes programs off again and again is named once in this time. */
#define LOST_SAID_NS (60 * NSEC_PER_SEC)

static bool is_named(const char *globs, const char *name)
{
	size_t name_len = strlen(name), len;

	for (const char *at = globs; at; at = at[len] ? at + len + 1 : NULL) {
		len = strcspn(at, ",");
		if (len == name_len && !memcmp(at, name, len))
			return true;
	}
	return false;
}

static bool wanted(const struct agent *agent, const struct netdev *info)
{
	const struct run_options *opts = agent->opts;

	if (!strcmp(info->name, "lo") || !strcmp(info->name, "nd0") || !strcmp(info->name, "nd1"))
		return false;
	if (opts->exclude && glob_list__match(opts->exclude, info->name))
		return false;
	if (opts->interfaces)
		return glob_list__match(opts->interfaces, info->name);
	if (agent->gen->plan.mode == MODE_STEER)
		return !strcmp(info->kind, "veth") && info->foreign_peer;
	return plan__device_holds(&agent->gen->plan, info->name);
}

static struct device *find(struct agent *agent, int ifindex)
{
	struct list *node;

	for (node = agent->devices.next; node != &agent->devices; node = node->next) {
		struct device *device = list_entry(node, struct device, link);

		if (device->info.ifindex == ifindex)
			return device;
	}
	return NULL;
}

/* @first: say so when it fails. @says: when it succeeds. */
static void device_attach(struct agent *agent, struct device *device, bool first, bool says)
{
	struct attach_request request = {
		.ifindex = device->info.ifindex,
		.hook = agent->opts->hook,
		.pod_veth = !strcmp(device->info.kind, "veth") && device->info.foreign_peer,
		.steer = agent->gen->plan.mode == MODE_STEER,
	};
	struct error err = { .text = "" };
	char note[256] = "";
	int ret;

	/* From its first packet on, nobody else may claim addresses that are routed to it. */
	clients__add_device(agent->datapath, device->info.ifindex);
	memcpy(request.ifname, device->info.name, sizeof(request.ifname));
	ret = attachment__open(agent->datapath, &request, &device->attachment, note, sizeof(note),
			       &err);
	if (!ret) {
		agent->map.stats->v[AGENT_STAT_DEVICES]++;
		if (!says)
			return;
		log_info("%s: attached, %s%s%s", device->info.name,
			 attachment__how(device->attachment), note[0] ? ": " : "", note);
		if (!strcmp(device->info.kind, "bridge"))
			log_warn("%s: a bridge: what netfilter rewrites at its ports is not seen "
				 "here; attach to the ports",
				 device->info.name);
		return;
	}
	if (!first || ret == -ENODEV)
		return;
	log_error("%s: not attached: %s", device->info.name, err.text);
	if (agent->opts->interfaces && is_named(agent->opts->interfaces, device->info.name))
		agent->fatal = ret;
}

static void device_unattach(struct agent *agent, struct device *device, bool detach)
{
	if (!device->attachment)
		return;
	agent->map.stats->v[AGENT_STAT_DEVICES]--;
	if (detach)
		attachment__detach(device->attachment);
	else
		attachment__forget(device->attachment);
	device->attachment = NULL;
}

static void device_free(struct agent *agent, struct device *device, bool detach)
{
	device_unattach(agent, device, detach);
	agent->map.stats->v[AGENT_STAT_DEVICES_WANTED]--;
	list__del(&device->link);
	free(device);
}

static void device_leave(struct agent *agent, struct device *device, const char *why, bool detach)
{
	uint32_t ifindex = device->info.ifindex;

	log_info("%s: %s", device->info.name, why);
	device_free(agent, device, detach);
	clients__remove_device(agent->datapath, ifindex);
}

/*
 * What a killed agent with other -interfaces had attached to. Only at the start, while the first
 * list of devices comes in; nd0's program is this agent's own by then.
 */
static void leave_behind(struct agent *agent, const struct netdev *info)
{
	if (strcmp(info->name, "nd0") &&
	    attach__leave(agent->datapath, info->ifindex, info->name) > 0)
		log_info("%s: detached: an earlier agent attached to it, and this one is not to",
			 info->name);
}

static void on_link(void *ctx, const struct netdev *info, bool gone)
{
	struct agent *agent = ctx;
	struct device *device = find(agent, info->ifindex);

	if (agent->netns && info->ifindex == netns__nd0(agent->netns)) {
		agent__on_nd0(agent, info, gone);
		return;
	}
	/* A veth that goes first loses its peer, and is unwanted before it is gone. */
	if (device && (gone || !wanted(agent, info))) {
		device_leave(agent, device, gone ? "gone" : "detached, no longer wanted", !gone);
		return;
	}
	if (!gone && !wanted(agent, info) && !agent->monitor_readable)
		leave_behind(agent, info);
	if (gone || !wanted(agent, info))
		return;
	if (device) {
		bool moved = device->info.foreign_peer != info->foreign_peer;

		device->info = *info;
		/* answers go another way to a peer in another namespace */
		if (moved && device->attachment) {
			device_unattach(agent, device, false);
			device_attach(agent, device, true, true);
		}
		return;
	}
	device = calloc(1, sizeof(*device));
	if (!device)
		return;
	device->info = *info;
	list__append(&agent->devices, &device->link);
	agent->map.stats->v[AGENT_STAT_DEVICES_WANTED]++;
	device_attach(agent, device, true, true);
}

static void on_links(evutil_socket_t fd, short what, void *arg)
{
	struct agent *agent = arg;

	(void)fd;
	(void)what;
	monitor__dispatch(agent->monitor);
}

/* Does a device of this node that may be attached to match the glob? */
static bool leads_to(const struct agent *agent, const char *glob)
{
	const struct list *node;

	for (node = agent->devices.next; node != &agent->devices; node = node->next) {
		if (glob_list__match(glob, list_entry(node, struct device, link)->info.name))
			return true;
	}
	return false;
}

/* Names and globs that led to nothing: a slip of the pen, or devices yet to come. */
static void warn_missing(struct agent *agent)
{
	const char *at = agent->opts->interfaces;
	char glob[64];
	size_t len;

	for (; at; at = at[len] ? at + len + 1 : NULL) {
		len = strcspn(at, ",");
		if (!len || len >= sizeof(glob))
			continue;
		memcpy(glob, at, len);
		glob[len] = '\0';
		if (!leads_to(agent, glob))
			log_warn("-interfaces %s: no device matches yet", glob);
	}
}

/* Somebody took its program off: put it on again. Misses and hits went past it meanwhile. */
static void put_back(struct agent *agent, struct device *device, uint64_t now)
{
	bool says = !device->lost_ns || now - device->lost_ns >= LOST_SAID_NS;

	if (says) {
		device->lost_ns = now;
		log_warn("%s: another program removed nodens' program; attaching again",
			 device->info.name);
	}
	device_unattach(agent, device, false);
	device_attach(agent, device, says, says);
}

/* Without it no answer of the agent finds a client, so nothing is steered until it is there. */
static void review_return(struct agent *agent)
{
	struct error err = { .text = "" };
	int ret;

	if (!agent->netns || attach__return_present(agent->datapath, netns__nd0(agent->netns))) {
		agent->return_lost = false;
		return;
	}
	agent__set_steer(agent, false);
	ret = attach__return(agent->datapath, netns__nd0(agent->netns), &err);
	if (!ret)
		log_warn("nd0: another program removed nodens' program; attached again");
	else if (!agent->return_lost)
		log_error("nd0: another program removed nodens' program; not steering: %s",
			  err.text);
	agent->return_lost = ret;
}

bool agent_devices__has_path(const struct agent *agent)
{
	uint64_t wanted = agent->map.stats->v[AGENT_STAT_DEVICES_WANTED];

	return agent->datapath && !agent->bare &&
	       (!wanted || agent->map.stats->v[AGENT_STAT_DEVICES]);
}

int agent_devices__open(struct agent *agent)
{
	int ret;

	if (!agent->datapath)
		return 0;
	ret = monitor__open(on_link, agent, &agent->monitor);
	agent->monitor_opened = !ret;
	if (!ret)
		ret = monitor__dump(agent->monitor);
	if (ret) {
		log_error("cannot watch network devices: %s", strerror(-ret));
		return ret;
	}
	agent->monitor_readable = event_new(agent->loop.events, monitor__fd(agent->monitor),
					    EV_READ | EV_PERSIST, on_links, agent);
	if (!agent->monitor_readable || event_add(agent->monitor_readable, NULL)) {
		log_error("out of memory");
		return -ENOMEM;
	}
	if (!agent->fatal)
		warn_missing(agent);
	return agent->fatal;
}

void agent_devices__review(struct agent *agent)
{
	struct list *node, *next;
	uint64_t now = loop__now(&agent->loop);

	for (node = agent->devices.next; node != &agent->devices; node = next) {
		struct device *device = list_entry(node, struct device, link);

		next = node->next;
		if (!wanted(agent, &device->info))
			device_leave(agent, device, "detached, no longer wanted", true);
		else if (!device->attachment)
			device_attach(agent, device, false, true);
		else if (!attachment__present(device->attachment))
			put_back(agent, device, now);
	}
	review_return(agent);
	/* Addresses come without a word about the device. */
	if (agent->monitor && agent->gen->plan.wildcard && !agent->opts->interfaces)
		monitor__dump(agent->monitor);
}

void agent_devices__close(struct agent *agent, bool detach)
{
	while (!list__empty(&agent->devices))
		device_free(agent, list_entry(agent->devices.next, struct device, link), detach);
	if (agent->monitor_readable)
		event_free(agent->monitor_readable);
	agent->monitor_readable = NULL;
	monitor__close(agent->monitor);
	agent->monitor = NULL;
}
