// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Addresses of sockets. Contract: sockaddr.h.
 */
#include "base/sockaddr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

socklen_t sockaddr__len(const void *addr)
{
	const union sockaddr_any *any = addr;

	return any->sa.sa_family == AF_INET6 ? sizeof(any->v6) : sizeof(any->v4);
}

uint16_t sockaddr__port(const void *addr)
{
	const union sockaddr_any *any = addr;

	return ntohs(any->sa.sa_family == AF_INET6 ? any->v6.sin6_port : any->v4.sin_port);
}

void sockaddr__set_port(union sockaddr_any *addr, uint16_t port)
{
	if (addr->sa.sa_family == AF_INET6)
		addr->v6.sin6_port = htons(port);
	else
		addr->v4.sin_port = htons(port);
}

bool sockaddr__is_wildcard(const void *addr)
{
	const union sockaddr_any *any = addr;

	return any->sa.sa_family == AF_INET6 ? IN6_IS_ADDR_UNSPECIFIED(&any->v6.sin6_addr)
					     : any->v4.sin_addr.s_addr == htonl(INADDR_ANY);
}

int sockaddr__compare_ip(const void *a, const void *b)
{
	const union sockaddr_any *x = a, *y = b;

	if (x->sa.sa_family != y->sa.sa_family)
		return x->sa.sa_family < y->sa.sa_family ? -1 : 1;
	if (x->sa.sa_family == AF_INET6)
		return memcmp(&x->v6.sin6_addr, &y->v6.sin6_addr, sizeof(x->v6.sin6_addr));
	return memcmp(&x->v4.sin_addr, &y->v4.sin_addr, sizeof(x->v4.sin_addr));
}

bool sockaddr__same_ip(const void *a, const void *b)
{
	return sockaddr__compare_ip(a, b) == 0;
}

bool sockaddr__same(const void *a, const void *b)
{
	const union sockaddr_any *x = a, *y = b;

	return sockaddr__same_ip(a, b) && sockaddr__port(a) == sockaddr__port(b) &&
	       (x->sa.sa_family != AF_INET6 || x->v6.sin6_scope_id == y->v6.sin6_scope_id);
}

bool sockaddr__parse_port(const char *text, uint16_t *out)
{
	unsigned int n = 0;

	for (; *text >= '0' && *text <= '9' && n <= UINT16_MAX; text++)
		n = n * 10 + *text - '0';
	if (*text || !n || n > UINT16_MAX)
		return false;
	*out = n;
	return true;
}

int sockaddr__parse_ip(const char *text, uint16_t port, union sockaddr_any *out)
{
	union sockaddr_any addr = { 0 };
	struct in6_addr ip;

	if (inet_pton(AF_INET, text, &addr.v4.sin_addr) == 1) {
		addr.sa.sa_family = AF_INET;
	} else if (inet_pton(AF_INET6, text, &ip) != 1) {
		return -EINVAL;
	} else if (IN6_IS_ADDR_V4MAPPED(&ip)) {
		/* An IPv4 address to Go, and no use on an IPv6 socket that is IPv6 only. */
		addr.sa.sa_family = AF_INET;
		memcpy(&addr.v4.sin_addr, ip.s6_addr + 12, 4);
	} else {
		addr.sa.sa_family = AF_INET6;
		addr.v6.sin6_addr = ip;
	}
	sockaddr__set_port(&addr, port);
	*out = addr;
	return 0;
}

int sockaddr__parse(const char *text, uint16_t default_port, union sockaddr_any *out)
{
	const char *start = text, *end, *rest;
	uint16_t port = default_port;
	char host[INET6_ADDRSTRLEN];
	union sockaddr_any addr;

	if (sockaddr__parse_ip(text, default_port, out) == 0)
		return 0;
	if (*text == '[') {
		start = text + 1;
		end = strchr(start, ']');
		rest = end ? end + 1 : NULL;
	} else {
		end = strrchr(text, ':');
		rest = end;
	}
	if (!end || (size_t)(end - start) >= sizeof(host))
		return -EINVAL;
	memcpy(host, start, (size_t)(end - start));
	host[end - start] = '\0';
	/* Brackets are for IPv6 and needed there: without them, which colon starts the port? */
	if ((*text == '[') != (strchr(host, ':') != NULL) || sockaddr__parse_ip(host, 0, &addr))
		return -EINVAL;
	if (*rest && *rest != ':')
		return -EINVAL;
	if (*rest && !sockaddr__parse_port(rest + 1, &port))
		return -ERANGE;
	sockaddr__set_port(&addr, port);
	*out = addr;
	return 0;
}

const char *sockaddr__ip_text(const void *addr, char *text, size_t size)
{
	const union sockaddr_any *any = addr;

	if (any->sa.sa_family == AF_INET6)
		return inet_ntop(AF_INET6, &any->v6.sin6_addr, text, size);
	return inet_ntop(AF_INET, &any->v4.sin_addr, text, size);
}

const char *sockaddr__text(const void *addr, char *text, size_t size)
{
	const union sockaddr_any *any = addr;
	char ip[INET6_ADDRSTRLEN];

	sockaddr__ip_text(addr, ip, sizeof(ip));
	snprintf(text, size, any->sa.sa_family == AF_INET6 ? "[%s]:%u" : "%s:%u", ip,
		 sockaddr__port(addr));
	return text;
}

size_t served_addr__len(const struct served_addr *addr)
{
	return addr->family == AF_INET6 ? sizeof(addr->v6) : sizeof(addr->v4);
}

bool served_addr__same(const struct served_addr *a, const struct served_addr *b)
{
	if (a->family != b->family)
		return false;
	return a->family == AF_INET6 ? IN6_ARE_ADDR_EQUAL(&a->v6, &b->v6)
				     : a->v4.s_addr == b->v4.s_addr;
}

struct served_addr served_addr__of_ip6(const struct in6_addr *ip6)
{
	struct served_addr out = { .family = AF_INET6 };

	if (IN6_IS_ADDR_V4MAPPED(ip6)) {
		out.family = AF_INET;
		memcpy(&out.v4, &ip6->s6_addr[12], sizeof(out.v4));
	} else {
		out.v6 = *ip6;
	}
	return out;
}

struct in6_addr served_addr__ip6(const struct served_addr *addr)
{
	struct in6_addr out = { .s6_addr = { [10] = 0xff, [11] = 0xff } };

	if (addr->family == AF_INET6)
		return addr->v6;
	memcpy(&out.s6_addr[12], &addr->v4, sizeof(addr->v4));
	return out;
}

struct served_addr served_addr__of(const void *addr)
{
	const union sockaddr_any *any = addr;

	if (any->sa.sa_family == AF_INET6)
		return served_addr__of_ip6(&any->v6.sin6_addr);
	return (struct served_addr){ .family = any->sa.sa_family, .v4 = any->v4.sin_addr };
}

union sockaddr_any served_addr__sockaddr(const struct served_addr *addr, uint16_t port)
{
	union sockaddr_any out = { 0 };

	out.sa.sa_family = addr->family;
	if (addr->family == AF_INET6)
		out.v6.sin6_addr = addr->v6;
	else
		out.v4.sin_addr = addr->v4;
	sockaddr__set_port(&out, port);
	return out;
}

const char *served_addr__text(const struct served_addr *addr, char *text, size_t size)
{
	return inet_ntop(addr->family, &addr->v4, text, size);
}
