/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The subcommands of nodens.
 *
 * Contract: argv[0] is the subcommand's name; the result is the process' exit
 * status. Each reports its own errors, one line on stderr.
 */
#ifndef NODENS_CMD_H
#define NODENS_CMD_H

/* Exit statuses; 0 and 1 mean what the subcommand says. */
#define EXIT_DEGRADED	   1
#define EXIT_USAGE	   2
#define EXIT_NOT_RUNNING   3
#define EXIT_NO_PERMISSION 4

int cmd_run(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_trace(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_top(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_stats(int argc, char **argv);
int cmd_dump(int argc, char **argv);
int cmd_clients(int argc, char **argv);
int cmd_flush(int argc, char **argv);
int cmd_detach(int argc, char **argv);

/* From now on SIGTERM comes to this process at the end of standard input. 0, or -errno, said. */
int until_eof(void);

#endif /* NODENS_CMD_H */
