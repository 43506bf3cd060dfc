// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * `nodens --until-eof COMMAND`: the command ends with standard input.
 *
 * Contract: the command is asked to end by SIGTERM, as anybody else would ask it. It must not read
 * standard input itself. A container's process does not hear that the client of `kubectl exec` has
 * gone; all that it sees of it is the end of its standard input (containerd and CRI-O close it
 * then). Without this a viewer would look on for as long as the node is up.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "cmd/cmd.h"

static void *wait_for_eof(void *unused)
{
	char ignored[4096];
	ssize_t n;

	(void)unused;
	do
		n = read(STDIN_FILENO, ignored, sizeof(ignored));
	while (n > 0 || (n < 0 && errno == EINTR));
	kill(getpid(), SIGTERM);
	return NULL;
}

int until_eof(void)
{
	pthread_t thread;
	sigset_t all, before;
	int err;

	/* signals belong to the command */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&thread, NULL, wait_for_eof, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err)
		log_error("--until-eof: no thread: %s", strerror(err));
	return -err;
}
