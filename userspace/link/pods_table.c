// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Pods by address and by device, and which of them are alive. Contract: pods.h, pods_priv.h.
 */
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "base/route.h"
#include "base/secret_hash.h"
#include "netdev_priv.h"
#include "pods_priv.h"

/* For how long what the kernel said of a device or an address is not asked again. */
#define ALIVE_NS NSEC_PER_SEC

static struct list *addr_bucket(struct pods *pods, const struct served_addr *addr)
{
	return &pods->by_addr[secret_hash(&addr->v4, served_addr__len(addr)) % PODS_BUCKETS];
}

static struct list *device_bucket(struct pods *pods, int ifindex)
{
	return &pods->by_device[(unsigned int)ifindex % PODS_BUCKETS];
}

/* ---- the table ---- */

void pods_init(struct pods *pods)
{
	list__init(&pods->all);
	for (size_t i = 0; i < PODS_BUCKETS; i++) {
		list__init(&pods->by_device[i]);
		list__init(&pods->by_addr[i]);
	}
}

/* Of the devices that a result names, the one that leads to the pod: 0 where there is none. */
static int device_of(struct pods *pods, const struct cni_result *result)
{
	struct netdev info;

	for (unsigned int i = 0; i < result->n_devices; i++) {
		if (!netdev_get(&pods->nl, result->devices[i], 0, &info) && info.foreign_peer)
			return info.ifindex;
	}
	return 0;
}

static struct pod *find_file(const struct pods *pods, const char *name)
{
	for (struct list *at = pods->all.next; at != &pods->all; at = at->next) {
		struct pod *pod = list_entry(at, struct pod, all);

		if (!strcmp(pod->file, name))
			return pod;
	}
	return NULL;
}

static void remove_pod(struct pods *pods, struct pod *pod)
{
	list__del(&pod->all);
	list__del(&pod->by_device);
	for (unsigned int i = 0; i < pod->result.n_addrs; i++)
		list__del(&pod->addrs[i].in_bucket);
	pods->stats.known--;
	free(pod);
}

void pods_remove(struct pods *pods, const char *name)
{
	struct pod *pod = find_file(pods, name);

	if (pod)
		remove_pod(pods, pod);
}

void pods_clear(struct pods *pods)
{
	while (!list__empty(&pods->all))
		remove_pod(pods, list_entry(pods->all.next, struct pod, all));
}

void pods_put(struct pods *pods, const char *name, const struct cni_result *result,
	      struct timespec written)
{
	int ifindex = device_of(pods, result);
	struct pod *pod;

	pods_remove(pods, name);
	/* The cache is written after the device is there: one that is not will not come. */
	if (result->n_devices && !ifindex)
		return;
	pod = pods->stats.known < PODS_MAX ? calloc(1, sizeof(*pod) + strlen(name) + 1) : NULL;
	if (!pod) {
		pods->stats.dropped++;
		return;
	}
	pod->result = *result;
	pod->written = written;
	pod->ifindex = ifindex;
	strcpy(pod->file, name);
	list__append(&pods->all, &pod->all);
	if (ifindex)
		list__append(device_bucket(pods, ifindex), &pod->by_device);
	for (unsigned int i = 0; i < result->n_addrs; i++) {
		pod->addrs[i].pod = pod;
		list__append(addr_bucket(pods, &result->addrs[i]), &pod->addrs[i].in_bucket);
	}
	pods->stats.known++;
}

/* ---- who is alive ---- */

static int on_neighbour(const struct nlmsghdr *nlh, void *ctx)
{
	const struct ndmsg *ndm = mnl_nlmsg_get_payload(nlh);

	if (nlh->nlmsg_type == RTM_NEWNEIGH && nlh->nlmsg_len >= mnl_nlmsg_size(sizeof(*ndm)))
		*(bool *)ctx = !(ndm->ndm_state & (NUD_FAILED | NUD_INCOMPLETE));
	return MNL_CB_OK;
}

/* Somebody answered for it on that link, or asked with it (RTM_GETNEIGH of one: Linux 5.0). */
static bool is_neighbour(struct pods *pods, const struct served_addr *addr, int ifindex)
{
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct ndmsg *ndm;
	struct nlmsghdr *nlh = nl__begin(buf, RTM_GETNEIGH, 0, sizeof(*ndm), (void **)&ndm);
	bool seen = false;

	ndm->ndm_family = addr->family;
	ndm->ndm_ifindex = ifindex;
	mnl_attr_put(nlh, NDA_DST, served_addr__len(addr), &addr->v4);
	return !nl__query(&pods->nl, nlh, on_neighbour, &seen) && seen;
}

/* By a pod's own device: *ifindex is that; by a bridge: 0. */
static bool is_reachable(struct pods *pods, const struct served_addr *addr, int *ifindex)
{
	struct netdev info;
	struct route route;

	if (route__look_up(&pods->nl, addr, &route) || route.local || route.has_gateway ||
	    netdev_get(&pods->nl, NULL, route.ifindex, &info))
		return false;
	*ifindex = info.foreign_peer ? info.ifindex : 0;
	return info.foreign_peer ||
	       (!strcmp(info.kind, "bridge") && is_neighbour(pods, addr, info.ifindex));
}

static bool has_device(struct pods *pods, const struct pod *pod)
{
	struct netdev info;

	if (netdev_get(&pods->nl, NULL, pod->ifindex, &info) || !info.foreign_peer)
		return false;
	for (unsigned int i = 0; i < pod->result.n_devices; i++) {
		if (!strcmp(pod->result.devices[i], info.name))
			return true;
	}
	return false;
}

static uint64_t now_of(const struct pods *pods)
{
	return pods->dir.loop ? loop__now(pods->dir.loop) : clock_now();
}

static bool is_alive(struct pods *pods, struct pod *pod)
{
	uint64_t now = now_of(pods);

	if (pod->alive_until_ns > now)
		return pod->alive;
	pod->alive = has_device(pods, pod);
	pod->alive_until_ns = now + ALIVE_NS;
	return pod->alive;
}

/* Its address is @addr: is it the one at @ifindex (0: wherever that is)? */
static bool is_at(struct pods *pods, struct pod *pod, const struct served_addr *addr, int ifindex)
{
	int by;

	if (pod->ifindex)
		return (!ifindex || pod->ifindex == ifindex) && is_alive(pods, pod);
	return is_reachable(pods, addr, &by) && (!by || !ifindex || by == ifindex);
}

static bool is_newer(const struct pod *pod, const struct pod *than)
{
	if (!than || pod->written.tv_sec != than->written.tv_sec)
		return !than || pod->written.tv_sec > than->written.tv_sec;
	return pod->written.tv_nsec > than->written.tv_nsec;
}

static struct pod *at_device(struct pods *pods, int ifindex)
{
	struct list *bucket = device_bucket(pods, ifindex);
	struct pod *best = NULL;

	for (struct list *at = bucket->next; at != bucket; at = at->next) {
		struct pod *pod = list_entry(at, struct pod, by_device);

		if (pod->ifindex == ifindex && is_newer(pod, best) && is_alive(pods, pod))
			best = pod;
	}
	return best;
}

static struct pod *at_addr(struct pods *pods, const struct served_addr *addr, int ifindex)
{
	struct list *bucket = addr_bucket(pods, addr);
	struct pod *best = NULL;

	for (struct list *at = bucket->next; at != bucket; at = at->next) {
		struct pod_addr *one = list_entry(at, struct pod_addr, in_bucket);
		struct pod *pod = one->pod;

		if (served_addr__same(&pod->result.addrs[one - pod->addrs], addr) &&
		    is_newer(pod, best) && is_at(pods, pod, addr, ifindex))
			best = pod;
	}
	return best;
}

bool pods__find(struct pods *pods, const struct served_addr *addr, int ifindex,
		struct pod_name *out)
{
	struct pod *pod = ifindex ? at_device(pods, ifindex) : NULL;

	if (!pod)
		pod = at_addr(pods, addr, ifindex);
	if (!pod)
		return false;
	*out = pod->result.pod;
	return true;
}

/* The device that the routes lead to @addr by, if it is one of @devices without a name. */
static void name_behind_route(struct pods *pods, const struct served_addr *addr,
			      struct pod_behind *devices, size_t n)
{
	const struct pod *pod;
	int by = 0;

	if (!is_reachable(pods, addr, &by) || !by)
		return;
	for (size_t i = 0; i < n; i++) {
		if (devices[i].ifindex != by || devices[i].pod.name[0])
			continue;
		pod = at_addr(pods, addr, by);
		if (pod)
			devices[i].pod = pod->result.pod;
	}
}

void pods__behind(struct pods *pods, struct pod_behind *devices, size_t n)
{
	static const struct pod_name unknown = { .name = "" };

	for (size_t i = 0; i < n; i++) {
		const struct pod *pod = at_device(pods, devices[i].ifindex);

		devices[i].pod = pod ? pod->result.pod : unknown;
	}
	/* results that name no device */
	for (struct list *at = pods->all.next; at != &pods->all; at = at->next) {
		const struct pod *pod = list_entry(at, struct pod, all);

		for (unsigned int i = 0; !pod->ifindex && i < pod->result.n_addrs; i++)
			name_behind_route(pods, &pod->result.addrs[i], devices, n);
	}
}
