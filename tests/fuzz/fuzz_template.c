// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Fuzz target of templates: an expression (first line), a record (second) and a name (third). Any
 * text is refused or answers; what is said of a suffix beforehand is what an answer says below it.
 */
#include "plugin/template.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct corefile_zone root = { .name = { .len = 1 }, .text = "." };
static const struct corefile_zones zones = { (struct corefile_zone *)&root, 1 };

static void check_below(void *ctx, const struct dns_name *suffix, const struct answer *nxdomain)
{
	struct dns_name name = { .len = suffix->len + 2 };
	struct plugin_query query = { &name, DNS_TYPE_TXT, DNS_CLASS_IN, 0, NULL };
	const struct ede *ede;
	struct answer *answer = NULL;

	(void)nxdomain;
	if (suffix->len > DNS_MAX_NAME - 2)
		return;
	memcpy(name.wire, "\1x", 2);
	memcpy(name.wire + 2, suffix->wire, suffix->len);
	if (template__answer(ctx, &query, &answer, &ede) != PLUGIN_ANSWER ||
	    (answer->flags & DNS_RCODE) != DNS_NXDOMAIN)
		abort();
	answer__free(answer);
}

static bool ask(void *ctx, const struct dns_name *name, uint16_t qtype)
{
	struct plugin_query query = { name, qtype, DNS_CLASS_IN, 0, NULL };
	const struct ede *ede;
	struct answer *answer = NULL;

	template__answer(ctx, &query, &answer, &ede);
	answer__free(answer);
	return true;
}

static void run(const char *match, const char *record, const char *name_text, bool deny)
{
	struct corefile_template config = {
		.class = DNS_CLASS_IN,
		.type = deny ? DNS_TYPE_ANY : DNS_TYPE_A,
		.rcode = deny ? DNS_NXDOMAIN : DNS_NOERROR,
		.match = { &match, *match ? 1 : 0 },
		.answer = { &record, deny ? 0 : 1 },
		.fallthrough = { .on = true },
		.file = "fuzz",
	};
	struct templates *templates;
	struct dns_name name;
	struct error err;

	if (template__open(&config, 1, &zones, &templates, &err))
		return;
	if (!dns_name__from_text(&name, name_text)) {
		dns_name__lower(&name);
		ask(templates, &name, DNS_TYPE_A);
	}
	template__exact(templates, ask, templates);
	template__denied(templates,
			 &(struct plugin_preload){ .denied = check_below, .ctx = templates });
	template__close(templates);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[1024], *match = text, *record, *name;

	if (size >= sizeof(text))
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	record = strchr(match, '\n');
	if (!record)
		return 0;
	*record++ = '\0';
	name = strchr(record, '\n');
	if (!name)
		return 0;
	*name++ = '\0';
	run(match, record, name, false);
	run(match, record, name, true);
	return 0;
}
