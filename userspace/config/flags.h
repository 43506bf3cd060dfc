/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Command-line flags: one table row per flag feeds the parser, --help and the
 * documentation.
 *
 * Contract: -flag and --flag, "-flag value" and "-flag=value" are the same, as
 * with node-cache; names are whole names. Everything that can be judged without looking at the
 * machine is checked here; errors are one line in struct error.
 */
#ifndef NODENS_OPTIONS_H
#define NODENS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "base/hook.h"
#include "base/log.h"
#include "base/sockaddr.h"
#include "nodens_abi.h"

/* libcni's (libcni/api.go: CacheDir), and so containerd's, CRI-O's and podman's. */
#define NODENS_CNI_RESULTS "/var/lib/cni/results"

struct option_row;

struct option_kind {
	/* @value: "true" or "false" for a switch. NULL, or what is wrong with it: "is not ...". */
	const char *(*set)(const struct option_row *row, void *at, const char *value);
	/* As it would be given; false: there is nothing to print. NULL: nothing is kept of it. */
	bool (*show)(const struct option_row *row, const void *at, FILE *out);
};

/* What is at the row's offset is a ... */
extern const struct option_kind option_text;	 /* const char *, not empty */
extern const struct option_kind option_optional; /* const char *, NULL for an empty one */
extern const struct option_kind option_path;	 /* const char *, absolute */
extern const struct option_kind option_switch;	 /* bool */
extern const struct option_kind option_u16;	 /* uint16_t from min to max */
extern const struct option_kind option_u32;	 /* uint32_t from min to max; 0 is not printed */
extern const struct option_kind option_choice;	 /* enum: index in choices, up to max */

struct option_row {
	const char *name;
	const char *arg; /* what its value is called in --help; NULL: a switch */
	const char *help;
	const struct option_kind *kind;
	size_t offset;	 /* in the struct that is filled */
	const char *why; /* of a value that is not valid: "is not ..." */
	unsigned long min, max;
	const char *const *choices;
	bool other_name; /* of a flag that is printed under its own */
};

bool option__show_text(const struct option_row *row, const void *at, FILE *out);

/*
 * Parse argv[1..] into @target. *first is the index of the first argument that
 * is no flag; NULL: there may be none. -EINVAL with @err; -ECANCELED when --help was given.
 */
int options__parse(const struct option_row *rows, size_t n_rows, void *target, int argc,
		   char **argv, int *first, struct error *err);
void options__print_help(const struct option_row *rows, size_t n_rows, FILE *out);
/* "# -NAME=VALUE" for each that says something. */
void options__print(const struct option_row *rows, size_t n_rows, const void *target, FILE *out);

/*
 * MODE_FRONT: steer, in front of another server at the served addresses, which is asked there and
 * whose sockets and links are left alone.
 */
enum agent_mode { MODE_AUTO, MODE_STEER, MODE_LISTEN, MODE_FRONT };

enum tristate { UNSET, NO, YES };

#define OPTIONS_MAX_LOCALIP  (2 * NODENS_MAX_SERVED)
#define OPTIONS_CAPACITY_MAX 1000000

/* Whose certificates /metrics asks clients for; the names are those of Go's crypto/tls. */
enum client_auth {
	CLIENT_AUTH_NONE,
	CLIENT_AUTH_REQUEST,
	CLIENT_AUTH_REQUIRE_ANY,
	CLIENT_AUTH_VERIFY_GIVEN,
	CLIENT_AUTH_REQUIRE_VERIFIED,
};

enum tls_version { TLS_VERSION_12, TLS_VERSION_13 };

/* How /metrics is served; strings are argv's. */
struct metrics_tls {
	bool enabled;
	const char *cert, *key; /* PEM files; not NULL where it is enabled */
	const char *client_ca;	/* PEM file; NULL: none */
	enum client_auth client_auth;
	enum tls_version min_version;
};

/* What `nodens run` and `nodens check` were told; strings are argv's. */
struct run_options {
	const char *conf;
	bool conf_given;
	bool nodecache; /* started without a subcommand, as node-cache is */
	struct served_addr localip[OPTIONS_MAX_LOCALIP];
	int n_localip;
	enum agent_mode mode;
	enum hook hook;
	const char *interfaces; /* globs; NULL: the mode's own rule */
	const char *exclude;	/* globs; NULL: none */
	uint32_t capacity;	/* 0: what the Corefile asks for */
	uint16_t bufsize;
	uint32_t lease_s;
	bool persist;
	enum tristate device_counts;
	const char *bpffs;
	const char *pretend_kernel; /* NULL: the running one */
	const char *pidfile;	    /* NULL: none */
	const char *cni_results;    /* NODENS_CNI_RESULTS where none is given */

	/* node-cache's; what means nothing here is in `ignored`. */
	const char *corefile; /* NULL, or what conf is where that was not given */
	const char *basecorefile;
	bool base_given;
	const char *kubednscm; /* a directory, that may not exist */
	const char *upstreamsvc;
	const char *prometheus_address; /* for __PROMETHEUS__ENDPOINT__ */
	bool prometheus_given;
	const char *metrics_address; /* of node-cache's own metrics; "": none */
	struct metrics_tls metrics_tls;
	const char *interfacename;
	enum tristate setupinterface;
	bool skipteardown;
	uint16_t dns_port;
	bool ignore_unsupported;
	const char *ignored[8]; /* flags that were given and that nodens has no need of, and why */
	unsigned int n_ignored;
	enum log_level log_level;
	enum log_format log_format;
	enum { SHOW_NOTHING, SHOW_VERSION, SHOW_PLUGINS } show; /* and end */
};

/* argv[0] is "run" or another subcommand; else node-cache's way: then -setupinterface is on. */
int run_options__parse(struct run_options *opts, int argc, char **argv, struct error *err);
/* What -log-format says before the first flag that is wrong, which is then said in it. */
enum log_format run_options__log_format(int argc, char **argv);
void run_options__help(FILE *out);
/*
 * What they say, defaults too, as comments of a Corefile: "# -NAME=VALUE" for each that is not
 * empty. Flags made of it say the same.
 */
void run_options__print(const struct run_options *opts, FILE *out);

#endif /* NODENS_OPTIONS_H */
