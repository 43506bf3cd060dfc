// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What an upstream knows, and what it answers by that. Contract: scenario.h.
 */
#include <stdlib.h>
#include <string.h>

#include "scenario.h"

#define DENIAL_TTL_S 30
#define CNAMES_MAX   8
#define FAKE_SOA     "%s %u IN SOA ns. host. 1 3600 600 86400 %u"
#define OPT_SIZE     1232

/* ---- answers ---- */

static const struct denial *denial_of(const struct upstream_peer *peer, const char *name)
{
	for (struct list *node = peer->denied.next; node != &peer->denied; node = node->next) {
		const struct denial *denial = list_entry(node, struct denial, link);

		if (!strcmp(denial->name, name))
			return denial;
	}
	return NULL;
}

/* Is there a name, or one below it? */
static bool exists(const struct upstream_peer *peer, const ldns_rdf *name)
{
	for (size_t i = 0; i < ldns_rr_list_rr_count(peer->records); i++) {
		const ldns_rdf *owner = ldns_rr_owner(ldns_rr_list_rr(peer->records, i));

		if (!ldns_dname_compare(owner, name) || ldns_dname_is_subdomain(owner, name))
			return true;
	}
	return false;
}

/* The records of @name, or the CNAME there and what it leads to. */
static void add_records(const struct upstream_peer *peer, const ldns_rdf *name, ldns_rr_type type,
			ldns_pkt *reply)
{
	for (int n = 0; name && n < CNAMES_MAX; n++) {
		const ldns_rdf *target = NULL;

		for (size_t i = 0; i < ldns_rr_list_rr_count(peer->records); i++) {
			const ldns_rr *rr = ldns_rr_list_rr(peer->records, i);
			bool cname = ldns_rr_get_type(rr) == LDNS_RR_TYPE_CNAME;

			if (ldns_dname_compare(ldns_rr_owner(rr), name) ||
			    (ldns_rr_get_type(rr) != type && !cname))
				continue;
			ldns_pkt_push_rr(reply, LDNS_SECTION_ANSWER, ldns_rr_clone(rr));
			if (cname && type != LDNS_RR_TYPE_CNAME)
				target = ldns_rr_rdf(rr, 0);
		}
		name = target;
	}
}

/* Below which zone the name is not: that of its last two labels. */
static void add_soa(const struct upstream_peer *peer, const ldns_rdf *name, uint32_t ttl_s,
		    ldns_pkt *reply)
{
	ldns_rdf *zone = ldns_rdf_clone(name);
	char text[700], *owner;
	ldns_rr *soa = NULL;

	while (ldns_dname_label_count(zone) > 2) {
		ldns_rdf *up = ldns_dname_left_chop(zone);

		ldns_rdf_deep_free(zone);
		zone = up;
	}
	owner = ldns_rdf2str(zone);
	snprintf(text, sizeof(text), FAKE_SOA, owner, ttl_s, ttl_s);
	if (ldns_rr_new_frm_str(&soa, text, 0, NULL, NULL) != LDNS_STATUS_OK)
		scene_fail(peer->scene, "ldns does not take %s", text);
	ldns_pkt_push_rr(reply, LDNS_SECTION_AUTHORITY, soa);
	free(owner);
	ldns_rdf_deep_free(zone);
}

static void fill(const struct upstream_peer *peer, const struct asked *asked,
		 const ldns_rr *question, ldns_pkt *reply)
{
	const ldns_rdf *name = ldns_rr_owner(question);
	const struct denial *denial = denial_of(peer, asked->name);
	int rcode = LDNS_RCODE_NOERROR;

	if (peer->rcode >= 0) {
		ldns_pkt_set_rcode(reply, peer->rcode);
		return;
	}
	if (denial)
		rcode = denial->rcode;
	else if (!exists(peer, name) && !asked->probe)
		rcode = LDNS_RCODE_NXDOMAIN;
	else
		add_records(peer, name, ldns_rr_get_type(question), reply);
	ldns_pkt_set_rcode(reply, rcode);
	if (!ldns_pkt_ancount(reply) &&
	    (rcode == LDNS_RCODE_NOERROR || rcode == LDNS_RCODE_NXDOMAIN))
		add_soa(peer, name, denial ? denial->ttl_s : DENIAL_TTL_S, reply);
}

uint8_t *upstream_answer(const struct upstream_peer *peer, const struct asked *asked,
			 const ldns_pkt *query, size_t *len)
{
	const ldns_rr *question = ldns_rr_list_rr(ldns_pkt_question(query), 0);
	ldns_pkt *reply = ldns_pkt_new();
	uint8_t *msg;

	ldns_pkt_set_id(reply, ldns_pkt_id(query));
	ldns_pkt_set_qr(reply, true);
	ldns_pkt_set_rd(reply, ldns_pkt_rd(query));
	ldns_pkt_set_ra(reply, true);
	ldns_pkt_set_cd(reply, ldns_pkt_cd(query));
	ldns_pkt_push_rr(reply, LDNS_SECTION_QUESTION, ldns_rr_clone(question));
	if (asked->opt && peer->refuses_opt) {
		ldns_pkt_set_rcode(reply, LDNS_RCODE_FORMERR);
	} else if (peer->truncates && !asked->tcp) {
		ldns_pkt_set_tc(reply, true);
	} else {
		fill(peer, asked, question, reply);
	}
	if (asked->opt && !peer->refuses_opt) {
		ldns_pkt_set_edns_udp_size(reply, OPT_SIZE);
		ldns_pkt_set_edns_do(reply, asked->dnssec_ok);
	}
	if (ldns_pkt2wire(&msg, reply, len) != LDNS_STATUS_OK)
		scene_fail(peer->scene, "ldns cannot write the answer of %s", peer->name);
	ldns_pkt_free(reply);
	return msg;
}

/* ---- what it knows ---- */

int upstream_rcode(const char *word)
{
	static const char *const names[] = { "NOERROR",	 "FORMERR", "SERVFAIL",
					     "NXDOMAIN", "NOTIMP",  "REFUSED" };

	for (int i = 0; i < 6; i++) {
		if (!strcmp(names[i], word))
			return i;
	}
	return -1;
}

/* NAME TTL TYPE DATA..., or NAME RCODE [TTL] */
void upstream_has(struct upstream_peer *peer, char **words, int n)
{
	struct denial *denial;
	char name[256], text[2048];
	ldns_rr *rr = NULL;

	if (n < 2)
		scene_fail(peer->scene, "has NAME TTL TYPE DATA..., or NAME RCODE [TTL]");
	step_name(peer->scene, words[0], name);
	if (upstream_rcode(words[1]) >= 0) {
		denial = calloc(1, sizeof(*denial));
		strcpy(denial->name, name);
		denial->rcode = upstream_rcode(words[1]);
		denial->ttl_s = n > 2 ? step_number(peer->scene, words[2]) : DENIAL_TTL_S;
		list__append(&peer->denied, &denial->link);
		return;
	}
	snprintf(text, sizeof(text), "%s", name);
	for (int i = 1; i < n; i++) {
		snprintf(text + strlen(text), sizeof(text) - strlen(text), " %s%s", words[i],
			 i == 1 ? " IN" : "");
	}
	if (ldns_rr_new_frm_str(&rr, text, 0, NULL, NULL) != LDNS_STATUS_OK)
		scene_fail(peer->scene, "this is no record: %s", text);
	ldns_rr_list_push_rr(peer->records, rr);
}

void upstream_forgets(struct upstream_peer *peer, const char *word)
{
	ldns_rr_list *kept = ldns_rr_list_new();
	char name[256];
	ldns_rdf *dname;

	step_name(peer->scene, word, name);
	dname = ldns_dname_new_frm_str(name);
	for (struct list *node = peer->denied.next, *next; node != &peer->denied; node = next) {
		struct denial *denial = list_entry(node, struct denial, link);

		next = node->next;
		if (!strcmp(denial->name, name)) {
			list__del(node);
			free(denial);
		}
	}
	for (size_t i = 0; i < ldns_rr_list_rr_count(peer->records); i++) {
		ldns_rr *rr = ldns_rr_list_rr(peer->records, i);

		if (ldns_dname_compare(ldns_rr_owner(rr), dname))
			ldns_rr_list_push_rr(kept, rr);
		else
			ldns_rr_free(rr);
	}
	ldns_rr_list_free(peer->records);
	peer->records = kept;
	ldns_rdf_deep_free(dname);
}
