// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Directives that answer without an upstream, or make an answer of another: hosts, template, dns64.
 * Contract: rows of directives.c call these with the number of arguments already checked.
 */
#include "corefile_priv.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* ---- hosts ---- */

int corefile_set_hosts(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	struct corefile_hosts *hosts = &p->block->hosts;
	int err = 0;

	p->block->has_hosts = true;
	*hosts = (struct corefile_hosts){
		.path = "/etc/hosts",
		.ttl_s = 3600,
		.reload_ns = 5 * NSEC_PER_SEC,
	};
	if (!stmt->args_len)
		return 0;
	err = corefile_value_text(p, &stmt->args[0], &hosts->path);
	if (!err)
		err = corefile_value_zones(p, stmt->args + 1, stmt->args_len - 1, &hosts->zones);
	return err;
}

int corefile_end_hosts(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	const struct corefile_hosts *hosts = &p->block->hosts;

	if (!hosts->fallthrough_unsupported || hosts->fallthrough.on)
		return 0;
	return corefile_fail(p, stmt->name,
			     "fallthrough_unsupported does nothing alone; write fallthrough as "
			     "well");
}

/* Any name will do but one that could not be asked for. */
static int host_name(struct corefile_parse *p, const struct corefile_token *at, const char **out)
{
	struct dns_name name;
	const char *why;

	if (dns_name__from_config(&name, at->text, &why))
		return corefile_fail(p, at, "'%s' is not a host's name: %s",
				     corefile_show(p, at->text), why);
	return corefile_value_text(p, at, out);
}

/* "IP NAME...": an option whose name is an address. */
int corefile_set_hosts_entry(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	struct corefile_hosts *hosts = &p->block->hosts;
	struct corefile_hosts_entry entry = { .names_len = stmt->args_len };
	const char **names;
	char addr[INET6_ADDRSTRLEN] = "";
	size_t addr_len = strcspn(stmt->name->text, "%"); /* fe80::1%eth0: as in a hosts file */
	int err = 0;

	if (addr_len < sizeof(addr))
		memcpy(addr, stmt->name->text, addr_len);
	if (sockaddr__parse_ip(addr, 0, &entry.addr))
		return 1;
	if (!stmt->args_len || stmt->has_block)
		return corefile_fail(p, stmt->name, "no name follows; write IP NAME...");
	names = corefile_mem_alloc(p->cf->mem, stmt->args_len * sizeof(*names));
	if (!names)
		return corefile_nomem(p);
	for (size_t i = 0; !err && i < stmt->args_len; i++)
		err = host_name(p, &stmt->args[i], &names[i]);
	entry.names = names;
	return err ? err
		   : corefile_append(p, &hosts->entries, &hosts->entries_len, &entry,
				     sizeof(entry));
}

/* ---- template ---- */

static struct corefile_template *last_template(struct corefile_parse *p)
{
	return &p->block->templates[p->block->templates_len - 1];
}

int corefile_set_template(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	struct corefile_block *b = p->block;
	struct corefile_template t = { .file = stmt->name->file, .line = stmt->name->line };
	int err = corefile_value_class(p, &stmt->args[0], true, &t.class);

	if (!err)
		err = corefile_value_type(p, &stmt->args[1], &t.type);
	if (!err)
		err = corefile_value_zones(p, stmt->args + 2, stmt->args_len - 2, &t.zones);
	if (err)
		return err;
	return corefile_append(p, &b->templates, &b->templates_len, &t, sizeof(t));
}

int corefile_set_rcode(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	last_template(p)->has_rcode = true;
	return corefile_value_rcode(p, &stmt->args[0], &last_template(p)->rcode);
}

int corefile_set_ederror(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	struct corefile_template *t = last_template(p);
	uint32_t code = 0;
	int err = corefile_value_u32(p, &stmt->args[0], 0, UINT16_MAX,
				     "code of an extended error (RFC 8914)", &code);

	if (!err && stmt->args_len > 1)
		err = corefile_value_text(p, &stmt->args[1], &t->ede_text);
	t->has_ede = true;
	t->ede_code = code;
	return err;
}

/* ---- dns64 ---- */

/* RFC 6052, 2.2: the lengths there are; and bits 64 to 71 are zero. */
static bool prefix_ok(const uint8_t prefix[16], long bits)
{
	static const uint8_t zero[16];

	if (bits != 32 && bits != 40 && bits != 48 && bits != 56 && bits != 64 && bits != 96)
		return false;
	return !prefix[8] && !memcmp(prefix + bits / 8, zero, 16 - bits / 8);
}

int corefile_set_dns64_prefix(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	struct corefile_dns64 *dns64 = &p->block->dns64;
	const char *text = stmt->args[0].text, *slash = strchr(text, '/');
	char addr[INET6_ADDRSTRLEN] = "", *end = NULL;
	long bits = slash ? strtol(slash + 1, &end, 10) : 0;
	uint8_t prefix[16];

	if (slash && slash - text < (long)sizeof(addr))
		memcpy(addr, text, slash - text);
	if (!end || *end || inet_pton(AF_INET6, addr, prefix) != 1 || !prefix_ok(prefix, bits))
		return corefile_fail(p, &stmt->args[0],
				     "'%s' is not a prefix; write IPV6/LENGTH with 32, 40, 48, 56, "
				     "64 or 96 bits, all others zero",
				     corefile_show(p, text));
	memcpy(dns64->prefix, prefix, sizeof(prefix));
	dns64->prefix_len = bits;
	return 0;
}

int corefile_set_dns64(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	struct corefile_dns64 *dns64 = &p->block->dns64;

	dns64->enabled = true;
	dns64->prefix_len = 96;
	inet_pton(AF_INET6, "64:ff9b::", dns64->prefix);
	return stmt->args_len ? corefile_set_dns64_prefix(p, stmt) : 0;
}
