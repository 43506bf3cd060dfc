// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The dnstap directive: who is told of queries, and what.
 * Contract: rows of directives.c call these with the number of arguments already checked.
 */
#include "corefile_priv.h"

#include <string.h>

/* CoreDNS' bounds. */
#define MOST_WRITE_BUFFER 1024
#define MOST_QUEUE	  4096

static int set_socket(struct corefile_parse *p, const struct corefile_token *arg,
		      struct corefile_dnstap *dnstap)
{
	const char *why;
	int err;

	if (!strcmp(arg->text, "listen"))
		return corefile_fail(p, arg,
				     "'listen' would open a port for readers, which nodens does "
				     "not; have the reader listen, and write where");
	err = corefile_value_text(p, arg, &dnstap->socket);
	if (err)
		return err;
	why = tap_endpoint__parse(dnstap->socket, &dnstap->to);
	return why ? corefile_fail(p, arg, "'%s' %s", corefile_show(p, arg->text), why) : 0;
}

int corefile_set_dnstap(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	struct corefile_dnstap new = { .queue = 1 };
	struct corefile_block *b = p->block;
	const struct corefile_token *args = stmt->args;
	int err = set_socket(p, &args[0], &new);

	if (!err && stmt->args_len > 1 && strcmp(args[1].text, "full"))
		err = corefile_fail(p, &args[1],
				    "'%s' is not known; write dnstap SOCKET "
				    "[full [WRITEBUFFER [QUEUE]]]",
				    corefile_show(p, args[1].text));
	new.full = stmt->args_len > 1;
	if (!err && stmt->args_len > 2)
		err = corefile_value_u32(p, &args[2], 1, MOST_WRITE_BUFFER, "write buffer in MiB",
					 &new.write_buffer);
	if (!err && stmt->args_len > 3)
		err = corefile_value_u32(p, &args[3], 1, MOST_QUEUE, "queue in 10,000 messages",
					 &new.queue);
	if (!err && stmt->args_len > 4)
		err = corefile_fail(p, &args[4],
				    "too many arguments; write dnstap SOCKET "
				    "[full [WRITEBUFFER [QUEUE]]]");
	return err ? err : corefile_append(p, &b->dnstaps, &b->dnstaps_len, &new, sizeof(new));
}

static struct corefile_dnstap *last(const struct corefile_parse *p)
{
	return &p->block->dnstaps[p->block->dnstaps_len - 1];
}

int corefile_set_dnstap_identity(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	return corefile_value_text(p, &stmt->args[0], &last(p)->identity);
}

int corefile_set_dnstap_version(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	return corefile_value_text(p, &stmt->args[0], &last(p)->version);
}

int corefile_set_dnstap_extra(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	return corefile_value_text(p, &stmt->args[0], &last(p)->extra);
}
