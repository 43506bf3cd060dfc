// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Fuzz target of hosts files: any text is read, and what is listed is answered.
 */
#include "plugin/hosts_priv.h"
#include "plugin/synth.h"

#include <stdlib.h>
#include <unistd.h>

static bool see(void *ctx, const struct dns_name *name, uint16_t qtype)
{
	struct plugin_query query = { name, qtype, DNS_CLASS_IN, 0, NULL };
	struct answer *answer = NULL;

	if (hosts__answer(ctx, &query, &answer) != PLUGIN_ANSWER || !answer)
		abort();
	answer__free(answer);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct corefile_zones zones;
	static char path[64];
	struct corefile_hosts config = { .path = path, .ttl_s = 60 };
	struct hosts *hosts = NULL;
	struct error err;
	FILE *out;

	if (!*path)
		snprintf(path, sizeof(path), "/dev/shm/fuzz-hosts-%d", (int)getpid());
	out = fopen(path, "w");
	if (!out)
		abort();
	fwrite(data, 1, size, out);
	fclose(out);
	if (hosts__open(&config, &zones, &hosts, &err))
		abort();
	hosts__each(hosts, see, hosts);
	hosts__close(hosts);
	unlink(path);
	return 0;
}
