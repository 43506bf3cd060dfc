// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Values of the flags of `nodens run` as text. Contract: flags_show.h, flags.h; no newline is
 * written inside of a value, whatever it holds.
 */
#include "config/flags_show.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const char *const modes[] = {
	[MODE_AUTO] = "auto",
	[MODE_STEER] = "steer",
	[MODE_LISTEN] = "listen",
	[MODE_FRONT] = "front",
};

/* The index of @text among @names, -1: none of them. */
static int index_of(const char *const *names, int len, const char *text)
{
	for (int i = 0; i < len; i++) {
		if (!strcmp(text, names[i]))
			return i;
	}
	return -1;
}

bool options_show__parse_mode(const char *text, enum agent_mode *out)
{
	int i = index_of(modes, sizeof(modes) / sizeof(modes[0]), text);

	if (i >= 0)
		*out = i;
	return i >= 0;
}

static bool show_text(const void *value, FILE *out)
{
	const char *text = *(const char *const *)value;

	for (const char *at = text; at && *at; at++)
		fputc(iscntrl((unsigned char)*at) ? '?' : *at, out);
	return text && *text;
}

static bool show_bool(const void *value, FILE *out)
{
	return fputs(*(const bool *)value ? "true" : "false", out) >= 0;
}

static bool show_tristate(const void *value, FILE *out)
{
	return fputs(*(const enum tristate *)value == YES ? "true" : "false", out) >= 0;
}

static bool show_u16(const void *value, FILE *out)
{
	return fprintf(out, "%u", *(const uint16_t *)value);
}

static bool show_u32(const void *value, FILE *out)
{
	uint32_t number = *(const uint32_t *)value;

	return number && fprintf(out, "%u", number);
}

static bool show_mode(const void *value, FILE *out)
{
	return fputs(modes[*(const enum agent_mode *)value], out) >= 0;
}

static bool show_hook(const void *value, FILE *out)
{
	return fputs(hook_names[*(const enum hook *)value], out) >= 0;
}

static bool show_level(const void *value, FILE *out)
{
	return fputs(log__level_name(*(const enum log_level *)value), out) >= 0;
}

/* @value: of the whole struct, which has the number of them, too. */
static bool show_localip(const void *value, FILE *out)
{
	const struct run_options *opts = value;

	for (int i = 0; i < opts->n_localip; i++) {
		char text[INET6_ADDRSTRLEN];

		served_addr__text(&opts->localip[i], text, sizeof(text));
		fprintf(out, "%s%s", i ? "," : "", text);
	}
	return opts->n_localip;
}

#define AT(member) offsetof(struct run_options, member)

/* Flags of which nothing is kept have nothing to show. tests/unit/test_options has the others. */
static const struct shown {
	const char *name;
	bool (*show)(const void *value, FILE *out); /* false: it says nothing */
	size_t at;
} shown[] = {
	{ "conf", show_text, AT(conf) },
	{ "localip", show_localip, 0 },
	{ "mode", show_mode, AT(mode) },
	{ "hook", show_hook, AT(hook) },
	{ "interfaces", show_text, AT(interfaces) },
	{ "exclude", show_text, AT(exclude) },
	{ "capacity", show_u32, AT(capacity) },
	{ "bufsize", show_u16, AT(bufsize) },
	{ "lease", show_u32, AT(lease_s) },
	{ "persist", show_bool, AT(persist) },
	{ "bpffs", show_text, AT(bpffs) },
	{ "pretend-kernel", show_text, AT(pretend_kernel) },
	{ "pidfile", show_text, AT(pidfile) },
	{ "basecorefile", show_text, AT(basecorefile) },
	{ "kubednscm", show_text, AT(kubednscm) },
	{ "upstreamsvc", show_text, AT(upstreamsvc) },
	{ "setupinterface", show_tristate, AT(setupinterface) },
	{ "interfacename", show_text, AT(interfacename) },
	{ "skipteardown", show_bool, AT(skipteardown) },
	{ "prometheus-listen-address", show_text, AT(prometheus_address) },
	{ "metrics-listen-address", show_text, AT(metrics_address) },
	{ "dns.port", show_u16, AT(dns_port) },
	{ "ignore-unsupported", show_bool, AT(ignore_unsupported) },
	{ "log-level", show_level, AT(log_level) },
};

static bool show(const struct shown *flag, const struct run_options *opts, FILE *out)
{
	return flag->show((const char *)opts + flag->at, out);
}

void run_options__print(const struct run_options *opts, FILE *out)
{
	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
		char *text = NULL;
		size_t len = 0;
		FILE *value = open_memstream(&text, &len);
		bool said = value && show(&shown[i], opts, value);

		if (value)
			fclose(value);
		if (said)
			fprintf(out, "# -%s=%s\n", shown[i].name, text);
		free(text);
	}
}
