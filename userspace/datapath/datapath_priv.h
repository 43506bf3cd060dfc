/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the files of the kernel side share with each other and nobody else.
 *
 * Contract: pins lie in <dir>: one per map under its own name, steps/ (those of nodens_slabs),
 * tail/ (the program arrays of loaded instances) and links/ (tcx). Names in bpffs must not hold a
 * dot.
 */
#ifndef NODENS_DATAPATH_PRIV_H
#define NODENS_DATAPATH_PRIV_H

#include <limits.h>

#include <bpf/libbpf.h>

#include "base/netlink.h"
#include "datapath/datapath.h"

/* The maps that every instance shares. */
enum datapath_map {
	MAP_INDEX,
	MAP_SLABS,
	MAP_CTL,
	MAP_PERCPU,
	MAP_CLIENTS,
	MAP_CLAIMS,
	MAP_DEVNUM,
	MAP_DEVCOUNT,
	MAP_SERIES,
	MAP_ZONES,
	MAP_SESSIONS,
	MAP_SEEN,
	MAP_RINGS, /* where the kernel has ring buffers */
	MAP_COUNT,
};

extern const char *const map_names[MAP_COUNT];

/* What a map must be like to be adopted, and is made like otherwise. */
struct map_def {
	enum bpf_map_type type;
	uint32_t key_size, value_size, max_entries, flags;
};

struct nodens_bpf;

struct datapath {
	struct datapath_features features;
	char pin_dir[PATH_MAX / 2];
	char dir[PATH_MAX / 2 + 32]; /* pin_dir/layout-N */
	char steps_dir[PATH_MAX / 2 + 64];
	int lock_fd;
	int map_fd[MAP_COUNT];
	struct map_def map_def[MAP_COUNT];
	int grace_fd, grace_inner_fd;
	bool adopted;
	bool count_devices;
	bool ctl_mapped;
	struct nodens_ctl *ctl;
	bool xdp_single; /* libxdp's dispatcher was tried and is refused here */
	/* Loaded once, for many devices; -1: not yet. */
	int tc_fd[DATAPATH_TC_PROGS][2]; /* [which][steer] */
	int xdp_alone_fd[2][2];		 /* [steer][generic] */
	int return_link_fd;		 /* nd0's tcx link; dies with nd0 */
	struct {
		uint32_t prio, handle, prog_id;
	} return_filter; /* without tcx */
	struct nl rtnl;	 /* of attach.c, opened when it is first needed */
};

/* datapath.c: the values of all CPUs, @size bytes each (a multiple of 8), added up as words. */
int datapath_sum_cpus(const struct datapath *dp, enum datapath_map map, uint32_t key, size_t size,
		      uint64_t *sum);

/* bpf_log.c */
void bpf_log_init(void); /* once; silences libbpf and libxdp */
void bpf_log_clear(void);
const char *bpf_log_last(void); /* the line that says most since bpf_log_clear(), or "" */

/* features.c: a map or program that may be refused for RLIMIT_MEMLOCK; raises it if it can. */
void features_raise_memlock(void);
const char *features_refusal(int error); /* what to do about EPERM, ENOMEM, E2BIG of bpf() */
bool features_tcx(void);		 /* tcx links, by trying */
/* May a program run in the middle of another one on its CPU? By uname()'s strings. */
bool features_interleaves(const char *release, const char *version);

/* maps.c */
/* @dp's map_def, which progs_map_defs() has filled in, for @config and these features. */
int maps_define(struct datapath *dp, const struct datapath_config *config, struct error *err);
int maps_adopt(
	struct datapath *dp,
	const struct datapath_config *config); /* 0, -ENOENT none, -ESTALE other sizes, ... */
int maps_create(struct datapath *dp, struct error *err);
int maps_open(struct datapath *dp, struct error *err);
void maps_close(struct datapath *dp);
/* Nobody can open a session: nodens_rings goes, with its pin. */
void maps_no_sessions(struct datapath *dp);
/* False: the kernel lacks what the map holds, and it is not there. */
bool maps_has(const struct datapath *dp, enum datapath_map map);
int maps_create_grace(struct datapath *dp, struct error *err);

/* pins.c */
int pins_prepare(struct datapath *dp, struct error *err); /* checks bpffs, makes dirs, locks */
int pins_pin_maps(struct datapath *dp, struct error *err);
/*
 * Are @path and what is above it in the bpffs root's or this user's own, and nobody else's to write
 * to? In a bpffs of mode 1777 anybody may have made them before. -EPERM: no.
 */
int pins_check_owner(const char *path, struct error *err);
void pins_remove_empty(struct datapath *dp); /* directories that hold nothing */
/* Pins of program arrays that no loaded program uses, and of links whose device went. */
void pins_sweep(const char *pin_dir);

/* progs.c */
void progs_init(struct datapath *dp);
/*
 * An instance, loaded and joined; the caller destroys it. Of what is kept, a descriptor is enough:
 * an object costs the agent 0.2 MB.
 */
int progs_load_tc(struct datapath *dp, enum datapath_prog which, bool steer,
		  struct nodens_bpf **out, struct error *err);
int progs_xdp_alone_fd(struct datapath *dp, bool steer, bool generic, struct error *err);
void progs_close(struct datapath *dp);
int progs_map_defs(struct map_def defs[MAP_COUNT]); /* as the object states them */

#endif /* NODENS_DATAPATH_PRIV_H */
