// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The program that looks at replies, and its links. Contract: replies.h.
 */
#include "datapath/replies.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf_syscall_priv.h"
#include "datapath_priv.h"
#include "replies.skel.h"

struct replies_link {
	uint32_t ifindex;
	int fd;
	bool wanted;
};

struct replies {
	struct replies_bpf *skel;
	struct replies_link *links;
	size_t n, room;
};

static int share_maps(struct replies_bpf *skel, const struct datapath_sessions *maps)
{
	int ret = bpf_map__reuse_fd(skel->maps.nodens_sessions, maps->sessions_fd);

	if (!ret)
		ret = bpf_map__reuse_fd(skel->maps.nodens_seen, maps->seen_fd);
	if (!ret)
		ret = bpf_map__reuse_fd(skel->maps.nodens_rings, maps->rings_fd);
	return ret;
}

static int load(struct replies *replies, const struct datapath_sessions *maps, uint32_t number,
		struct error *err)
{
	struct nodens_session session;
	struct replies_bpf *skel;
	int ret;

	if (bpf_map_lookup_elem(maps->sessions_fd, &number, &session))
		return error__set(err, -errno, "cannot read a session: %s", strerror(errno));
	bpf_log_clear();
	errno = ENOMEM;
	skel = replies->skel = replies_bpf__open();
	if (!skel)
		return error__set(err, -errno, "cannot open the BPF object: %s", strerror(errno));
	skel->rodata->cfg_session = number;
	skel->rodata->cfg_owner = session.owner;
	ret = share_maps(skel, maps);
	if (!ret)
		ret = replies_bpf__load(skel);
	if (ret)
		return error__set(err, ret, "this kernel refuses the program for replies: %s: %s",
				  strerror(-ret), bpf_log_last());
	return 0;
}

int replies__open(const struct datapath_sessions *maps, uint32_t number, struct replies **out,
		  struct error *err)
{
	struct replies *replies;
	int ret;

	if (!features_tcx())
		return error__set(
			err, -EOPNOTSUPP,
			"replies to queries that were passed on cannot be looked at: this "
			"kernel has no tcx links (Linux 6.6)");
	replies = calloc(1, sizeof(*replies));
	if (!replies)
		return error__set(err, -ENOMEM, "out of memory");
	ret = load(replies, maps, number, err);
	if (ret)
		replies__close(replies);
	else
		*out = replies;
	return ret;
}

static struct replies_link *find(const struct replies *replies, uint32_t ifindex)
{
	for (size_t i = 0; i < replies->n; i++) {
		if (replies->links[i].ifindex == ifindex)
			return &replies->links[i];
	}
	return NULL;
}

static int add(struct replies *replies, uint32_t ifindex)
{
	int fd;

	if (replies->n == replies->room) {
		size_t room = 2 * replies->room + 16;
		void *links = realloc(replies->links, room * sizeof(*replies->links));

		if (!links)
			return -ENOMEM;
		replies->links = links;
		replies->room = room;
	}
	fd = bpf_tcx_link_create(bpf_program__fd(replies->skel->progs.tc_replies), (int)ifindex,
				 TCX_EGRESS);
	if (fd < 0)
		return fd == -ENODEV ? 0 : fd;
	replies->links[replies->n++] = (struct replies_link){ ifindex, fd, true };
	return 0;
}

static void drop_unwanted(struct replies *replies)
{
	size_t kept = 0;

	for (size_t i = 0; i < replies->n; i++) {
		if (replies->links[i].wanted)
			replies->links[kept++] = replies->links[i];
		else
			close(replies->links[i].fd);
	}
	replies->n = kept;
}

int replies__follow(struct replies *replies, const uint32_t *ifindexes, size_t n)
{
	int ret = 0, one;

	for (size_t i = 0; i < replies->n; i++)
		replies->links[i].wanted = false;
	for (size_t i = 0; i < n; i++) {
		struct replies_link *link = find(replies, ifindexes[i]);

		one = 0;
		if (link)
			link->wanted = true;
		else
			one = add(replies, ifindexes[i]);
		ret = one ? one : ret;
	}
	drop_unwanted(replies);
	return ret;
}

void replies__close(struct replies *replies)
{
	if (!replies)
		return;
	for (size_t i = 0; i < replies->n; i++)
		close(replies->links[i].fd);
	free(replies->links);
	replies_bpf__destroy(replies->skel);
	free(replies);
}
