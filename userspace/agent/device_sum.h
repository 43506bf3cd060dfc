/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Devices that came and went, summed up for the log: however many they are, 10 s have one line (and
 * one more where other programs run before nodens).
 *
 * Contract: zeroed at first.
 */
#ifndef NODENS_DEVICE_SUM_H
#define NODENS_DEVICE_SUM_H

#include <stdint.h>

struct device_sum {
	unsigned int came, left; /* since it was said */
	unsigned int behind;	 /* of those that came: another program is ahead */
	char ahead[96];		 /* the first of these, "PROGRAM on DEVICE" */
	uint64_t first_ns;	 /* when the first of them came or went */
};

/* Attached to; @ahead is the program that runs before, "" for none. */
void device_sum_came(struct device_sum *sum, const char *name, const char *ahead, uint64_t now);
void device_sum_left(struct device_sum *sum, uint64_t now);
/* Those that were there at start: how many is in the line that the agent is ready. */
void device_sum_say_first(struct device_sum *sum);
/* Call each second. @attached: devices now. */
void device_sum_say(struct device_sum *sum, uint64_t attached, uint64_t now);

#endif /* NODENS_DEVICE_SUM_H */
