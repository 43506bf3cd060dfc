/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Messages of dnstap to a reader, over Frame Streams (fstrm_control(3) has its control frames;
 * bidirectional: READY, ACCEPT, START, ... STOP, FINISH).
 *
 * Contract: single-threaded, of an event loop, and never waits. While there is no reader its
 * socket is tried each second, and messages are lost. What a reader does not take waits, up to the
 * queue; what comes then is lost. What is lost is counted, but for what the kernel had taken for
 * a reader that goes away. libfstrm's own I/O thread is not used: it writes and closes without a
 * limit of time, and drops without a count.
 */
#ifndef NODENS_TAP_H
#define NODENS_TAP_H

#include "base/loop.h"
#include "dnstap/endpoint.h"
#include "dnstap/message.h"

struct tap;

struct tap_config {
	struct loop *loop;
	struct tap_endpoint to;
	unsigned int queue; /* messages that may wait for the reader */
	int send_buffer;    /* octets of the socket's; 0: the system's */
	uint64_t *lost;	    /* is added to */
	/*
	 * 0: a reader takes messages from now on; -errno: it went, or cannot be reached; -EPROTO:
	 * who is there does not read dnstap. Not twice the same in a row. May be NULL. The tap is
	 * not to be closed from here.
	 */
	void (*changed)(void *ctx, int error);
	void *ctx;
};

/* All that wait take this many octets at most, for each that may wait. */
#define TAP_QUEUE_OCTETS 512

/* What of config.changed(), in words. */
const char *tap__reason(int error);

int tap__open(const struct tap_config *config, struct tap **out); /* -ENOMEM */
/* What has not been written by now is lost. NULL: nothing. */
void tap__close(struct tap *tap);

/* Is there somebody who takes them, or may be soon? If not, nothing need be made for it. */
bool tap__wanted(const struct tap *tap);
void tap__send(struct tap *tap, const struct tap_message *message);

/* No more messages: the reader is told when it has all. */
void tap__stop(struct tap *tap);
/* It has them and has said so, or is gone. */
bool tap__stopped(const struct tap *tap);

#endif /* NODENS_TAP_H */
