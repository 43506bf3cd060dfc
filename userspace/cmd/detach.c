// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * `nodens detach`: every trace of nodens in the kernel, removed.
 *
 * Contract: works without the agent and says what it removed; 0 also when there was nothing, 1
 * where something had to stay.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "datapath/attach.h"
#include "cmd/cmd.h"
#include "link/dummy.h"
#include "link/netns.h"
#include "publish/records.h"

static void usage(FILE *out)
{
	fprintf(out,
		"usage: nodens detach [--bpffs DIR]\n"
		"\n"
		"Removes nodens' programs from every device of this network namespace, its pins\n"
		"and what a killed agent left. Programs, filters and pins of others stay.\n"
		"\n"
		"  --bpffs DIR  where the maps are pinned (default " NODENS_PIN_DIR ")\n");
}

static void print_removed(const char *line)
{
	printf("removed from %s\n", line);
}

static int remove_nd0(void)
{
	struct error err;
	int ret = netns__remove_stale(&err);

	if (ret == 1)
		printf("removed nd0, left by an agent that was killed\n");
	/* A live agent's goes with it, and somebody else's is no business of ours. */
	return ret < 0 && ret != -EBUSY && ret != -EEXIST
		       ? (fprintf(stderr, "nodens detach: %s\n", err.text), ret)
		       : ret;
}

static int remove_links(void)
{
	struct error err;
	int n = dummy__remove_stale(&err);

	if (n < 0)
		fprintf(stderr, "nodens detach: %s\n", err.text);
	else if (n)
		printf("removed the link with the local addresses\n");
	return n;
}

/* Pins stay while something is attached that needs them: without them it would pass everything on,
 * and no agent would find it again. Returns how many went, 0 where they stay, or -1 having said
 * why. */
static int remove_pins(const char *pin_dir)
{
	int left = datapath__programs_left(pin_dir), pins;

	if (left > 0) {
		fprintf(stderr,
			"nodens detach: %d programs are attached in another network namespace: the "
			"pins below %s stay. Run it there: nsenter --net=... nodens detach\n",
			left, pin_dir);
		return -1;
	}
	if (left == -EPERM) {
		fprintf(stderr, "nodens detach: programs cannot be looked for: run as root\n");
		return -1;
	}
	pins = left < 0 ? left : datapath__unpin(pin_dir);
	if (pins < 0) {
		fprintf(stderr, "nodens detach: %s: %s\n", pin_dir, strerror(-pins));
		return -1;
	}
	if (pins)
		printf("removed %d pins below %s\n", pins, pin_dir);
	return pins;
}

static void say_running(pid_t pid)
{
	char who[32] = "";

	if (pid)
		snprintf(who, sizeof(who), " (pid %d)", (int)pid);
	printf("the agent%s is running: it attaches again within a second, and its pins stay; end "
	       "it "
	       "first\n",
	       who);
}

/*
 * In a process of its own: libxdp forgets to close descriptors of programs, which would be there
 * for as long as this one is. Returns whether there were any, -1 where it failed and that was said.
 */
static int detach_programs(const char *pin_dir)
{
	struct error err;
	int status, n;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		n = attach__detach_all(pin_dir, print_removed, &err);
		if (n < 0)
			fprintf(stderr, "nodens detach: %s\n", err.text);
		fflush(stdout);
		_exit(n < 0 ? 2 : n > 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) {
		fprintf(stderr, "nodens detach: cannot run: %s\n", strerror(errno));
		return -1;
	}
	return WEXITSTATUS(status) == 2 ? -1 : WEXITSTATUS(status);
}

static int detach(const char *pin_dir)
{
	int programs, pins = 0, nd0, running, links, tables;
	pid_t pid;

	running = datapath__agent_runs(pin_dir, &pid);
	if (running > 0)
		say_running(pid);
	programs = detach_programs(pin_dir);
	if (programs < 0)
		return 1;
	if (running <= 0)
		pins = remove_pins(pin_dir);
	nd0 = remove_nd0();
	links = nd0 == -EBUSY ? 0 : remove_links();
	tables = publish__remove_stale();
	if (tables > 0)
		printf("removed what an agent that was killed had left below /run/nodens\n");
	if (!programs && !pins && nd0 != 1 && !links && tables <= 0)
		printf("nothing was attached\n");
	return running > 0 || pins < 0 || links < 0 || (nd0 < 0 && nd0 != -EBUSY && nd0 != -EEXIST);
}

int cmd_detach(int argc, char **argv)
{
	static const struct option options[] = {
		{ "bpffs", required_argument, NULL, 'b' },
		{ "help", no_argument, NULL, 'h' },
		{},
	};
	const char *pin_dir = NODENS_PIN_DIR;
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
