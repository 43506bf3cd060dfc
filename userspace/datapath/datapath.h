/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The kernel objects: what this kernel can do (probes), the maps (created,
 * pinned, adopted) and the programs loaded over them.
 *
 * Contract: datapath__open() checks everything before it creates anything, and
 * undoes what it did on failure. Errors come with one line in
 * struct error that says what failed and what to do.
 */
#ifndef NODENS_DATAPATH_H
#define NODENS_DATAPATH_H

#include <sys/types.h>

#include "base/error.h"
#include "store/store.h"

/* libbpf's and libxdp's own messages, line by line; they are silent until this is set (NULL:
 * again). */
void datapath__on_debug(void (*print)(const char *line));
/* The last lines (8 at most) of what the verifier said to the program that was refused last. */
void datapath__verifier_lines(void (*print)(const char *line));

/* One row per feature newer than 5.4; found by probing, not by version. */
struct datapath_features {
	bool mmapable;	     /* 5.5: BPF_F_MMAPABLE arrays */
	bool coarse_clock;   /* 5.11: bpf_ktime_get_coarse_ns */
	bool xdp_grow;	     /* 5.8: bpf_xdp_adjust_tail grows */
	bool sessions;	     /* 5.8: single packets can be looked at: ring buffers, BTF */
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
int datapath_features__probe(struct datapath_features *features, const char *pretend,
			     struct error *err);
void datapath_features__print(const struct datapath_features *features, FILE *out);

struct datapath_config {
	const char *pin_dir; /* NULL: NODENS_PIN_DIR */
	const char *pretend;
	uint32_t capacity[2];
	uint32_t series;    /* needed: one a server and zone, and others'; there may be fewer */
	bool adopt;	    /* use pinned maps of the same layout; else start anew */
	bool count_devices; /* programs count by device, too (device_counts.h) */
};

struct datapath;

/*
 * Creates or adopts the maps and pins them. One agent at a time: -EBUSY while another one holds
 * @pin_dir. The control block has its layout, hash key and agent_pid set and steering off.
 */
int datapath__open(const struct datapath_config *config, struct datapath **out, struct error *err);
/*
 * What datapath__open() needs, looked at at little cost before anything is made: bpf(), and a
 * bpffs. Errors as its own.
 */
int datapath__may_load(struct error *err);
int datapath__may_pin(const char *pin_dir, struct error *err);
/* Opens pinned maps only, for stats, dump, flush; no programs. -ENOENT: none there. */
int datapath__open_pinned(const char *pin_dir, struct datapath **out, struct error *err);
void datapath__close(struct datapath *dp); /* pins stay */
/*
 * Removes the pins (and so, with the programs detached, the maps). Returns how many maps, links
 * and program arrays there were, 0 for none, or -errno.
 */
int datapath__unpin(const char *pin_dir);
/*
 * After attach__detach_all(): how many programs are still loaded over the maps that are pinned
 * there, attached in another network namespace or held by an agent; waits a second for them to go.
 * Pins of links whose device has left them go. -EPERM: it cannot be asked (CAP_SYS_ADMIN).
 */
int datapath__programs_left(const char *pin_dir);
/*
 * Maps of older layouts go, with what they cached, once no device has programs over them: the one
 * agent that may write there is this one. Returns how many layouts are left because some have.
 */
int datapath__sweep_older(struct datapath *dp);
/*
 * Whether an agent holds @pin_dir now (1, 0 or -errno), by its lock and so across PID namespaces.
 * *pid: as it stated it, 0 where unknown.
 */
int datapath__agent_runs(const char *pin_dir, pid_t *pid);

const struct datapath_features *datapath__features(const struct datapath *dp);
bool datapath__adopted(const struct datapath *dp);    /* the maps were found, not made */
const char *datapath__dir(const struct datapath *dp); /* of the pins: PIN_DIR/layout-N */
/* Its text is valid as long as @dp. */
void datapath__store_maps(const struct datapath *dp, struct store_maps *maps);
/* For a store that these programs read. -errno as publisher__maps(). */
int datapath__publisher(const struct datapath *dp, struct publisher **out);
/*
 * The control block to read and write; with mmap it is the map itself. Each
 * change of it is followed by datapath__ctl_commit(), which without mmap writes
 * the map (and does nothing with it).
 */
struct nodens_ctl *datapath__ctl(struct datapath *dp);
int datapath__ctl_commit(struct datapath *dp);
/* Sum over CPUs of every counter. */
int datapath__counters(struct datapath *dp, uint64_t counters[NODENS_CTR_COUNT]);
/*
 * Of nodens_series: how many there are; of one, the sum over CPUs (-ENOENT: there is none of that
 * number); what it means, to read and to write. -errno of bpf(). Some microseconds each.
 */
uint32_t datapath__series_count(const struct datapath *dp);
int datapath__series(const struct datapath *dp, uint32_t number, struct nodens_series *sum);
int datapath__zone(const struct datapath *dp, uint32_t number, struct nodens_zone *zone);
int datapath__set_zone(const struct datapath *dp, uint32_t number, const struct nodens_zone *zone);
/* Sum over CPUs of what was measured. */
int datapath__times(const struct datapath *dp, struct nodens_times *sum);
int datapath__clients_fd(const struct datapath *dp);
int datapath__claims_fd(const struct datapath *dp);
/* Bytes of memory of all maps, as the kernel states it (fdinfo memlock). */
uint64_t datapath__bytes(const struct datapath *dp);

/*
 * The programs, one object instance per variant (rodata settings), loaded on
 * first use and kept. Returned fds stay the object's.
 */
enum datapath_prog {
	DATAPATH_TC_POD, /* tc ingress of a pod's veth: answers by redirect to the peer */
	DATAPATH_TC_NIC, /* tc ingress of another device: answers by redirect to itself */
	DATAPATH_TC_POD_BEHIND_XDP, /* tc beside XDP on one device: steers misses only */
	DATAPATH_TC_NIC_BEHIND_XDP,
	DATAPATH_TC_RETURN, /* tc ingress of nd0: back to the client */
	DATAPATH_TC_NOTE,   /* not attached: what the agent has done, to the sessions;
			     -EOPNOTSUPP without ring buffers */
	DATAPATH_TC_PROGS,
};
/* @steer: misses go to the agent's namespace; else they go on up the stack (listen mode). */
int datapath__tc_prog_fd(struct datapath *dp, enum datapath_prog which, bool steer,
			 struct error *err);

struct bpf_object;
/*
 * A fresh object with the maps set, for libxdp, which loads it: of its programs only xdp_nodens
 * is to be. @generic: for XDP over skbs. The caller closes it (bpf_object__close).
 */
int datapath__xdp_object(struct datapath *dp, bool steer, bool generic, struct bpf_object **out,
			 struct error *err);

/* Maps of sessions (headers/nodens_sessions.h); rings_fd -1: the kernel has no ring buffers. */
struct datapath_sessions {
	int sessions_fd, seen_fd, rings_fd;
	struct nodens_ctl *ctl;
};
void datapath__sessions(const struct datapath *dp, struct datapath_sessions *out);
/* A ring buffer that fits into rings_fd: its fd, the caller's, or -errno. */
int datapath__ring(void);

#endif /* NODENS_DATAPATH_H */
