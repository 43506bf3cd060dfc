// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The control block. Contract: control.h.
 */
#include "agent/control.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"

#define HUNG_NS NSEC_PER_SEC

void control_commit(struct control *control)
{
	if (control->datapath)
		datapath__ctl_commit(control->datapath);
}

int control_open(struct control *control, struct datapath *datapath)
{
	control->datapath = datapath;
	control->ctl = datapath ? datapath__ctl(datapath) : &control->own;
	control->ctl->steer = control->ctl->shed = 0;
	if (!datapath && getrandom(control->own.hash_key, sizeof(control->own.hash_key), 0) !=
				 sizeof(control->own.hash_key))
		return -EIO;
	/* A first beat would make true what was left there. */
	control_commit(control);
	return 0;
}

void control_serve(struct control *control, const struct plan *plan)
{
	struct nodens_ctl *ctl = control->ctl, want = { 0 };

	for (int i = 0; i < plan->n_served; i++) {
		const struct served_addr *addr = &plan->served[i];

		if (addr->family == AF_INET)
			want.served4[want.n_served4++] = addr->v4.s_addr;
		else
			memcpy(want.served6[want.n_served6++], &addr->v6, sizeof(addr->v6));
	}
	if (ctl->n_served4 == want.n_served4 && ctl->n_served6 == want.n_served6 &&
	    !memcmp(ctl->served4, want.served4, sizeof(want.served4)) &&
	    !memcmp(ctl->served6, want.served6, sizeof(want.served6)))
		return;
	ctl->n_served4 = ctl->n_served6 = 0;
	control_commit(control);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	memcpy(ctl->served4, want.served4, sizeof(want.served4));
	memcpy(ctl->served6, want.served6, sizeof(want.served6));
	__atomic_thread_fence(__ATOMIC_RELEASE);
	ctl->n_served4 = want.n_served4;
	ctl->n_served6 = want.n_served6;
	control_commit(control);
}

void control_begin(struct control *control, const struct run_options *opts, const struct plan *plan,
		   const struct netns *netns, uint64_t now_ns)
{
	struct nodens_ctl *ctl = control->ctl;

	ctl->hung_ns = HUNG_NS;
	ctl->lease_ns = opts->lease_s * NSEC_PER_SEC;
	ctl->bufsize = opts->bufsize;
	ctl->agent_pid = getpid();
	if (netns)
		netns__fill_ctl(netns, ctl);
	control_serve(control, plan);
	control_beat(control, now_ns);
}

void control_beat(struct control *control, uint64_t now_ns)
{
	control->ctl->heartbeat_ns = now_ns;
	control_commit(control);
}

void control_shed(struct control *control, uint32_t what, bool on)
{
	if (on)
		control->ctl->shed |= what;
	else
		control->ctl->shed &= ~what;
	control_commit(control);
}

void control_steer(struct control *control, bool on)
{
	control->ctl->steer = on;
	control_commit(control);
}
