// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * DNS over TLS to upstreams. Contract: tls.h.
 */
#include "upstream/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/sockaddr.h"
#include "base/tls_files.h"

static int load_files(SSL_CTX *ctx, const struct corefile_tls *tls, struct error *err)
{
	int ret = 0;

	if (tls->ca)
		ret = tls_files__trust(ctx, tls->ca, err);
	else if (SSL_CTX_set_default_verify_paths(ctx) != 1)
		return -ENOMEM;
	return !ret && tls->cert ? tls_files__use(ctx, tls->cert, tls->key, err) : ret;
}

static int on_session(SSL *ssl, SSL_SESSION *session)
{
	SSL_SESSION **kept = SSL_get_app_data(ssl);

	SSL_SESSION_free(*kept);
	*kept = session;
	return 1; /* it is ours now */
}

int upstream_tls_open(const struct corefile_forward *forward, SSL_CTX **out, struct error *err)
{
	static const unsigned char alpn[] = "\x03"
					    "dot";
	SSL_CTX *ctx;
	int ret;

	ERR_clear_error();
	ctx = SSL_CTX_new(TLS_client_method());
	if (!ctx)
		return -ENOMEM;
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	/* Each message says its length: a cut is noticed anyway. */
	SSL_CTX_set_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				      SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(ctx,
				       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
	SSL_CTX_sess_set_new_cb(ctx, on_session);
	ret = SSL_CTX_set_alpn_protos(ctx, alpn, sizeof(alpn) - 1) ? -ENOMEM : 0;
	if (!ret)
		ret = load_files(ctx, &forward->tls, err);
	ERR_clear_error();
	if (ret)
		SSL_CTX_free(ctx);
	else
		*out = ctx;
	return ret;
}

static bool is_address(const char *name)
{
	uint8_t addr[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, name, addr) == 1 || inet_pton(AF_INET6, name, addr) == 1;
}

static bool expect(SSL *ssl, const char *name)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
	char host[256]; /* certificates have no trailing dot */

	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
						       X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	if (is_address(name))
		return X509_VERIFY_PARAM_set1_ip_asc(param, name);
	/* RFC 6066, 3: a name, never an address. */
	snprintf(host, sizeof(host), "%s", name);
	if (*host && host[strlen(host) - 1] == '.')
		host[strlen(host) - 1] = '\0';
	return X509_VERIFY_PARAM_set1_host(param, host, 0) && SSL_set_tlsext_host_name(ssl, host);
}

SSL *upstream_tls_connect(SSL_CTX *ctx, int fd, const union sockaddr_any *addr, const char *name,
			  SSL_SESSION **session)
{
	SSL *ssl = SSL_new(ctx);
	char text[INET6_ADDRSTRLEN];

	if (!ssl)
		return NULL;
	SSL_set_app_data(ssl, session);
	SSL_set_connect_state(ssl);
	if (!SSL_set_fd(ssl, fd) ||
	    !expect(ssl, name ? name : sockaddr__ip_text(addr, text, sizeof(text)))) {
		SSL_free(ssl);
		return NULL;
	}
	if (*session)
		SSL_set_session(ssl, *session);
	return ssl;
}

void upstream_tls_reason(SSL *ssl, char *text, size_t size)
{
	long verified = SSL_get_verify_result(ssl);
	unsigned long code = ERR_peek_last_error();
	const char *why = code ? ERR_reason_error_string(code) : NULL;

	if (verified != X509_V_OK)
		snprintf(text, size, "failed to verify certificate: %s",
			 X509_verify_cert_error_string(verified));
	else
		snprintf(text, size, "%s", why ? why : "handshake failed");
}

int64_t upstream_tls_ends(const SSL *ssl)
{
	const X509 *certificate = SSL_get0_peer_certificate(ssl);
	struct tm ends;

	if (!certificate || !ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &ends))
		return 0;
	return timegm(&ends);
}
