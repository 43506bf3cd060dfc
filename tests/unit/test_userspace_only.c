// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * An agent without the kernel path: what it says where it is the kernel's age and no right would
 * help; and that it says it again, every half hour and no oftener. The rest is
 * tests/ns/test_bare.py's.
 */
#include <dlfcn.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <cmocka.h>

#include "agent/userspace_only.h"
#include "base/clock.h"

static bool old_kernel;

/* In libbpf's place: a verifier before Linux 5.3, which refuses whatever jumps back. */
int bpf_prog_load(enum bpf_prog_type type, const char *name, const char *license,
		  const struct bpf_insn *insns, size_t n, const struct bpf_prog_load_opts *opts)
{
	__typeof__(&bpf_prog_load) real = dlsym(RTLD_NEXT, "bpf_prog_load");

	for (size_t i = 0; old_kernel && i < n; i++) {
		if (BPF_CLASS(insns[i].code) == BPF_JMP && insns[i].off < 0) {
			errno = EINVAL;
			return -EINVAL;
		}
	}
	return real(type, name, license, insns, n, opts);
}

/* stderr from here to the second call, which has what came in @text. */
static void catch_stderr(char *text, size_t size)
{
	static FILE *out;
	static int before;

	if (!out) {
		out = tmpfile();
		assert_non_null(out);
		before = dup(STDERR_FILENO);
		dup2(fileno(out), STDERR_FILENO);
		return;
	}
	dup2(before, STDERR_FILENO);
	close(before);
	rewind(out);
	text[fread(text, 1, size - 1, out)] = 0;
	fclose(out);
	out = NULL;
}

static void test_old_kernel(void **state)
{
	static const struct run_options opts = { .nodecache = true, .bpffs = "/nowhere" };
	static const struct plan plan = { .mode = MODE_STEER, .n_listen = 1 };
	const struct datapath_config config = { .capacity = { 64, 64 }, .pin_dir = opts.bpffs };
	struct datapath *dp = NULL;
	struct error err = { .text = "" };
	char log[2048];
	bool rights;

	(void)state;
	if (geteuid()) {
		print_message("SKIP: needs root\n");
		skip();
	}
	old_kernel = true;
	assert_int_equal(datapath__may_load(&err), -EOPNOTSUPP);
	/* what it lacks, not a version: RHEL's 4.18 has it */
	assert_non_null(strstr(err.text, "loops"));
	assert_null(strstr(err.text, "5.4"));

	assert_int_equal(userspace_only_or_datapath(&opts, &config, &plan, &dp, &rights, &err), 0);
	old_kernel = false;
	assert_null(dp);
	catch_stderr(NULL, 0);
	userspace_only_log(err.text, &plan, rights);
	catch_stderr(log, sizeof(log));
	assert_non_null(strstr(log, "loops"));
	assert_null(strstr(log, "capabilities"));
	assert_null(strstr(log, "/nowhere"));
}

/* Lines on stderr of a call each second, from @from_s on for @for_s. */
static unsigned int lines(uint64_t *logged_ns, uint64_t from_s, uint64_t for_s)
{
	FILE *out = tmpfile();
	int c, before = dup(STDERR_FILENO);
	unsigned int n = 0;

	assert_non_null(out);
	dup2(fileno(out), STDERR_FILENO);
	for (uint64_t s = from_s; s < from_s + for_s; s++)
		userspace_only_remind(logged_ns, s * NSEC_PER_SEC);
	dup2(before, STDERR_FILENO);
	close(before);
	rewind(out);
	while ((c = fgetc(out)) != EOF)
		n += c == '\n';
	fclose(out);
	return n;
}

static void test_reminds(void **state)
{
	uint64_t logged_ns = 0;

	(void)state;
	/* that it is so was said at the start */
	assert_int_equal(lines(&logged_ns, 1000, 1800), 0);
	assert_int_equal(lines(&logged_ns, 2800, 1), 1);
	assert_int_equal(lines(&logged_ns, 2801, 5 * 1800), 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_old_kernel),
		cmocka_unit_test(test_reminds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
