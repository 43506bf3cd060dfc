// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Zones as a Corefile writes them: keys with scheme and port, names, networks.
 * Contract: corefile_priv.h; dns/zone.c knows the names themselves.
 */
#include "corefile_priv.h"

#include <errno.h>
#include <string.h>

static int append(struct corefile_parse *p, const struct corefile_token *at, const uint8_t *wire,
		  int len, const struct corefile_zone_list *to)
{
	char text[ZONE_TEXT_MAX];
	struct corefile_zone *list, *zone;

	if (p->zones_total >= COREFILE_ZONES_MAX)
		return corefile_fail(p, at, "the configuration has more than %d zones; write fewer",
				     COREFILE_ZONES_MAX);
	list = corefile_mem_grow(p->cf->mem, *to->list, *to->len, to->cap, sizeof(*list));
	if (!list)
		return corefile_nomem(p);
	*to->list = list;
	zone = &list[*to->len];
	zone->text = corefile_mem_strndup(p->cf->mem, text, zone__to_text(wire, text));
	if (!zone->text)
		return corefile_nomem(p);
	memcpy(zone->wire, wire, (size_t)len);
	zone->wire_len = (uint8_t)len;
	zone->file = at->file;
	zone->line = at->line;
	(*to->len)++;
	p->zones_total++;
	return 0;
}

int corefile_zones(struct corefile_parse *p, const struct corefile_token *at, const char *text,
		   const struct corefile_zone_list *to)
{
	uint8_t wire[ZONE_WIRE_MAX];
	struct zone_reverse rev;
	const char *why;
	int len, err = 0;

	if (!strchr(text, '/')) {
		len = zone__from_text(text, wire, &why);
		if (len < 0)
			return corefile_fail(p, at, "'%s' is not a zone: %s",
					     corefile_show(p, text), why);
		return append(p, at, wire, len, to);
	}
	if (zone__parse_cidr(text, &rev, &why))
		return corefile_fail(p, at, "'%s' is not a network: %s", corefile_show(p, text),
				     why);
	for (unsigned int i = 0; !err && i < rev.count; i++) {
		len = zone__reverse_at(&rev, i, wire);
		err = append(p, at, wire, len, to);
	}
	return err;
}

int corefile_split_key(struct corefile_parse *p, const struct corefile_token *at, const char *key,
		       char **host, uint16_t *port)
{
	const char *scheme = strstr(key, "://"), *name = key, *colon;
	size_t len;

	if (scheme) {
		if (strncmp(key, "dns://", 6) != 0)
			return corefile_fail(
				p, at, "the scheme of '%s' is not supported; write dns:// or none",
				corefile_show(p, key));
		name = scheme + 3;
	}
	if (!*name)
		return corefile_fail(p, at, "a zone is empty; write a name, or '.' for every name");
	len = strlen(name);
	*port = 0;
	colon = strrchr(name, ':');
	/* The last colon of a network without a port belongs to its address: 2001:db8::/32. */
	if (colon && !strchr(colon, '/')) {
		if (!corefile_port(colon + 1, port))
			return corefile_fail(
				p, at,
				"the port of '%s' is out of range; write a number from 1 to 65535",
				corefile_show(p, key));
		len = (size_t)(colon - name);
	}
	*host = corefile_mem_strndup(p->scratch, name, len);
	return *host ? 0 : corefile_nomem(p);
}
