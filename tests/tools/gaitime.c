/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Times glibc's own resolver: getaddrinfo() of a name, several times over.
 *
 * Contract: prints first= and then= (the median of the others) in µs; exit status 1 when a call
 *failed.
 *
 *	gaitime NAME COUNT
 */
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e6 + ts.tv_nsec / 1e3;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	int count = argc == 3 ? atoi(argv[2]) : 0;
	struct addrinfo *list;
	double *us;

	if (count < 2) {
		fprintf(stderr, "usage: gaitime NAME COUNT (2 or more)\n");
		return 2;
	}
	us = calloc(count, sizeof(*us));
	if (!us)
		return 2;
	/* The files it reads once are not the resolver's time. */
	getaddrinfo("127.0.0.1", NULL, &hints, &list);
	for (int i = 0; i < count; i++) {
		double start = now_us();
		int err = getaddrinfo(argv[1], NULL, &hints, &list);

		us[i] = now_us() - start;
		if (err) {
			fprintf(stderr, "%s: %s\n", argv[1], gai_strerror(err));
			return 1;
		}
		freeaddrinfo(list);
	}
	qsort(us + 1, count - 1, sizeof(*us), by_value);
	printf("first=%.0f then=%.0f\n", us[0], us[1 + (count - 1) / 2]);
	free(us);
	return 0;
}
