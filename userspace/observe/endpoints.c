// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * /health, /ready, /metrics, the page. Contract: endpoints.h.
 */
#include "observe/endpoints.h"

#include <errno.h>
#include <event2/bufferevent.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "observe/page.h"
#include "observe/tls_server.h"

#define CHECK_TIMEOUT_S 3

struct endpoints {
	struct endpoints_config config;
	struct http *http;
	struct tls_server *tls;
	union sockaddr_any health; /* the first one; family 0: there is none */
	struct bufferevent *check; /* of /health, under way */
	uint64_t check_began_ns;
	struct loop_timer check_timeout;
};

static void on_health(void *ctx, struct http_reply *reply)
{
	(void)ctx;
	evbuffer_add(reply->body, "OK", 2);
}

static void on_ready(void *ctx, struct http_reply *reply)
{
	struct endpoints *ep = ctx;
	char why[ENDPOINTS_WHY] = "";

	if (ep->config.ready(ep->config.ctx, why)) {
		evbuffer_add(reply->body, "OK", 2);
		return;
	}
	reply->status = 503;
	evbuffer_add(reply->body, why, strlen(why));
}

static void on_metrics(void *ctx, struct http_reply *reply)
{
	struct endpoints *ep = ctx;

	reply->type = METRICS_CONTENT_TYPE;
	if (metrics__scrape(ep->config.metrics, reply->body))
		reply->status = 500;
}

static void on_page(void *ctx, struct http_reply *reply)
{
	(void)ctx;
	page__reply(reply);
}

static void on_figures(void *ctx, struct http_reply *reply)
{
	struct endpoints *ep = ctx;
	int ret = ep->config.figures(ep->config.ctx, reply->body);

	reply->headers = PAGE_HEADERS;
	if (!ret) {
		reply->type = "application/json";
		return;
	}
	reply->status = ret == -EAGAIN ? 503 : 500;
	if (ret == -EAGAIN)
		evbuffer_add_printf(reply->body, "standing by: another agent runs on this node\n");
}

/* ---- the check of our own /health ---- */

static void check_end(struct endpoints *ep, bool good)
{
	if (good)
		metrics__health(ep->config.metrics,
				loop__now(ep->config.loop) - ep->check_began_ns);
	else
		metrics__health_failed(ep->config.metrics);
	loop_timer__stop(&ep->check_timeout);
	bufferevent_free(ep->check);
	ep->check = NULL;
}

static void on_check_timeout(void *ep, uint64_t now)
{
	(void)now;
	check_end(ep, false);
}

/* All of it has come when the other side closes: each connection has one reply. */
static void on_check(struct bufferevent *bev, short what, void *arg)
{
	static const char want[] = "HTTP/1.1 200 ";
	char got[sizeof(want) - 1];

	if (what & BEV_EVENT_CONNECTED)
		return;
	check_end(arg, (what & BEV_EVENT_EOF) &&
			       evbuffer_copyout(bufferevent_get_input(bev), got, sizeof(got)) ==
				       (ev_ssize_t)sizeof(got) &&
			       !memcmp(got, want, sizeof(got)));
}

static void check_begin(struct endpoints *ep)
{
	static const char request[] = "GET /health HTTP/1.0\r\n\r\n";
	union sockaddr_any addr = ep->health;

	/* The wildcards are no addresses to connect to; both loopbacks are behind them. */
	if (sockaddr__is_wildcard(&addr))
		sockaddr__parse_ip("127.0.0.1", sockaddr__port(&addr), &addr);
	ep->check = bufferevent_socket_new(ep->config.loop->events, -1, BEV_OPT_CLOSE_ON_FREE);
	if (!ep->check)
		return;
	ep->check_began_ns = loop__now(ep->config.loop);
	bufferevent_setcb(ep->check, NULL, NULL, on_check, ep);
	if (loop_timer__set(&ep->check_timeout, CHECK_TIMEOUT_S * NSEC_PER_SEC) ||
	    bufferevent_enable(ep->check, EV_READ) ||
	    bufferevent_write(ep->check, request, sizeof(request) - 1) ||
	    bufferevent_socket_connect(ep->check, &addr.sa, sockaddr__len(&addr)))
		check_end(ep, false);
}

/* ---- ---- */

int endpoints__open(const struct endpoints_config *config, struct endpoints **out)
{
	struct endpoints *ep = calloc(1, sizeof(*ep));
	struct http_config http = { config->loop, config->bound, config->ctx, NULL };
	int ret;

	if (!ep)
		return -ENOMEM;
	ep->config = *config;
	loop_timer__init(&ep->check_timeout, config->loop, on_check_timeout, ep);
	ret = tls_server__open(config->tls, &ep->tls);
	http.tls = ep->tls;
	if (!ret)
		ret = http__open(&http, &ep->http);
	if (ret)
		endpoints__close(ep);
	else
		*out = ep;
	return ret;
}

void endpoints__close(struct endpoints *ep)
{
	if (!ep)
		return;
	if (ep->check)
		bufferevent_free(ep->check);
	loop_timer__stop(&ep->check_timeout);
	http__close(ep->http);
	tls_server__close(ep->tls);
	free(ep);
}

static int serve(struct endpoints *ep, const struct corefile_listen *listen, const char *path,
		 http_handler handler)
{
	return listen->enabled ? http__serve(ep->http, &listen->addr, path, handler, ep) : 0;
}

/* The kubelet's probes ask in the clear. */
static bool has_probes(const struct corefile *cf, const union sockaddr_any *addr)
{
	for (size_t i = 0; i < cf->blocks_len; i++) {
		const struct corefile_block *block = &cf->blocks[i];

		if ((block->health.enabled && sockaddr__same(&block->health.addr, addr)) ||
		    (block->ready.enabled && sockaddr__same(&block->ready.addr, addr)))
			return true;
	}
	return false;
}

static int serve_metrics(struct endpoints *ep, const struct corefile *cf,
			 const union sockaddr_any *addr)
{
	char text[HTTP_ADDR_TEXT];
	int ret;

	if (ep->config.tls->enabled && has_probes(cf, addr)) {
		http__addr_text(addr, text);
		ep->config.not_secure(ep->config.ctx, text);
		return 0;
	}
	ret = http__serve(ep->http, addr, "/metrics", on_metrics, ep);
	if (!ret && ep->config.figures)
		ret = http__serve(ep->http, addr, "/", on_page, ep);
	if (!ret && ep->config.figures)
		ret = http__serve(ep->http, addr, "/status.json", on_figures, ep);
	if (!ret && ep->config.tls->enabled)
		http__secure(ep->http, addr);
	return ret;
}

static void refresh_tls(struct endpoints *ep)
{
	struct error err;
	int ret = ep->config.tls->enabled ? tls_server__refresh(ep->tls, &err) : 0;

	if (ret)
		ep->config.tls_loaded(ep->config.ctx, ret < 0 ? err.text : NULL);
}

int endpoints__configure(struct endpoints *ep, const struct corefile *cf,
			 const union sockaddr_any *metrics, size_t n)
{
	int ret = 0;

	memset(&ep->health, 0, sizeof(ep->health));
	http__begin(ep->http);
	for (size_t i = 0; !ret && i < cf->blocks_len; i++) {
		const struct corefile_block *block = &cf->blocks[i];

		ret = serve(ep, &block->health, "/health", on_health);
		if (!ret)
			ret = serve(ep, &block->ready, "/ready", on_ready);
		if (!ret && block->prometheus.enabled)
			ret = serve_metrics(ep, cf, &block->prometheus.addr);
		if (block->health.enabled && !ep->health.sa.sa_family)
			ep->health = block->health.addr;
	}
	for (size_t i = 0; !ret && i < n; i++)
		ret = serve_metrics(ep, cf, &metrics[i]);
	refresh_tls(ep);
	http__commit(ep->http);
	return ret;
}

void endpoints__tick(struct endpoints *ep)
{
	refresh_tls(ep);
	http__retry(ep->http);
	if (ep->health.sa.sa_family && !ep->check)
		check_begin(ep);
}
