/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the files of the kernel side share with each other and nobody else.
 *
 * Contract: pins lie in <dir>: one per map under its own name, tail/ (the program arrays of loaded
 * instances) and links/ (tcx). Names in bpffs must not hold a dot.
 */
#ifndef NODENS_KERN_PRIV_H
#define NODENS_KERN_PRIV_H

#include <limits.h>

#include <bpf/libbpf.h>

#include "datapath/datapath.h"

/* The maps that every instance shares. */
enum kern_map {
	KERN_INDEX,
	KERN_SLAB0,
	KERN_SLAB1,
	KERN_SLAB2,
	KERN_SLAB3,
	KERN_CTL,
	KERN_PERCPU,
	KERN_CLIENTS,
	KERN_CLAIMS,
	KERN_MAPS,
};

_Static_assert(KERN_SLAB3 - KERN_SLAB0 + 1 == NODENS_CLASSES, "one slab map per class");

extern const char *const kern_map_names[KERN_MAPS];

/* What a map must be like to be adopted, and is made like otherwise. */
struct kern_map_def {
	enum bpf_map_type type;
	uint32_t key_size, value_size, max_entries, flags;
};

struct nodens_bpf;

struct kern {
	struct kern_features features;
	char pin_dir[PATH_MAX / 2];
	char dir[PATH_MAX / 2 + 32]; /* pin_dir/layout-N */
	int lock_fd;
	int map_fd[KERN_MAPS];
	struct kern_map_def map_def[KERN_MAPS];
	int grace_fd, grace_inner_fd;
	bool adopted;
	bool ctl_mapped;
	struct nodens_ctl *ctl;
	bool xdp_single;		    /* libxdp's dispatcher was tried and is refused here */
	struct bpf_object *xdp_alone[2][2]; /* by steer, generic: loaded once, for many devices */
	int return_link_fd;		    /* nd0's tcx link; dies with nd0 */
	struct {
		uint32_t prio, handle, prog_id;
	} return_filter;			 /* without tcx */
	struct nodens_bpf *tc[KERN_TC_PROGS][2]; /* [which][steer] */
};

/* bpf_log.c */
void kern_log__init(void); /* once; silences libbpf and libxdp */
void kern_log__clear(void);
const char *kern_log__last(void); /* the line that says most since kern_log__clear(), or "" */

/* features.c: a map or program that may be refused for RLIMIT_MEMLOCK; raises it if it can. */
void kern_raise_memlock(void);
const char *kern_refusal(int error); /* what to do about EPERM, ENOMEM, E2BIG of bpf() */

/* maps.c */
int kern_maps__define(struct kern *kern, const uint32_t capacity[2], struct error *err);
int kern_maps__adopt(struct kern *kern); /* 0, -ENOENT none, -ESTALE other sizes, ... */
int kern_maps__create(struct kern *kern, struct error *err);
int kern_maps__none(struct kern *kern, struct error *err); /* the control block alone */
int kern_maps__open(struct kern *kern, struct error *err);
void kern_maps__close(struct kern *kern);
int kern_grace__create(struct kern *kern, struct error *err);

/* pins.c */
int kern_pins__prepare(struct kern *kern, struct error *err); /* checks bpffs, makes dirs, locks */
int kern_pins__pin_maps(struct kern *kern, struct error *err);
/*
 * Are @path and what is above it in the bpffs root's or this user's own, and nobody else's to write
 * to? In a bpffs of mode 1777 anybody may have made them before. -EPERM: no.
 */
int kern_pins__check_owner(const char *path, struct error *err);
void kern_pins__remove_empty(struct kern *kern); /* directories that hold nothing */
/* Pins of program arrays that no loaded program uses, and of links whose device went. */
void kern_pins__sweep(const char *pin_dir);

/* progs.c */
int kern_progs__xdp_alone_fd(struct kern *kern, bool steer, bool generic, struct error *err);
void kern_progs__close(struct kern *kern);
int kern_progs__map_defs(struct kern_map_def defs[KERN_MAPS]); /* as the object states them */

#endif /* NODENS_KERN_PRIV_H */
