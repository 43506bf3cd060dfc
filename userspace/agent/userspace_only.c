// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Without the kernel path, where it is not to be had: node-cache's own DaemonSet gives neither
 * bpf() nor a namespace nor a bpffs, a kernel may refuse the programs, and with nothing but the
 * image changed the node must go on to have its DNS. The agent then answers as node-cache did, on
 * the addresses of the link, from a store in its own memory; pods that ask the cluster DNS' address
 * are kube-proxy's as before.
 *
 * Contract: agent_priv.h. Only for an agent that was started as node-cache is; who says
 * `nodens run` asks for the kernel path and is told why there is none.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agent_priv.h"
#include "base/clock.h"

#define REMIND_NS (30 * 60 * NSEC_PER_SEC)

struct missing {
	char text[640]; /* "" where nothing is */
};

static void add(struct missing *missing, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void add(struct missing *missing, const char *fmt, ...)
{
	size_t len = strlen(missing->text), size = sizeof(missing->text);
	va_list ap;

	len += snprintf(missing->text + len, size - len, "%s", len ? "; " : "");
	va_start(ap, fmt);
	if (len < size)
		vsnprintf(missing->text + len, size - len, fmt, ap);
	va_end(ap);
}

/* For want of permission, or of something in the kernel; what may pass (memory, another agent) is
 * none. */
static bool is_want(int ret)
{
	static const int wants[] = { EPERM, EACCES, EROFS, ENODEV, ENOSPC, ENOSYS, EOPNOTSUPP };

	for (size_t i = 0; i < sizeof(wants) / sizeof(wants[0]); i++) {
		if (ret == -wants[i])
			return true;
	}
	return false;
}

/*
 * All of it, so that it can be put right at once; nothing is made. False where it is the kernel
 * itself: then no right would help.
 */
static bool look(const struct agent *agent, const struct plan *plan, struct missing *missing)
{
	struct error err = { .text = "" };
	int ret = datapath__may_load(&err);

	if (ret == -EOPNOTSUPP || ret == -ENOSYS) {
		add(missing, "%s", err.text);
		return false;
	}
	if (ret == -EPERM)
		add(missing, "bpf() is not permitted");
	else if (is_want(ret))
		add(missing, "%s", err.text);
	ret = plan->mode == MODE_STEER ? netns__may_open() : 0;
	if (is_want(ret))
		add(missing, "a network namespace cannot be made: %s", strerror(-ret));
	ret = datapath__may_pin(agent->opts->bpffs, &err);
	if (ret == -ENODEV)
		add(missing, "%s is not in a bpffs", agent->opts->bpffs);
	else if (is_want(ret))
		add(missing, "%s", err.text);
	return true;
}

/* @rights: what is missing can be given; else it is the kernel. */
static void say(const struct missing *missing, const struct plan *plan, bool rights)
{
	if (!rights) {
		log_error("no kernel path: %s. %s", missing->text,
			  plan->n_listen ? "DNS is answered without it, on sockets of this node"
					 : "Nothing is answered here: pods have the cluster's DNS, "
					   "as without nodens");
		return;
	}
	log_error("no kernel path: %s. DNS is answered without it, on sockets of this node. To "
		  "have it, "
		  "give the container what %s, the node's /sys/fs/bpf as a volume, and no AppArmor "
		  "profile that denies writing there",
		  missing->text,
		  plan->mode == MODE_STEER ? "deploy/manifests/image-swap/patch.yaml adds: the "
					     "capabilities SYS_ADMIN and NET_ADMIN"
					   : "deploy/manifests/cilium/cilium-lrp.yaml has: the "
					     "capabilities BPF, PERFMON and NET_ADMIN");
}

static void say_verifier(const char *line)
{
	log_warn("verifier: %s", line);
}

/* Loads the programs, once; a refusal holds for every device, now and later. */
static int load_programs(struct agent *agent, const struct plan *plan, struct error *err)
{
	int ret = attach__load(agent->datapath, agent->opts->hook, plan->mode == MODE_STEER, err);

	if (!ret)
		return 0;
	datapath__verifier_lines(say_verifier);
	if (!datapath__adopted(agent->datapath))
		datapath__unpin(agent->opts->bpffs);
	datapath__close(agent->datapath);
	agent->datapath = NULL;
	return ret;
}

int agent_bare__publisher(const uint32_t capacity[2], struct publisher **out)
{
	uint32_t slab_entries[NODENS_CLASSES];

	store__plan(capacity, slab_entries);
	return publisher__none(slab_entries, out);
}

int agent_bare__open_kern(struct agent *agent, const struct datapath_config *config,
			  const struct plan *plan, struct error *err)
{
	/* without sockets of the node's own nobody would be answered */
	bool may_do_without = agent->opts->nodecache && plan->n_listen;
	struct missing missing = { .text = "" };
	bool rights = true;
	int ret;

	if (may_do_without)
		rights = look(agent, plan, &missing);
	if (!missing.text[0]) {
		ret = datapath__open(config, &agent->datapath, err);
		if (ret && (!may_do_without || !is_want(ret)))
			return ret;
		if (!ret) {
			ret = load_programs(agent, plan, err);
			if (!ret || !agent->opts->nodecache || ret == -ENOMEM)
				return ret;
			rights = false;
		}
		add(&missing, "%s", err->text);
	}
	agent->bare = true;
	say(&missing, plan, rights);
	return 0;
}

void agent_bare__remind(struct agent *agent, uint64_t now)
{
	if (!agent->bare)
		return;
	if (agent->bare_said_ns && now - agent->bare_said_ns >= REMIND_NS)
		log_warn("still no kernel path: the first lines of this log say what is missing");
	else if (agent->bare_said_ns)
		return;
	agent->bare_said_ns = now;
}
