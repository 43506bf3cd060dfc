// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The link of -setupinterface. Contract: local_link.h.
 */
#include "agent/local_link.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>

#include "base/log.h"
#include "link/dummy.h"

struct local_link {
	struct local_link_config config;
	struct dummy *dummy;
	bool broken; /* and that was logged */
	char note[512];
};

int local_link_open(const struct local_link_config *config, struct local_link **out)
{
	const struct run_options *opts = config->opts;
	struct error err = { .text = "out of memory" };
	struct local_link *link;
	int ret = -ENOMEM;

	*out = NULL;
	if (opts->setupinterface != YES || !opts->n_localip)
		return 0;
	link = calloc(1, sizeof(*link));
	if (link)
		ret = dummy__open(opts->interfacename, opts->localip, opts->n_localip, &link->dummy,
				  link->note, sizeof(link->note), &err);
	if (ret) {
		log_error("-setupinterface: %s", err.text);
		free(link);
		return ret;
	}
	link->config = *config;
	*out = link;
	return 0;
}

int local_link_keep(struct local_link *link)
{
	struct error err = { .text = "" };
	int ret = dummy__keep(link->dummy, &err);

	if (ret)
		log_error("-setupinterface: %s", err.text);
	else
		log_info("%s: the local addresses are there for the node's own processes%s%s",
			 link->config.opts->interfacename, link->note[0] ? ": " : "", link->note);
	return ret;
}

void local_link_review(struct local_link *link)
{
	const char *name = link->config.opts->interfacename;
	struct error err = { .text = "" };
	char done[512];
	int ret = dummy__review(link->dummy, done, sizeof(done), &err);

	if (ret < 0) {
		link->config.failed(link->config.ctx, !if_nametoindex(name));
		if (!link->broken)
			log_error("%s", err.text);
	} else if (ret > 0) {
		log_warn("%s was changed by another program: %s", name, done);
	} else if (link->broken) {
		log_info("%s is restored", name);
	}
	link->broken = ret < 0;
}

void local_link_close(struct local_link *link, bool remove)
{
	if (!link)
		return;
	dummy__close(link->dummy, remove);
	free(link);
}
