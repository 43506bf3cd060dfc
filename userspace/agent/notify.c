// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Words to the service manager. Contract: notify.h.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/notify.h"

void notify__state(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	size_t len = path ? strlen(path) : 0;
	int fd;

	if (!len || len >= sizeof(addr.sun_path))
		return;
	memcpy(addr.sun_path, path, len);
	if (addr.sun_path[0] == '@') /* an abstract one */
		addr.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	sendto(fd, state, strlen(state), MSG_DONTWAIT | MSG_NOSIGNAL,
	       (const struct sockaddr *)&addr, offsetof(struct sockaddr_un, sun_path) + len);
	close(fd);
}

void notify__beat(uint64_t now_ns)
{
	static uint64_t next_ns;
	const char *interval = getenv("WATCHDOG_USEC");

	if (!interval || now_ns < next_ns)
		return;
	next_ns = now_ns + strtoull(interval, NULL, 10) * 1000 / 3;
	notify__state("WATCHDOG=1");
}
