/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The kernel objects: what this kernel can do (probes), the maps (created,
 * pinned, adopted) and the programs loaded over them.
 *
 * Contract: kern__open() checks everything before it creates anything, and
 * undoes what it did on failure. Errors come with one line in
 * struct error that says what failed and what to do.
 */
#ifndef NODENS_KERN_H
#define NODENS_KERN_H

#include <sys/types.h>

#include "base/error.h"
#include "store/store.h"

/* libbpf's and libxdp's own messages, line by line; they are silent until this is set (NULL:
 * again). */
void kern__on_debug(void (*print)(const char *line));
/* The last lines (8 at most) of what the verifier said to the program that was refused last. */
void kern__verifier_said(void (*print)(const char *line));

/* One row per feature newer than 5.4; found by probing, not by version. */
struct kern_features {
	bool mmapable;	     /* 5.5: BPF_F_MMAPABLE arrays */
	bool coarse_clock;   /* 5.11: bpf_ktime_get_coarse_ns */
	bool xdp_grow;	     /* 5.8: bpf_xdp_adjust_tail grows */
	bool redirect_peer;  /* 5.10 */
	bool tcx;	     /* 6.6 */
	bool memcg;	     /* 5.11: maps are not charged to RLIMIT_MEMLOCK */
	bool btf;	     /* /sys/kernel/btf/vmlinux */
	bool xdp_dispatcher; /* 5.10: libxdp's, needs freplace */
	bool prog_ids;	     /* programs can be looked up by id: CAP_SYS_ADMIN */
};

/*
 * @pretend: NULL, or "5.4", "5.10"...: features newer than it are off.
 * Errors: -EINVAL a bad @pretend, -EPERM, -ENOSYS, -EOPNOTSUPP a kernel without loops.
 */
int kern_features__probe(struct kern_features *features, const char *pretend, struct error *err);
void kern_features__print(const struct kern_features *features, FILE *out);

struct kern_config {
	const char *pin_dir; /* NULL: NODENS_PIN_DIR */
	const char *pretend;
	uint32_t capacity[2];
	bool adopt; /* use pinned maps of the same layout; else start anew */
};

struct kern;

/*
 * Creates or adopts the maps and pins them. One agent at a time: -EBUSY while another one holds
 * @pin_dir. The control block has its layout, hash key and agent_pid set and steering off.
 */
int kern__open(const struct kern_config *config, struct kern **out, struct error *err);
/*
 * What kern__open() needs, looked at at little cost before anything is made: bpf(), and a bpffs.
 * Errors as its own.
 */
int kern__may_load(struct error *err);
int kern__may_pin(const char *pin_dir, struct error *err);
/*
 * For an agent without programs: a control block and the sizes of a store in its own memory, no map
 * (their descriptors are -1), counters that stay 0. For the rest of this header it is not fit.
 */
int kern__open_none(const struct kern_config *config, struct kern **out, struct error *err);
/* Opens pinned maps only, for stats, dump, flush; no programs. -ENOENT: none there. */
int kern__open_pinned(const char *pin_dir, struct kern **out, struct error *err);
void kern__close(struct kern *kern); /* pins stay */
/*
 * Removes the pins (and so, with the programs detached, the maps). Returns how many maps, links
 * and program arrays there were, 0 for none, or -errno.
 */
int kern__unpin(const char *pin_dir);
/*
 * After attach__detach_all(): how many programs are still loaded over the maps that are pinned
 * there, attached in another network namespace or held by an agent; waits a second for them to go.
 * Pins of links whose device has left them go. -EPERM: it cannot be asked (CAP_SYS_ADMIN).
 */
int kern__programs_left(const char *pin_dir);
/*
 * Whether an agent holds @pin_dir now (1, 0 or -errno), by its lock and so across PID namespaces.
 * *pid: as it stated it, 0 where unknown.
 */
int kern__agent_runs(const char *pin_dir, pid_t *pid);

const struct kern_features *kern__features(const struct kern *kern);
bool kern__adopted(const struct kern *kern);	/* the maps were found, not made */
const char *kern__dir(const struct kern *kern); /* of the pins: PIN_DIR/layout-N */
void kern__store_maps(const struct kern *kern, struct store_maps *maps);
/*
 * The control block to read and write; with mmap it is the map itself. Each
 * change of it is followed by kern__ctl_commit(), which without mmap writes
 * the map (and does nothing with it).
 */
struct nodens_ctl *kern__ctl(struct kern *kern);
int kern__ctl_commit(struct kern *kern);
/* Sum over CPUs of every counter. */
int kern__counters(struct kern *kern, uint64_t counters[NODENS_CTR_COUNT]);
int kern__clients_fd(const struct kern *kern);
int kern__claims_fd(const struct kern *kern);
/* Bytes of memory of all maps, as the kernel states it (fdinfo memlock). */
uint64_t kern__bytes(const struct kern *kern);

/*
 * The programs, one object instance per variant (rodata settings), loaded on
 * first use and kept. Returned fds stay the object's.
 */
enum kern_prog {
	KERN_TC_POD,		/* tc ingress of a pod's veth: answers by redirect to the peer */
	KERN_TC_NIC,		/* tc ingress of another device: answers by redirect to itself */
	KERN_TC_POD_BEHIND_XDP, /* tc beside XDP on one device: steers misses only */
	KERN_TC_NIC_BEHIND_XDP,
	KERN_TC_RETURN, /* tc ingress of nd0: back to the client */
	KERN_TC_PROGS,
};
/* @steer: misses go to the agent's namespace; else they go on up the stack (listen mode). */
int kern__tc_prog_fd(struct kern *kern, enum kern_prog which, bool steer, struct error *err);

struct bpf_object;
/*
 * A fresh object with the maps set, for libxdp, which loads it: of its programs only xdp_nodens
 * is to be. @generic: for XDP over skbs. The caller closes it (bpf_object__close).
 */
int kern__xdp_object(struct kern *kern, bool steer, bool generic, struct bpf_object **out,
		     struct error *err);

#endif /* NODENS_KERN_H */
