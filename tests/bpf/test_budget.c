// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Each program against its budget of instructions that the verifier may walk. The kernel's limit
 * is 1,000,000; an agent loads the programs at every start.
 *
 *	test_budget [PRETEND]
 *
 * Contract: measures what the agent loads (its variants, its fallbacks), by loading the same
 * instructions once more with the verifier's statistics on. Prints a line a program.
 */
#include "harness.h"

#include "datapath/datapath_priv.h"
#include "nodens.skel.h"
#include "replies.skel.h"

#define LOG_STATS                                                                      \
	4 /* BPF_LOG_STATS of include/linux/bpf_verifier.h: since 5.2, only the counts \
	   */

/*
 * docs/kernel-support.md has what each kernel walks. @functions: of the program some are walked by
 * themselves, which only the kernel that loaded it with its BTF can count.
 */
static const struct budget {
	const char *prog;
	unsigned int insns;
	bool functions;
} budgets[] = {
	{ "xdp_nodens", 110000, true }, { "tc_nodens", 1500 },	{ "tc_dns", 90000 },
	{ "tc_steer", 4000 },		{ "tc_return", 400 },	{ "tc_observe", 20000, true },
	{ "tc_note", 20000, true },	{ "tc_replies", 1000 },
};

static char log_text[1 << 16];

static const struct budget *budget_of(const char *prog)
{
	for (size_t i = 0; i < sizeof(budgets) / sizeof(budgets[0]); i++) {
		if (!strcmp(budgets[i].prog, prog))
			return &budgets[i];
	}
	die("a program without a budget");
	return NULL;
}

/* What the kernel says of the loaded program (5.16); 0: it does not. */
static unsigned int verified(const struct bpf_program *prog)
{
	struct bpf_prog_info info = {};
	uint32_t len = sizeof(info);

	return bpf_obj_get_info_by_fd(bpf_program__fd(prog), &info, &len) ? 0 : info.verified_insns;
}

/* Where the kernel does not say, the program is loaded once more for its log. */
static void measure(const struct bpf_program *prog, const char *variant)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .log_level = LOG_STATS, .log_buf = log_text,
		    .log_size = sizeof(log_text));
	const char *name = bpf_program__name(prog), *line;
	const struct budget *budget = budget_of(name);
	unsigned int walked = verified(prog);
	int fd;

	if (!walked && budget->functions) {
		printf("skip %s (%s): loaded; this kernel does not say what it walked\n", name,
		       variant);
		n_skipped++;
		return;
	}
	if (!walked) {
		fd = bpf_prog_load(bpf_program__type(prog), name, "Dual BSD/GPL",
				   bpf_program__insns(prog), bpf_program__insn_cnt(prog), &opts);
		line = fd < 0 ? NULL : strstr(log_text, "processed ");
		if (line)
			sscanf(line, "processed %u", &walked);
		if (getenv("V"))
			fputs(log_text, stdout);
		close(fd);
	}
	printf("%s (%s): %u instructions verified\n", name, variant, walked);
	verdict(walked && walked <= budget->insns, "%s (%s): budget %u", name, variant,
		budget->insns);
}

static void measure_tc(struct env *env, enum datapath_prog which, bool steer, const char *variant)
{
	struct nodens_bpf *skel;
	struct error err;

	if (progs_load_tc(env->datapath, which, steer, &skel, &err)) {
		verdict(false, "%s", err.text);
		return;
	}
	if (which == DATAPATH_TC_RETURN) {
		measure(skel->progs.tc_return, variant);
	} else if (which == DATAPATH_TC_NOTE) {
		measure(skel->progs.tc_note, variant);
	} else {
		measure(skel->progs.tc_nodens, variant);
		measure(skel->progs.tc_dns, variant);
		if (steer)
			measure(skel->progs.tc_steer, variant);
		if (datapath__features(env->datapath)->sessions)
			measure(skel->progs.tc_observe, variant);
	}
	nodens_bpf__destroy(skel);
}

static void measure_xdp(struct env *env, bool generic, const char *variant)
{
	struct bpf_object *obj;
	struct error err;

	if (datapath__xdp_object(env->datapath, true, generic, &obj, &err))
		die(err.text);
	if (bpf_object__load(obj))
		verdict(false, "xdp_nodens (%s) does not load", variant);
	else
		measure(bpf_object__find_program_by_name(obj, "xdp_nodens"), variant);
	bpf_object__close(obj);
}

/* That of a viewer, for the one session that it is loaded for. */
static void measure_replies(struct env *env)
{
	struct replies_bpf *skel = replies_bpf__open();
	struct datapath_sessions maps;

	datapath__sessions(env->datapath, &maps);
	if (!skel || bpf_map__reuse_fd(skel->maps.nodens_sessions, maps.sessions_fd) ||
	    bpf_map__reuse_fd(skel->maps.nodens_seen, maps.seen_fd) ||
	    bpf_map__reuse_fd(skel->maps.nodens_rings, maps.rings_fd) || replies_bpf__load(skel))
		verdict(false, "tc_replies does not load");
	else
		measure(skel->progs.tc_replies, "viewer");
	replies_bpf__destroy(skel);
}

int main(int argc, char **argv)
{
	static struct env env;

	env__open(&env, argc > 1 ? argv[1] : NULL, 64);
	measure_tc(&env, DATAPATH_TC_POD, true, "pod");
	measure_tc(&env, DATAPATH_TC_POD, false, "pod, no steering");
	measure_tc(&env, DATAPATH_TC_POD_BEHIND_XDP, true, "behind XDP");
	measure_tc(&env, DATAPATH_TC_RETURN, true, "nd0");
	if (datapath__features(env.datapath)->sessions)
		measure_tc(&env, DATAPATH_TC_NOTE, true, "agent");
	if (datapath__features(env.datapath)->xdp_grow) {
		measure_xdp(&env, false, "native");
		measure_xdp(&env, true, "generic");
	}
	if (datapath__features(env.datapath)->tcx)
		measure_replies(&env);
	env__close(&env);
	return closing_line();
}
