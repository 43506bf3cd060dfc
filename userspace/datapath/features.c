// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What this kernel can do, found by trying it.
 *
 * Contract: leaves nothing behind; the answers do not depend on the version that the kernel
 * states, since distributions backport. A refusal that has another cause than age (permission,
 * RLIMIT_MEMLOCK) is told apart before the probes run.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/if_ether.h>

#include "bpf_syscall_priv.h"
#include "datapath_priv.h"

#define ARRAY_SIZE(a)	      (sizeof(a) / sizeof((a)[0]))
#define VERSION(major, minor) ((major) << 8 | (minor))
#define OLDEST		      VERSION(5, 4)

#define INSN(c, d, s, o, i) \
	((struct bpf_insn){ .code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) })
#define MOV_IMM(d, i)	 INSN(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define ADD_IMM(d, i)	 INSN(BPF_ALU64 | BPF_ADD | BPF_K, d, 0, 0, i)
#define JLT_IMM(d, i, o) INSN(BPF_JMP | BPF_JLT | BPF_K, d, 0, o, i)
#define CALL(id)	 INSN(BPF_JMP | BPF_CALL, 0, 0, 0, id)
#define EXIT()		 INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

static int load(enum bpf_prog_type type, const struct bpf_insn *insns, size_t n)
{
	int fd = bpf_prog_load(type, "nodens_probe", "Dual BSD/GPL", insns, n, NULL);

	return fd < 0 ? -errno : fd;
}

static bool loads(enum bpf_prog_type type, const struct bpf_insn *insns, size_t n)
{
	int fd = load(type, insns, n);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

static int tiny_array(uint32_t flags)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = flags);
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "nodens_probe", 4, 8, 1, &opts);

	return fd < 0 ? -errno : fd;
}

static bool probe_mmapable(void)
{
	int fd = tiny_array(BPF_F_MMAPABLE);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

static bool probe_coarse_clock(void)
{
	const struct bpf_insn insns[] = { CALL(BPF_FUNC_ktime_get_coarse_ns), MOV_IMM(BPF_REG_0, 0),
					  EXIT() };

	return loads(BPF_PROG_TYPE_SCHED_CLS, insns, ARRAY_SIZE(insns));
}

/* The helper is old, growing with it is not: only a run tells. */
static bool probe_xdp_grow(void)
{
	const struct bpf_insn insns[] = { MOV_IMM(BPF_REG_2, 16), CALL(BPF_FUNC_xdp_adjust_tail),
					  EXIT() };
	uint8_t in[64] = {}, out[128];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in, .data_size_in = sizeof(in),
		    .data_out = out, .data_size_out = sizeof(out), .repeat = 1);
	int fd = load(BPF_PROG_TYPE_XDP, insns, ARRAY_SIZE(insns));
	bool grew;

	if (fd < 0)
		return false;
	grew = !bpf_prog_test_run_opts(fd, &opts) && opts.retval == 0 &&
	       opts.data_size_out == sizeof(in) + 16;
	close(fd);
	return grew;
}

static bool probe_btf(void)
{
	return !access("/sys/kernel/btf/vmlinux", R_OK);
}

/*
 * A ring buffer for each; and the kernel's own BTF, by which it sees that the functions in those
 * programs, which it walks by themselves, are given a program's context.
 */
static bool probe_sessions(void)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "nodens_probe", 0, 0, sysconf(_SC_PAGESIZE),
				NULL);

	if (fd < 0)
		return false;
	close(fd);
	return probe_btf();
}

static bool probe_redirect_peer(void)
{
	const struct bpf_insn insns[] = { MOV_IMM(BPF_REG_1, 1), MOV_IMM(BPF_REG_2, 0),
					  CALL(BPF_FUNC_redirect_peer), EXIT() };

	return loads(BPF_PROG_TYPE_SCHED_CLS, insns, ARRAY_SIZE(insns));
}

/* Onto a device that cannot be: a kernel with tcx says so, another does not know the type. */
static bool probe_tcx(void)
{
	const struct bpf_insn insns[] = { MOV_IMM(BPF_REG_0, 0), EXIT() };
	int fd = load(BPF_PROG_TYPE_SCHED_CLS, insns, ARRAY_SIZE(insns));
	int link;

	if (fd < 0)
		return false;
	link = bpf_tcx_link_create(fd, INT32_MAX, TCX_INGRESS);
	close(fd);
	return link == -ENODEV;
}

bool features_tcx(void)
{
	return probe_tcx();
}

/* With no locked memory allowed at all, a map can be made only where it is not charged to it. */
static bool probe_memcg(void)
{
	struct rlimit old, none;
	int fd;

	if (getrlimit(RLIMIT_MEMLOCK, &old))
		return true;
	none = old;
	none.rlim_cur = 0;
	if (setrlimit(RLIMIT_MEMLOCK, &none))
		return true;
	fd = tiny_array(0);
	setrlimit(RLIMIT_MEMLOCK, &old);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* Looking anything up by its id takes CAP_SYS_ADMIN; libxdp does so to take a program off. */
static bool probe_prog_ids(void)
{
	uint32_t id;

	return !bpf_prog_get_next_id(0, &id) || errno == ENOENT;
}

/* What libxdp still needs beyond it, it finds out itself when it attaches (attach_xdp.c). */
static bool probe_xdp_dispatcher(void)
{
	return libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_EXT, NULL) == 1;
}

static const struct feature_row {
	const char *name;
	unsigned int since;
	size_t offset;
	bool (*probe)(void);
	const char *with, *without;
} rows[] = {
#define ROW(field, since, with, without)                                                       \
	{                                                                                      \
#field, since, offsetof(struct datapath_features, field), probe_##field, with, \
			without                                                                \
	}
	ROW(mmapable, VERSION(5, 5), "slots are written through mmap",
	    "slots are written by bpf()"),
	ROW(xdp_grow, VERSION(5, 8), "XDP answers in place", "tc in place of XDP"),
	ROW(sessions, VERSION(5, 8), "single packets can be looked at",
	    "no `nodens trace`, and tc in place of XDP"),
	ROW(redirect_peer, VERSION(5, 10), "answers go straight into the pod",
	    "answers leave through the device"),
	ROW(xdp_dispatcher, VERSION(5, 10), "XDP programs share a device",
	    "one XDP program a device"),
	ROW(coarse_clock, VERSION(5, 11), "bpf_ktime_get_coarse_ns", "bpf_ktime_get_ns"),
	ROW(memcg, VERSION(5, 11), "memory is charged to the cgroup",
	    "memory is limited by RLIMIT_MEMLOCK"),
	ROW(tcx, VERSION(6, 6), "tcx links", "clsact filters"),
	ROW(btf, VERSION(5, 4), "/sys/kernel/btf/vmlinux is there",
	    "no sessions, tc in place of XDP"),
	ROW(prog_ids, VERSION(5, 4), "XDP programs are taken off again",
	    "tc in place of XDP: without CAP_SYS_ADMIN none could be taken off"),
#undef ROW
};

static bool *field_of(const struct datapath_features *features, const struct feature_row *row)
{
	return (bool *)((char *)features + row->offset);
}

static bool capable(unsigned int cap)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};

	if (syscall(SYS_capget, &header, data))
		return true;
	return data[cap / 32].effective & 1u << cap % 32;
}

/* Before 5.8 CAP_BPF and CAP_PERFMON are not there, and nobody has them. */
static bool may_load(void)
{
	return capable(CAP_SYS_ADMIN) ||
	       (capable(CAP_BPF) && capable(CAP_PERFMON) && capable(CAP_NET_ADMIN));
}

void features_raise_memlock(void)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY }, old;

	/* Without CAP_SYS_RESOURCE the hard limit is as far as it goes. */
	if (setrlimit(RLIMIT_MEMLOCK, &all) && !getrlimit(RLIMIT_MEMLOCK, &old)) {
		old.rlim_cur = old.rlim_max;
		setrlimit(RLIMIT_MEMLOCK, &old);
	}
}

const char *features_refusal(int error)
{
	struct rlimit limit;

	switch (error < 0 ? -error : error) {
	case EPERM:
	case EACCES:
		if (!may_load())
			return "run as root, or with CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN"
			       " (CAP_SYS_ADMIN before Linux 5.8)";
		if (!probe_memcg() && !getrlimit(RLIMIT_MEMLOCK, &limit) &&
		    limit.rlim_cur != RLIM_INFINITY)
			return "raise RLIMIT_MEMLOCK (ulimit -l unlimited, or CAP_SYS_RESOURCE)";
		return "a security module, seccomp or kernel lockdown forbids it";
	case ENOMEM:
	case E2BIG:
		return "lower the capacity, or give nodens more memory";
	default:
		return "is CONFIG_BPF_SYSCALL set, and the kernel new enough?";
	}
}

/*
 * With PREEMPT_RT softirqs were one at a time on a CPU until they lost their lock (kernel commit
 * 3253cb49cbad, 6.18, taken back to 6.12's stable releases): then a program may run in the middle
 * of another one on its CPU, and the per-CPU block has place for one.
 */
bool features_interleaves(const char *release, const char *version)
{
	unsigned int major, minor;

	if (!strstr(version, "PREEMPT_RT"))
		return false;
	return sscanf(release, "%3u.%3u", &major, &minor) != 2 ||
	       VERSION(major, minor) >= VERSION(6, 12);
}

/* Can bpf() be used at all, and with bounded loops (5.3), which every program has? */
static int probe_base(struct error *err)
{
	const struct bpf_insn insns[] = { MOV_IMM(BPF_REG_0, 0), ADD_IMM(BPF_REG_0, 1),
					  JLT_IMM(BPF_REG_0, 3, -2), EXIT() };
	const struct bpf_insn plain[] = { MOV_IMM(BPF_REG_0, 0), EXIT() };
	int fd = tiny_array(0);
	struct utsname name;

	if (fd == -EPERM) {
		features_raise_memlock();
		fd = tiny_array(0);
	}
	if (fd < 0)
		return error__set(err, fd, "bpf() is refused: %s: %s", strerror(-fd),
				  features_refusal(fd));
	close(fd);
	fd = load(BPF_PROG_TYPE_SCHED_CLS, plain, ARRAY_SIZE(plain));
	if (fd < 0)
		return error__set(err, fd, "a tc program cannot be loaded: %s: %s", strerror(-fd),
				  features_refusal(fd));
	close(fd);
	if (!uname(&name) && features_interleaves(name.release, name.version))
		return error__set(err, -EOPNOTSUPP,
				  "this kernel (%s, PREEMPT_RT) may run two programs on one CPU at "
				  "once, which those of nodens do not allow for",
				  name.release);
	if (loads(BPF_PROG_TYPE_SCHED_CLS, insns, ARRAY_SIZE(insns)))
		return 0;
	if (!may_load())
		return error__set(err, -EPERM, "a program with a loop cannot be loaded: %s",
				  features_refusal(-EPERM));
	return error__set(err, -EOPNOTSUPP,
			  "this kernel is too old: it refuses programs with loops, which came "
			  "with Linux 5.3");
}

int datapath__may_load(struct error *err)
{
	bpf_log_init();
	return probe_base(err);
}

static int parse_version(const char *text, unsigned int *version, struct error *err)
{
	unsigned int major, minor;
	int end = 0;

	if (sscanf(text, "%3u.%3u%n", &major, &minor, &end) != 2 || text[end] || major > 99 ||
	    minor > 255)
		return error__set(err, -EINVAL, "pretended kernel '%s': want a version such as 5.4",
				  text);
	if (VERSION(major, minor) < OLDEST)
		return error__set(err, -EINVAL,
				  "pretended kernel '%s': the oldest that nodens runs on is 5.4",
				  text);
	*version = VERSION(major, minor);
	return 0;
}

int datapath_features__probe(struct datapath_features *features, const char *pretend,
			     struct error *err)
{
	unsigned int version = UINT32_MAX;
	struct datapath_features found = {};
	size_t i;
	int ret;

	bpf_log_init();
	ret = pretend ? parse_version(pretend, &version, err) : 0;
	if (!ret)
		ret = probe_base(err);
	if (ret)
		return ret;
	for (i = 0; i < ARRAY_SIZE(rows); i++)
		*field_of(&found, &rows[i]) = rows[i].since <= version && rows[i].probe();
	/* xdp_nodens has them in it */
	found.xdp_grow &= found.sessions;
	*features = found;
	return 0;
}

void datapath_features__print(const struct datapath_features *features, FILE *out)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		bool there = *field_of(features, &rows[i]);

		fprintf(out, "%-16s %-4s %u.%u  %s\n", rows[i].name, there ? "yes" : "no",
			rows[i].since >> 8, rows[i].since & 0xff,
			there ? rows[i].with : rows[i].without);
	}
}
