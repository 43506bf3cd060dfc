/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Addresses of sockets: parsed, compared, printed.
 *
 * Contract: IPv4 and IPv6 only; what is of another family comes out as IPv4. Ports are in host
 * order but in the structs. Functions that take `const void *` take any sockaddr.
 */
#ifndef NODENS_SOCKADDR_H
#define NODENS_SOCKADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

union sockaddr_any {
	struct sockaddr_in6 v6; /* first: it is the largest, which {0} sets all of */
	struct sockaddr_in v4;
	struct sockaddr sa;
};

/* An address without a port. Text: INET6_ADDRSTRLEN bytes or more. */
struct served_addr {
	int family; /* AF_INET, AF_INET6 */
	union {
		struct in_addr v4;
		struct in6_addr v6;
	};
};

socklen_t sockaddr__len(const void *addr);
uint16_t sockaddr__port(const void *addr);
void sockaddr__set_port(union sockaddr_any *addr, uint16_t port);
/* 0.0.0.0 or :: */
bool sockaddr__is_wildcard(const void *addr);
/* Whatever port and interface are. */
bool sockaddr__same_ip(const void *a, const void *b);
/* An order of addresses, for sorting: 0 where sockaddr__same_ip(). */
int sockaddr__compare_ip(const void *a, const void *b);
/* With port, and interface of an IPv6 address. */
bool sockaddr__same(const void *a, const void *b);

/* 1 to 65535 in decimal digits and nothing else. */
bool sockaddr__parse_port(const char *text, uint16_t *out);
/* An IP address; ::ffff:a.b.c.d is IPv4. -EINVAL. */
int sockaddr__parse_ip(const char *text, uint16_t port, union sockaddr_any *out);
/* IP, IP:PORT, [IPv6] or [IPv6]:PORT. -EINVAL: no address; -ERANGE: no port. */
int sockaddr__parse(const char *text, uint16_t default_port, union sockaddr_any *out);

/* "10.0.0.10:53", "[fd00::10]:53" */
#define SOCKADDR_TEXT (INET6_ADDRSTRLEN + sizeof("[]:65535"))
/* Returns @text, of SOCKADDR_TEXT bytes or more. */
const char *sockaddr__text(const void *addr, char *text, size_t size);
/* The address alone, "10.0.0.10"; @text is INET6_ADDRSTRLEN bytes or more. */
const char *sockaddr__ip_text(const void *addr, char *text, size_t size);

/* 4 or 16, of what @v4 begins. */
size_t served_addr__len(const struct served_addr *addr);
bool served_addr__same(const struct served_addr *a, const struct served_addr *b);
/* Whose address it is: ::ffff:a.b.c.d, IPv4 at a socket of both families, is IPv4. */
struct served_addr served_addr__of(const void *addr);
/* The same of an address alone, and back: IPv4 is ::ffff:a.b.c.d. */
struct served_addr served_addr__of_ip6(const struct in6_addr *ip6);
struct in6_addr served_addr__ip6(const struct served_addr *addr);
union sockaddr_any served_addr__sockaddr(const struct served_addr *addr, uint16_t port);
const char *served_addr__text(const struct served_addr *addr, char *text, size_t size);

#endif /* NODENS_SOCKADDR_H */
