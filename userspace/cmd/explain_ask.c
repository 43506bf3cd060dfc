// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The question asked for real, once as this node reaches the served address and once of each
 * upstream. Contract: explain.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <ldns/ldns.h>

#include "base/clock.h"
#include "base/text.h"
#include "cmd/explain.h"

#define ANSWER_S   2
#define ANSWER_MAX 4096

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "A 192.0.2.1": type and data of a record, malloc'd. */
static char *record_text(const ldns_rr *rr)
{
	char *type = ldns_rr_type2str(ldns_rr_get_type(rr)), *text = NULL;
	ldns_buffer *data = ldns_buffer_new(256);

	for (size_t i = 0; data && i < ldns_rr_rd_count(rr); i++) {
		ldns_buffer_printf(data, " ");
		ldns_rdf2buffer_str(data, ldns_rr_rdf(rr, i));
	}
	if (type && data &&
	    asprintf(&text, "%s%.*s", type, (int)ldns_buffer_position(data),
		     (char *)ldns_buffer_begin(data)) < 0)
		text = NULL;
	ldns_buffer_free(data);
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
	snprintf(line, sizeof(line), "%s%s", rcode ? rcode : "?", ldns_pkt_tc(pkt) ? " TC" : "");
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

static ldns_pkt *receive(int fd, const ldns_pkt *query)
{
	uint8_t buf[ANSWER_MAX];
	ldns_pkt *pkt = NULL;
	ssize_t len;

	while ((len = recv(fd, buf, sizeof(buf), 0)) >= 0) {
		if (ldns_wire2pkt(&pkt, buf, len) != LDNS_STATUS_OK)
			continue;
		if (ldns_pkt_id(pkt) == ldns_pkt_id(query) && ldns_pkt_qr(pkt))
			return pkt;
		ldns_pkt_free(pkt);
	}
	return NULL;
}

static ldns_pkt *make_query(const struct explain *ex)
{
	ldns_rdf *name = ldns_rdf_new_frm_data(LDNS_RDF_TYPE_DNAME, ex->qname.len, ex->qname.wire);
	ldns_pkt *query =
		name ? ldns_pkt_query_new(name, (ldns_rr_type)ex->qtype, LDNS_RR_CLASS_IN, LDNS_RD)
		     : NULL;

	if (!query) {
		ldns_rdf_deep_free(name);
		return NULL;
	}
	ldns_pkt_set_random_id(query);
	ldns_pkt_set_edns_udp_size(query, NODENS_OPT_SIZE);
	return query;
}

static void fail(struct explain_asked *asked, const char *why)
{
	asked->failed = true;
	snprintf(asked->answer, sizeof(asked->answer), "%s", why);
}

static void ask(struct explain *ex, const union sockaddr_any *to, bool path, bool tls)
{
	const struct timeval wait = { .tv_sec = ANSWER_S };
	struct explain_asked *asked = &ex->asked[ex->n_asked++];
	ldns_pkt *query = make_query(ex), *reply = NULL;
	uint64_t begun = clock_now();
	uint8_t *wire = NULL;
	size_t len;
	int fd = socket(to->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	asked->path = path;
	sockaddr__text(to, asked->to, sizeof(asked->to));
	if (tls)
		fail(asked, "not asked: it is asked over TLS");
	else if (fd < 0 || !query || ldns_pkt2wire(&wire, query, &len) != LDNS_STATUS_OK)
		fail(asked, "out of memory");
	else if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) ||
		 connect(fd, &to->sa, sockaddr__len(to)) || send(fd, wire, len, 0) < 0)
		fail(asked, strerror(errno));
	else if (!(reply = receive(fd, query)))
		fail(asked, errno == EAGAIN ? "no answer within 2 s" : strerror(errno));
	asked->ms = (double)(clock_now() - begun) / 1e6;
	if (reply)
		describe(reply, asked->answer, sizeof(asked->answer));
	ldns_pkt_free(reply);
	ldns_pkt_free(query);
	free(wire);
	if (fd >= 0)
		close(fd);
}

void explain__ask(struct explain *ex)
{
	const struct publish_info *info = &ex->status.info;
	const struct explain_asked *first = NULL;

	if (info->n_served) {
		const union sockaddr_any to = served_addr__sockaddr(&info->served[0], 53);

		ask(ex, &to, true, false);
	}
	for (size_t i = 0; ex->forward && i < ex->forward->upstreams_len; i++)
		ask(ex, &ex->forward->upstreams[i].addr, false, ex->forward->upstreams[i].tls);
	for (size_t i = 0; i < ex->n_asked; i++) {
		if (ex->asked[i].failed)
			continue;
		if (!first)
			first = &ex->asked[i];
		ex->asked[i].differs = strcmp(first->answer, ex->asked[i].answer) != 0;
	}
}
