// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The options that edns0 rules put on a query for upstreams. Contract: rewrite_edns0.h.
 */
#include "plugin/rewrite_edns0.h"

#include <netinet/in.h>
#include <string.h>

#define NAME_TEXT    1024
#define EDNS0_HEADER 4 /* an option's code and length */
#define SUBNET_FIXED 4 /* RFC 7871, 6: family, two lengths */

/* Octets that the option's data may have. */
static size_t data_max(const struct corefile_rewrite *rule)
{
	switch (rule->edns0_source) {
	case COREFILE_EDNS0_FIXED:
		return rule->edns0_len;
	case COREFILE_EDNS0_QNAME:
		return DNS_MAX_NAME;
	default:
		return SUBNET_FIXED + sizeof(struct in6_addr);
	}
}

size_t rewrite_edns0__max(const struct corefile_rewrite *rule)
{
	return EDNS0_HEADER + data_max(rule);
}

static uint16_t get_u16(const uint8_t *p)
{
	return p[0] << 8 | p[1];
}

/* Where the option with this code is; options_len: there is none. */
static size_t find_option(const struct rewrite_result *result, uint16_t code)
{
	size_t at = 0;

	while (at < result->options_len && get_u16(result->options + at) != code)
		at += EDNS0_HEADER + get_u16(result->options + at + 2);
	return at;
}

static void remove_option(struct rewrite_result *result, size_t at)
{
	size_t len = EDNS0_HEADER + get_u16(result->options + at + 2);

	memmove(result->options + at, result->options + at + len, result->options_len - at - len);
	result->options_len -= len;
}

static const uint8_t *ip_of(const struct sockaddr *addr, size_t *len)
{
	if (addr->sa_family == AF_INET) {
		*len = 4;
		return (const uint8_t *)&((const struct sockaddr_in *)addr)->sin_addr;
	}
	*len = 16;
	return ((const struct sockaddr_in6 *)addr)->sin6_addr.s6_addr;
}

/* The port is at one place in both. */
static size_t put_port(const struct sockaddr *addr, uint8_t *to)
{
	memcpy(to, &((const struct sockaddr_in *)addr)->sin_port, 2);
	return 2;
}

/* RFC 7871, 6: the address cut to so many bits, and no octet more. */
static size_t put_subnet(const struct corefile_rewrite *config, const struct sockaddr *addr,
			 uint8_t *to)
{
	size_t len;
	const uint8_t *ip = ip_of(addr, &len);
	unsigned int bits = config->edns0_bits[len == 16], octets = (bits + 7) / 8;

	to[0] = 0;
	to[1] = len == 4 ? 1 : 2;
	to[2] = bits;
	to[3] = 0;
	memcpy(to + SUBNET_FIXED, ip, octets);
	if (bits % 8)
		to[SUBNET_FIXED + octets - 1] &= 0xff << (8 - bits % 8);
	return SUBNET_FIXED + octets;
}

/* The option's data, at most data_max(); -1: it cannot be had, and the rule does not apply. */
static int put_data(const struct corefile_rewrite *config, const struct rewrite_result *result,
		    const struct plugin_client *client, uint8_t *to)
{
	char name[NAME_TEXT];
	size_t len = 0;
	const uint8_t *ip;

	if (config->edns0_source >= COREFILE_EDNS0_CLIENT_IP && !client)
		return -1;
	switch (config->edns0_source) {
	case COREFILE_EDNS0_FIXED:
		if (config->edns0_len)
			memcpy(to, config->edns0_data, config->edns0_len);
		return config->edns0_len;
	case COREFILE_EDNS0_QNAME:
		if (dns_name__to_text(&result->qname, name, sizeof(name)) < 0 ||
		    strlen(name) > DNS_MAX_NAME)
			return -1;
		memcpy(to, name, strlen(name));
		return strlen(name);
	case COREFILE_EDNS0_QTYPE:
		to[0] = result->qtype >> 8;
		to[1] = result->qtype & 0xff;
		return 2;
	case COREFILE_EDNS0_CLIENT_IP:
	case COREFILE_EDNS0_SERVER_IP:
		ip = ip_of(config->edns0_source == COREFILE_EDNS0_CLIENT_IP ? client->peer
									    : client->local,
			   &len);
		memcpy(to, ip, len);
		return len;
	case COREFILE_EDNS0_CLIENT_PORT:
		return put_port(client->peer, to);
	case COREFILE_EDNS0_SERVER_PORT:
		return put_port(client->local, to);
	case COREFILE_EDNS0_PROTOCOL:
		memcpy(to, client->tcp ? "tcp" : "udp", 3);
		return 3;
	case COREFILE_EDNS0_SUBNET:
		return put_subnet(config, client->peer, to);
	}
	return -1;
}

/*
 * A client's own options go no further than the agent, since its answer is for all; so what a rule
 * finds is what rules before it have put there.
 */
bool rewrite_edns0__apply(const struct corefile_rewrite *config, const struct plugin_client *client,
			  struct rewrite_result *result)
{
	size_t at = find_option(result, config->edns0_code);
	bool found = at < result->options_len;
	uint8_t *p;
	int len;

	if ((!found && (config->edns0_action == COREFILE_EDNS0_REPLACE ||
			config->edns0_action == COREFILE_EDNS0_UNSET)) ||
	    (found && config->edns0_action == COREFILE_EDNS0_APPEND))
		return false;
	if (config->edns0_action == COREFILE_EDNS0_UNSET) {
		remove_option(result, at);
		return true;
	}
	/* the new one first: without it the old one stays; there is room for both */
	p = result->options + result->options_len;
	len = put_data(config, result, client, p + EDNS0_HEADER);
	if (len < 0)
		return false;
	p[0] = config->edns0_code >> 8;
	p[1] = config->edns0_code & 0xff;
	p[2] = len >> 8;
	p[3] = len & 0xff;
	result->options_len += EDNS0_HEADER + len;
	if (found)
		remove_option(result, at);
	return true;
}
