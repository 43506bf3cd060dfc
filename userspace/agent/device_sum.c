// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Devices that came and went. Contract: device_sum.h.
 */
#include "agent/device_sum.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"

#define SUM_NS (10 * NSEC_PER_SEC)

static void begin(struct device_sum *sum, uint64_t now)
{
	if (!sum->came && !sum->left)
		sum->first_ns = now;
}

void device_sum_came(struct device_sum *sum, const char *name, const char *ahead, uint64_t now)
{
	begin(sum, now);
	sum->came++;
	if (ahead[0] && !sum->behind++)
		snprintf(sum->ahead, sizeof(sum->ahead), "%s on %s", ahead, name);
}

void device_sum_left(struct device_sum *sum, uint64_t now)
{
	begin(sum, now);
	sum->left++;
}

/* The end of each sum: what is counted from here on is another's. */
static void say_behind(struct device_sum *sum)
{
	if (sum->behind)
		log_info("devices: another program runs before nodens on %u of them, as %s",
			 sum->behind, sum->ahead);
	*sum = (struct device_sum){ .came = 0 };
}

void device_sum_say_first(struct device_sum *sum)
{
	if (sum->left)
		log_info("devices: %u detached that an earlier agent was attached to: this one's "
			 "flags leave them out",
			 sum->left);
	say_behind(sum);
}

void device_sum_say(struct device_sum *sum, uint64_t attached, uint64_t now)
{
	if ((!sum->came && !sum->left) || now - sum->first_ns < SUM_NS)
		return;
	log_info("devices: %u attached to, %u left in the last 10 s; attached to now: %llu",
		 sum->came, sum->left, (unsigned long long)attached);
	say_behind(sum);
}
