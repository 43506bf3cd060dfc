/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the Corefile's health, ready and prometheus directives ask for: /health, /ready and /metrics
 * at their addresses, and a check of /health each second, as CoreDNS has it. Where /metrics is,
 * there are the page at / (page.html) and its figures, /status.json.
 *
 * Contract: single-threaded, of an event loop; no logging. An address that cannot be bound is told
 * once and tried again each second (endpoints__tick); DNS does not depend on it.
 *
 * /health is 200 "OK" as long as the loop turns, while the agent is leaving as well (lameduck).
 * /ready is 200 "OK", or 503 with what is not ready.
 */
#ifndef NODENS_ENDPOINTS_H
#define NODENS_ENDPOINTS_H

#include "base/sockaddr.h"
#include "observe/http.h"
#include "observe/metrics.h"

#define ENDPOINTS_WHY 4096

struct endpoints_config {
	struct loop *loop;
	struct metrics *metrics; /* outlives the endpoints */
	/*
	 * Whether queries are answered; else @why (ENDPOINTS_WHY octets, "" at first) says what is
	 * missing, as zones: "cluster.local.,in-addr.arpa.". False while the agent is leaving.
	 */
	bool (*ready)(void *ctx, char *why);
	/*
	 * Appends /status.json. 0, -ENOMEM, or -EAGAIN: nothing is at work, 503. NULL: there is
	 * neither that nor the page.
	 */
	int (*figures)(void *ctx, struct evbuffer *out);
	/* As in struct http_config. */
	void (*bound)(void *ctx, const char *addr, int error);
	/* How /metrics is served; outlives the endpoints. */
	const struct metrics_tls *tls;
	/* The files of @tls were loaded (NULL), or cannot be used and why; once a change of them.
	 */
	void (*tls_loaded)(void *ctx, const char *why);
	/* /metrics is not served at @addr: probes ask there in the clear. */
	void (*not_secure)(void *ctx, const char *addr);
	void *ctx;
};

struct endpoints;

int endpoints__open(const struct endpoints_config *config, struct endpoints **out);
void endpoints__close(struct endpoints *ep);

/*
 * At start and at each reload. @metrics: @n more addresses of /metrics, of flags. -ENOMEM: some of
 * the endpoints may be missing.
 */
int endpoints__configure(struct endpoints *ep, const struct corefile *cf,
			 const union sockaddr_any *metrics, size_t n);

/* Call every second. */
void endpoints__tick(struct endpoints *ep);

#endif /* NODENS_ENDPOINTS_H */
