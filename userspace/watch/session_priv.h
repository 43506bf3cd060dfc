/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A session of the agent's events alone, by its socket (viewers.h): what is behind session.h where
 * session__connect() opened it. Each function is as that of session.h.
 */
#ifndef NODENS_SESSION_PRIV_H
#define NODENS_SESSION_PRIV_H

#include "watch/session.h"

struct session_socket;

/*
 * -ENOENT, -ECONNREFUSED: no agent has it open; -EUSERS; -EPERM; -EPROTO: an agent of another
 * version; -ETIMEDOUT: it does not answer; ...
 */
int session_socket_open(const char *path, const struct nodens_filter *filter,
			void (*event)(void *ctx, const struct nodens_event *event), void *ctx,
			struct session_socket **out);
void session_socket_close(struct session_socket *session); /* NULL: nothing */
/* False: the agent has ended. Async-signal-safe. */
bool session_socket_open_still(const struct session_socket *session);
void session_socket_set_one_in(struct session_socket *session, uint32_t one_in);
int session_socket_read(struct session_socket *session, unsigned int max);
void session_socket_seen(const struct session_socket *session, struct nodens_seen *seen);

#endif /* NODENS_SESSION_PRIV_H */
