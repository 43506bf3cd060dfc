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

#define LOG_STATS                                                                      \
	4 /* BPF_LOG_STATS of include/linux/bpf_verifier.h: since 5.2, only the counts \
	   */

/* docs/kernel-support.md has what each kernel walks. */
static const struct budget {
	const char *prog;
	unsigned int insns;
} budgets[] = {
	{ "xdp_nodens", 110000 }, { "tc_nodens", 1500 }, { "tc_dns", 90000 },
	{ "tc_steer", 4000 },	  { "tc_return", 400 },	 { "tc_observe", 20000 },
	{ "tc_note", 20000 },
};

static char log_text[1 << 16];

static unsigned int budget_of(const char *prog)
{
	for (size_t i = 0; i < sizeof(budgets) / sizeof(budgets[0]); i++) {
		if (!strcmp(budgets[i].prog, prog))
			return budgets[i].insns;
	}
	die("a program without a budget");
	return 0;
}

/* What the kernel says of the loaded program (5.16); 0: it does not. */
static unsigned int verified(const struct bpf_program *prog)
{
	struct bpf_prog_info info = {};
	uint32_t len = sizeof(info);

	return bpf_obj_get_info_by_fd(bpf_program__fd(prog), &info, &len) ? 0 : info.verified_insns;
}

/*
 * Where the kernel does not say, the program is loaded once more for its log; without its BTF, so
 * that its functions are walked for each call, and the limit for that is the verifier's own.
 */
static void measure(const struct bpf_program *prog, const char *variant)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .log_level = LOG_STATS, .log_buf = log_text,
		    .log_size = sizeof(log_text));
	const struct bpf_insn *insns = bpf_program__insns(prog);
	const char *name = bpf_program__name(prog), *line;
	unsigned int walked = 0, budget = budget_of(name);
	uint64_t begin = mono_ns();
	int fd;

	fd = bpf_prog_load(bpf_program__type(prog), name, "Dual BSD/GPL", insns,
			   bpf_program__insn_cnt(prog), &opts);
	line = strstr(log_text, "processed ");
	if (line)
		sscanf(line, "processed %u", &walked);
	if (verified(prog))
		walked = verified(prog);
	else if (!strcmp(name, "xdp_nodens") || !strcmp(name, "tc_observe") ||
		 !strcmp(name, "tc_note"))
		budget = 1000000;
	printf("%s (%s): %u instructions verified, %.1f s\n", name, variant, walked,
	       (mono_ns() - begin) / 1e9);
	if (getenv("V"))
		fputs(log_text, stdout);
	verdict(fd >= 0 && walked && walked <= budget, "%s (%s): budget %u", name, variant, budget);
	close(fd);
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
		if (datapath__features(env->datapath)->ringbuf)
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

int main(int argc, char **argv)
{
	static struct env env;

	env__open(&env, argc > 1 ? argv[1] : NULL, 64);
	measure_tc(&env, DATAPATH_TC_POD, true, "pod");
	measure_tc(&env, DATAPATH_TC_POD, false, "pod, no steering");
	measure_tc(&env, DATAPATH_TC_POD_BEHIND_XDP, true, "behind XDP");
	measure_tc(&env, DATAPATH_TC_RETURN, true, "nd0");
	if (datapath__features(env.datapath)->ringbuf)
		measure_tc(&env, DATAPATH_TC_NOTE, true, "agent");
	if (datapath__features(env.datapath)->xdp_grow) {
		measure_xdp(&env, false, "native");
		measure_xdp(&env, true, "generic");
	}
	env__close(&env);
	return closing_line();
}
