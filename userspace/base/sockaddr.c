// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "base/sockaddr.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>

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
	bool v6 = any->sa.sa_family == AF_INET6;
	char ip[INET6_ADDRSTRLEN];

	sockaddr__ip_text(addr, ip, sizeof(ip));
	snprintf(text, size, v6 ? "[%s]:%u" : "%s:%u", ip,
		 ntohs(v6 ? any->v6.sin6_port : any->v4.sin_port));
	return text;
}

const char *served_addr__text(const struct served_addr *addr, char *text, size_t size)
{
	return inet_ntop(addr->family, &addr->v4, text, size);
}
