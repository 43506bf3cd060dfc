/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The agent's counters: one list yields the enum, the names in `nodens stats`
 * and the metrics.
 *
 * Contract: they live in a BPF array map, pinned as AGENT_STATS_MAP beside the
 * store's maps (PIN_DIR/layout-N/): AGENT_STAT_COUNT entries, key u32 = the
 * enum's value, value one u64. Only the agent writes. With mmapable arrays it
 * writes the map itself; else it copies its counters there with each heartbeat
 * and at its end. The map is a new one, all zero, each time an agent starts; it stays
 * readable after an agent that was killed.
 */
#ifndef NODENS_AGENT_STATS_H
#define NODENS_AGENT_STATS_H

#include <stdint.h>

#define AGENT_STATS_MAP "nodens_agent"

/* X(id, name, help); a GAUGE may also go down. */
#define AGENT_STATS(X)                                                                            \
	X(QUERIES, "queries", "queries received, all transports")                                 \
	X(QUERIES_TCP, "queries_tcp", "of them over TCP")                                         \
	X(CACHE_HITS, "cache_hits", "queries that the agent answered from the store")             \
	X(CACHE_STORED, "cache_stored", "answers put into the store")                             \
	X(COALESCED, "coalesced", "queries that joined an exchange already under way")            \
	X(EXCHANGES, "upstream_exchanges", "questions put to upstreams for clients")              \
	X(RELOADS, "reloads", "reloads that put a new configuration to work")                     \
	X(RELOADS_FAILED, "reloads_failed", "reloads refused: the new configuration is wrong")    \
	X(REFRESHES, "refreshes", "answers renewed before or after they expired")                 \
	X(NX_BELOW, "cuts", "NXDOMAINs stored that cover all names below theirs")                 \
	X(NX_PROBES, "cut_probes",                                                                \
	  "queries that ask whether an NXDOMAIN may cover the names below it")                    \
	X(UPSTREAM_UDP, "upstream_udp", "queries sent over UDP, repetitions included")            \
	X(UPSTREAM_TCP, "upstream_tcp", "queries sent over TCP")                                  \
	X(UPSTREAM_RESENT, "upstream_resent",                                                     \
	  "queries sent once more before the first had"                                           \
	  " timed out")                                                                           \
	X(UPSTREAM_PROBES, "upstream_probes", "health probes sent")                               \
	X(UPSTREAM_TIMEOUTS, "upstream_timeouts",                                                 \
	  "queries and probes that an upstream did not answer in time")                           \
	X(UPSTREAM_ERRORS, "upstream_errors", "network errors and malformed answers")             \
	X(UPSTREAM_MISMATCHES, "upstream_mismatches",                                             \
	  "upstreams' messages dropped: they did not"                                             \
	  " answer the question")                                                                 \
	X(UPSTREAM_TRUNCATED, "upstream_truncated", "answers with TC=1, asked again over TCP")    \
	X(HEALTHCHECK_BROKEN, "healthcheck_broken",                                               \
	  "queries sent to an upstream although all"                                              \
	  " upstreams are down")                                                                  \
	X(MAX_CONCURRENT, "max_concurrent_rejects",                                               \
	  "queries turned away because"                                                           \
	  " max_concurrent were under way")                                                       \
	X(SERVFAIL, "servfail", "answered SERVFAIL: no upstream answered")                        \
	X(QUERIES_DROPPED, "queries_dropped", "queries left without a reply, as acl says")        \
	X(REFUSED, "refused",                                                                     \
	  "answered REFUSED: no block for the name, acl, or too many in flight")                  \
	X(FORMERR, "formerr",                                                                     \
	  "malformed or unsupported queries: answered FORMERR, NOTIMP or BADVERS")                \
	X(SILENT, "silent", "not answered: too short, or a response")                             \
	X(SHED, "shed", "queries turned away: too many were waiting")                             \
	X(CLIENT_FULL, "client_full",                                                             \
	  "queries turned away: their client had its"                                             \
	  " share of those that wait")                                                            \
	X(REPLY_DROPS, "reply_drops",                                                             \
	  "replies dropped: the socket or the client did not take them")                          \
	X(RECEIVE_DROPS, "receive_drops", "UDP packets dropped: receive queue full, checksum")    \
	X(LOG_DROPPED, "log_dropped", "log lines dropped: nobody read them in time")              \
	X(LOG_HITS_LOST, "log_hits_lost",                                                         \
	  "answers from the kernel that are in neither query log nor dnstap: they came too fast") \
	X(DNSTAP_LOST, "dnstap_lost", "messages of dnstap that no reader took in time")           \
	X(DEVICES_LOST, "devices_lost",                                                           \
	  "programs that somebody took off a device, or came before; attached again")             \
	X(TCP_CONNECTIONS, "tcp_connections", "TCP connections accepted")                         \
	X(TCP_REJECTED, "tcp_rejected", "TCP connections closed at once: too many")               \
	X(TCP_EVICTED, "tcp_evicted", "TCP connections closed to make room for others")

#define AGENT_GAUGES(X)                                                                   \
	X(IN_FLIGHT, "in_flight", "exchanges with upstreams under way")                   \
	X(WAITING, "waiting", "queries that wait for an upstream's answer")               \
	X(TCP_OPEN, "tcp_open", "open TCP connections of clients")                        \
	X(DEVICES, "devices", "network devices attached to")                              \
	X(DEVICES_WANTED, "devices_wanted", "network devices that should be attached to") \
	X(UPSTREAMS_DOWN, "upstreams_down", "upstreams that do not answer")               \
	X(SERIES_LACKING, "series_lacking",                                               \
	  "zones whose answers from the kernel count as those of others")

enum agent_stat {
#define X(id, name, help) AGENT_STAT_##id,
	AGENT_STATS(X) AGENT_GAUGES(X)
#undef X
		AGENT_STAT_COUNT
};

#define AGENT_FIRST_GAUGE AGENT_STAT_IN_FLIGHT

struct agent_stats {
	uint64_t v[AGENT_STAT_COUNT];
};

#endif /* NODENS_AGENT_STATS_H */
