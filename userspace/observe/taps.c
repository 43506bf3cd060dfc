// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The dnstap plugin. Contract: taps.h.
 */
#include "observe/taps.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/version.h"
#include "dnstap/tap.h"
#include "observe/querylog.h"

#define QUEUE	  10000 /* messages, as CoreDNS has them, for each unit of the directive's queue */
#define EXTRA_MAX 1024
#define MIB	  (1 << 20)
/* What of its flags a reply has of the query. */
#define KEPT_FLAGS (DNS_OPCODE | DNS_RD | DNS_CD)

/* A line of the configuration. */
struct line {
	const struct taps *owner;
	const struct corefile_dnstap *config;
	size_t block;
	struct tap *tap;
	struct querylog *extra; /* NULL: none */
};

struct taps {
	struct taps_config config;
	char identity[65], version[64];
	size_t n;
	struct line lines[];
};

/* ---- open and close ---- */

static void on_changed(void *ctx, int error)
{
	const struct line *line = ctx;
	const struct taps_config *config = &line->owner->config;
	char to[TAP_ENDPOINT_TEXT];

	tap_endpoint__text(&line->config->to, to, sizeof(to));
	config->changed(config->ctx, to, error);
}

static int open_line(struct line *line)
{
	const struct taps_config *config = &line->owner->config;
	struct corefile_log extra = { .format = line->config->extra, .classes = COREFILE_LOG_ALL };
	struct tap_config tap = {
		.loop = config->loop,
		.to = line->config->to,
		.queue = line->config->queue * QUEUE,
		.send_buffer = line->config->write_buffer * MIB,
		.lost = config->lost,
		.changed = on_changed,
		.ctx = line,
	};
	int ret = extra.format ? querylog__open(&extra, 1, &line->extra) : 0;

	return ret ? ret : tap__open(&tap, &line->tap);
}

static size_t count_lines(const struct corefile *cf)
{
	size_t n = 0;

	for (size_t i = 0; i < cf->blocks_len; i++)
		n += cf->blocks[i].dnstaps_len;
	return n;
}

static int open_lines(struct taps *taps)
{
	const struct corefile *cf = taps->config.cf;
	int ret = 0;

	for (size_t i = 0; i < cf->blocks_len; i++) {
		for (size_t k = 0; !ret && k < cf->blocks[i].dnstaps_len; k++) {
			struct line *line = &taps->lines[taps->n++];

			line->owner = taps;
			line->config = &cf->blocks[i].dnstaps[k];
			line->block = i;
			ret = open_line(line);
		}
	}
	return ret;
}

int taps__open(const struct taps_config *config, struct taps **out)
{
	size_t n = count_lines(config->cf);
	struct taps *taps = NULL;
	int ret = 0;

	if (n) {
		taps = calloc(1, sizeof(*taps) + n * sizeof(taps->lines[0]));
		if (!taps)
			return -ENOMEM;
		taps->config = *config;
		gethostname(taps->identity, sizeof(taps->identity) - 1);
		snprintf(taps->version, sizeof(taps->version), "nodens-%s", version__number);
		ret = open_lines(taps);
	}
	if (ret)
		taps__close(taps);
	else
		*out = taps;
	return ret;
}

void taps__close(struct taps *taps)
{
	for (size_t i = 0; taps && i < taps->n; i++) {
		tap__close(taps->lines[i].tap);
		querylog__close(taps->lines[i].extra);
	}
	free(taps);
}

/* ---- messages ---- */

/* What a line has in each of its messages; @about: of what extra speaks. */
static void put_own(const struct line *line, const struct querylog_event *about,
		    struct tap_message *message, char extra[EXTRA_MAX])
{
	const struct querylog_rule *rule = querylog__rule(line->extra, about);
	const struct corefile_dnstap *config = line->config;

	message->identity = config->identity ? config->identity : line->owner->identity;
	message->version = config->version ? config->version : line->owner->version;
	extra[0] = '\0';
	if (rule)
		querylog__line(rule, about, extra, EXTRA_MAX);
	message->extra = extra;
}

static void send_one(const struct line *line, struct tap_message message, enum tap_type type,
		     const uint8_t *msg, size_t len)
{
	message.type = type;
	message.msg = line->config->full ? msg : NULL;
	message.len = len;
	if (type == TAP_CLIENT_QUERY || type == TAP_FORWARDER_QUERY)
		message.response_ns = 0;
	tap__send(line->tap, &message);
}

static void tell_client(const struct line *line, const struct taps_client *client, int64_t epoch_ns)
{
	struct tap_message message = {
		.proto = client->client->tcp ? TAP_TCP : TAP_UDP,
		.querier = &client->client->peer,
		.responder = &client->client->local,
		.query_ns = client->query_ns + epoch_ns,
		.response_ns = client->reply_ns + epoch_ns,
	};
	struct querylog_event about = {
		.query = client->query,
		.hit = client->hit,
		.peer = &client->client->peer.sa,
		.local = &client->client->local.sa,
		.tcp = client->client->tcp,
		.request_size = client->client->query_size,
		.reply = client->reply,
		.reply_size = client->size,
		.rcode = client->rcode,
		.duration_ns = client->reply_ns - client->query_ns,
	};
	struct dns_query query = *client->query;
	uint8_t asked[DNS_MIN_UDP];
	char extra[EXTRA_MAX];

	put_own(line, &about, &message, extra);
	if (query.flags & DNS_QR)
		query.flags &= KEPT_FLAGS;
	send_one(line, message, TAP_CLIENT_QUERY, asked, dns_query__rebuild(&query, asked));
	if (client->reply)
		send_one(line, message, TAP_CLIENT_RESPONSE, client->whole ? client->reply : NULL,
			 client->size);
}

void taps__client(const struct taps *taps, size_t block, const struct taps_client *client)
{
	int64_t epoch_ns = taps ? clock_epoch() : 0;

	for (size_t i = 0; taps && i < taps->n; i++) {
		if (taps->lines[i].block == block)
			tell_client(&taps->lines[i], client, epoch_ns);
	}
}

static void tell_exchanged(const struct line *line, const struct upstream_exchanged *exchanged,
			   int64_t epoch_ns)
{
	struct tap_message message = {
		.proto = exchanged->tls	  ? TAP_TLS
			 : exchanged->tcp ? TAP_TCP
					  : TAP_UDP,
		.querier = exchanged->from,
		.responder = exchanged->to,
		.query_ns = exchanged->sent_ns + epoch_ns,
		.response_ns = exchanged->reply_ns + epoch_ns,
	};
	struct dns_query query = {
		.id = exchanged->query[0] << 8 | exchanged->query[1],
		.qname = exchanged->exchange->qname,
		.qtype = exchanged->exchange->qtype,
		.qclass = DNS_CLASS_IN,
	};
	struct querylog_event about = {
		.query = &query,
		.tcp = exchanged->tcp,
		.request_size = exchanged->query_len,
		.reply = exchanged->reply,
		.reply_size = exchanged->reply_len,
		.rcode = exchanged->reply ? exchanged->reply[3] & DNS_RCODE : 0,
		.duration_ns = exchanged->reply_ns - exchanged->sent_ns,
	};
	char extra[EXTRA_MAX];

	put_own(line, &about, &message, extra);
	send_one(line, message, TAP_FORWARDER_QUERY, exchanged->query, exchanged->query_len);
	if (exchanged->reply)
		send_one(line, message, TAP_FORWARDER_RESPONSE, exchanged->reply,
			 exchanged->reply_len);
}

bool taps__exchanged(const struct taps *taps, const struct upstream_exchanged *exchanged)
{
	int64_t epoch_ns = taps ? clock_epoch() : 0;
	bool ours = false;

	for (size_t i = 0; taps && i < taps->n; i++) {
		const struct line *line = &taps->lines[i];
		const struct corefile_block *block = &taps->config.cf->blocks[line->block];

		if (exchanged->forward < block->forwards ||
		    exchanged->forward >= block->forwards + block->forwards_len)
			continue;
		ours = true;
		tell_exchanged(line, exchanged, epoch_ns);
	}
	return ours;
}
