// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The programs: one instance of the object per variant, over the shared maps.
 *
 * Contract: an instance is loaded whole or not at all. The program array from tc_nodens to those
 * behind it is pinned before its fd can be had: the kernel empties one that only programs hold,
 * and then a killed agent would take the answers with it.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "datapath_priv.h"
#include "nodens.skel.h"

static const char *const prog_names[DATAPATH_TC_PROGS] = {
	[DATAPATH_TC_POD] = "pod",
	[DATAPATH_TC_NIC] = "nic",
	[DATAPATH_TC_POD_BEHIND_XDP] = "pod-behind",
	[DATAPATH_TC_NIC_BEHIND_XDP] = "nic-behind",
	[DATAPATH_TC_RETURN] = "return",
	[DATAPATH_TC_NOTE] = "note",
};

/*
 * Helpers that a kernel may lack, and the older one of the same signature that takes the call's
 * place. Constants would not do: before 5.5 the verifier does not know their values, walks both
 * branches and refuses the helper it does not know.
 */
static struct datapath_features patch_for;

static int patch_helpers(struct bpf_program *prog, struct bpf_prog_load_opts *opts, long cookie)
{
	/* libbpf has just made this array for this load. */
	struct bpf_insn *insn = (struct bpf_insn *)bpf_program__insns(prog);
	struct bpf_insn *end = insn + bpf_program__insn_cnt(prog);

	(void)opts, (void)cookie;
	for (; insn < end; insn++) {
		if (insn->code != (BPF_JMP | BPF_CALL) || insn->src_reg)
			continue;
		if (insn->imm == BPF_FUNC_ktime_get_coarse_ns && !patch_for.coarse_clock)
			insn->imm = BPF_FUNC_ktime_get_ns;
		if (insn->imm == BPF_FUNC_redirect_peer && !patch_for.redirect_peer)
			insn->imm = BPF_FUNC_redirect;
	}
	return 0;
}

/*
 * Handlers stay for the life of the process: objects point into libbpf's table of them. On a kernel
 * that lacks nothing there is none, and the sections are handled as ever.
 */
static int patch_init(const struct datapath_features *features)
{
	LIBBPF_OPTS(libbpf_prog_handler_opts, opts, .prog_prepare_load_fn = patch_helpers);
	static bool registered;
	int ret;

	patch_for = *features;
	if (registered || (features->coarse_clock && features->redirect_peer))
		return 0;
	ret = libbpf_register_prog_handler("tc", BPF_PROG_TYPE_SCHED_CLS, 0, &opts);
	if (ret >= 0)
		ret = libbpf_register_prog_handler("xdp", BPF_PROG_TYPE_XDP, 0, &opts);
	if (ret < 0)
		return ret;
	registered = true;
	return 0;
}

int progs_map_defs(struct map_def defs[MAP_COUNT])
{
	struct nodens_bpf *skel;
	struct bpf_map *map;
	int i, ret = 0;

	bpf_log_clear();
	skel = nodens_bpf__open();
	if (!skel)
		return errno ? -errno : -ENOMEM;
	for (i = 0; i < MAP_COUNT; i++) {
		map = bpf_object__find_map_by_name(skel->obj, map_names[i]);
		if (!map) {
			ret = -ENOENT;
			break;
		}
		defs[i] = (struct map_def){ bpf_map__type(map), bpf_map__key_size(map),
					    bpf_map__value_size(map), bpf_map__max_entries(map),
					    bpf_map__map_flags(map) };
	}
	nodens_bpf__destroy(skel);
	return ret;
}

static int share_maps(const struct datapath *dp, struct bpf_object *obj)
{
	struct bpf_map *map;
	int i, ret;

	for (i = 0; i < MAP_COUNT; i++) {
		map = bpf_object__find_map_by_name(obj, map_names[i]);
		if (!map)
			return -ENOENT;
		if (dp->map_fd[i] < 0)
			ret = bpf_map__set_autocreate(map, false);
		else
			ret = bpf_map__reuse_fd(map, dp->map_fd[i]);
		if (ret)
			return ret;
	}
	return 0;
}

struct settings {
	bool steer, redirect_peer, behind_xdp, xdp_generic;
};

static int open_instance(struct datapath *dp, const struct settings *set, struct nodens_bpf **out,
			 struct error *err)
{
	struct nodens_bpf *skel = NULL;
	struct bpf_program *prog = NULL;
	int ret;

	bpf_log_clear();
	ret = patch_init(&dp->features);
	if (ret)
		goto fail;
	errno = ENOMEM;
	skel = nodens_bpf__open();
	if (!skel) {
		ret = -errno;
		goto fail;
	}
	skel->rodata->cfg_steer = set->steer;
	skel->rodata->cfg_redirect_peer = set->redirect_peer;
	skel->rodata->cfg_behind_xdp = set->behind_xdp;
	skel->rodata->cfg_xdp_generic = set->xdp_generic;
	skel->rodata->cfg_count_devices = dp->count_devices;
	skel->rodata->cfg_index_shift = 64 - __builtin_ctz(dp->map_def[MAP_INDEX].max_entries);
	while ((prog = bpf_object__next_program(skel->obj, prog)))
		bpf_program__set_autoload(prog, false);
	ret = share_maps(dp, skel->obj);
	if (ret)
		goto fail;
	*out = skel;
	return 0;
fail:
	nodens_bpf__destroy(skel);
	return error__set(err, ret, "cannot open the BPF object: %s: %s", strerror(-ret),
			  bpf_log_last());
}

static int fill_tail(struct datapath *dp, struct nodens_bpf *skel, const char *name, bool steer)
{
	const struct bpf_program *behind[NODENS_TAIL_COUNT] = {
		[NODENS_TAIL_DNS] = skel->progs.tc_dns,
		[NODENS_TAIL_STEER] = skel->progs.tc_steer,
		[NODENS_TAIL_OBSERVE] = skel->progs.tc_observe,
	};
	int tail = bpf_map__fd(skel->maps.nodens_tail), prog;
	struct bpf_map_info info = {};
	uint32_t len = sizeof(info);
	char path[PATH_MAX];

	for (uint32_t i = 0; i < NODENS_TAIL_COUNT; i++) {
		prog = bpf_program__fd(behind[i]);
		if (prog >= 0 && bpf_map_update_elem(tail, &i, &prog, BPF_ANY))
			return -errno;
	}
	if (bpf_obj_get_info_by_fd(tail, &info, &len))
		return -errno;
	snprintf(path, sizeof(path), "%s/tail/%s%s-%u", dp->dir, name, steer ? "" : "-listen",
		 info.id);
	return bpf_obj_pin(tail, path) ? -errno : 0;
}

static int load_tc(struct datapath *dp, enum datapath_prog which, bool steer,
		   struct nodens_bpf **out, struct error *err)
{
	const struct settings set = {
		.steer = steer,
		.redirect_peer = dp->features.redirect_peer &&
				 (which == DATAPATH_TC_POD || which == DATAPATH_TC_POD_BEHIND_XDP ||
				  which == DATAPATH_TC_RETURN),
		.behind_xdp =
			which == DATAPATH_TC_POD_BEHIND_XDP || which == DATAPATH_TC_NIC_BEHIND_XDP,
	};
	struct nodens_bpf *skel;
	int ret;

	if (which == DATAPATH_TC_NOTE && !dp->features.sessions)
		return error__set(err, -EOPNOTSUPP,
				  "this kernel has no BPF ring buffers (Linux 5.8) or no BTF, or "
				  "refuses the program for it");
	ret = open_instance(dp, &set, &skel, err);
	if (ret)
		return ret;
	if (which == DATAPATH_TC_NOTE) {
		bpf_program__set_autoload(skel->progs.tc_note, true);
		bpf_map__set_autocreate(skel->maps.nodens_tail, false);
	} else if (which == DATAPATH_TC_RETURN) {
		bpf_program__set_autoload(skel->progs.tc_return, true);
	} else {
		bpf_program__set_autoload(skel->progs.tc_nodens, true);
		bpf_program__set_autoload(skel->progs.tc_dns, true);
		bpf_program__set_autoload(skel->progs.tc_steer, steer);
	}
	bpf_program__set_autoload(skel->progs.tc_observe,
				  dp->features.sessions && which != DATAPATH_TC_NOTE);
	ret = nodens_bpf__load(skel);
	if (ret) {
		error__set(err, ret, "this kernel refuses the tc program (%s): %s: %s",
			   prog_names[which], strerror(-ret), bpf_log_last());
	} else if (which != DATAPATH_TC_NOTE) {
		ret = fill_tail(dp, skel, prog_names[which], steer);
		if (ret)
			error__set(err, ret, "cannot join the tc programs (%s): %s",
				   prog_names[which], strerror(-ret));
	}
	if (ret)
		nodens_bpf__destroy(skel);
	else
		*out = skel;
	return ret;
}

/* A kernel that refuses those who look on is to answer all the same. */
int progs_load_tc(struct datapath *dp, enum datapath_prog which, bool steer,
		  struct nodens_bpf **out, struct error *err)
{
	bool with_sessions = dp->features.sessions && which != DATAPATH_TC_NOTE;
	int ret = load_tc(dp, which, steer, out, err);

	/* the verifier's refusals; of anything else another try may not have them */
	if (!with_sessions || (ret != -EACCES && ret != -EINVAL && ret != -E2BIG))
		return ret;
	dp->features.sessions = false;
	ret = load_tc(dp, which, steer, out, err);
	if (ret)
		dp->features.sessions = true;
	else
		maps_no_sessions(dp);
	return ret;
}

/* A descriptor of @prog's that outlives its object. */
static int keep_fd(const struct bpf_program *prog, int *fd, struct error *err)
{
	*fd = fcntl(bpf_program__fd(prog), F_DUPFD_CLOEXEC, 0);
	return *fd < 0 ? error__set(err, -errno, "cannot keep a program: %s", strerror(errno))
		       : *fd;
}

static const struct bpf_program *entry_of(const struct nodens_bpf *skel, enum datapath_prog which)
{
	switch (which) {
	case DATAPATH_TC_RETURN:
		return skel->progs.tc_return;
	case DATAPATH_TC_NOTE:
		return skel->progs.tc_note;
	default:
		return skel->progs.tc_nodens;
	}
}

int datapath__tc_prog_fd(struct datapath *dp, enum datapath_prog which, bool steer,
			 struct error *err)
{
	int *fd = &dp->tc_fd[which][steer], ret;
	struct nodens_bpf *skel;

	if (*fd >= 0)
		return *fd;
	ret = progs_load_tc(dp, which, steer, &skel, err);
	if (ret)
		return ret;
	ret = keep_fd(entry_of(skel, which), fd, err);
	nodens_bpf__destroy(skel);
	return ret;
}

int datapath__xdp_object(struct datapath *dp, bool steer, bool generic, struct bpf_object **out,
			 struct error *err)
{
	const struct settings set = { .steer = steer, .xdp_generic = generic };
	struct bpf_object *obj;
	struct nodens_bpf *skel;
	int ret = open_instance(dp, &set, &skel, err);

	if (ret)
		return ret;
	bpf_program__set_autoload(skel->progs.xdp_nodens, true);
	bpf_map__set_autocreate(skel->maps.nodens_tail, false);
	/* The object outlives its skeleton, which only holds pointers into it. */
	obj = skel->obj;
	skel->obj = NULL;
	nodens_bpf__destroy(skel);
	*out = obj;
	return 0;
}

/* XDP without libxdp's dispatcher: one loaded program serves every device. */
int progs_xdp_alone_fd(struct datapath *dp, bool steer, bool generic, struct error *err)
{
	int *fd = &dp->xdp_alone_fd[steer][generic], ret;
	struct bpf_object *obj;

	if (*fd >= 0)
		return *fd;
	ret = datapath__xdp_object(dp, steer, generic, &obj, err);
	if (ret)
		return ret;
	bpf_log_clear();
	ret = bpf_object__load(obj);
	if (ret)
		error__set(err, ret, "this kernel refuses the XDP program: %s: %s", strerror(-ret),
			   bpf_log_last());
	else
		ret = keep_fd(bpf_object__find_program_by_name(obj, "xdp_nodens"), fd, err);
	bpf_object__close(obj);
	return ret;
}

void progs_init(struct datapath *dp)
{
	memset(dp->tc_fd, -1, sizeof(dp->tc_fd));
	memset(dp->xdp_alone_fd, -1, sizeof(dp->xdp_alone_fd));
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void progs_close(struct datapath *dp)
{
	for (int i = 0; i < 2; i++) {
		for (int which = 0; which < DATAPATH_TC_PROGS; which++)
			close_fd(dp->tc_fd[which][i]);
		for (int j = 0; j < 2; j++)
			close_fd(dp->xdp_alone_fd[i][j]);
	}
	progs_init(dp);
}
