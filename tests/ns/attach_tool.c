// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The attaching half of the agent by hand, for tests/ns/test_attach.py and test_pins.py.
 *
 * Contract: one command, its result on stdout, exit status 0 or 1 with the error on stderr;
 * what it attaches stays when it ends, as with an agent that was killed.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <xdp/libxdp.h>

#include "datapath/attach.h"
#include "datapath/bpf_syscall_priv.h"
#include "cmd/cmd.h"
#include "link/monitor.h"
#include "link/node_lock.h"
#include "link/netns.h"

static struct datapath_config config = { .capacity = { 1000, 1000 }, .adopt = true };
static bool steering = true;

static int fail(const struct error *err, int ret)
{
	fprintf(stderr, "%s (%s)\n", err->text, strerror(-ret));
	return 1;
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ull + ts.tv_nsec / 1000000;
}

static int cmd_features(void)
{
	struct datapath_features features;
	struct error err;
	int ret = datapath_features__probe(&features, config.pretend, &err);

	if (ret)
		return fail(&err, ret);
	datapath_features__print(&features, stdout);
	return 0;
}

static bool parse_hook(const char *text, enum hook *hook)
{
	int i = 0;

	while (i < HOOKS && strcmp(text, hook_names[i]))
		i++;
	*hook = i;
	return i < HOOKS;
}

/* attach|attach-detach IF HOOK [pod] */
static int cmd_attach(int argc, char **argv, bool detach)
{
	struct attach_request request = { .steer = steering };
	struct attachment *attachment;
	struct error err = {};
	struct datapath *dp;
	char note[256];
	int ret;

	if (argc < 2 || !parse_hook(argv[1], &request.hook))
		return 2;
	request.ifindex = if_nametoindex(argv[0]);
	snprintf(request.ifname, sizeof(request.ifname), "%s", argv[0]);
	request.pod_veth = argc > 2 && !strcmp(argv[2], "pod");
	ret = datapath__open(&config, &dp, &err);
	if (ret)
		return fail(&err, ret);
	ret = attachment__open(dp, &request, &attachment, note, sizeof(note), &err);
	if (!ret) {
		printf("%s | %s | %s\n", attachment__how(attachment), note,
		       datapath__adopted(dp) ? "adopted" : "new");
		if (detach)
			attachment__detach(attachment);
		else
			attachment__forget(attachment);
	}
	datapath__close(dp);
	return ret ? fail(&err, ret) : 0;
}

static int cmd_counters(void)
{
	static const char *const names[] = {
#define X(id, name, help) name,
		NODENS_OUTCOMES(X) NODENS_HIT_KINDS(X) NODENS_STEERS(X)
#undef X
	};
	uint64_t counters[NODENS_CTR_COUNT];
	struct error err;
	struct datapath *dp;
	int i, ret = datapath__open_pinned(config.pin_dir, &dp, &err);

	if (ret)
		return fail(&err, ret);
	ret = datapath__counters(dp, counters);
	for (i = 0; !ret && i < NODENS_CTR_COUNT; i++)
		if (counters[i])
			printf("%s %llu\n", names[i], (unsigned long long)counters[i]);
	printf("bytes %llu\n", (unsigned long long)datapath__bytes(dp));
	datapath__close(dp);
	return ret ? 1 : 0;
}

static void on_link(void *ctx, const struct netdev *link, bool gone)
{
	(void)ctx;
	printf("%llu %s %s %s%s%s\n", (unsigned long long)now_ms(), gone ? "gone" : "link",
	       link->name, link->kind, link->up ? " up" : "", link->foreign_peer ? " foreign" : "");
	fflush(stdout);
}

/* hold SECONDS: an agent that runs */
static int cmd_hold(double seconds)
{
	struct error err;
	struct datapath *dp;
	int ret = datapath__open(&config, &dp, &err);

	if (ret)
		return fail(&err, ret);
	printf("holding\n");
	fflush(stdout);
	usleep(seconds * 1e6);
	datapath__close(dp);
	return 0;
}

/* Another's program onto a device, first of its chain. foreign-tcx IF OBJ PIN [PROGRAM] */
static int cmd_foreign_tcx(int argc, char **argv)
{
	const char *name = argc > 3 ? argv[3] : "count_tc";
	struct bpf_object *obj = bpf_object__open(argv[1]);
	struct bpf_program *prog = NULL;
	int link;

	if (!obj)
		return 1;
	while ((prog = bpf_object__next_program(obj, prog)))
		bpf_program__set_autoload(prog, !strcmp(bpf_program__name(prog), name));
	prog = bpf_object__find_program_by_name(obj, name);
	if (!prog || bpf_object__load(obj))
		return 1;
	link = bpf_tcx_link_create(bpf_program__fd(prog), if_nametoindex(argv[0]), TCX_INGRESS);
	if (link < 0 || bpf_obj_pin(link, argv[2])) {
		fprintf(stderr, "tcx: %s\n", strerror(link < 0 ? -link : errno));
		return 1;
	}
	bpf_object__close(obj);
	return 0;
}

/* The same by libxdp. foreign-xdp IF OBJ PRIO; prints "shared" or "single" */
static int cmd_foreign_xdp(char **argv)
{
	struct bpf_object *obj = bpf_object__open(argv[1]);
	LIBBPF_OPTS(xdp_program_opts, opts, .obj = obj, .prog_name = "count_xdp");
	int ifindex = if_nametoindex(argv[0]), ret;
	struct xdp_multiprog *mp;
	struct bpf_program *other = NULL;
	struct xdp_program *prog;

	if (!obj)
		return 1;
	while ((other = bpf_object__next_program(obj, other)))
		bpf_program__set_autoload(other, !strcmp(bpf_program__name(other), "count_xdp"));
	prog = xdp_program__create(&opts);
	if (libxdp_get_error(prog))
		return 1;
	xdp_program__set_run_prio(prog, atoi(argv[2]));
	xdp_program__set_chain_call_enabled(prog, XDP_PASS, true);
	ret = xdp_program__attach(prog, ifindex, XDP_MODE_SKB, 0);
	if (ret) {
		fprintf(stderr, "xdp: %s\n", strerror(-ret));
		return 1;
	}
	mp = xdp_multiprog__get_from_ifindex(ifindex);
	printf("%s\n",
	       !libxdp_get_error(mp) && !xdp_multiprog__is_legacy(mp) ? "shared" : "single");
	xdp_multiprog__close(mp);
	xdp_program__close(prog);
	bpf_object__close(obj);
	return 0;
}

static int cmd_links(double seconds)
{
	uint64_t end = now_ms() + seconds * 1000;
	struct monitor *monitor;
	struct pollfd pfd;

	if (monitor__open(on_link, NULL, &monitor) || monitor__dump(monitor))
		return 1;
	pfd = (struct pollfd){ .fd = monitor__fd(monitor), .events = POLLIN };
	while (now_ms() < end)
		if (poll(&pfd, 1, 50) > 0 && monitor__dispatch(monitor))
			return 1;
	monitor__close(monitor);
	return 0;
}

/* steer SECONDS ADDR...: answers UDP on port 53 inside with what came */
static int cmd_steer(int argc, char **argv)
{
	struct served_addr addrs[8] = {};
	struct error err = {};
	struct netns *netns;
	struct nodens_ctl ctl;
	int i, ret;

	for (i = 1; i < argc && i <= 8; i++) {
		addrs[i - 1].family = strchr(argv[i], ':') ? AF_INET6 : AF_INET;
		if (inet_pton(addrs[i - 1].family, argv[i], &addrs[i - 1].v4) != 1)
			return 2;
	}
	ret = node_lock__take(&err);
	if (ret >= 0)
		ret = netns__open(addrs, i - 1, &netns, &err);
	if (ret)
		return fail(&err, ret);
	netns__fill_ctl(netns, &ctl);
	printf("nd0 %d nsid %d note '%s'\n", netns__nd0(netns), ctl.netns_id, netns__note(netns));
	for (i = 0; i < 4; i++) {
		ret = netns__socket(netns, i & 1 ? AF_INET6 : AF_INET,
				    i & 2 ? SOCK_STREAM : SOCK_DGRAM, 53);
		printf("socket %d: %s\n", i, ret < 0 ? strerror(-ret) : "ok");
	}
	fflush(stdout);
	usleep(strtod(argv[0], NULL) * 1e6);
	netns__close(netns);
	return 0;
}

int main(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc && argv[i][0] == '-'; i++) {
		if (!strcmp(argv[i], "--pretend") && i + 1 < argc)
			config.pretend = argv[++i];
		else if (!strcmp(argv[i], "--bpffs") && i + 1 < argc)
			config.pin_dir = argv[++i];
		else if (!strcmp(argv[i], "--listen"))
			steering = false;
		else if (!strcmp(argv[i], "--new"))
			config.adopt = false;
		else if (!strcmp(argv[i], "--capacity") && i + 1 < argc)
			config.capacity[0] = config.capacity[1] = strtoul(argv[++i], NULL, 10);
		else
			return 2;
	}
	if (i == argc)
		return 2;
	argc -= i;
	argv += i;
	if (!strcmp(argv[0], "features"))
		return cmd_features();
	if (!strcmp(argv[0], "attach") || !strcmp(argv[0], "attach-detach"))
		return cmd_attach(argc - 1, argv + 1, argv[0][6]);
	if (!strcmp(argv[0], "counters"))
		return cmd_counters();
	if (!strcmp(argv[0], "links") && argc > 1)
		return cmd_links(strtod(argv[1], NULL));
	if (!strcmp(argv[0], "steer") && argc > 1)
		return cmd_steer(argc - 1, argv + 1);
	if (!strcmp(argv[0], "hold") && argc > 1)
		return cmd_hold(strtod(argv[1], NULL));
	if (!strcmp(argv[0], "foreign-tcx") && argc > 3)
		return cmd_foreign_tcx(argc - 1, argv + 1);
	if (!strcmp(argv[0], "foreign-xdp") && argc > 3)
		return cmd_foreign_xdp(argv + 1);
	if (!strcmp(argv[0], "detach"))
		return cmd_detach(argc, argv);
	return 2;
}
