// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * `nodens clients`: who has asked something that the kernel did not know, and which pod that is,
 * with an agent or without.
 *
 * Contract: reads only. What is printed of an address is what the programs noted when it last
 * asked for something that was not cached.
 */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cmd/cmd.h"
#include "cmd/config.h"
#include "cmd/look.h"
#include "cmd/pinned.h"
#include "datapath/clients.h"
#include "link/pods.h"

struct clients_options {
	bool json;
	const char *bpffs, *cni_results;
};

struct listing {
	const struct clients_options *opts;
	struct pods *pods;
	uint64_t now_ns;
	size_t n;
};

/* Of the unit that nodens_client.seen counts in; it wraps after 146 years. */
#define SEEN_NS (1ull << 30)

static unsigned long long age_s(const struct listing *listing, const struct nodens_client *client)
{
	uint64_t seen_ns = client->seen * SEEN_NS;

	return seen_ns < listing->now_ns ? (listing->now_ns - seen_ns) / NSEC_PER_SEC : 0;
}

static void print_json(struct listing *listing, const struct served_addr *addr,
		       const struct nodens_client *client)
{
	char ip[INET6_ADDRSTRLEN], device[IF_NAMESIZE];
	json_t *json = json_pack("{ss sI sI}", "address", served_addr__text(addr, ip, sizeof(ip)),
				 "ifindex", (json_int_t)client->ifindex, "last_s",
				 (json_int_t)age_s(listing, client));
	struct pod_name pod;

	/* a name that is no UTF-8 is left out */
	if (if_indextoname(client->ifindex, device))
		json_object_set_new(json, "device", json_string(device));
	if (pods__find(listing->pods, addr, client->ifindex, &pod)) {
		json_object_set_new(json, "namespace", json_string(pod.ns));
		json_object_set_new(json, "pod", json_string(pod.name));
	}
	fputs(listing->n ? ",\n" : "\n", stdout);
	print_json_value(json, JSON_COMPACT);
}

static void print_text(struct listing *listing, const struct served_addr *addr,
		       const struct nodens_client *client)
{
	char ip[INET6_ADDRSTRLEN], pod[POD_TEXT];

	printf("%-40s %-8llu %s\n", served_addr__text(addr, ip, sizeof(ip)), age_s(listing, client),
	       pods__text(listing->pods, addr, client->ifindex, pod, sizeof(pod)));
}

static void on_client(void *ctx, const struct served_addr *addr, const struct nodens_client *client)
{
	struct listing *listing = ctx;

	if (listing->opts->json)
		print_json(listing, addr, client);
	else
		print_text(listing, addr, client);
	listing->n++;
}

static int list(struct pinned *pinned, struct listing *listing)
{
	int ret;

	if (listing->opts->json)
		fputs("{\"schema\":1,\"clients\":[", stdout);
	else
		printf("%-40s %-8s %s\n", "ADDRESS", "LAST(s)", "POD");
	ret = clients__each(pinned->datapath, on_client, listing);
	if (listing->opts->json)
		fputs("\n]}\n", stdout);
	if (ret)
		fprintf(stderr, "nodens clients: cannot read them: %s\n", strerror(-ret));
	return ret;
}

/* -1, or an exit status, and it has been said why. */
static int open_clients(struct pinned *pinned, const char *command, const char *bpffs)
{
	struct look look;
	int ret = look__open(&look, command, bpffs);
	bool has_maps = !ret && look.datapath;

	look__close(&look);
	if (ret)
		return ret;
	if (has_maps)
		return pinned__open(pinned, command, bpffs);
	fprintf(stderr,
		"nodens %s: the agent is without the kernel path and keeps no list of clients: "
		"`nodens top -s clients` counts them as they ask\n",
		command);
	return EXIT_FAILURE;
}

static const char about[] =
	"Prints who has asked for something that was not cached: address, seconds since the\n"
	"last time, and the pod (NAMESPACE/NAME) or, where that is not known, ADDRESS@DEVICE.";

static const struct option_row rows[] = {
	PINNED_BPFFS_ROW(offsetof(struct clients_options, bpffs)),
	PINNED_CNI_ROW(offsetof(struct clients_options, cni_results)),
	{ "json", NULL, "one JSON object: docs/schema/clients.json", .kind = &option_switch,
	  offsetof(struct clients_options, json) },
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

int cmd_clients(int argc, char **argv)
{
	struct clients_options opts = { .bpffs = NODENS_PIN_DIR,
					.cni_results = NODENS_CNI_RESULTS };
	struct listing listing = { .opts = &opts, .now_ns = clock_now() };
	struct pinned pinned;
	int ret = pinned__parse(argv[0], rows, N_ROWS, &opts, argc, argv, "", about, NULL);

	if (ret >= 0)
		return ret;
	ret = open_clients(&pinned, argv[0], opts.bpffs);
	if (ret >= 0)
		return ret;
	ret = pods__open(NULL, opts.cni_results, &listing.pods);
	if (ret)
		fprintf(stderr, "nodens clients: cannot find out pods' names: %s\n",
			strerror(-ret));
	else
		ret = list(&pinned, &listing);
	pods__close(listing.pods);
	pinned__close(&pinned);
	return ret ? EXIT_FAILURE : pinned__finish(argv[0]);
}
