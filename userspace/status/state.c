// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What follows from the agent's row and beat. Contract: status.h.
 */
#include "status/status.h"

bool status__starts(const struct status *status)
{
	if (!status->info.written_ns)
		return status->has_maps && !status->beat_ns && !status->half_written;
	return status->info.state == PUBLISH_STARTING;
}

bool status__published(const struct status *status)
{
	const struct publish_info *info = &status->info;

	return info->written_ns &&
	       (status__starts(status) || status->now_ns < info->written_ns + STATUS_ROW_HUNG_NS);
}

/* 0 where it was never. */
static uint64_t age_of(const struct status *status, uint64_t at_ns)
{
	return at_ns && status->now_ns > at_ns ? status->now_ns - at_ns : 0;
}

/* Until its first beat the row is all there is of it: a beat is of the agent before. */
uint64_t status__beat_age_ns(const struct status *status)
{
	bool beats = status->has_maps && !status__starts(status);

	return age_of(status, beats ? status->beat_ns : status->info.written_ns);
}

/* Programs know of beats alone. */
uint64_t status__lease_left_ns(const struct status *status)
{
	uint64_t age = age_of(status, status->beat_ns);

	return status->beat_ns && status->lease_ns > age ? status->lease_ns - age : 0;
}

const char *status__pod(const struct status *status, size_t device, char *text)
{
	if (!status->pods || !status->pods[device].pod.name[0])
		return NULL;
	return pod_name__text(&status->pods[device].pod, text, POD_TEXT);
}
