/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The certificate that /metrics is served under, and which clients may ask.
 *
 * Contract: single-threaded, no logging. The files may come later than the agent, and are replaced
 * while it runs (a Secret that is renewed): tls_server__refresh() looks for that. What was loaded
 * stays in use until something newer is found good.
 */
#ifndef NODENS_TLS_SERVER_H
#define NODENS_TLS_SERVER_H

#include <openssl/ssl.h>

#include "base/error.h"
#include "config/flags.h"

struct tls_server;

/* @config outlives it. Loads nothing yet. -ENOMEM. */
int tls_server__open(const struct metrics_tls *config, struct tls_server **out);
void tls_server__close(struct tls_server *tls);

/*
 * Call every second. 1: the files were loaded; 0: they are what they were at the last call, good
 * or not; -EINVAL, -ENOMEM: they changed and cannot be used, @err says why.
 */
int tls_server__refresh(struct tls_server *tls, struct error *err);

/* For one connection. NULL: nothing has been loaded so far, or no memory. */
SSL *tls_server__accept(struct tls_server *tls);

#endif /* NODENS_TLS_SERVER_H */
