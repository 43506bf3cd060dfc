/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Addresses of sockets.
 *
 * Contract: IPv4 and IPv6 only; what is of another family comes out as IPv4.
 */
#ifndef NODENS_SOCKADDR_H
#define NODENS_SOCKADDR_H

#include <netinet/in.h>

union sockaddr_any {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* An address without a port. Text: INET6_ADDRSTRLEN bytes or more. */
struct served_addr {
	int family; /* AF_INET, AF_INET6 */
	union {
		struct in_addr v4;
		struct in6_addr v6;
	};
};

/* "10.0.0.10:53", "[fd00::10]:53" */
#define SOCKADDR_TEXT (INET6_ADDRSTRLEN + sizeof("[]:65535"))
/* @addr: any sockaddr of IPv4 or IPv6. Returns @text, of SOCKADDR_TEXT bytes or more. */
const char *sockaddr__text(const void *addr, char *text, size_t size);
/* The address alone, "10.0.0.10"; @text is INET6_ADDRSTRLEN bytes or more. */
const char *sockaddr__ip_text(const void *addr, char *text, size_t size);

const char *served_addr__text(const struct served_addr *addr, char *text, size_t size);

#endif /* NODENS_SOCKADDR_H */
