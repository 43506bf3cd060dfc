// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Times as text. Contract: status.h.
 */
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "status/status.h"

const char *status__span(uint64_t ns, char *text)
{
	unsigned long long s = ns / NSEC_PER_SEC;

	if (s < 10)
		snprintf(text, STATUS_SPAN, "%.*f s", ns < NSEC_PER_SEC ? 2 : 1, (double)ns / 1e9);
	else if (s < 120)
		snprintf(text, STATUS_SPAN, "%llu s", s);
	else if (s < 7200)
		snprintf(text, STATUS_SPAN, "%llu m %llu s", s / 60, s % 60);
	else if (s < 172800)
		snprintf(text, STATUS_SPAN, "%llu h %llu m", s / 3600, s % 3600 / 60);
	else
		snprintf(text, STATUS_SPAN, "%llu d %llu h", s / 86400, s % 86400 / 3600);
	return text;
}

const char *status__clock(const struct status *status, int64_t at_s, char *text)
{
	time_t at = at_s, now = status->now_s;
	struct tm then, today;

	localtime_r(&at, &then);
	localtime_r(&now, &today);
	strftime(text, STATUS_SPAN,
		 then.tm_yday == today.tm_yday && then.tm_year == today.tm_year ? "%H:%M"
										: "%b %e %H:%M",
		 &then);
	return text;
}

const char *status__when(const struct status *status, uint64_t at_ns, char *text)
{
	return status__clock(
		status, status->now_s - (int64_t)((status->now_ns - at_ns) / NSEC_PER_SEC), text);
}
