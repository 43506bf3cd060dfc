// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Server blocks of a Corefile, and the choice of block and forward for a name.
 * Contract: corefile.h.
 */
#include "config/corefile.h"
#include "corefile_priv.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The keys of the block being read: what zones they stand for, and the port of each zone. */
struct keys {
	struct corefile_zones zones;
	uint16_t *ports;
	size_t ports_len;
	unsigned int left_out; /* of other transports */
};

/* What CoreDNS would serve the zone over. */
static const char *const transports[] = { "tls://", "https://", "https3://", "grpc://", "quic://" };

static bool is_other_transport(const char *key)
{
	for (size_t i = 0; i < sizeof(transports) / sizeof(transports[0]); i++) {
		if (!strncmp(key, transports[i], strlen(transports[i])))
			return true;
	}
	return false;
}

static int add_key(struct corefile_parse *p, const struct corefile_token *at, const char *key,
		   struct keys *keys)
{
	uint16_t port;
	char *host;
	int err;

	/* Plain DNS loses nothing by it: CoreDNS does not serve such a zone over that either. */
	if (is_other_transport(key)) {
		keys->left_out++;
		return corefile_warn(p, at,
				     "'%s' is left out: clients are served over plain DNS alone",
				     corefile_show(p, key));
	}
	err = corefile_split_key(p, at, key, &host, &port);
	if (!err)
		err = corefile_zones(p, at, host, &keys->zones);
	if (err)
		return err;
	if (!port)
		port = p->options->default_port ? p->options->default_port : COREFILE_PORT_DEFAULT;
	while (keys->ports_len < keys->zones.len) {
		if (corefile_mem_append(p->scratch, &keys->ports, &keys->ports_len, &port,
					sizeof(port)))
			return corefile_nomem(p);
	}
	return 0;
}

/*
 * One word of the key line, which commas may divide further. *comma says whether the last thing
 * read was a comma, after which another zone must come, on the next line if need be.
 */
static int read_key(struct corefile_parse *p, const struct corefile_token *at, struct keys *keys,
		    bool *comma)
{
	const char *s = at->text;
	size_t len;
	char *key;
	int err;

	do {
		len = strcspn(s, ",");
		if (!len && (!*s || *comma || !(keys->zones.len + keys->left_out)))
			return corefile_fail(p, at,
					     "a zone is missing in '%s'; write names divided by "
					     "one comma or by blanks",
					     corefile_show(p, at->text));
		if (len) {
			key = corefile_mem_strndup(p->scratch, s, len);
			if (!key)
				return corefile_nomem(p);
			err = add_key(p, at, key, keys);
			if (err)
				return err;
		}
		*comma = s[len] == ',';
		s += len + *comma;
	} while (*s);
	return 0;
}

/* The key line; p->at is left on the '{' or the first directive. */
static int read_keys(struct corefile_parse *p, struct keys *keys)
{
	const struct corefile_token *first = &p->tokens.list[p->at], *t = first;
	bool comma = false;
	size_t len;
	int err;

	for (; p->at < p->tokens.len; p->at++) {
		t = &p->tokens.list[p->at];
		if (corefile_is_open(t) || (t != first && t->starts_line && !comma))
			break;
		if (corefile_is_close(t))
			return corefile_fail(
				p, t,
				"'}' closes nothing; take it out or write the '{' that it closes");
		len = strlen(t->text);
		if (!t->literal && len > 1 && t->text[len - 1] == '{')
			return corefile_fail(p, t, "'%s' ends in '{'; put a blank before the '{'",
					     corefile_show(p, t->text));
		err = read_key(p, t, keys, &comma);
		if (err)
			return err;
	}
	if (comma)
		return corefile_fail(p, t, "no zone follows the last comma; take the comma out");
	if (!keys->zones.len && !keys->left_out)
		return corefile_fail(
			p, first, "it has no zone; write names before '{', or '.' for every name");
	return 0;
}

/* One block per port that the keys name: those share what was read, but do not listen in the same
 * place. */
static int add_blocks(struct corefile_parse *p, const struct corefile_block *read,
		      const struct keys *keys)
{
	bool *done = corefile_mem_alloc(p->scratch, keys->zones.len * sizeof(*done));
	int err = 0;

	if (!done)
		return corefile_nomem(p);
	for (size_t i = 0; i < keys->zones.len && !err; i++) {
		struct corefile_block block = *read;
		size_t zones = 0;

		if (done[i])
			continue;
		block.port = keys->ports[i];
		for (size_t j = i; j < keys->zones.len; j++)
			zones += keys->ports[j] == block.port;
		block.zones = corefile_mem_alloc(p->cf->mem, zones * sizeof(*block.zones));
		block.binds =
			corefile_mem_alloc(p->cf->mem, block.binds_len * sizeof(*block.binds));
		if (!block.zones || !block.binds)
			return corefile_nomem(p);
		for (size_t j = i; j < keys->zones.len; j++) {
			if (keys->ports[j] != block.port)
				continue;
			block.zones[block.zones_len++] = keys->zones.list[j];
			done[j] = true;
		}
		for (size_t j = 0; j < block.binds_len; j++) {
			block.binds[j] = read->binds[j];
			sockaddr__set_port(&block.binds[j], block.port);
		}
		if (corefile_add_block(p->cf, &block))
			err = corefile_nomem(p);
	}
	return err;
}

/* The default of 5 must not lift answers above a lower TTL that was asked for. */
static void cap_min_ttl(struct corefile_cache_side *side)
{
	if (side->min_ttl_s > side->ttl_s)
		side->min_ttl_s = side->ttl_s;
}

static int read_block(struct corefile_parse *p)
{
	const struct corefile_token *key = &p->tokens.list[p->at];
	struct corefile_block block = corefile_block_defaults(key->file, key->line);
	struct keys keys = { 0 };
	bool braced;
	int err;

	p->block = &block;
	p->directive = "server block";
	err = read_keys(p, &keys);
	if (err)
		return err;
	/* A file may hold a single block without braces, which then ends with the file. */
	braced = p->at < p->tokens.len && corefile_is_open(&p->tokens.list[p->at]);
	if (!braced && p->cf->blocks_len)
		return corefile_fail(p, key,
				     "it has no '{'; only a block that is alone in its file may "
				     "leave the braces out");
	if (!braced && corefile_is_directive(key->text))
		return corefile_fail(p, key,
				     "'%s' is a directive and stands before any block; write it "
				     "between '. {' and '}'",
				     corefile_show(p, key->text));
	p->at += braced;
	err = corefile_directives(p, braced, key);
	if (!err && keys.zones.len && !block.forwards_len && !block.templates_len &&
	    !block.has_hosts && !block.whoami)
		err = corefile_warn(
			p, key,
			"it has no forward; every query for its zones is answered SERVFAIL");
	cap_min_ttl(&block.cache.success);
	cap_min_ttl(&block.cache.denial);
	return err ? err : add_blocks(p, &block, &keys);
}

static int read_text(struct corefile_parse *p, const char *path, const char *text, size_t len)
{
	const char *file = corefile_mem_strndup(p->cf->mem, path, strlen(path));
	struct corefile_tokens raw = { 0 };
	int err;

	if (!file)
		return corefile_nomem(p);
	p->file = file;
	p->directive = "syntax";
	err = corefile_lex(p, file, text, len, &raw);
	if (!err)
		err = corefile_expand(p, raw.list, raw.len, NULL, &p->tokens);
	while (!err && p->at < p->tokens.len)
		err = read_block(p);
	if (err)
		return err;
	if (!p->cf->blocks_len) {
		p->directive = NULL;
		return corefile_fail_at(p, -EINVAL, file, 1,
					"it has no server block; write '. {', 'forward . IP' and "
					"'}' on three lines");
	}
	err = corefile_check_overlap(p);
	if (!err)
		err = corefile_set_apart(p);
	return err ? err : corefile_check_probes(p);
}

int corefile__parse(const struct corefile_options *options, const char *path, const char *text,
		    size_t len, struct corefile **out, struct error *err)
{
	struct error unused;
	struct corefile_parse p = {
		.options = options,
		.err = err ? err : &unused,
		.cf = calloc(1, sizeof(*p.cf)),
		.scratch = corefile_mem_new(),
	};
	int ret;

	if (p.cf)
		p.cf->mem = corefile_mem_new();
	if (!p.cf || !p.cf->mem || !p.scratch)
		ret = corefile_nomem(&p);
	else
		ret = read_text(&p, path, text, len);
	corefile_mem_free(p.scratch);
	if (ret) {
		corefile__free(p.cf);
		return ret;
	}
	*out = p.cf;
	return 0;
}

void corefile__free(struct corefile *cf)
{
	if (!cf)
		return;
	corefile_mem_free(cf->mem);
	free(cf);
}
