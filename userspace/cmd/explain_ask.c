// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The question asked for real, once as this node reaches the served address and once of each
 * upstream, as the agent asks them. Contract: explain.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "cmd/explain.h"
#include "cmd/record.h"

#define ANSWER_S   2
#define ANSWER_MAX 4096

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "A 192.0.2.1": type and data of a record, malloc'd. */
static char *record_text(const ldns_rr *rr)
{
	char *type = ldns_rr_type2str(ldns_rr_get_type(rr)), *data = record__data(rr);
	char *text = NULL;

	if (type && data && asprintf(&text, "%s %s", type, data) < 0)
		text = NULL;
	free(data);
	free(type);
	return text;
}

/* Rcode and records, in an order that says nothing; TTLs count down and are left out. */
static void describe(const ldns_pkt *pkt, char *out, size_t size)
{
	const ldns_rr_list *answer = ldns_pkt_answer(pkt);
	size_t n = ldns_rr_list_rr_count(answer), used = 0, len;
	char **texts = calloc(n + 1, sizeof(*texts)), line[ANSWER_MAX], *rcode;

	rcode = ldns_pkt_rcode2str(ldns_pkt_get_rcode(pkt));
	snprintf(line, sizeof(line), "%s", rcode ? rcode : "?");
	free(rcode);
	for (size_t i = 0; texts && i < n; i++) {
		texts[used] = record_text(ldns_rr_list_rr(answer, i));
		used += texts[used] != NULL;
	}
	if (texts)
		qsort(texts, used, sizeof(*texts), compare);
	for (size_t i = 0; i < used; i++) {
		len = strlen(line);
		snprintf(line + len, sizeof(line) - len, "%s %s", i ? "," : "", texts[i]);
		free(texts[i]);
	}
	free(texts);
	text__printable(out, size, line);
}

/* The answer to @query, or NULL. */
static ldns_pkt *parse(const uint8_t *wire, size_t len, const ldns_pkt *query)
{
	ldns_pkt *pkt = NULL;

	if (ldns_wire2pkt(&pkt, wire, len) != LDNS_STATUS_OK)
		return NULL;
	if (ldns_pkt_id(pkt) == ldns_pkt_id(query) && ldns_pkt_qr(pkt))
		return pkt;
	ldns_pkt_free(pkt);
	return NULL;
}

static ldns_pkt *make_query(const struct dns_name *qname, uint16_t qtype)
{
	ldns_rdf *name = ldns_rdf_new_frm_data(LDNS_RDF_TYPE_DNAME, qname->len, qname->wire);
	ldns_pkt *query =
		name ? ldns_pkt_query_new(name, (ldns_rr_type)qtype, LDNS_RR_CLASS_IN, LDNS_RD)
		     : NULL;

	if (!query) {
		ldns_rdf_deep_free(name);
		return NULL;
	}
	ldns_pkt_set_random_id(query);
	ldns_pkt_set_edns_udp_size(query, NODENS_OPT_SIZE);
	return query;
}

static const struct timeval patience = { .tv_sec = ANSWER_S };

/* NULL: errno says why. */
static ldns_pkt *ask_udp(const union sockaddr_any *to, const ldns_pkt *query,
			 const ldns_buffer *wire)
{
	int fd = socket(to->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0), error;
	ldns_pkt *reply = NULL;
	uint8_t buf[ANSWER_MAX];
	ssize_t len = -1;

	if (fd < 0)
		return NULL;
	if (!setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) &&
	    !connect(fd, &to->sa, sockaddr__len(to)) &&
	    send(fd, ldns_buffer_begin(wire), ldns_buffer_position(wire), 0) >= 0) {
		while (!reply && (len = recv(fd, buf, sizeof(buf), 0)) >= 0)
			reply = parse(buf, len, query);
	}
	error = errno;
	close(fd);
	errno = error;
	return reply;
}

static ldns_pkt *ask_tcp(const union sockaddr_any *to, const ldns_pkt *query, ldns_buffer *wire)
{
	struct sockaddr_storage at = { .ss_family = 0 };
	ldns_pkt *reply = NULL;
	uint8_t *buf = NULL;
	size_t len = 0;

	memcpy(&at, to, sizeof(*to));
	errno = 0;
	if (ldns_tcp_send(&buf, wire, &at, sockaddr__len(to), patience, &len) == LDNS_STATUS_OK)
		reply = parse(buf, len, query);
	if (!reply && !errno)
		errno = EAGAIN;
	free(buf);
	return reply;
}

/* What is truncated is asked for by TCP, as a client does and the agent. */
static ldns_pkt *ask(const union sockaddr_any *to, const ldns_pkt *query, bool tcp)
{
	ldns_buffer *wire = ldns_buffer_new(LDNS_MAX_PACKETLEN);
	ldns_pkt *reply = NULL;

	if (!wire || ldns_pkt2buffer_wire(wire, query) != LDNS_STATUS_OK) {
		ldns_buffer_free(wire);
		errno = ENOMEM;
		return NULL;
	}
	if (!tcp)
		reply = ask_udp(to, query, wire);
	if (tcp || (reply && ldns_pkt_tc(reply))) {
		ldns_pkt_free(reply);
		reply = ask_tcp(to, query, wire);
	}
	ldns_buffer_free(wire);
	return reply;
}

static struct explain_asked *add(struct explain *ex, const union sockaddr_any *to, bool path)
{
	struct explain_asked *asked = &ex->asked[ex->n_asked++];

	asked->path = path;
	sockaddr__text(to, asked->to, sizeof(asked->to));
	return asked;
}

static void put(struct explain *ex, const union sockaddr_any *to, bool path, bool tcp)
{
	struct explain_asked *asked = add(ex, to, path);
	ldns_pkt *query =
		path ? make_query(&ex->qname, ex->qtype) : make_query(&ex->up_qname, ex->up_qtype);
	uint64_t begun = clock_now();
	ldns_pkt *reply;

	errno = ENOMEM;
	reply = query ? ask(to, query, tcp) : NULL;
	asked->asked = true;
	asked->failed = !reply;
	asked->ms = (double)(clock_now() - begun) / 1e6;
	if (reply)
		describe(reply, asked->answer, sizeof(asked->answer));
	else
		snprintf(asked->answer, sizeof(asked->answer), "%s",
			 errno == EAGAIN ? "no answer within 2 s" : strerror(errno));
	ldns_pkt_free(reply);
	ldns_pkt_free(query);
}

static void put_upstream(struct explain *ex, const struct corefile_upstream *up)
{
	struct explain_asked *asked;

	if (!up->tls && !ex->own) {
		put(ex, &up->addr, false, ex->forward->force_tcp);
		return;
	}
	asked = add(ex, &up->addr, false);
	if (ex->own)
		snprintf(asked->answer, sizeof(asked->answer), "%s answers before it", ex->own);
	else
		snprintf(asked->answer, sizeof(asked->answer), "it is asked over TLS");
}

void explain__ask(struct explain *ex)
{
	const struct publish_info *info = &ex->status.info;
	const struct explain_asked *first = NULL;

	if (info->n_served) {
		const union sockaddr_any to = served_addr__sockaddr(&info->served[0], 53);

		put(ex, &to, true, false);
	}
	for (size_t i = 0; ex->forward && i < ex->forward->upstreams_len; i++)
		put_upstream(ex, &ex->forward->upstreams[i]);
	for (size_t i = 0; i < ex->n_asked; i++) {
		struct explain_asked *asked = &ex->asked[i];

		if (!asked->asked || asked->failed || (asked->path && ex->changes))
			continue;
		if (!first)
			first = asked;
		asked->differs = strcmp(first->answer, asked->answer) != 0;
	}
}
