// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Grace periods, one after the other, in a thread that is asleep most of the time.
 *
 * Contract: see grace.h. Whatever is withdrawn while a period runs waits for
 * the next one, which need not have begun yet: a period counts only for what
 * was withdrawn before it began.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "store/grace.h"

/*
 * Pause between two periods. A period costs every CPU a little (some kernels
 * expedite it with interrupts), so what is withdrawn meanwhile shares the next.
 */
#define GRACE_PAUSE_NS 50000000L
/* After an error (out of memory, in practice): nothing is lost but time. */
#define GRACE_RETRY_NS 500000000L

struct grace {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	int outer_fd, inner_fd;
	bool stop, hurry;
	uint64_t wanted;	   /* highest ticket given out */
	uint64_t started;	   /* number of the period that runs, or ran last */
	uint64_t passed;	   /* number of the last one that is over */
	const struct steps *steps; /* asked for one more */
	pthread_cond_t grown;
	int step; /* what came of that: a descriptor or -errno; -ENODATA: nothing yet */
};

/* Waits for all running programs; 8-16 ms on an idle machine of two CPUs. */
static int wait_programs(const struct grace *grace)
{
	uint32_t zero = 0;

	return bpf_map_update_elem(grace->outer_fd, &zero, &grace->inner_fd, BPF_ANY);
}

static bool must_grow(const struct grace *grace)
{
	return grace->steps && grace->step == -ENODATA;
}

/* Sleeps with the lock released, until @ns have passed or somebody is in a hurry. */
static void pause_locked(struct grace *grace, long ns)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += ns;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	while (!grace->stop && !grace->hurry && !must_grow(grace))
		if (pthread_cond_timedwait(&grace->wake, &grace->lock, &until))
			break;
}

static void grow_locked(struct grace *grace)
{
	const struct steps *steps = grace->steps;
	int step;

	pthread_mutex_unlock(&grace->lock);
	step = steps__make(steps);
	pthread_mutex_lock(&grace->lock);
	grace->step = step;
	pthread_cond_signal(&grace->grown);
}

static void *grace_thread(void *arg)
{
	struct grace *grace = arg;

	pthread_mutex_lock(&grace->lock);
	while (!grace->stop) {
		int err;

		if (must_grow(grace)) {
			grow_locked(grace);
			continue;
		}
		if (grace->wanted <= grace->passed) {
			pthread_cond_wait(&grace->wake, &grace->lock);
			continue;
		}
		grace->hurry = false;
		grace->started++;
		pthread_mutex_unlock(&grace->lock);
		err = wait_programs(grace);
		pthread_mutex_lock(&grace->lock);
		if (!err)
			grace->passed = grace->started;
		else
			grace->hurry = false; /* an error must not make us spin */
		pause_locked(grace, err ? GRACE_RETRY_NS : GRACE_PAUSE_NS);
	}
	pthread_mutex_unlock(&grace->lock);
	return NULL;
}

static int start_thread(struct grace *grace)
{
	sigset_t all, before;
	int err;

	/* signals belong to the event loop */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&grace->thread, NULL, grace_thread, grace);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -err;
}

int grace__open(int outer_fd, int inner_fd, struct grace **out)
{
	pthread_condattr_t attr;
	struct grace *grace = calloc(1, sizeof(*grace));
	int err;

	if (!grace)
		return -ENOMEM;
	grace->outer_fd = outer_fd;
	grace->inner_fd = inner_fd;
	err = wait_programs(grace);
	if (err) {
		free(grace);
		return err;
	}
	pthread_mutex_init(&grace->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&grace->wake, &attr);
	pthread_cond_init(&grace->grown, NULL);
	grace->step = -ENODATA;
	pthread_condattr_destroy(&attr);
	err = start_thread(grace);
	if (err) {
		pthread_cond_destroy(&grace->grown);
		pthread_cond_destroy(&grace->wake);
		pthread_mutex_destroy(&grace->lock);
		free(grace);
		return err;
	}
	*out = grace;
	return 0;
}

void grace__close(struct grace *grace)
{
	if (!grace)
		return;
	pthread_mutex_lock(&grace->lock);
	grace->stop = true;
	pthread_cond_signal(&grace->wake);
	pthread_mutex_unlock(&grace->lock);
	pthread_join(grace->thread, NULL);
	if (grace->step >= 0)
		close(grace->step);
	pthread_cond_destroy(&grace->grown);
	pthread_cond_destroy(&grace->wake);
	pthread_mutex_destroy(&grace->lock);
	free(grace);
}

uint64_t grace__ticket(struct grace *grace)
{
	uint64_t ticket;

	pthread_mutex_lock(&grace->lock);
	/*
	 * The thread counts a period as started before it asks the kernel for
	 * it, under this lock: so period started + 1 begins after this.
	 */
	ticket = grace->started + 1;
	if (ticket > grace->wanted) {
		grace->wanted = ticket;
		pthread_cond_signal(&grace->wake);
	}
	pthread_mutex_unlock(&grace->lock);
	return ticket;
}

uint64_t grace__passed(struct grace *grace)
{
	uint64_t passed;

	pthread_mutex_lock(&grace->lock);
	passed = grace->passed;
	pthread_mutex_unlock(&grace->lock);
	return passed;
}

void grace__hurry(struct grace *grace)
{
	pthread_mutex_lock(&grace->lock);
	if (!grace->hurry && grace->wanted > grace->passed) {
		grace->hurry = true;
		pthread_cond_signal(&grace->wake);
	}
	pthread_mutex_unlock(&grace->lock);
}

void grace__grow(struct grace *grace, const struct steps *steps)
{
	pthread_mutex_lock(&grace->lock);
	if (!grace->steps) {
		grace->steps = steps;
		pthread_cond_signal(&grace->wake);
	}
	pthread_mutex_unlock(&grace->lock);
}

int grace__grown(struct grace *grace)
{
	int step = -ENODATA;

	pthread_mutex_lock(&grace->lock);
	while (must_grow(grace))
		pthread_cond_wait(&grace->grown, &grace->lock);
	if (grace->steps)
		step = grace->step;
	grace->steps = NULL;
	grace->step = -ENODATA;
	pthread_mutex_unlock(&grace->lock);
	return step;
}
