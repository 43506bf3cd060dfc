// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The session of the plugins log and dnstap. Contract: hit_log.h.
 *
 * The ring is read at short intervals, not when it has something: at 50 reads a second a hit wakes
 * nobody, and the ring has room for what 400,000 hits a second bring meanwhile.
 */
#include "agent/hit_log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "watch/event.h"

#define READ_NS	   (20 * NSEC_PER_MS)
#define READ_MAX   512 /* at once: others are waiting for the loop */
#define TELL_NS	   (60 * NSEC_PER_SEC)
#define REPLY_MAX  4096 /* the largest bufsize */
#define UDP_HEADER 8

struct hit_log {
	struct hit_log_config config;
	bool wanted;
	struct nodens_filter filter;
	struct session *session;
	int refused;	  /* -errno of the last attempt, which has been said */
	uint64_t lost;	  /* of this session, as counted */
	uint64_t untold;  /* lost, and not said yet */
	uint64_t told_ns; /* 0: never */
	struct loop_timer timer;
	uint8_t reply[REPLY_MAX];
};

/* ---- hits ---- */

/* Its OPT; a reply that was not captured whole had one, for it is long. */
static void read_edns(const struct hit *hit, size_t captured, struct dns_query *query)
{
	unsigned int n = (hit->reply[6] << 8 | hit->reply[7]) +
			 (hit->reply[8] << 8 | hit->reply[9]) +
			 (hit->reply[10] << 8 | hit->reply[11]);
	struct dns_cursor cur;
	struct dns_rr rr;

	query->edns = captured < hit->size;
	if (query->edns || !(hit->reply[10] | hit->reply[11]))
		return;
	dns_cursor__records(&cur, hit->reply, hit->size);
	while (n-- && !cur.error) {
		dns_cursor__rr(&cur, &rr);
		if (cur.error || rr.type != DNS_TYPE_OPT)
			continue;
		query->edns = true;
		query->edns_do = rr.ttl_s & 0x8000;
	}
}

/* The message, @captured bytes of it; false: it is none. */
static bool find_reply(struct hit_log *log, const struct nodens_event *raw, struct hit *hit,
		       size_t *captured)
{
	size_t at = raw->l4 + UDP_HEADER;

	if (raw->captured < at + DNS_HEADER || raw->captured > raw->packet_len ||
	    raw->packet_len - at > REPLY_MAX)
		return false;
	*captured = raw->captured - at;
	hit->whole = raw->captured == raw->packet_len;
	hit->size = raw->packet_len - at;
	hit->reply = raw->packet + at;
	if (*captured == hit->size)
		return true;
	memcpy(log->reply, hit->reply, *captured);
	memset(log->reply + *captured, 0, hit->size - *captured);
	hit->reply = log->reply;
	return true;
}

static void on_event(void *ctx, const struct nodens_event *raw)
{
	struct hit_log *log = ctx;
	struct hit hit = { .ifindex = raw->ifindex, .time_ns = raw->time_ns };
	struct watch_event event;
	size_t captured;

	event__decode(raw, &event);
	if (!event.has_client || !event.has_question || !find_reply(log, raw, &hit, &captured))
		return;
	hit.client.peer = served_addr__sockaddr(&event.client, event.client_port);
	hit.client.local = served_addr__sockaddr(&event.server, event.server_port);
	hit.query.id = event.id;
	hit.query.flags = hit.reply[2] << 8 | hit.reply[3];
	hit.query.qname = event.qname;
	hit.query.qtype = event.qtype;
	hit.query.qclass = DNS_CLASS_IN; /* programs answer nothing else */
	read_edns(&hit, captured, &hit.query);
	if (!hit.query.edns)
		hit.client.query_size = DNS_HEADER + event.qname.len + 4;
	log->config.hit(log->config.ctx, &hit);
}

static void on_timer(void *ctx, uint64_t now)
{
	struct hit_log *log = ctx;
	int n = session__read(log->session, READ_MAX);

	(void)now;
	loop_timer__set(&log->timer, n == READ_MAX ? 0 : READ_NS);
}

/* ---- what is lost ---- */

static void count_lost(struct hit_log *log)
{
	struct nodens_seen seen;

	if (!log->session || session__seen(log->session, &seen) || seen.lost <= log->lost)
		return;
	log->config.stats->v[AGENT_STAT_LOG_HITS_LOST] += seen.lost - log->lost;
	log->untold += seen.lost - log->lost;
	log->lost = seen.lost;
}

static void tell_lost(struct hit_log *log, uint64_t now)
{
	if (!log->untold || (log->told_ns && now - log->told_ns < TELL_NS))
		return;
	log_warn("log, dnstap: %llu answers from the kernel are not in the log: they came faster "
		 "than lines or messages are made. Log fewer: `log ZONE`, or `class denial error`",
		 (unsigned long long)log->untold);
	log->untold = 0;
	log->told_ns = now;
}

/* ---- the session ---- */

static void end(struct hit_log *log)
{
	if (!log->session)
		return;
	loop_timer__stop(&log->timer);
	/* what its ring can hold: those who ask go on, and this is the loop of all of them */
	session__read(log->session, NODENS_RING_BYTES / NODENS_EVENT_SMALL);
	count_lost(log);
	session__close(log->session);
	log->session = NULL;
	log->config.session(log->config.ctx, NULL);
}

static void begin(struct hit_log *log)
{
	struct error err = { .text = "" };
	int ret = session__open(log->config.datapath, &log->filter, on_event, log, &log->session,
				&err);

	if (ret) {
		log->session = NULL;
		if (ret != log->refused)
			log_warn("log, dnstap: what the kernel answers is not logged: %s",
				 err.text);
		log->refused = ret;
		return;
	}
	log->refused = 0;
	log->lost = 0;
	log->config.session(log->config.ctx, log->session);
	loop_timer__set(&log->timer, READ_NS);
}

/* The hits that some block's log or dnstap is for, or more. False: there is neither. */
static bool filter_for(const struct corefile *cf, struct nodens_filter *filter)
{
	const struct corefile_zone *zone = NULL;
	unsigned int classes = 0;
	size_t zones = 0;

	*filter = session__any();
	filter->kinds = 1u << NODENS_EVENT_ANSWERED;
	filter->snap = NODENS_MAX_SNAP;
	for (size_t i = 0; i < cf->blocks_len; i++) {
		const struct corefile_block *block = &cf->blocks[i];

		if (!block->logs_len && !block->dnstaps_len)
			continue;
		zone = &block->zones[0];
		zones += block->zones_len;
		if (block->dnstaps_len)
			classes |= COREFILE_LOG_ALL;
		for (size_t k = 0; k < block->logs_len; k++)
			classes |= block->logs[k].classes;
	}
	if (classes == COREFILE_LOG_ERROR)
		filter->rcodes &= ~(1u << DNS_NOERROR);
	if (zones == 1 && zone->name.len <= NODENS_SUFFIX_MAX) {
		filter->suffix_len = zone->name.len;
		memcpy(filter->suffix, zone->name.wire, zone->name.len);
	}
	return zones;
}

void hit_log_configure(struct hit_log *log, const struct corefile *cf)
{
	struct nodens_filter filter;

	if (!log)
		return;
	log->wanted = filter_for(cf, &filter);
	if (log->session && log->wanted && !memcmp(&filter, &log->filter, sizeof(filter)))
		return;
	end(log);
	log->filter = filter;
	if (log->wanted)
		begin(log);
}

void hit_log_beat(struct hit_log *log)
{
	if (!log || !log->session || session__renew(log->session))
		return;
	/* the agent was stopped for too long, and others have its place */
	end(log);
	begin(log);
}

void hit_log_second(struct hit_log *log, uint64_t now)
{
	if (!log)
		return;
	if (log->wanted && !log->session)
		begin(log);
	count_lost(log);
	tell_lost(log, now);
}

int hit_log_open(const struct hit_log_config *config, struct hit_log **out)
{
	struct hit_log *log = calloc(1, sizeof(*log));

	if (!log)
		return -ENOMEM;
	log->config = *config;
	loop_timer__init(&log->timer, config->loop, on_timer, log);
	*out = log;
	return 0;
}

void hit_log_close(struct hit_log *log)
{
	if (!log)
		return;
	end(log);
	free(log);
}
