// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Zones as a Corefile writes them: keys with scheme and port, names, networks.
 * Contract: corefile_priv.h; dns/name.c and dns/reverse.c know the names themselves.
 */
#include "corefile_priv.h"
#include "dns/reverse.h"

#include <errno.h>
#include <string.h>

int corefile_zone_make(struct corefile_mem *mem, const struct dns_name *name, const char *file,
		       unsigned int line, struct corefile_zone *out)
{
	char text[DNS_NAME_TEXT];
	int len = dns_name__to_config(name, text);

	*out = (struct corefile_zone){ *name, corefile_mem_strndup(mem, text, len), file, line };
	return out->text ? 0 : -ENOMEM;
}

static int append(struct corefile_parse *p, const struct corefile_token *at,
		  const struct dns_name *name, struct corefile_zones *to)
{
	struct corefile_zone zone;

	if (p->zones_total >= COREFILE_ZONES_MAX)
		return corefile_fail(p, at, "the configuration has more than %d zones; write fewer",
				     COREFILE_ZONES_MAX);
	if (corefile_zone_make(p->cf->mem, name, at->file, at->line, &zone))
		return corefile_nomem(p);
	p->zones_total++;
	return corefile_append(p, &to->list, &to->len, &zone, sizeof(zone));
}

int corefile_zones(struct corefile_parse *p, const struct corefile_token *at, const char *text,
		   struct corefile_zones *to)
{
	struct dns_name name;
	struct reverse rev;
	const char *why;
	int err = 0;

	if (!strchr(text, '/')) {
		if (dns_name__from_config(&name, text, &why))
			return corefile_fail(p, at, "'%s' is not a zone: %s",
					     corefile_show(p, text), why);
		return append(p, at, &name, to);
	}
	if (reverse__parse(text, &rev, &why))
		return corefile_fail(p, at, "'%s' is not a network: %s", corefile_show(p, text),
				     why);
	for (unsigned int i = 0; !err && i < rev.count; i++) {
		name = reverse__name_at(&rev, i);
		err = append(p, at, &name, to);
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
		if (!sockaddr__parse_port(colon + 1, port))
			return corefile_fail(
				p, at,
				"the port of '%s' is out of range; write a number from 1 to 65535",
				corefile_show(p, key));
		len = (size_t)(colon - name);
	}
	*host = corefile_mem_strndup(p->scratch, name, len);
	return *host ? 0 : corefile_nomem(p);
}
