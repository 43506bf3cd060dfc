// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The effective configuration as a Corefile, defaults written out.
 * Contract: the output parses to the same configuration, whatever the input was.
 */
#include "print_priv.h"
#include "table_priv.h"

#include <arpa/inet.h>

#include "dns/msg.h"

/* @at: what the options' offsets count from. */
static void print_options(const char *directive, const void *at, FILE *out)
{
	fputs(" {\n", out);
	corefile_print_options(directive, at, out);
	fputs(DIRECTIVE "}\n", out);
}

static void print_flag(const char *name, bool on, FILE *out)
{
	if (on)
		fprintf(out, DIRECTIVE "%s\n", name);
}

static void print_subnet(const struct corefile_subnet *subnet, FILE *out)
{
	char addr[INET6_ADDRSTRLEN] = "";

	inet_ntop(subnet->family, subnet->addr, addr, sizeof(addr));
	fprintf(out, " %s/%u", addr, subnet->bits);
}

static void print_log(const struct corefile_log *log, FILE *out)
{
	fputs(DIRECTIVE "log", out);
	print_zones(&log->names, out);
	print_text(log->format, out);
	fputs(" {\n" OPTION "class", out);
	for (const struct corefile_log_word *class = corefile_log_classes; class->name; class ++) {
		if (class->bits != COREFILE_LOG_ALL && log->classes & class->bits)
			fprintf(out, " %s", class->name);
	}
	fputs("\n" DIRECTIVE "}\n", out);
}

static void print_dnstap(const struct corefile_dnstap *dnstap, FILE *out)
{
	const struct {
		const char *name, *text;
	} options[] = { { "identity", dnstap->identity },
			{ "version", dnstap->version },
			{ "extra", dnstap->extra } };
	bool open = false;

	fputs(DIRECTIVE "dnstap", out);
	print_text(dnstap->socket, out);
	fputs(dnstap->full ? " full" : "", out);
	if (dnstap->write_buffer)
		fprintf(out, " %u %u", dnstap->write_buffer, dnstap->queue);
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (!options[i].text)
			continue;
		fprintf(out, "%s" OPTION "%s", open ? "" : " {\n", options[i].name);
		print_text(options[i].text, out);
		fputc('\n', out);
		open = true;
	}
	fputs(open ? DIRECTIVE "}\n" : "\n", out);
}

static void print_listen(const char *name, const struct corefile_listen *listen, FILE *out)
{
	if (!listen->enabled)
		return;
	fprintf(out, DIRECTIVE "%s ", name);
	print_named_addr(&listen->addr, "", out);
	fputc('\n', out);
}

static void print_health(const struct corefile_block *b, FILE *out)
{
	if (!b->health.enabled)
		return;
	fputs(DIRECTIVE "health ", out);
	print_named_addr(&b->health.addr, "", out);
	print_options("health", b, out);
}

static void print_timeouts(const struct corefile_block *b, FILE *out)
{
	const struct corefile_timeouts *t = &b->timeouts;

	if (!t->read_ns && !t->write_ns && !t->idle_ns && !t->max_queries)
		return;
	fputs(DIRECTIVE "timeouts", out);
	print_options("timeouts", b, out);
}

static void print_cache(const struct corefile_block *b, FILE *out)
{
	if (!b->cache.enabled)
		return;
	fputs(DIRECTIVE "cache", out);
	print_zones(&b->cache.zones, out);
	print_options("cache", b, out);
}

static void print_edns0(const struct corefile_rewrite *rule, FILE *out)
{
	const char *action = corefile_edns0_actions[rule->edns0_action];

	if (rule->edns0_source == COREFILE_EDNS0_SUBNET) {
		fprintf(out, " edns0 subnet %s %u %u", action, rule->edns0_bits[0],
			rule->edns0_bits[1]);
		return;
	}
	fprintf(out, " edns0 local %s %u", action, rule->edns0_code);
	if (rule->edns0_action == COREFILE_EDNS0_UNSET)
		return;
	if (rule->edns0_source != COREFILE_EDNS0_FIXED) {
		print_text(corefile_edns0_variable(rule->edns0_source), out);
		return;
	}
	fputs(" 0x", out);
	for (size_t i = 0; i < rule->edns0_len; i++)
		fprintf(out, "%02x", (unsigned char)rule->edns0_data[i]);
}

static void print_match(const char *field, const struct corefile_rewrite *rule, FILE *out)
{
	fprintf(out, " %s %s", field, corefile_matches[rule->match]);
	print_text(rule->from, out);
}

static void print_rewrite(const struct corefile_rewrite *rule, FILE *out)
{
	fprintf(out, DIRECTIVE "rewrite %s", rule->go_on ? "continue" : "stop");
	switch (rule->kind) {
	case COREFILE_REWRITE_NAME:
		print_match("name", rule, out);
		print_text(rule->to, out);
		fputs(rule->answer_auto ? " answer auto" : "", out);
		for (size_t i = 0; i < rule->answers_len; i++) {
			fprintf(out, " answer %s", rule->answers[i].value ? "value" : "name");
			print_text(rule->answers[i].from, out);
			print_text(rule->answers[i].to, out);
		}
		break;
	case COREFILE_REWRITE_TYPE:
		fputs(" type", out);
		print_type(rule->from_number, out);
		print_type(rule->to_number, out);
		break;
	case COREFILE_REWRITE_CLASS:
		fputs(" class", out);
		print_class(rule->from_number, out);
		print_class(rule->to_number, out);
		break;
	case COREFILE_REWRITE_TTL:
		print_match("ttl", rule, out);
		fprintf(out, " %u-%u", rule->ttl_min_s, rule->ttl_max_s);
		break;
	case COREFILE_REWRITE_EDNS0:
		print_edns0(rule, out);
		break;
	case COREFILE_REWRITE_RCODE:
		print_match("rcode", rule, out);
		print_rcode(rule->from_number, out);
		print_rcode(rule->to_number, out);
		break;
	}
	fputc('\n', out);
}

static void print_template(const struct corefile_template *t, FILE *out)
{
	fputs(DIRECTIVE "template", out);
	print_class(t->class, out);
	print_type(t->type, out);
	print_zones(&t->zones, out);
	print_options("template", t, out);
}

static void print_hosts(const struct corefile_block *b, FILE *out)
{
	const struct corefile_hosts *hosts = &b->hosts;

	fputs(DIRECTIVE "hosts", out);
	print_text(hosts->path, out);
	print_zones(&hosts->zones, out);
	fputs(" {\n", out);
	for (size_t i = 0; i < hosts->entries_len; i++) {
		fputs(OPTION, out);
		print_ip(&hosts->entries[i].addr, out);
		for (size_t k = 0; k < hosts->entries[i].names_len; k++)
			print_text(hosts->entries[i].names[k], out);
		fputc('\n', out);
	}
	corefile_print_options("hosts", b, out);
	fputs(DIRECTIVE "}\n", out);
}

static void print_dns64(const struct corefile_block *b, FILE *out)
{
	char prefix[INET6_ADDRSTRLEN] = "";

	if (!b->dns64.enabled)
		return;
	inet_ntop(AF_INET6, b->dns64.prefix, prefix, sizeof(prefix));
	fprintf(out, DIRECTIVE "dns64 %s/%u", prefix, b->dns64.prefix_len);
	print_options("dns64", b, out);
}

static void print_acl(const struct corefile_acl *acl, FILE *out)
{
	fputs(DIRECTIVE "acl", out);
	print_zones(&acl->zones, out);
	fputs(" {\n", out);
	for (size_t i = 0; i < acl->policies_len; i++) {
		const struct corefile_acl_policy *policy = &acl->policies[i];

		fprintf(out, OPTION "%s type", corefile_acl_action(policy->action));
		for (size_t k = 0; !policy->all_types && k < policy->types_len; k++)
			print_type(policy->types[k], out);
		fprintf(out, "%s net", policy->all_types ? " *" : "");
		for (size_t k = 0; !policy->all_nets && k < policy->nets_len; k++)
			print_subnet(&policy->nets[k], out);
		fputs(policy->all_nets ? " *\n" : "\n", out);
	}
	fputs(DIRECTIVE "}\n", out);
}

static void print_forward(const struct corefile_forward *f, FILE *out)
{
	fprintf(out, DIRECTIVE "forward %s", f->from.text);
	for (size_t i = 0; i < f->upstreams_len; i++) {
		const struct corefile_upstream *upstream = &f->upstreams[i];

		fputs(upstream->tls ? " tls://" : " ", out);
		print_named_addr(&upstream->addr, upstream->tls_name ? upstream->tls_name : "",
				 out);
	}
	print_options("forward", f, out);
}

static void print_errors(const struct corefile_block *b, FILE *out)
{
	if (!b->errors.enabled)
		return;
	fputs(DIRECTIVE "errors", out);
	if (b->errors.consolidate_len)
		print_options("errors", b, out);
	else
		fputc('\n', out);
}

static void print_loadbalance(const struct corefile_block *b, FILE *out)
{
	if (!b->loadbalance)
		return;
	fprintf(out, DIRECTIVE "loadbalance%s", b->prefer_len ? " {\n" OPTION "prefer" : "");
	for (size_t i = 0; i < b->prefer_len; i++)
		print_subnet(&b->prefer[i], out);
	fputs(b->prefer_len ? "\n" DIRECTIVE "}\n" : "\n", out);
}

static void print_reload(const struct corefile_reload *reload, FILE *out)
{
	if (!reload->enabled)
		return;
	fputs(DIRECTIVE "reload", out);
	print_duration(reload->interval_ns, out);
	print_duration(reload->jitter_ns, out);
	fputc('\n', out);
}

static void print_probe(const struct corefile_block *b, FILE *out)
{
	if (!b->has_probe)
		return;
	fputs(DIRECTIVE "probe", out);
	if (b->probe.file)
		print_text(b->probe.file, out);
	print_zones(&b->probe.names, out);
	print_options("probe", b, out);
}

static void print_server(const struct corefile_block *b, FILE *out)
{
	if (b->binds_len) {
		fputs(DIRECTIVE "bind", out);
		for (size_t i = 0; i < b->binds_len; i++) {
			fputc(' ', out);
			print_ip(&b->binds[i], out);
		}
		fputc('\n', out);
	}
	print_timeouts(b, out);
	print_reload(&b->reload, out);
	if (b->bufsize)
		fprintf(out, DIRECTIVE "bufsize %u\n", b->bufsize);
	print_flag("debug", b->debug, out);
	print_health(b, out);
	print_listen("ready", &b->ready, out);
	print_listen("prometheus", &b->prometheus, out);
	print_probe(b, out);
	print_errors(b, out);
	for (size_t i = 0; i < b->logs_len; i++)
		print_log(&b->logs[i], out);
	for (size_t i = 0; i < b->dnstaps_len; i++)
		print_dnstap(&b->dnstaps[i], out);
}

/* In the order of execution, as CoreDNS' documentation lists the plugins. */
void corefile__print_block(const struct corefile_block *b, FILE *out)
{
	for (size_t i = 0; i < b->zones_len; i++)
		fprintf(out, "%s:%u ", b->zones[i].text, b->port);
	fputs("{\n", out);
	print_server(b, out);
	print_dns64(b, out);
	for (size_t i = 0; i < b->acls_len; i++)
		print_acl(&b->acls[i], out);
	print_flag("any", b->any, out);
	print_loadbalance(b, out);
	print_cache(b, out);
	if (!b->nxdomain_cut)
		fputs(DIRECTIVE "nxdomain_cut off\n", out);
	for (size_t i = 0; i < b->rewrites_len; i++)
		print_rewrite(&b->rewrites[i], out);
	for (size_t i = 0; i < b->templates_len; i++)
		print_template(&b->templates[i], out);
	if (b->has_hosts)
		print_hosts(b, out);
	print_flag("loop", b->loop, out);
	for (size_t i = 0; i < b->forwards_len; i++)
		print_forward(&b->forwards[i], out);
	print_flag("whoami", b->whoami, out);
	fputs("}\n", out);
}

void corefile__print(const struct corefile *cf, FILE *out)
{
	for (size_t i = 0; i < cf->blocks_len; i++) {
		if (i)
			fputc('\n', out);
		corefile__print_block(&cf->blocks[i], out);
	}
}
