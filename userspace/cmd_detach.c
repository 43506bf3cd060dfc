// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * `nodens detach`: every trace of nodens in the kernel, removed.
 *
 * Contract: works without the agent and says what it removed; 0 also when there was nothing.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "attach.h"
#include "cmd.h"
#include "node_link.h"
#include "steer.h"

static void usage(FILE *out)
{
	fprintf(out,
		"usage: nodens detach [--bpffs DIR]\n"
		"\n"
		"Removes nodens' programs from every device of this network namespace, its pins\n"
		"and what a killed agent left. Programs, filters and pins of others stay.\n"
		"\n"
		"  --bpffs DIR  where the maps are pinned (default " KERN_PIN_DIR ")\n");
}

static void print_removed(const char *line)
{
	printf("removed from %s\n", line);
}

static int remove_nd0(void)
{
	struct kern_error err;
	int ret = steer__remove_stale(&err);

	if (ret == 1)
		printf("removed nd0, left by an agent that was killed\n");
	/* A live agent's goes with it, and somebody else's is no business of ours. */
	return ret < 0 && ret != -EBUSY && ret != -EEXIST
		       ? (fprintf(stderr, "nodens detach: %s\n", err.text), ret)
		       : ret;
}

static int remove_links(void)
{
	struct kern_error err;
	int n = node_link__remove_stale(&err);

	if (n < 0)
		fprintf(stderr, "nodens detach: %s\n", err.text);
	else if (n)
		printf("removed the link with the local addresses\n");
	return n;
}

static int detach(const char *pin_dir)
{
	int programs, pins, nd0, running, links;
	struct kern_error err;
	pid_t pid;

	running = kern__agent_runs(pin_dir, &pid);
	if (running > 0 && pid)
		printf("the agent (pid %d) is running: it does not attach again what is detached"
		       " now\n",
		       (int)pid);
	else if (running > 0)
		printf("an agent is running: it does not attach again what is detached now\n");
	programs = attach__detach_all(pin_dir, print_removed, &err);
	if (programs < 0) {
		fprintf(stderr, "nodens detach: %s\n", err.text);
		return 1;
	}
	pins = kern__unpin(pin_dir);
	if (pins < 0)
		fprintf(stderr, "nodens detach: %s: %s\n", pin_dir, strerror(-pins));
	else if (pins)
		printf("removed %d pins below %s\n", pins, pin_dir);
	nd0 = remove_nd0();
	links = nd0 == -EBUSY ? 0 : remove_links();
	if (!programs && !pins && nd0 != 1 && !links)
		printf("nothing was attached\n");
	return pins < 0 || links < 0 || (nd0 < 0 && nd0 != -EBUSY && nd0 != -EEXIST);
}

int cmd_detach(int argc, char **argv)
{
	static const struct option options[] = {
		{ "bpffs", required_argument, NULL, 'b' },
		{ "help", no_argument, NULL, 'h' },
		{},
	};
	const char *pin_dir = KERN_PIN_DIR;
	int c;

	optind = 1;
	while ((c = getopt_long_only(argc, argv, "h", options, NULL)) != -1) {
		switch (c) {
		case 'b':
			pin_dir = optarg;
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "nodens detach: '%s': takes no arguments\n", argv[optind]);
		usage(stderr);
		return 2;
	}
	return detach(pin_dir);
}
