// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What came in at each device in an interval, as the programs counted it. Contract: traffic.h.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "datapath/device_counts.h"
#include "link/pods.h"
#include "publish/table.h"
#include "traffic_priv.h"

static int by_queries(const void *a, const void *b)
{
	const struct traffic_device *one = a, *other = b;

	if (one->counts.queries != other->counts.queries)
		return one->counts.queries < other->counts.queries ? 1 : -1;
	return (one->ifindex > other->ifindex) - (one->ifindex < other->ifindex);
}

/* As it was read last; what has come since begins at 0. */
static struct nodens_device_counts before_of(const struct traffic *traffic, uint32_t ifindex,
					     const struct nodens_device_counts *now)
{
	static const struct nodens_device_counts none;

	for (size_t i = 0; i < traffic->n_devices; i++) {
		const struct traffic_device *device = &traffic->devices[i];

		if (device->ifindex == ifindex && status__counts_go_on(&device->counts.n, now))
			return device->counts.n;
	}
	return none;
}

/* Of the pod that is asked about, if that is one by name. */
static bool is_asked_about(struct traffic_work *work, const struct traffic_device *device)
{
	const char *wanted = work->opts->pod, *pod;
	char text[POD_TEXT];

	if (!wanted || !strchr(wanted, '/'))
		return true;
	pod = traffic__device_pod(&work->traffic, device, text);
	return pod && !strcmp(pod, wanted);
}

static bool read_device(struct traffic_work *work, struct table *table, uint32_t index,
			double seconds, struct traffic_device *device)
{
	struct nodens_device_counts before;
	struct publish_device row;

	if (table__get(table, index, &row) || row.state != PUBLISH_ATTACHED ||
	    device_counts__get(work->pinned.datapath, row.ifindex, &device->counts.n))
		return false;
	device->ifindex = row.ifindex;
	memcpy(device->name, row.name, sizeof(device->name));
	device->counts.known = true;
	if (!is_asked_about(work, device))
		return false;
	if (seconds <= 0)
		return true;
	before = before_of(&work->traffic, row.ifindex, &device->counts.n);
	status__rates_by_device(&device->counts, seconds, &before);
	device->tcp = (double)(device->counts.n.tcp - before.tcp) / seconds;
	return true;
}

void traffic_devices_read(struct traffic_work *work)
{
	struct traffic *traffic = &work->traffic;
	struct traffic_device *devices;
	struct table table = { .fd = -1 };
	uint64_t now_ns = clock_now();
	double seconds =
		work->devices_read_ns ? (double)(now_ns - work->devices_read_ns) / NSEC_PER_SEC : 0;
	size_t n = 0;

	if (!work->pinned.datapath || table__open(&table, datapath__dir(work->pinned.datapath),
						  PUBLISH_DEVICES, sizeof(struct publish_device)))
		return;
	devices = calloc(table.n + 1, sizeof(*devices));
	for (uint32_t i = 0; devices && i < table.n; i++)
		n += read_device(work, &table, i, seconds, &devices[n]);
	table__close(&table);
	if (n)
		qsort(devices, n, sizeof(*devices), by_queries);
	free(traffic->devices);
	traffic->devices = devices;
	traffic->n_devices = n;
	work->devices_read_ns = now_ns;
}

const char *traffic__device_pod(struct traffic *traffic, const struct traffic_device *device,
				char text[POD_TEXT])
{
	struct pod_behind behind = { .ifindex = (int)device->ifindex };

	if (work_of(traffic)->pods)
		pods__behind(work_of(traffic)->pods, &behind, 1);
	return behind.pod.name[0] ? pod_name__text(&behind.pod, text, POD_TEXT) : NULL;
}
