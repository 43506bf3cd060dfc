// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Network devices as they come and go. Contract: devices.h.
 */
#include "agent/devices.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/device_board.h"
#include "agent/device_sum.h"
#include "base/list.h"
#include "base/log.h"
#include "datapath/attach.h"
#include "datapath/clients.h"
#include "datapath/device_counts.h"

struct device {
	struct list link;
	struct list same; /* others whose ifindex falls together with its */
	bool touched;	  /* somebody did something to it since it was looked at */
	struct netdev info;
	struct attachment *attachment; /* NULL: failed, see the log */
	uint64_t lost_ns;	       /* when it was last logged that its program was gone */
	bool warned;		       /* of what is odd about it */
	uint64_t counted_ns;	       /* when its counts were read last; 0: never */
	struct nodens_device_counts counted;
};

/* There at start and attached to by the best way, before there are too many for that. */
#define UNHURRIED_MAX 32
/* Looked at in a second, besides those that were touched: 500 devices take 8 s. */
#define REVIEW_MAX 64
#define BUCKETS	   256

/* Counts are read as often, so those of the time before are 10 to 20 s old. */
#define COUNTED_NS (10 * NSEC_PER_SEC)

/* Who takes programs off again and again is named once in this time. */
#define LOST_LOG_NS (60 * NSEC_PER_SEC)

struct devices {
	struct devices_config config;
	struct monitor *monitor;
	struct event *readable; /* NULL: the first list is coming in */
	struct list list;	/* those to be looked at first come first */
	struct list by_ifindex[BUCKETS];
	struct device_counts *counts; /* NULL: nothing is counted by device */
	struct device_sum sum;	      /* of those that came and went since it was said */
	unsigned int n, touched;      /* devices; of them at the head of the list */
	uint32_t *gone;		      /* whose clients are still to be forgotten */
	size_t n_gone, cap_gone;
	int error;
};

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

/* -exclude apart. */
static bool would_be_wanted(const struct devices *devices, const struct netdev *info)
{
	const struct run_options *opts = devices->config.opts;

	if (!strcmp(info->name, "lo") || !strcmp(info->name, "nd0") || !strcmp(info->name, "nd1"))
		return false;
	if (opts->interfaces)
		return glob_list__match(opts->interfaces, info->name);
	if (devices->config.plan(devices->config.ctx)->mode == MODE_STEER)
		return !strcmp(info->kind, "veth") && info->foreign_peer;
	return plan__device_holds(devices->config.plan(devices->config.ctx), info->name);
}

static bool wanted(const struct devices *devices, const struct netdev *info)
{
	const struct run_options *opts = devices->config.opts;

	return !(opts->exclude && glob_list__match(opts->exclude, info->name)) &&
	       would_be_wanted(devices, info);
}

/* It would be attached to, but for -exclude. */
static bool is_excluded(const struct devices *devices, const struct netdev *info)
{
	const struct run_options *opts = devices->config.opts;

	return opts->exclude && glob_list__match(opts->exclude, info->name) &&
	       would_be_wanted(devices, info);
}

static struct device *find(struct devices *devices, int ifindex)
{
	struct list *bucket = &devices->by_ifindex[(uint32_t)ifindex % BUCKETS], *node;

	for (node = bucket->next; node != bucket; node = node->next) {
		struct device *device = list_entry(node, struct device, same);

		if (device->info.ifindex == ifindex)
			return device;
	}
	return NULL;
}

static void count_came(struct devices *devices, const struct device *device)
{
	if (device->attachment)
		device_sum_came(&devices->sum, device->info.name,
				attachment__ahead(device->attachment),
				loop__now(devices->config.loop));
}

static void count_left(struct devices *devices)
{
	device_sum_left(&devices->sum, loop__now(devices->config.loop));
}

static void count_device(struct devices *devices, const struct device *device)
{
	int ret = devices->counts ? device_counts__add(devices->counts, device->info.ifindex) : 0;

	if (ret)
		log_debug("%s: not counted by itself: %s", device->info.name, strerror(-ret));
}

/* @first: a failure is logged. */
static void device_attach(struct devices *devices, struct device *device, bool first)
{
	struct attach_request request = {
		.ifindex = device->info.ifindex,
		.hook = devices->config.opts->hook,
		.pod_veth = !strcmp(device->info.kind, "veth") && device->info.foreign_peer,
		.steer = devices->config.plan(devices->config.ctx)->mode == MODE_STEER,
		.hurry = !devices->readable && devices->n > UNHURRIED_MAX,
	};
	uint64_t now = loop__now(devices->config.loop);
	struct error err = { .text = "" };
	char note[256] = "";
	int ret;

	/* From its first packet on, nobody else may claim addresses that are routed
	 * to it. */
	clients__add_device(devices->config.datapath, device->info.ifindex);
	count_device(devices, device);
	memcpy(request.ifname, device->info.name, sizeof(request.ifname));
	ret = attachment__open(devices->config.datapath, &request, &device->attachment, note,
			       sizeof(note), &err);
	if (!ret) {
		devices->config.stats->v[AGENT_STAT_DEVICES]++;
		device_board_attached(devices->config.board, &device->info, device->attachment,
				      now);
		log_debug("%s: attached, %s%s%s", device->info.name,
			  attachment__how(device->attachment), note[0] ? ": " : "", note);
		if (!device->warned && !strcmp(device->info.kind, "bridge"))
			log_warn("%s: a bridge: addresses that netfilter rewrites at its ports are "
				 "not those that pods asked; attach to the ports",
				 device->info.name);
		device->warned = true;
		return;
	}
	if (ret != -ENODEV)
		device_board_failed(devices->config.board, &device->info, err.text, now);
	if (!first || ret == -ENODEV)
		return;
	log_error("%s: not attached: %s", device->info.name, err.text);
	/* At the start alone: later it may come back, and the agent is of use to the others. */
	if (!devices->readable && devices->config.opts->interfaces &&
	    is_named(devices->config.opts->interfaces, device->info.name))
		devices->error = ret;
}

static void device_unattach(struct devices *devices, struct device *device, bool detach)
{
	if (!device->attachment)
		return;
	devices->config.stats->v[AGENT_STAT_DEVICES]--;
	if (detach)
		attachment__detach(device->attachment);
	else
		attachment__forget(device->attachment);
	device->attachment = NULL;
}

static void device_free(struct devices *devices, struct device *device, bool detach)
{
	device_unattach(devices, device, detach);
	devices->config.stats->v[AGENT_STAT_DEVICES_WANTED]--;
	devices->n--;
	devices->touched -= device->touched;
	list__del(&device->link);
	list__del(&device->same);
	device_board_remove(devices->config.board, device->info.ifindex);
	free(device);
}

/* That walks over all clients: once for all the devices that went together. */
static void forget_clients(struct devices *devices)
{
	clients__remove_devices(devices->config.datapath, devices->gone, devices->n_gone);
	devices->n_gone = 0;
}

static void forget_clients_of(struct devices *devices, uint32_t ifindex)
{
	if (devices->n_gone == devices->cap_gone) {
		size_t cap = devices->cap_gone ? devices->cap_gone * 2 : 64;
		void *more = realloc(devices->gone, cap * sizeof(*devices->gone));

		if (!more) {
			clients__remove_devices(devices->config.datapath, &ifindex, 1);
			return;
		}
		devices->gone = more;
		devices->cap_gone = cap;
	}
	devices->gone[devices->n_gone++] = ifindex;
}

static void device_leave(struct devices *devices, struct device *device, const char *why,
			 bool detach)
{
	uint32_t ifindex = device->info.ifindex;

	if (device->attachment)
		count_left(devices);
	log_debug("%s: %s", device->info.name, why);
	device_free(devices, device, detach);
	if (devices->counts)
		device_counts__remove(devices->counts, ifindex);
	forget_clients_of(devices, ifindex);
}

/*
 * What a killed agent with other -interfaces had attached to. Only at the
 * start, while the first list of devices comes in; nd0's program is this
 * agent's own by then.
 */
static void leave_behind(struct devices *devices, const struct netdev *info)
{
	if (strcmp(info->name, "nd0") &&
	    attach__leave(devices->config.datapath, info->ifindex, info->name) > 0) {
		log_debug("%s: detached: an earlier agent was attached to it, and this one's flags "
			  "leave it out",
			  info->name);
		count_left(devices);
	}
}

static void on_netdev(void *ctx, const struct netdev *info, bool gone)
{
	struct devices *devices = ctx;
	struct device *device = find(devices, info->ifindex);

	if (devices->config.own(devices->config.ctx, info, gone))
		return;
	/* A veth that goes first loses its peer, and is unwanted before it is gone.
	 */
	if (device && (gone || !wanted(devices, info))) {
		device_leave(devices, device, gone ? "gone" : "detached, no longer wanted", !gone);
		return;
	}
	if (!gone && !wanted(devices, info) && !devices->readable)
		leave_behind(devices, info);
	if (gone)
		device_board_remove(devices->config.board, info->ifindex);
	else if (is_excluded(devices, info))
		device_board_excluded(devices->config.board, info, loop__now(devices->config.loop));
	if (gone || !wanted(devices, info))
		return;
	if (device) {
		bool moved = device->info.foreign_peer != info->foreign_peer;

		device->info = *info;
		/* answers go another way to a peer in another namespace */
		if (moved && device->attachment) {
			device_unattach(devices, device, false);
			device_attach(devices, device, true);
		}
		return;
	}
	device = calloc(1, sizeof(*device));
	if (!device)
		return;
	device->info = *info;
	list__append(&devices->list, &device->link);
	list__append(&devices->by_ifindex[(uint32_t)info->ifindex % BUCKETS], &device->same);
	devices->n++;
	devices->config.stats->v[AGENT_STAT_DEVICES_WANTED]++;
	device_attach(devices, device, true);
	count_came(devices, device);
}

/* It is looked at within the second. */
static void on_touched(void *ctx, int ifindex)
{
	struct devices *devices = ctx;
	struct device *device = find(devices, ifindex);

	if (!device || device->touched)
		return;
	device->touched = true;
	devices->touched++;
	list__del(&device->link);
	list__prepend(&devices->list, &device->link);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct devices *devices = arg;

	(void)fd;
	(void)what;
	monitor__dispatch(devices->monitor);
}

/* Does a device of this node that may be attached to match the glob? */
static bool leads_to(const struct devices *devices, const char *glob)
{
	const struct list *node;

	for (node = devices->list.next; node != &devices->list; node = node->next) {
		if (glob_list__match(glob, list_entry(node, struct device, link)->info.name))
			return true;
	}
	return false;
}

/* Names and globs that led to nothing: a slip of the pen, or devices yet to
 * come. */
static void warn_missing(struct devices *devices)
{
	const char *at = devices->config.opts->interfaces;
	char glob[64];
	size_t len;

	for (; at; at = at[len] ? at + len + 1 : NULL) {
		len = strcspn(at, ",");
		if (!len || len >= sizeof(glob))
			continue;
		memcpy(glob, at, len);
		glob[len] = '\0';
		if (!leads_to(devices, glob))
			log_warn("-interfaces %s: no device matches yet", glob);
	}
}

/* Somebody took its program off, or put one before it: put it on again. Misses and hits went past
 * it meanwhile. */
static void put_back(struct devices *devices, struct device *device, bool behind, uint64_t now)
{
	bool logs = !device->lost_ns || now - device->lost_ns >= LOST_LOG_NS;

	devices->config.stats->v[AGENT_STAT_DEVICES_LOST]++;
	device_board_lost(devices->config.board, &device->info, now);
	if (logs) {
		device->lost_ns = now;
		log_warn("%s: another program %s; attaching again", device->info.name,
			 behind ? "came before nodens' by tcx" : "removed nodens' program");
	}
	device_unattach(devices, device, false);
	device_attach(devices, device, logs);
}

bool devices_have_path(const struct devices *devices)
{
	const uint64_t *stats = devices->config.stats->v;

	return !stats[AGENT_STAT_DEVICES_WANTED] || stats[AGENT_STAT_DEVICES];
}

int devices_error(const struct devices *devices)
{
	return devices->error;
}

static int watch(struct devices *devices)
{
	int ret = monitor__open(on_netdev, devices, &devices->monitor);

	if (!ret)
		ret = monitor__dump(devices->monitor);
	if (ret) {
		log_error("cannot watch network devices: %s", strerror(-ret));
		return ret;
	}
	devices->readable = event_new(devices->config.loop->events, monitor__fd(devices->monitor),
				      EV_READ | EV_PERSIST, on_readable, devices);
	if (!devices->readable || event_add(devices->readable, NULL)) {
		log_error("out of memory");
		return -ENOMEM;
	}
	ret = monitor__watch(devices->monitor, on_touched);
	if (ret)
		log_debug("no news of qdiscs: %s", strerror(-ret));
	return 0;
}

static bool is_device(void *ctx, uint32_t ifindex)
{
	return find(ctx, ifindex);
}

static bool is_none(void *ctx, uint32_t ifindex)
{
	(void)ctx, (void)ifindex;
	return false;
}

static void open_counts(struct devices *devices)
{
	int ret = device_counts__open(devices->config.datapath, &devices->counts);

	if (ret)
		log_warn("nothing is counted by device: %s", strerror(-ret));
	if (ret || devices->config.opts->device_counts != NO)
		return;
	/* what an agent before this one counted is no longer true */
	device_counts__keep(devices->counts, is_none, NULL);
	device_counts__close(devices->counts);
	devices->counts = NULL;
}

int devices_open(const struct devices_config *config, struct devices **out)
{
	struct devices *devices = calloc(1, sizeof(*devices));
	int ret;

	if (!devices) {
		log_error("out of memory");
		return -ENOMEM;
	}
	devices->config = *config;
	list__init(&devices->list);
	for (unsigned int i = 0; i < BUCKETS; i++)
		list__init(&devices->by_ifindex[i]);
	*out = devices;
	open_counts(devices);
	ret = watch(devices);
	/* of an agent before this one, devices that went meanwhile */
	if (devices->counts)
		device_counts__keep(devices->counts, is_device, devices);
	device_sum_say_first(&devices->sum);
	if (!ret && !devices->error)
		warn_missing(devices);
	return ret ? ret : devices->error;
}

/* For rates: what had been counted when it was looked at the last time but one. */
static void note_counts(struct devices *devices, struct device *device, uint64_t now)
{
	struct nodens_device_counts counts;

	if (!devices->counts || (device->counted_ns && now - device->counted_ns < COUNTED_NS) ||
	    device_counts__get(devices->config.datapath, device->info.ifindex, &counts))
		return;
	if (!device->counted_ns)
		device->counted = counts;
	device_board_counted(devices->config.board, &device->info,
			     device->counted_ns ? device->counted_ns : now, &device->counted);
	device->counted = counts;
	device->counted_ns = now;
}

static void review(struct devices *devices, struct device *device, uint64_t now)
{
	enum attachment_state state;

	devices->touched -= device->touched;
	device->touched = false;
	list__del(&device->link);
	list__append(&devices->list, &device->link);
	if (!wanted(devices, &device->info)) {
		device_leave(devices, device, "detached, no longer wanted", true);
		return;
	}
	if (!device->attachment) {
		device_attach(devices, device, false);
		count_came(devices, device);
		return;
	}
	note_counts(devices, device, now);
	state = attachment__state(device->attachment);
	if (state != ATTACHMENT_PRESENT)
		put_back(devices, device, state == ATTACHMENT_BEHIND, now);
	else
		device_board_ahead(devices->config.board, &device->info, device->attachment);
}

/* Those that were touched, and of the others some in their turn. */
void devices_review(struct devices *devices)
{
	unsigned int n = devices->touched + REVIEW_MAX;
	uint64_t now = loop__now(devices->config.loop);

	for (n = n < devices->n ? n : devices->n; n; n--)
		review(devices, list_entry(devices->list.next, struct device, link), now);
	/* Addresses come without a word about the device. */
	if (devices->config.plan(devices->config.ctx)->wildcard &&
	    !devices->config.opts->interfaces)
		monitor__dump(devices->monitor);
	forget_clients(devices);
	device_sum_say(&devices->sum, devices->config.stats->v[AGENT_STAT_DEVICES], now);
}

void devices_close(struct devices *devices, bool detach)
{
	if (!devices)
		return;
	while (!list__empty(&devices->list))
		device_free(devices, list_entry(devices->list.next, struct device, link), detach);
	if (devices->readable)
		event_free(devices->readable);
	monitor__close(devices->monitor);
	device_counts__close(devices->counts);
	free(devices->gone);
	free(devices);
}
