/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Sections of messages held against each other, by ldns.
 *
 * Contract: order and TTLs aside, records are the same if their canonical wire forms are.
 */
#ifndef NODENS_TEST_RECORDS_H
#define NODENS_TEST_RECORDS_H

#include "wire.h"

static inline int compare_rdfs(const void *a, const void *b)
{
	const ldns_rdf *x = *(ldns_rdf *const *)a, *y = *(ldns_rdf *const *)b;
	size_t lx = ldns_rdf_size(x), ly = ldns_rdf_size(y);
	int order = memcmp(ldns_rdf_data(x), ldns_rdf_data(y), lx < ly ? lx : ly);

	return order ? order : (lx > ly) - (lx < ly);
}

/* Each record's canonical wire form (names in lower case), TTL 0, sorted. */
static inline size_t canonical_set(const ldns_rr_list *list, ldns_rdf **out)
{
	size_t n = list ? ldns_rr_list_rr_count(list) : 0;

	for (size_t i = 0; i < n; i++) {
		ldns_rr *rr = ldns_rr_clone(ldns_rr_list_rr(list, i));
		uint8_t *wire = NULL;
		size_t len;

		ldns_rr2canonical(rr);
		ldns_rr_set_ttl(rr, 0);
		wire__must(ldns_rr2wire(&wire, rr, LDNS_SECTION_ANSWER, &len) == LDNS_STATUS_OK,
			   "a record to write");
		out[i] = ldns_rdf_new(LDNS_RDF_TYPE_UNKNOWN, len, wire);
		ldns_rr_free(rr);
	}
	qsort(out, n, sizeof(out[0]), compare_rdfs);
	return n;
}

/* Is each of @got one of @want, and no more often than there? */
static inline bool records__among(const ldns_rr_list *want, const ldns_rr_list *got)
{
	static ldns_rdf *a[1024], *b[1024];
	size_t na = canonical_set(want, a), nb = canonical_set(got, b), found = 0;

	for (size_t i = 0; found < nb && i < na; i++)
		found += !compare_rdfs(&a[i], &b[found]);
	for (size_t i = 0; i < na; i++)
		ldns_rdf_deep_free(a[i]);
	for (size_t i = 0; i < nb; i++)
		ldns_rdf_deep_free(b[i]);
	return found == nb;
}

static inline bool records__same(const ldns_rr_list *want, const ldns_rr_list *got)
{
	size_t n = want ? ldns_rr_list_rr_count(want) : 0;

	return n == (got ? ldns_rr_list_rr_count(got) : 0) && records__among(want, got);
}

#endif /* NODENS_TEST_RECORDS_H */
