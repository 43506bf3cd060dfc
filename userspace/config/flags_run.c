// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The flags of `nodens run`, which are node-cache's as well. Contract: flags.h.
 */
#include "config/flags.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

static int parse_addr(const char *text, struct served_addr *addr)
{
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
		if (served_addr__same(&opts->localip[i], addr))
			return true;
	}
	return false;
}

static const char *set_localip(const struct option_row *row, void *target, const char *value)
{
	struct run_options *opts = target;
	char text[INET6_ADDRSTRLEN];
	struct served_addr addr;
	const char *why;

	(void)row;
	/* The kubelet leaves $(NAME) as it is where the pod has no variable of that name. */
	why = strstr(value, "$(") ? "was not filled in by the kubelet: a pod has the variables of"
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
			return why;
		memcpy(text, at, len);
		text[len] = '\0';
		text[strcspn(text, " ")] = '\0';
		at += len;
		if (!text[0] && !*at && at == value + len)
			return NULL;
		if (parse_addr(text, &addr))
			return why;
		if (!have_addr(opts, &addr)) {
			if (count_family(opts, addr.family) == NODENS_MAX_SERVED)
				return "has more than 16 addresses of one family";
			opts->localip[opts->n_localip++] = addr;
		}
		if (!*at)
			return NULL;
	}
}

/* @value: of the whole struct, which has the number of them, too. */
static bool show_localip(const struct option_row *row, const void *at, FILE *out)
{
	const struct run_options *opts = at;

	(void)row;
	for (int i = 0; i < opts->n_localip; i++) {
		char text[INET6_ADDRSTRLEN];

		served_addr__text(&opts->localip[i], text, sizeof(text));
		fprintf(out, "%s%s", i ? "," : "", text);
	}
	return opts->n_localip;
}

static const char *set_pretend(const struct option_row *row, void *at, const char *value)
{
	unsigned int major, minor;
	char extra;

	*(const char **)at = value;
	return sscanf(value, "%u.%u%c", &major, &minor, &extra) == 2 ? NULL : row->why;
}

static const char *set_service(const struct option_row *row, void *at, const char *value)
{
	size_t len = strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789-");

	*(const char **)at = value;
	return len && len <= 63 && !value[len] ? NULL : row->why;
}

static const char *set_link(const struct option_row *row, void *at, const char *value)
{
	*(const char **)at = value;
	return !*value || strlen(value) > 15 || strpbrk(value, " /") ? row->why : NULL;
}

/* "" is allowed where the row's min is 0. */
static const char *set_endpoint(const struct option_row *row, void *at, const char *value)
{
	*(const char **)at = value;
	return strrchr(value, ':') || (!*value && !row->min) ? NULL : row->why;
}

static const char *set_tristate(const struct option_row *row, void *at, const char *value)
{
	(void)row;
	*(enum tristate *)at = strcmp(value, "true") ? NO : YES;
	return NULL;
}

static bool show_tristate(const struct option_row *row, const void *at, FILE *out)
{
	(void)row;
	return fputs(*(const enum tristate *)at == YES ? "true" : "false", out) >= 0;
}

/* A switch that stands for the row's min at its offset. */
static const char *set_means(const struct option_row *row, void *at, const char *value)
{
	if (!strcmp(value, "true"))
		*(unsigned int *)at = row->min;
	return NULL;
}

/* node-cache's flags that have nothing to act on: taken, and the row's reason logged once. */
static const char *ignore(const struct option_row *row, void *target, const char *value)
{
	struct run_options *opts = target;

	(void)value;
	for (unsigned int i = 0; i < opts->n_ignored; i++) {
		if (opts->ignored[i] == row->why)
			return NULL;
	}
	if (opts->n_ignored < sizeof(opts->ignored) / sizeof(opts->ignored[0]))
		opts->ignored[opts->n_ignored++] = row->why;
	return NULL;
}

static const struct option_kind localip = { set_localip, show_localip };
static const struct option_kind pretend = { set_pretend, option__show_text };
static const struct option_kind service = { set_service, option__show_text };
static const struct option_kind link_name = { set_link, option__show_text };
static const struct option_kind endpoint = { set_endpoint, option__show_text };
static const struct option_kind tristate = { set_tristate, show_tristate };
static const struct option_kind means = { set_means, NULL };
static const struct option_kind ignored = { ignore, NULL };

static const char *const modes[] = {
	[MODE_AUTO] = "auto",
	[MODE_STEER] = "steer",
	[MODE_LISTEN] = "listen",
	[MODE_FRONT] = "front",
};

static const char *const client_auths[] = {
	[CLIENT_AUTH_NONE] = "NoClientCert",
	[CLIENT_AUTH_REQUEST] = "RequestClientCert",
	[CLIENT_AUTH_REQUIRE_ANY] = "RequireAnyClientCert",
	[CLIENT_AUTH_VERIFY_GIVEN] = "VerifyClientCertIfGiven",
	[CLIENT_AUTH_REQUIRE_VERIFIED] = "RequireAndVerifyClientCert",
};

static const char *const tls_versions[] = {
	[TLS_VERSION_12] = "VersionTLS12",
	[TLS_VERSION_13] = "VersionTLS13",
};

#define AT(member)  offsetof(struct run_options, member)
#define NO_FILE	    "is no file name"
#define NO_ENDPOINT "is not [IP]:PORT"
#define NO_PORT	    "is not a port from 1 to 65535"

static const struct option_row run_rows[] = {
	{ "conf", "FILE", "the Corefile (/etc/Corefile)", .kind = &option_text, AT(conf), NO_FILE },
	{ "localip", "IP[,IP...]", "addresses that pods ask, of both families (the blocks' bind)",
	  .kind = &localip },
	{ "mode", "MODE",
	  "steer: answer at pods' devices; listen: bind the addresses; front: answer ahead of"
	  " the DNS cache that has the addresses, and ask that; auto: listen"
	  " where all addresses are wildcards or -setupinterface=false (auto)",
	  .kind = &option_choice, AT(mode), "is none of auto, steer, listen, front",
	  .max = MODE_FRONT, .choices = modes },
	{ "hook", "HOOK", "auto, tc, xdp, xdp-native or xdp-generic (auto)", .kind = &option_choice,
	  AT(hook), "is none of auto, tc, xdp, xdp-native, xdp-generic", .max = HOOKS - 1,
	  .choices = hook_names },
	{ "interfaces", "GLOBS",
	  "devices to attach to (every veth whose peer is in another namespace)",
	  .kind = &option_text, AT(interfaces), "names no interface; give globs as veth*,lxc*" },
	{ "exclude", "GLOBS", "devices not to attach to", .kind = &option_optional, AT(exclude) },
	{ "capacity", "N",
	  "answers to keep, half positive, half negative (what the caches ask for)",
	  .kind = &option_u32, AT(capacity), "is not a number from 64 to 1000000", 64,
	  OPTIONS_CAPACITY_MAX },
	{ "bufsize", "BYTES", "largest answer over UDP, if the client takes it (4096)",
	  .kind = &option_u16, AT(bufsize), "is not a number of bytes from 512 to 4096", 512,
	  4096 },
	{ "lease", "SECONDS", "how long programs go on answering without the agent (60)",
	  .kind = &option_u32, AT(lease_s), "is not a number of seconds from 2 to 86400", 2,
	  86400 },
	{ "persist", NULL, "keep programs and cache in place when the agent ends",
	  .kind = &option_switch, AT(persist) },
	{ "device-counts", NULL,
	  "count what comes to each device, for nodens status and top; costs an answer some "
	  "nanoseconds (true)",
	  .kind = &tristate, AT(device_counts) },
	{ "bpffs", "DIR", "where maps are pinned (" NODENS_PIN_DIR ")", .kind = &option_path,
	  AT(bpffs), "is not an absolute path" },
	{ "pretend-kernel", "VERSION", "use nothing that is newer than this kernel",
	  .kind = &pretend, AT(pretend_kernel), "is not a kernel version such as 5.4" },
	{ "cni-results", "DIR",
	  "where the container runtime notes which pod has which address (" NODENS_CNI_RESULTS ")",
	  .kind = &option_text, AT(cni_results), "is no directory's name" },
	{ "pidfile", "FILE", "file to write the process id to", .kind = &option_optional,
	  AT(pidfile) },
	{ "basecorefile", "FILE",
	  "Corefile with __PILLAR__ placeholders (/etc/coredns/Corefile.base)",
	  .kind = &option_text, AT(basecorefile), NO_FILE },
	{ "corefile", "FILE", "as -conf; where both are given, -conf counts", .kind = &option_text,
	  AT(corefile), NO_FILE, .other_name = true },
	{ "kubednscm", "DIR", "the kube-dns ConfigMap: stubDomains, upstreamNameservers",
	  .kind = &option_optional, AT(kubednscm) },
	{ "upstreamsvc", "NAME",
	  "the service whose address __PILLAR__CLUSTER__DNS__ stands for (kube-dns)",
	  .kind = &service, AT(upstreamsvc), "is no name of a service" },
	{ "setupinterface", NULL,
	  "make the link -interfacename, give it the local addresses and listen there (true "
	  "without a"
	  " subcommand)",
	  .kind = &tristate, AT(setupinterface) },
	{ "interfacename", "NAME", "the link that -setupinterface makes (nodelocaldns)",
	  .kind = &link_name, AT(interfacename),
	  "is no name of a link: 1 to 15 characters, no blank, no '/'" },
	{ "skipteardown", NULL, "keep the link when the agent ends", .kind = &option_switch,
	  AT(skipteardown) },
	{ "prometheus-listen-address", "ADDR",
	  "where /metrics is served if the Corefile says __PROMETHEUS__ENDPOINT__ or nothing "
	  "(:9253)",
	  .kind = &endpoint, AT(prometheus_address), NO_ENDPOINT, .min = 1 },
	{ "metrics-listen-address", "ADDR",
	  "serve /metrics there as well (without a subcommand 0.0.0.0:9353, else nowhere)",
	  .kind = &endpoint, AT(metrics_address), NO_ENDPOINT },
	{ "tls-enabled", NULL, "serve /metrics over TLS, wherever it is", .kind = &option_switch,
	  AT(metrics_tls.enabled) },
	{ "tls-cert-file", "FILE", "its certificate and those between it and the CA, in PEM",
	  .kind = &option_optional, AT(metrics_tls.cert) },
	{ "tls-private-key-file", "FILE", "its key, in PEM", .kind = &option_optional,
	  AT(metrics_tls.key) },
	{ "client-ca-file", "FILE", "who signs the certificates of clients of /metrics, in PEM",
	  .kind = &option_optional, AT(metrics_tls.client_ca) },
	{ "client-auth-type", "TYPE",
	  "NoClientCert, RequestClientCert, RequireAnyClientCert, VerifyClientCertIfGiven or"
	  " RequireAndVerifyClientCert (NoClientCert)",
	  .kind = &option_choice, AT(metrics_tls.client_auth),
	  "is none of NoClientCert, RequestClientCert, RequireAnyClientCert, "
	  "VerifyClientCertIfGiven, RequireAndVerifyClientCert",
	  .max = CLIENT_AUTH_REQUIRE_VERIFIED, .choices = client_auths },
	{ "tls-min-version", "VERSION", "VersionTLS12 or VersionTLS13 (VersionTLS12)",
	  .kind = &option_choice, AT(metrics_tls.min_version),
	  "is none of VersionTLS12, VersionTLS13", .max = TLS_VERSION_13, .choices = tls_versions },
	{ "dns.port", "PORT", "port of blocks that name none (53)", .kind = &option_u16,
	  AT(dns_port), NO_PORT, 1, UINT16_MAX },
	{ "p", "PORT", "as -dns.port", .kind = &option_u16, AT(dns_port), NO_PORT, 1, UINT16_MAX,
	  .other_name = true },
	{ "ignore-unsupported", NULL, "trace, pprof, metadata: ignored with a warning",
	  .kind = &option_switch, AT(ignore_unsupported) },
	{ "setupiptables", NULL, "ignored: no iptables rule is needed", .kind = &ignored,
	  .why = "-setupiptables: ignored: queries are answered and steered before netfilter, so "
		 "no rule is needed" },
	{ "syncinterval", "DURATION", "ignored: there are no iptables rules to check",
	  .kind = &ignored,
	  .why = "-syncinterval: ignored: there are no iptables rules to check, and the link is "
		 "checked each second" },
	{ "health-port", "PORT", "ignored: the health directive of the Corefile says where",
	  .kind = &ignored,
	  .why = "-health-port: ignored: the health directive of the Corefile says where" },
	{ "reloadwithsignal", NULL, "ignored: SIGUSR1 always reloads the configuration",
	  .kind = &ignored,
	  .why = "-reloadwithsignal: ignored: SIGUSR1 and SIGHUP always reload the configuration" },
	{ "setupebtables", NULL, "ignored: no ebtables rule is needed", .kind = &ignored,
	  .why = "-setupebtables: ignored: queries are answered at the bridge's ports, so no rule "
		 "is needed" },
	{ "initialdelay", "DURATION", "ignored: there are no iptables rules to delay",
	  .kind = &ignored,
	  .why = "-initialdelay: ignored: there are no iptables rules to delay; steering begins "
		 "when "
		 "an upstream has answered" },
	{ "version", NULL, "print the version and exit", .kind = &means, AT(show),
	  .min = SHOW_VERSION },
	{ "plugins", NULL, "print the directives that a Corefile may have and exit", .kind = &means,
	  AT(show), .min = SHOW_PLUGINS },
	{ "quiet", NULL, "as -log-level warn", .kind = &means, AT(log_level),
	  .min = LOG_LEVEL_WARN },
	{ "log-level", "LEVEL", "error, warn, info or debug (info)", .kind = &option_choice,
	  AT(log_level), "is none of error, warn, info, debug", .max = LOG_LEVEL_DEBUG,
	  .choices = log_level_names },
	{ "log-format", "FORMAT",
	  "text, json (an object a line) or journal (priorities, no words for levels); auto:"
	  " journal where systemd's journal reads standard error, else text (auto)",
	  .kind = &option_choice, AT(log_format), "is none of auto, text, json, journal",
	  .max = LOG_FORMAT_JOURNAL, .choices = log_format_names },
};

#define N_RUN_ROWS (sizeof(run_rows) / sizeof(run_rows[0]))

static const char *or_default(const char *given, const char *otherwise)
{
	return given ? given : otherwise;
}

/* Where no text was given. */
static void default_texts(struct run_options *opts)
{
	opts->conf = or_default(or_default(opts->conf, opts->corefile), "/etc/Corefile");
	opts->bpffs = or_default(opts->bpffs, NODENS_PIN_DIR);
	opts->cni_results = or_default(opts->cni_results, NODENS_CNI_RESULTS);
	opts->basecorefile = or_default(opts->basecorefile, "/etc/coredns/Corefile.base");
	opts->kubednscm = or_default(opts->kubednscm, "/etc/kube-dns"); /* as it is mounted */
	opts->upstreamsvc = or_default(opts->upstreamsvc, "kube-dns");
	opts->prometheus_address = or_default(opts->prometheus_address, ":9253");
	opts->interfacename = or_default(opts->interfacename, "nodelocaldns");
	/* node-cache's own port, which in front of a node-cache is taken */
	opts->metrics_address =
		or_default(opts->metrics_address,
			   opts->nodecache && opts->mode != MODE_FRONT ? "0.0.0.0:9353" : "");
}

/* What goes together; NULL: it does. */
static const char *check_tls(const struct metrics_tls *tls)
{
	bool verifies = tls->client_auth == CLIENT_AUTH_VERIFY_GIVEN ||
			tls->client_auth == CLIENT_AUTH_REQUIRE_VERIFIED;

	if (!tls->enabled && (tls->cert || tls->key || tls->client_ca || tls->client_auth))
		return "-tls-enabled: it is off, and flags say how /metrics is served over TLS; "
		       "give -tls-enabled, or none of them";
	if (tls->enabled && (!tls->cert || !tls->key))
		return "-tls-enabled: give -tls-cert-file and -tls-private-key-file";
	if (verifies && !tls->client_ca)
		return "-client-auth-type: by whose signature? Give -client-ca-file";
	if (tls->client_ca && !verifies)
		return "-client-ca-file: no client is held against it; give -client-auth-type "
		       "VerifyClientCertIfGiven or RequireAndVerifyClientCert";
	return NULL;
}

int run_options__parse(struct run_options *opts, int argc, char **argv, struct error *err)
{
	struct run_options parsed = {
		.bufsize = 4096,
		.lease_s = 60,
		.device_counts = YES,
		.log_level = LOG_LEVEL_INFO,
		.dns_port = 53,
	};
	const char *why;
	int first, ret;

	ret = options__parse(run_rows, N_RUN_ROWS, &parsed, argc, argv, &first, err);
	if (ret)
		return ret;
	if (first < argc)
		return error__set(err, -EINVAL, "\"%s\": only flags are allowed here", argv[first]);
	parsed.conf_given = parsed.conf;
	parsed.base_given = parsed.basecorefile;
	parsed.prometheus_given = parsed.prometheus_address;
	/* node-cache's own default; who runs nodens on a plain machine asks for a link if he wants
	 * one */
	parsed.nodecache = strcmp(argv[0], "run") && strcmp(argv[0], "check");
	if (parsed.setupinterface == UNSET && parsed.nodecache)
		parsed.setupinterface = parsed.n_localip ? YES : NO;
	default_texts(&parsed);
	why = check_tls(&parsed.metrics_tls);
	if (!why && parsed.mode == MODE_FRONT && !parsed.n_localip)
		why = "-mode front: which addresses do pods ask? Give -localip IP[,IP...]";
	if (why)
		return error__set(err, -EINVAL, "%s", why);
	if (parsed.mode == MODE_FRONT)
		parsed.setupinterface = NO; /* the addresses are another's */
	*opts = parsed;
	return 0;
}

enum log_format run_options__log_format(int argc, char **argv)
{
	struct run_options parsed = { .log_format = LOG_FORMAT_AUTO };
	struct error err;
	int first;

	options__parse(run_rows, N_RUN_ROWS, &parsed, argc, argv, &first, &err);
	return parsed.log_format;
}

void run_options__help(FILE *out)
{
	options__print_help(run_rows, N_RUN_ROWS, out);
}

void run_options__print(const struct run_options *opts, FILE *out)
{
	options__print(run_rows, N_RUN_ROWS, opts, out);
}
