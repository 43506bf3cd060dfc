// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Single queries, by two sessions: all that come, or one in so many; and what the agent has done.
 * Contract: traffic.h.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "base/clock.h"
#include "base/secret_hash.h"
#include "dns/msg.h"
#include "traffic_priv.h"
#include "watch/event.h"

/* All headers, the longest name, its type and class: larger packets are cut there. */
#define SNAP (14 + 8 + 40 + 8 + DNS_HEADER + DNS_MAX_NAME + 4)

/* Those that are queries, and for the programs or the agent to answer. */
#define QUERIES                                                                         \
	(1ull << NODENS_CTR_HIT | 1ull << NODENS_CTR_HIT_TC | 1ull << NODENS_CTR_MISS | \
	 1ull << NODENS_CTR_AGENT_EDNS | 1ull << NODENS_CTR_AGENT_ECS | STEER_REFUSALS)
#define STEER_REFUSALS                                                   \
	(1ull << NODENS_CTR_STEER_OFF | 1ull << NODENS_CTR_STEER_DEAD |  \
	 1ull << NODENS_CTR_STEER_HUNG | 1ull << NODENS_CTR_STEER_SHED | \
	 1ull << NODENS_CTR_STEER_FULL | 1ull << NODENS_CTR_STEER_VLAN | \
	 1ull << NODENS_CTR_STEER_CONFLICT | 1ull << NODENS_CTR_STEER_ERROR)

static void client_set(struct traffic_client *client, const struct watch_event *event)
{
	*client = (struct traffic_client){ served_addr__ip6(&event->client), event->ifindex };
}

/*
 * The agent does not always know at which device a query came in; the programs did. One place for
 * each hash: of two that fall together the later one stays.
 */
static void know_device(struct traffic_work *work, struct traffic_client *client)
{
	struct traffic_client *known =
		&work->devices[secret_hash(&client->addr, sizeof(client->addr)) % TRAFFIC_DEVICES];

	if (client->ifindex)
		*known = *client;
	else if (IN6_ARE_ADDR_EQUAL(&known->addr, &client->addr))
		client->ifindex = known->ifindex;
}

/* Space-Saving again, of four. */
static void add_who(struct traffic_name *name, const struct traffic_client *client, uint64_t n)
{
	struct traffic_who *least = &name->who[0];

	name->asked += n;
	for (int i = 0; i < TRAFFIC_WHO; i++) {
		struct traffic_who *who = &name->who[i];

		if (who->n && !memcmp(&who->client, client, sizeof(*client))) {
			who->n += n;
			return;
		}
		if (who->n < least->n)
			least = who;
	}
	*least = (struct traffic_who){ .client = *client, .n = least->n + n, .error = least->n };
}

static void note_answer(struct traffic_name *name, const struct watch_event *event, uint64_t n)
{
	name->nx += event->is_reply && event->rcode == DNS_NXDOMAIN ? n : 0;
	name->kernel += event->kind == NODENS_EVENT_ANSWERED ? n : 0;
	if (event->has_ttl) {
		name->has_ttl = true;
		name->ttl_s = event->ttl_s;
	}
}

/* Beside its name, which the slots do not know: how large the reply was. */
static void note_size(struct traffic_name *name, const struct watch_event *event, uint64_t n)
{
	bool by_agent = event->kind == NODENS_EVENT_AGENT;

	if (!event->is_reply)
		return;
	name->truncated += event->truncated ? n : 0;
	name->tcp += by_agent && event->flags & NODENS_EVENT_TCP ? n : 0;
	if (event->answers > name->records)
		name->records = event->answers;
}

/* ---- queries ---- */

/* Its reply was NXDOMAIN. */
static void count_nx(struct traffic_work *work, struct tally *tally,
		     const struct watch_event *event, const struct traffic_key *key,
		     const struct traffic_client *client, uint64_t n, bool by_slot)
{
	struct traffic_name *name =
		heavy__add(tally->lists[TRAFFIC_NX], key->octets, key->len, by_slot ? 0 : n);

	if (!by_slot)
		note_answer(name, event, n);
	if (work->opts->search_paths && tally == &work->traffic.all)
		traffic_search_note(tally, name, key, client, n);
	add_who(name, client, n);
}

/* @n stands for the query, @by_slot of which the slots count anyway. */
static void count_query(struct traffic_work *work, struct tally *tally,
			const struct watch_event *event, const struct traffic_key *key,
			const struct traffic_client *client, uint64_t n, bool by_slot)
{
	struct heavy **lists = tally->lists;
	bool nx = event->is_reply && event->rcode == DNS_NXDOMAIN;
	struct traffic_name *name =
		heavy__add(lists[TRAFFIC_NAMES], key->octets, key->len, by_slot ? 0 : n);
	struct traffic_use *use = heavy__add(lists[TRAFFIC_CLIENTS], client, sizeof(*client), n);

	if (!by_slot)
		note_answer(name, event, n);
	note_size(name, event, n);
	add_who(name, client, n);
	use->kernel += event->kind == NODENS_EVENT_ANSWERED ? n : 0;
	use->nx += nx ? n : 0;
	if (nx)
		count_nx(work, tally, event, key, client, n, by_slot);
}

static bool is_of_pod(struct traffic_work *work, const struct traffic_client *client)
{
	return !work->opts->pod || traffic_is_client(&work->traffic, client, work->opts->pod);
}

/* False where it is not what is asked for. */
static bool take_apart(struct traffic_work *work, const struct nodens_event *raw,
		       struct watch_event *event, struct traffic_key *key,
		       struct traffic_client *client)
{
	event__decode(raw, event);
	if (!event->has_question || !event->has_client || !traffic_wants(work, &event->qname))
		return false;
	client_set(client, event);
	know_device(work, client);
	traffic_key__set(key, &event->qname, event->qtype);
	return is_of_pod(work, client);
}

static void on_query(void *ctx, const struct nodens_event *raw)
{
	struct traffic_work *work = ctx;
	struct traffic_client client;
	struct traffic_key key;
	struct watch_event event;
	bool by_slot;

	if (!take_apart(work, raw, &event, &key, &client))
		return;
	/* of names that were drawn, those the agent tells of are counted there, whole */
	if (work->one_in > 1 && event.kind == NODENS_EVENT_TO_AGENT && work->agent_tells)
		return;
	by_slot = work->one_in > 1 && !work->opts->pod && event.kind == NODENS_EVENT_ANSWERED &&
		  !(event.flags & NODENS_EVENT_NX_BELOW);
	count_query(work, &work->current, &event, &key, &client, work->one_in, by_slot);
	count_query(work, &work->traffic.all, &event, &key, &client, work->one_in, by_slot);
}

/* ---- what the agent has done ---- */

static void count_ended(struct heavy *list, const struct watch_event *event,
			const struct traffic_key *key, const struct traffic_client *client,
			uint64_t weight)
{
	struct traffic_name *name = heavy__add(list, key->octets, key->len, weight);

	name->ended++;
	name->took_us += event->took_us;
	name->tries += event->tries;
	name->upstream = event->upstream;
	if (event->took_us > name->slowest_us)
		name->slowest_us = event->took_us;
	note_answer(name, event, 1);
	add_who(name, client, 1);
}

static void count_agents(struct traffic_work *work, struct tally *tally,
			 const struct watch_event *event, const struct traffic_key *key,
			 const struct traffic_client *client)
{
	bool nx = event->is_reply && event->rcode == DNS_NXDOMAIN;
	struct traffic_name *name;
	struct traffic_use *use;

	if (work->queries && work->one_in == 1 && !(event->flags & NODENS_EVENT_TCP)) {
		/* it was seen on its way to the agent; now its reply is known */
		name = heavy__find(tally->lists[TRAFFIC_NAMES], key->octets, key->len);
		if (name) {
			note_answer(name, event, 1);
			note_size(name, event, 1);
		}
		use = heavy__find(tally->lists[TRAFFIC_CLIENTS], client, sizeof(*client));
		if (use && nx)
			use->nx++;
		if (nx)
			count_nx(work, tally, event, key, client, 1, false);
	} else {
		count_query(work, tally, event, key, client, 1, false);
	}
	if (event->flags & NODENS_EVENT_TIMEOUT)
		count_ended(tally->lists[TRAFFIC_TIMEOUTS], event, key, client, 1);
	if (!(event->flags & (NODENS_EVENT_CACHED | NODENS_EVENT_LOCAL)))
		count_ended(tally->lists[TRAFFIC_SLOW], event, key, client, event->took_us);
}

static void on_agent(void *ctx, const struct nodens_event *raw)
{
	struct traffic_work *work = ctx;
	struct traffic_client client;
	struct traffic_key key;
	struct watch_event event;
	bool wanted = take_apart(work, raw, &event, &key, &client);

	work->agent_tells = true;
	if (event.is_reply)
		work->agent_replies[rcode__of(event.rcode)]++;
	if (!wanted)
		return;
	count_agents(work, &work->current, &event, &key, &client);
	count_agents(work, &work->traffic.all, &event, &key, &client);
}

/* ---- sessions ---- */

/* What a turn reads of each at most: a flood must not hold it there. */
#define TURN_EVENTS (NODENS_RING_BYTES / NODENS_EVENT_SMALL)

static struct {
	struct session *volatile queries, *volatile agent; /* NULL: there is none to renew */
	volatile sig_atomic_t expired;
	volatile uint64_t renewed_ns, gap_ns;
} alarms;

/* By a signal, so that who waits for the reader of a pipe keeps its sessions and its losses. */
static void on_alarm(int number)
{
	uint64_t now = clock_now();
	int saved = errno;

	(void)number;
	if (!alarms.agent)
		return;
	if ((alarms.queries && !session__renew(alarms.queries)) || !session__renew(alarms.agent))
		alarms.expired = 1;
	if (alarms.queries && now - alarms.renewed_ns > SESSION_LEASE_MS * NSEC_PER_MS)
		alarms.gap_ns += now - alarms.renewed_ns;
	alarms.renewed_ns = now;
	errno = saved;
}

static void start_alarms(struct traffic_work *work)
{
	struct sigaction alarm = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
	struct itimerval each = { { 0, SESSION_RENEW_MS * 1000 }, { 0, SESSION_RENEW_MS * 1000 } };

	alarms.expired = 0;
	alarms.renewed_ns = clock_now();
	alarms.queries = work->queries;
	alarms.agent = work->agent;
	sigaction(SIGALRM, &alarm, NULL);
	setitimer(ITIMER_REAL, &each, NULL);
}

static int open_queries(struct traffic_work *work, uint32_t one_in, struct error *err)
{
	struct nodens_filter filter = session__any();

	/* it tells of all that there is to see */
	if (look__at_agent(&work->look))
		return 0;
	filter.snap = SNAP;
	filter.one_in = one_in;
	filter.kinds = 1u << NODENS_EVENT_ANSWERED | 1u << NODENS_EVENT_TO_AGENT |
		       1u << NODENS_EVENT_PASSED;
	filter.outcomes = QUERIES;
	return look__session(&work->look, &filter, on_query, work, &work->queries, err);
}

static int open_agent(struct traffic_work *work, struct error *err)
{
	struct nodens_filter filter = session__any();

	filter.snap = SNAP;
	filter.kinds = 1u << NODENS_EVENT_AGENT;
	return look__session(&work->look, &filter, on_agent, work, &work->agent, err);
}

/* What is not seen, and why. */
static void set_seen(struct traffic_work *work, const char *refused)
{
	struct traffic *traffic = &work->traffic;
	const char *why = refused[0] ? refused : look__not_seen(&work->look);

	free((char *)traffic->no_session);
	traffic->no_session = why ? strdup(why) : NULL;
	if (!work->look.datapath)
		traffic->in_short = "nothing seen";
	else if (work->agent)
		traffic->in_short = "cached names by slots, +-% by row";
	else
		traffic->in_short = "cached names alone, +-% by row";
}

int traffic_sessions_open(struct traffic_work *work, uint32_t one_in)
{
	struct error err = { .text = "" };
	int ret = open_queries(work, one_in, &err);

	if (!ret)
		ret = open_agent(work, &err);
	if (ret)
		traffic_sessions_close(work);
	else
		start_alarms(work);
	if (!ret && !look__at_agent(&work->look))
		work->one_in = one_in;
	else
		work->one_in = !ret && !work->look.datapath;
	set_seen(work, err.text);
	if (work->one_in > work->current.one_in)
		work->current.one_in = work->one_in;
	return traffic_slots_begin(work);
}

void traffic_sessions_close(struct traffic_work *work)
{
	alarms.queries = alarms.agent = NULL;
	session__close(work->queries);
	session__close(work->agent);
	work->queries = work->agent = NULL;
	work->lost = 0;
}

void traffic_sessions_read(struct traffic_work *work)
{
	if (work->queries)
		session__read(work->queries, TURN_EVENTS);
	if (work->agent)
		session__read(work->agent, TURN_EVENTS);
	if (!alarms.expired || !work->agent)
		return;
	traffic_sessions_close(work);
	traffic_sessions_open(work, work->one_in);
}

uint64_t traffic_sessions_gap(void)
{
	uint64_t gap_ns = alarms.gap_ns;

	if (gap_ns)
		alarms.gap_ns -= gap_ns;
	return gap_ns;
}

void traffic_sessions_count_lost(struct traffic_work *work)
{
	struct nodens_seen queries = {}, agent = {};
	uint64_t lost;

	if (work->queries)
		session__seen(work->queries, &queries);
	if (work->agent)
		session__seen(work->agent, &agent);
	lost = queries.lost + agent.lost;
	if (lost > work->lost) {
		work->current.lost += lost - work->lost;
		work->traffic.all.lost += lost - work->lost;
	}
	work->lost = lost;
}
