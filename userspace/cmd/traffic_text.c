// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What is read of traffic: names and their keys, clients, upstreams, errors. Contract: traffic.h.
 */
#include <arpa/inet.h>
#include <math.h>
#include <string.h>

#include "link/pods.h"
#include "traffic_priv.h"

void traffic_key__set(struct traffic_key *key, const struct dns_name *name, uint16_t qtype)
{
	struct dns_name lower = *name;

	dns_name__lower(&lower);
	key->octets[0] = qtype >> 8;
	key->octets[1] = qtype & 0xff;
	memcpy(key->octets + 2, lower.wire, lower.len);
	key->len = 2 + lower.len;
}

uint16_t traffic__name_text(const struct heavy_item *item, char text[DNS_NAME_TEXT])
{
	struct dns_name name = { .len = item->len - 2 };

	memcpy(name.wire, item->key + 2, name.len);
	if (dns_name__to_text(&name, text, DNS_NAME_TEXT) < 0)
		strcpy(text, "?");
	return item->key[0] << 8 | item->key[1];
}

const char *traffic__client_text(struct traffic *traffic, const struct traffic_client *client,
				 char text[DNS_NAME_TEXT])
{
	struct served_addr addr = served_addr__of_ip6(&client->addr);

	if (!work_of(traffic)->pods)
		return served_addr__text(&addr, text, INET6_ADDRSTRLEN);
	return pods__text(work_of(traffic)->pods, &addr, (int)client->ifindex, text, DNS_NAME_TEXT);
}

bool traffic_is_client(struct traffic *traffic, const struct traffic_client *client,
		       const char *text)
{
	struct served_addr addr = served_addr__of_ip6(&client->addr);
	char own[DNS_NAME_TEXT];

	return !strcmp(served_addr__text(&addr, own, INET6_ADDRSTRLEN), text) ||
	       !strcmp(traffic__client_text(traffic, client, own), text);
}

const struct traffic_who *traffic__top_client(const struct traffic_name *name, double *share)
{
	const struct traffic_who *top = &name->who[0];

	for (int i = 1; i < TRAFFIC_WHO; i++) {
		if (name->who[i].n - name->who[i].error > top->n - top->error)
			top = &name->who[i];
	}
	if (!name->asked || top->n == top->error)
		return NULL;
	*share = (double)(top->n - top->error) / (double)name->asked;
	return top;
}

double traffic__deviation(const struct tally *tally, enum traffic_list list,
			  const struct heavy_item *item)
{
	const struct traffic_name *name = item->extra;
	double n = (double)(item->n - item->error), by_slot = 0, variance;

	if (list == TRAFFIC_SLOW || list == TRAFFIC_TIMEOUTS)
		return 0;
	if (list != TRAFFIC_CLIENTS)
		by_slot = (double)name->sampled;
	/* of so many hits one is drawn; of the others' queries one in one_in */
	variance = by_slot * (NODENS_HITS_DRAWN - 1);
	if (tally->one_in > 1 && n > by_slot)
		variance += (n - by_slot) * (tally->one_in - 1);
	return 2 * sqrt(variance);
}

const struct traffic_upstream *traffic__upstream(const struct traffic *traffic, uint16_t number)
{
	if (!number || number > traffic->n_upstreams ||
	    traffic->upstreams[number - 1].row.state == PUBLISH_NO_UPSTREAM)
		return NULL;
	return &traffic->upstreams[number - 1];
}
