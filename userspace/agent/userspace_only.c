// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Without the kernel path. Contract: userspace_only.h.
 */
#include "agent/userspace_only.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "datapath/attach.h"
#include "link/netns.h"
#include "store/store.h"

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
static bool look(const char *pin_dir, const struct plan *plan, struct missing *missing)
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
	ret = datapath__may_pin(pin_dir, &err);
	if (ret == -ENODEV)
		add(missing, "%s is not in a bpffs", pin_dir);
	else if (is_want(ret))
		add(missing, "%s", err.text);
	return true;
}

void userspace_only_log(const char *missing, const struct plan *plan, bool rights)
{
	if (!rights) {
		log_error("no kernel path: %s. %s", missing,
			  plan->n_listen ? "DNS is answered without it, on sockets of this node"
					 : "Nothing is answered here: pods have the cluster's DNS, "
					   "as without nodens");
		return;
	}
	log_error("no kernel path: %s. DNS is answered without it, on sockets of this node. To "
		  "have it, "
		  "give the container what %s, the node's /sys/fs/bpf as a volume, and no AppArmor "
		  "profile that denies writing there",
		  missing,
		  plan->mode == MODE_STEER ? "deploy/manifests/image-swap/patch.yaml adds: the "
					     "capabilities SYS_ADMIN and NET_ADMIN"
					   : "deploy/manifests/cilium/cilium-lrp.yaml has: the "
					     "capabilities BPF, PERFMON and NET_ADMIN");
}

static void log_verifier(const char *line)
{
	log_warn("verifier: %s", line);
}

int userspace_only_or_programs(const struct run_options *opts, const struct plan *plan,
			       struct datapath **datapath, struct error *err)
{
	struct datapath *dp = *datapath;
	bool sessions = datapath__features(dp)->sessions;
	int ret = attach__load(dp, opts->hook, plan->mode == MODE_STEER, err);

	if (!ret && sessions == datapath__features(dp)->sessions)
		return 0;
	datapath__verifier_lines(log_verifier);
	if (!ret) {
		log_warn("single packets cannot be looked at (nodens trace): this kernel refuses "
			 "the program for it");
		return 0;
	}
	if (!datapath__adopted(dp))
		datapath__unpin(opts->bpffs);
	datapath__close(dp);
	*datapath = NULL;
	if (!opts->nodecache || ret == -ENOMEM)
		return ret;
	return 0;
}

int userspace_only_or_datapath(const struct run_options *opts, const struct datapath_config *config,
			       const struct plan *plan, struct datapath **out, bool *rights,
			       struct error *err)
{
	/* without sockets of the node's own nobody would be answered */
	bool may_do_without = opts->nodecache && plan->n_listen;
	struct missing missing = { .text = "" };
	int ret;

	*rights = true;
	if (may_do_without)
		*rights = look(opts->bpffs, plan, &missing);
	if (!missing.text[0]) {
		ret = datapath__open(config, out, err);
		if (!ret || !may_do_without || !is_want(ret))
			return ret;
		add(&missing, "%s", err->text);
	}
	*out = NULL;
	error__set(err, 0, "%s", missing.text);
	return 0;
}

int userspace_only_publisher(const uint32_t capacity[2], struct publisher **out)
{
	return publisher__none(store__plan(capacity), out);
}

void userspace_only_remind(uint64_t *logged_ns, uint64_t now)
{
	if (*logged_ns && now - *logged_ns >= REMIND_NS)
		log_warn("still no kernel path: the first lines of this log say what is missing");
	else if (*logged_ns)
		return;
	*logged_ns = now;
}
