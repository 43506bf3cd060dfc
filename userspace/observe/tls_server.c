// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Certificate, key and clients' CA of /metrics. Contract: tls_server.h.
 */
#include "observe/tls_server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/tls_files.h"

#define FILES 3

/* By what a file is known to be another one; all zero: it cannot be read. */
struct version {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec changed;
};

struct tls_server {
	const struct metrics_tls *config;
	SSL_CTX *ctx; /* NULL: nothing good has been found so far */
	struct version seen[FILES];
	bool looked;
};

int tls_server__open(const struct metrics_tls *config, struct tls_server **out)
{
	struct tls_server *tls = calloc(1, sizeof(*tls));

	if (!tls)
		return -ENOMEM;
	tls->config = config;
	*out = tls;
	return 0;
}

void tls_server__close(struct tls_server *tls)
{
	if (!tls)
		return;
	SSL_CTX_free(tls->ctx);
	free(tls);
}

static struct version version_of(const char *path)
{
	struct version version;
	struct stat st;

	memset(&version, 0, sizeof(version));
	if (!path || stat(path, &st))
		return version;
	version.dev = st.st_dev;
	version.ino = st.st_ino;
	version.size = st.st_size;
	version.changed = st.st_mtim;
	return version;
}

static bool same_version(const struct version *a, const struct version *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	       a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

static bool changed(struct tls_server *tls)
{
	const char *paths[FILES] = { tls->config->cert, tls->config->key, tls->config->client_ca };
	bool changed = !tls->looked;

	tls->looked = true;
	for (int i = 0; i < FILES; i++) {
		struct version version = version_of(paths[i]);

		changed |= !same_version(&version, &tls->seen[i]);
		tls->seen[i] = version;
	}
	return changed;
}

static int any_certificate(X509_STORE_CTX *store, void *arg)
{
	(void)store;
	(void)arg;
	return 1;
}

static int set_clients(SSL_CTX *ctx, const struct metrics_tls *config, struct error *err)
{
	static const int modes[] = {
		[CLIENT_AUTH_NONE] = SSL_VERIFY_NONE,
		[CLIENT_AUTH_REQUEST] = SSL_VERIFY_PEER,
		[CLIENT_AUTH_REQUIRE_ANY] = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
		[CLIENT_AUTH_VERIFY_GIVEN] = SSL_VERIFY_PEER,
		[CLIENT_AUTH_REQUIRE_VERIFIED] = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
	};

	SSL_CTX_set_verify(ctx, modes[config->client_auth], NULL);
	if (config->client_auth == CLIENT_AUTH_REQUEST ||
	    config->client_auth == CLIENT_AUTH_REQUIRE_ANY)
		SSL_CTX_set_cert_verify_callback(ctx, any_certificate, NULL);
	if (!config->client_ca)
		return 0;
	SSL_CTX_set_client_CA_list(ctx, SSL_load_client_CA_file(config->client_ca));
	return tls_files__trust(ctx, config->client_ca, err);
}

int tls_server__refresh(struct tls_server *tls, struct error *err)
{
	const struct metrics_tls *config = tls->config;
	SSL_CTX *ctx;
	int ret;

	if (!changed(tls))
		return 0;
	ctx = SSL_CTX_new(TLS_server_method());
	if (!ctx)
		return error__set(err, -ENOMEM, "TLS: out of memory");
	SSL_CTX_set_min_proto_version(ctx, config->min_version == TLS_VERSION_13 ? TLS1_3_VERSION
										 : TLS1_2_VERSION);
	/* A scrape is one connection in many seconds: a kept session would save nothing. */
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(ctx, 0);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET);
	ret = tls_files__use(ctx, config->cert, config->key, err);
	if (!ret)
		ret = set_clients(ctx, config, err);
	if (ret) {
		SSL_CTX_free(ctx);
		return ret;
	}
	SSL_CTX_free(tls->ctx); /* connections hold it as long as they need it */
	tls->ctx = ctx;
	return 1;
}

SSL *tls_server__accept(struct tls_server *tls)
{
	return tls->ctx ? SSL_new(tls->ctx) : NULL;
}
