// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * nodens: which subcommand?
 *
 * Contract: exit status 2 for a subcommand that does not exist, else the
 * subcommand's. Flags alone mean `run`, as node-cache is started.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/config.h"
#include "base/log.h"
#include "base/version.h"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *args, *help;
} commands[] = {
	{ "run", cmd_run, "[FLAG...]", "answer DNS on this node until a signal comes" },
	{ "check", cmd_check, "[FLAG...]",
	  "check flags and Corefile, print the effective configuration" },
	{ "status", cmd_status, "[--json] [--watch]",
	  "say how it goes on this node, and what is wrong" },
	{ "trace", cmd_trace, "[WORD...]", "show queries as they come, and what became of each" },
	{ "explain", cmd_explain, "NAME [TYPE]",
	  "say who answers a question on this node, and why" },
	{ "top", cmd_top, "[--once] [--json]",
	  "show what is asked most, by whom, and what takes long" },
	{ "report", cmd_report, "[--for 60s]",
	  "watch for a while, then say what to change, and why" },
	{ "stats", cmd_stats, "[--json]", "print the counters of programs, agent and cache" },
	{ "dump", cmd_dump, "[NAME|*.ZONE]", "print the answers in the cache" },
	{ "clients", cmd_clients, "[--json]", "print who asked, and which pods they are" },
	{ "flush", cmd_flush, "[NAME [TYPE]]", "remove answers from the cache" },
	{ "detach", cmd_detach, "", "remove every trace of nodens from this node" },
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void usage(FILE *out)
{
	fprintf(out,
		"nodens %s: the node's name server, answering in the kernel\n"
		"\nusage: nodens [--until-eof] COMMAND [ARGUMENT...]\n\n",
		version__number);
	for (size_t i = 0; i < N_COMMANDS; i++) {
		char left[64];

		snprintf(left, sizeof(left), "%s %s", commands[i].name, commands[i].args);
		fprintf(out, "  %-26s %s\n", left, commands[i].help);
	}
	fprintf(out, "\n--until-eof: COMMAND is ended (SIGTERM) when standard input ends, as with "
		     "kubectl exec -i\n");
	fprintf(out, "nodens help COMMAND: its flags; nodens help corefile: the directives of a "
		     "Corefile\n"
		     "\nFlags of run and check:\n");
	run_options__help(out);
}

static bool is_flag(const char *arg, const char *name)
{
	return arg[0] == '-' && !strcmp(arg + (arg[1] == '-' ? 2 : 1), name);
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < N_COMMANDS; i++) {
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	}
	log_error("\"%s\": no such command; see nodens --help", name);
	return NULL;
}

/* "help COMMAND" is "COMMAND --help"; "help corefile": how its directives are written. */
static int help(const char *name)
{
	char *argv[] = { (char *)name, (char *)"--help", NULL };
	const struct command *command;

	if (!strcmp(name, "corefile")) {
		corefile__print_forms(stdout);
		return EXIT_SUCCESS;
	}
	command = find_command(name);
	return command ? command->run(2, argv) : EXIT_USAGE;
}

int main(int argc, char **argv)
{
	const struct command *command;

	if (argc > 2 && is_flag(argv[1], "until-eof")) {
		if (until_eof())
			return EXIT_FAILURE;
		argc--;
		argv++;
	}
	if (argc < 2) {
		usage(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "help") && argc > 2)
		return help(argv[2]);
	if (is_flag(argv[1], "help") || is_flag(argv[1], "h") || !strcmp(argv[1], "help")) {
		usage(stdout);
		return EXIT_SUCCESS;
	}
	if (is_flag(argv[1], "version") || !strcmp(argv[1], "version")) {
		printf("nodens %s (%s)\n", version__number, version__revision);
		return EXIT_SUCCESS;
	}
	if (argv[1][0] == '-')
		return cmd_run(argc, argv);
	command = find_command(argv[1]);
	return command ? command->run(argc - 1, argv + 1) : EXIT_USAGE;
}
