// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The flags of `nodens run`, which are node-cache's as well. Contract: flags.h.
 */
#include "config/flags.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/flags_show.h"

#define KUBEDNSCM "/etc/kube-dns" /* where node-cache's manifest mounts it */

static int parse_number(const char *text, unsigned long min, unsigned long max, unsigned long *out)
{
	unsigned long value;
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return -EINVAL;
	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || *end || value < min || value > max)
		return -EINVAL;
	*out = value;
	return 0;
}

static int parse_addr(const char *text, struct served_addr *addr)
{
	memset(addr, 0, sizeof(*addr));
	if (inet_pton(AF_INET, text, &addr->v4) == 1) {
		addr->family = AF_INET;
		return addr->v4.s_addr == htonl(INADDR_ANY) ? -EINVAL : 0;
	}
	if (inet_pton(AF_INET6, text, &addr->v6) == 1) {
		addr->family = AF_INET6;
		return IN6_IS_ADDR_UNSPECIFIED(&addr->v6) || IN6_IS_ADDR_V4MAPPED(&addr->v6)
			       ? -EINVAL
			       : 0;
	}
	return -EINVAL;
}

static int count_family(const struct run_options *opts, int family)
{
	int n = 0;

	for (int i = 0; i < opts->n_localip; i++)
		n += opts->localip[i].family == family;
	return n;
}

static bool have_addr(const struct run_options *opts, const struct served_addr *addr)
{
	for (int i = 0; i < opts->n_localip; i++) {
		if (!memcmp(&opts->localip[i], addr, sizeof(*addr)))
			return true;
	}
	return false;
}

static int set_localip(void *target, const char *value, const char **why)
{
	struct run_options *opts = target;
	char text[INET6_ADDRSTRLEN];
	struct served_addr addr;

	/* The kubelet leaves $(NAME) as it is where the pod has no variable of that name. */
	*why = strstr(value, "$(") ? "was not filled in by the kubelet: a pod has the variables of"
				     " services of its own namespace that are older than it; wrong"
				     " namespace, or no such service?"
				   : "is not a list of IP addresses; give them as"
				     " 169.254.20.10,fd00::10";
	for (const char *at = value;; at++) {
		size_t len = strcspn(at, ",");

		/* node-cache trims blanks, and an empty list is its default. */
		while (len && *at == ' ')
			at++, len--;
		if (len >= sizeof(text))
			return -EINVAL;
		memcpy(text, at, len);
		text[len] = '\0';
		text[strcspn(text, " ")] = '\0';
		at += len;
		if (!text[0] && !*at && at == value + len)
			return 0;
		if (parse_addr(text, &addr))
			return -EINVAL;
		if (!have_addr(opts, &addr)) {
			if (count_family(opts, addr.family) == NODENS_MAX_SERVED) {
				*why = "has more than 16 addresses of one family";
				return -EINVAL;
			}
			opts->localip[opts->n_localip++] = addr;
		}
		if (!*at)
			return 0;
	}
}

static int set_conf(void *target, const char *value, const char **why)
{
	struct run_options *opts = target;

	*why = "is no file name";
	if (!*value)
		return -EINVAL;
	opts->conf = value;
	opts->conf_given = true;
	return 0;
}

static int set_mode(void *target, const char *value, const char **why)
{
	struct run_options *opts = target;

	*why = "is none of auto, steer, listen, front";
	return options_show__parse_mode(value, &opts->mode) ? 0 : -EINVAL;
}

static int set_hook(void *target, const char *value, const char **why)
{
	struct run_options *opts = target;

	*why = "is none of auto, tc, xdp, xdp-native, xdp-generic";
	return hook__parse(value, &opts->hook);
}

static int set_interfaces(void *target, const char *value, const char **why)
{
	struct run_options *opts = target;

	*why = "names no interface; give globs as veth*,lxc*";
	if (!*value)
		return -EINVAL;
	opts->interfaces = value;
	return 0;
}

static int set_exclude(void *target, const char *value, const char **why)
{
	struct run_options *opts = target;

	(void)why;
	opts->exclude = *value ? value : NULL;
	return 0;
}

static int set_capacity(void *target, const char *value, const char **why)
{
	struct run_options *opts = target;
	unsigned long number;

	*why = "is not a number from 64 to 1000000";
	if (parse_number(value, 64, OPTIONS_CAPACITY_MAX, &number))
		return -EINVAL;
	opts->capacity = number;
	return 0;
}

static int set_bufsize(void *target, const char *value, const char **why)
{
	struct run_options *opts = target;
	unsigned long number;

	*why = "is not a number of bytes from 512 to 4096";
	if (parse_number(value, 512, 4096, &number))
		return -EINVAL;
	opts->bufsize = number;
	return 0;
}

static int set_lease(void *target, const char *value, const char **why)
{
	struct run_options *opts = target;
	unsigned long number;

	*why = "is not a number of seconds from 2 to 86400";
	if (parse_number(value, 2, 86400, &number))
		return -EINVAL;
	opts->lease_s = number;
	return 0;
}

static int set_persist(void *target, const char *value, const char **why)
{
	struct run_options *opts = target;

	(void)why;
	opts->persist = !strcmp(value, "true");
	return 0;
}

static int set_bpffs(void *target, const char *value, const char **why)
{
	struct run_options *opts = target;

	*why = "is not an absolute path";
	if (value[0] != '/')
		return -EINVAL;
	opts->bpffs = value;
	return 0;
}

static int set_pretend(void *target, const char *value, const char **why)
{
	struct run_options *opts = target;
	unsigned int major, minor;
	char extra;

	*why = "is not a kernel version such as 5.4";
	if (sscanf(value, "%u.%u%c", &major, &minor, &extra) != 2)
		return -EINVAL;
	opts->pretend_kernel = value;
	return 0;
}

static int set_pidfile(void *target, const char *value, const char **why)
{
	struct run_options *opts = target;

	(void)why;
	opts->pidfile = *value ? value : NULL;
	return 0;
}

static int set_log_level(void *target, const char *value, const char **why)
{
	struct run_options *opts = target;

	*why = "is none of error, warn, info, debug";
	return log__parse_level(value, &opts->log_level) ? 0 : -EINVAL;
}

static int set_basecorefile(void *target, const char *value, const char **why)
{
	struct run_options *opts = target;

	*why = "is no file name";
	if (!*value)
		return -EINVAL;
	opts->basecorefile = value;
	opts->base_given = true;
	return 0;
}

static int set_corefile(void *target, const char *value, const char **why)
{
	struct run_options *opts = target;

	*why = "is no file name";
	if (!*value)
		return -EINVAL;
	if (!opts->conf_given)
		opts->conf = value;
	return 0;
}

static int set_kubednscm(void *target, const char *value, const char **why)
{
	(void)why;
	((struct run_options *)target)->kubednscm = *value ? value : KUBEDNSCM;
	return 0;
}

static int set_upstreamsvc(void *target, const char *value, const char **why)
{
	*why = "is no name of a service";
	if (!*value || strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(value) ||
	    strlen(value) > 63)
		return -EINVAL;
	((struct run_options *)target)->upstreamsvc = value;
	return 0;
}

static int set_setupinterface(void *target, const char *value, const char **why)
{
	(void)why;
	((struct run_options *)target)->setupinterface = strcmp(value, "true") ? NO : YES;
	return 0;
}

static int set_interfacename(void *target, const char *value, const char **why)
{
	*why = "is no name of a link: 1 to 15 characters, no blank, no '/'";
	if (!*value || strlen(value) > 15 || strpbrk(value, " /"))
		return -EINVAL;
	((struct run_options *)target)->interfacename = value;
	return 0;
}

static int set_skipteardown(void *target, const char *value, const char **why)
{
	(void)why;
	((struct run_options *)target)->skipteardown = !strcmp(value, "true");
	return 0;
}

static int set_prometheus_address(void *target, const char *value, const char **why)
{
	*why = "is not [IP]:PORT";
	if (!strrchr(value, ':'))
		return -EINVAL;
	((struct run_options *)target)->prometheus_address = value;
	((struct run_options *)target)->prometheus_given = true;
	return 0;
}

static int set_metrics_address(void *target, const char *value, const char **why)
{
	*why = "is not [IP]:PORT";
	if (*value && !strrchr(value, ':'))
		return -EINVAL;
	((struct run_options *)target)->metrics_address = value;
	return 0;
}

static int set_dns_port(void *target, const char *value, const char **why)
{
	unsigned long number;

	*why = "is not a port from 1 to 65535";
	if (parse_number(value, 1, 65535, &number))
		return -EINVAL;
	((struct run_options *)target)->dns_port = number;
	return 0;
}

static int set_ignore_unsupported(void *target, const char *value, const char **why)
{
	(void)why;
	((struct run_options *)target)->ignore_unsupported = !strcmp(value, "true");
	return 0;
}

/* node-cache's flags that have nothing to act on: taken, and said why once. */
static int moot(void *target, const char *why_moot)
{
	struct run_options *opts = target;

	for (unsigned int i = 0; i < opts->n_moot; i++) {
		if (!strcmp(opts->moot[i], why_moot))
			return 0;
	}
	if (opts->n_moot < sizeof(opts->moot) / sizeof(opts->moot[0]))
		opts->moot[opts->n_moot++] = why_moot;
	return 0;
}

static int set_setupiptables(void *target, const char *value, const char **why)
{
	(void)value;
	(void)why;
	return moot(target, "-setupiptables: queries are answered and steered before netfilter: no "
			    "rule is made, none is needed");
}

static int set_setupebtables(void *target, const char *value, const char **why)
{
	(void)value;
	(void)why;
	return moot(target,
		    "-setupebtables: queries are answered at the bridge's ports: no rule is "
		    "made, none is needed");
}

static int set_initialdelay(void *target, const char *value, const char **why)
{
	(void)value;
	(void)why;
	return moot(target, "-initialdelay: there are no iptables rules to wait with; steering "
			    "begins when an upstream has answered");
}

static int set_syncinterval(void *target, const char *value, const char **why)
{
	(void)value;
	(void)why;
	return moot(target, "-syncinterval: there are no iptables rules that could get lost, and "
			    "the link is looked after all the time");
}

static int set_health_port(void *target, const char *value, const char **why)
{
	(void)value;
	(void)why;
	return moot(target, "-health-port: the health directive of the Corefile says where");
}

static int set_reloadwithsignal(void *target, const char *value, const char **why)
{
	(void)value;
	(void)why;
	return moot(target, "-reloadwithsignal: SIGUSR1 and SIGHUP always read the configuration "
			    "again");
}

static int set_version(void *target, const char *value, const char **why)
{
	(void)why;
	if (!strcmp(value, "true"))
		((struct run_options *)target)->show = SHOW_VERSION;
	return 0;
}

static int set_plugins(void *target, const char *value, const char **why)
{
	(void)why;
	if (!strcmp(value, "true"))
		((struct run_options *)target)->show = SHOW_PLUGINS;
	return 0;
}

static int set_quiet(void *target, const char *value, const char **why)
{
	(void)why;
	if (!strcmp(value, "true"))
		((struct run_options *)target)->log_level = LOG_LEVEL_WARN;
	return 0;
}

static const struct option_row run_rows[] = {
	{ "conf", "FILE", "the Corefile (/etc/Corefile)", set_conf },
	{ "localip", "IP[,IP...]", "addresses to serve, of both families (the blocks' bind)",
	  set_localip },
	{ "mode", "MODE",
	  "steer: answer at pods' devices; listen: bind the addresses; front: answer ahead of"
	  " the DNS cache that has the addresses, and ask that; auto: listen"
	  " where all addresses are wildcards or -setupinterface=false (auto)",
	  set_mode },
	{ "hook", "HOOK", "auto, tc, xdp, xdp-native or xdp-generic (auto)", set_hook },
	{ "interfaces", "GLOBS",
	  "devices to attach to (every veth whose peer is in another namespace)", set_interfaces },
	{ "exclude", "GLOBS", "devices to keep out of", set_exclude },
	{ "capacity", "N",
	  "answers to keep, half positive, half negative (what the caches ask for)", set_capacity },
	{ "bufsize", "BYTES", "largest answer over UDP, if the client takes it (4096)",
	  set_bufsize },
	{ "lease", "SECONDS", "without an agent the programs disarm after this (60)", set_lease },
	{ "persist", NULL, "at the end leave programs and cache in place", set_persist },
	{ "bpffs", "DIR", "where maps are pinned (" NODENS_PIN_DIR ")", set_bpffs },
	{ "pretend-kernel", "VERSION", "do without what is newer than this kernel", set_pretend },
	{ "pidfile", "FILE", "write the process id there", set_pidfile },
	{ "basecorefile", "FILE",
	  "Corefile with __PILLAR__ placeholders (/etc/coredns/Corefile.base)", set_basecorefile },
	{ "corefile", "FILE", "as -conf, which wins", set_corefile },
	{ "kubednscm", "DIR", "the kube-dns ConfigMap: stubDomains, upstreamNameservers",
	  set_kubednscm },
	{ "upstreamsvc", "NAME", "the service that __PILLAR__CLUSTER__DNS__ is (kube-dns)",
	  set_upstreamsvc },
	{ "setupinterface", NULL,
	  "make -interfacename with the local addresses and listen there (true without a"
	  " subcommand)",
	  set_setupinterface },
	{ "interfacename", "NAME", "the link for that (nodelocaldns)", set_interfacename },
	{ "skipteardown", NULL, "leave the link at the end", set_skipteardown },
	{ "prometheus-listen-address", "ADDR",
	  "for __PROMETHEUS__ENDPOINT__ (:9253), or a Corefile without prometheus",
	  set_prometheus_address },
	{ "metrics-listen-address", "ADDR",
	  "metrics there, too (as node-cache: 0.0.0.0:9353; run: nowhere)", set_metrics_address },
	{ "dns.port", "PORT", "of blocks that name none (53)", set_dns_port },
	{ "p", "PORT", "as -dns.port", set_dns_port },
	{ "ignore-unsupported", NULL, "dnstap, trace, pprof, metadata: ignored with a warning",
	  set_ignore_unsupported },
	{ "setupiptables", NULL, "nothing: no iptables rule is needed", set_setupiptables },
	{ "syncinterval", "DURATION", "nothing: there are no rules to look after",
	  set_syncinterval },
	{ "health-port", "PORT", "nothing: the health directive says where", set_health_port },
	{ "reloadwithsignal", NULL, "nothing: SIGUSR1 always reads the configuration again",
	  set_reloadwithsignal },
	{ "setupebtables", NULL, "nothing: no ebtables rule is needed", set_setupebtables },
	{ "initialdelay", "DURATION", "nothing: there are no rules to wait with",
	  set_initialdelay },
	{ "version", NULL, "print the version and end", set_version },
	{ "plugins", NULL, "print the directives that a Corefile may have and end", set_plugins },
	{ "quiet", NULL, "as -log-level warn", set_quiet },
	{ "log-level", "LEVEL", "error, warn, info or debug (info)", set_log_level },
};

#define N_RUN_ROWS (sizeof(run_rows) / sizeof(run_rows[0]))

void run_options__defaults(struct run_options *opts)
{
	*opts = (struct run_options){
		.conf = "/etc/Corefile",
		.mode = MODE_AUTO,
		.hook = HOOK_AUTO,
		.bufsize = 4096,
		.lease_s = 60,
		.bpffs = NODENS_PIN_DIR,
		.log_level = LOG_LEVEL_INFO,
		.basecorefile = "/etc/coredns/Corefile.base",
		.kubednscm = KUBEDNSCM,
		.upstreamsvc = "kube-dns",
		.prometheus_address = ":9253",
		.interfacename = "nodelocaldns",
		.dns_port = 53,
	};
}

static bool is_subcommand(const char *name)
{
	return !strcmp(name, "run") || !strcmp(name, "check");
}

int run_options__parse(struct run_options *opts, int argc, char **argv, struct options_error *err)
{
	struct run_options parsed;
	int first, ret;

	run_options__defaults(&parsed);
	ret = options__parse(run_rows, N_RUN_ROWS, &parsed, argc, argv, &first, err);
	if (ret)
		return ret;
	if (first < argc) {
		snprintf(err->text, sizeof(err->text), "\"%s\": only flags are allowed here",
			 argv[first]);
		return -EINVAL;
	}
	/* node-cache's own default; who runs nodens on a plain machine asks for a link if he wants
	 * one */
	parsed.nodecache = !is_subcommand(argv[0]);
	if (parsed.setupinterface == UNSET && parsed.nodecache)
		parsed.setupinterface = parsed.n_localip ? YES : NO;
	if (!parsed.metrics_address)
		parsed.metrics_address = parsed.nodecache ? "0.0.0.0:9353" : "";
	if (parsed.mode == MODE_FRONT && !parsed.n_localip) {
		snprintf(err->text, sizeof(err->text),
			 "-mode front: which addresses do pods ask? Give -localip IP[,IP...]");
		return -EINVAL;
	}
	if (parsed.mode == MODE_FRONT)
		parsed.setupinterface = NO; /* the addresses are another's */
	*opts = parsed;
	return 0;
}

void run_options__help(FILE *out)
{
	options__print_help(run_rows, N_RUN_ROWS, out);
}
