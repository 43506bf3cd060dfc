/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Names to addresses, one a line, by the resolver of the C library that this is linked with.
 *
 * Usage: lookup NAME [4|6]. Exit status 1 and the library's words where there is no address.
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_family = AF_INET }, *list, *ai;
	char text[INET6_ADDRSTRLEN];
	int err;

	if (argc > 2 && argv[2][0] == '6')
		hints.ai_family = AF_INET6;
	err = argc > 1 ? getaddrinfo(argv[1], NULL, &hints, &list) : EAI_NONAME;
	if (err) {
		fprintf(stderr, "%s\n", gai_strerror(err));
		return 1;
	}
	for (ai = list; ai; ai = ai->ai_next) {
		const void *at = &((struct sockaddr_in *)ai->ai_addr)->sin_addr;

		if (ai->ai_family == AF_INET6)
			at = &((struct sockaddr_in6 *)ai->ai_addr)->sin6_addr;
		puts(inet_ntop(ai->ai_family, at, text, sizeof(text)));
	}
	freeaddrinfo(list);
	return 0;
}
