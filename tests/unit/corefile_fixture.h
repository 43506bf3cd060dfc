/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What a Corefile may read in a test: a few files and variables, and nothing of this machine.
 */
#ifndef COREFILE_FIXTURE_H
#define COREFILE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "config/corefile.h"

#ifndef TEST_DATA /* run from the top of the tree */
#define TEST_DATA "tests/data/corefile/"
#endif

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define FORWARD	      "forward . 192.0.2.1\n"

static const struct {
	const char *path, *text;
	int err;
} files[] = {
	{ "/etc/resolv.conf",
	  "# none\nsearch a b\nnameserver 192.0.2.53\n;nameserver 192.0.2.54\n"
	  "  nameserver\t2001:db8::53 x\r\n"
	  "nameserver fe80::1%eth0\noptions ndots:5",
	  0 },
	{ "/etc/empty.conf", "search example.org\n", 0 },
	{ "/etc/many.conf", "nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\n",
	  0 },
	{ "/etc/secret.conf", "", -EACCES },
	{ "good.conf", FORWARD, 0 },
	{ "bad.conf", "\nfrobnicate\n", 0 },
	{ "open.conf", "forward . \"192.0.2.1\n", 0 },
	{ "self.conf", "import self.conf\n", 0 },
	{ "six.conf", "nameserver fe80::1%eth0\n", 0 },
};

static const char *secret; /* what secret.txt holds */

static inline int fake_read(void *ctx, const char *path, char **text, size_t *len)
{
	(void)ctx;
	if (secret && !strcmp(path, "secret.txt")) {
		*text = strdup(secret);
		*len = strlen(secret);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		if (strcmp(files[i].path, path) != 0)
			continue;
		if (files[i].err)
			return files[i].err;
		*text = strdup(files[i].text);
		*len = strlen(files[i].text);
		return 0;
	}
	return -ENOENT;
}

static const char *fake_env(void *ctx, const char *name)
{
	(void)ctx;
	if (strcmp(name, "UPSTREAM") == 0)
		return "192.0.2.7";
	if (strcmp(name, "BRACE") == 0)
		return "{";
	return strcmp(name, "ITSELF") == 0 ? "{$ITSELF}" : NULL;
}

static const struct corefile_options fake = { .read_file = fake_read, .get_env = fake_env };

static inline int load(const char *path, struct corefile **cf)
{
	char *text = NULL;
	size_t len = 0;
	int ret = corefile_host_options.read_file(NULL, path, &text, &len);

	if (!ret)
		ret = corefile__parse(&corefile_host_options, path, text, len, cf, NULL);
	free(text);
	return ret;
}

#endif /* COREFILE_FIXTURE_H */
