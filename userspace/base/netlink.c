// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Requests to rtnetlink and their answers.
 *
 * Contract: as netlink.h; answers to older requests are skipped by sequence number.
 */
#include "base/netlink.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

int nl__open(struct nl *nl)
{
	int on = 1, ret;

	memset(nl, 0, sizeof(*nl));
	nl->sock = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!nl->sock)
		return -errno;
	if (mnl_socket_bind(nl->sock, 0, MNL_SOCKET_AUTOPID) < 0) {
		ret = -errno;
		nl__close(nl);
		return ret;
	}
	mnl_socket_setsockopt(nl->sock, NETLINK_EXT_ACK, &on, sizeof(on));
	/* Strict checking makes the kernel heed the filters of a dump (4.20). */
	mnl_socket_setsockopt(nl->sock, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	nl->portid = mnl_socket_get_portid(nl->sock);
	return 0;
}

void nl__close(struct nl *nl)
{
	if (nl->sock)
		mnl_socket_close(nl->sock);
	nl->sock = NULL;
}

struct nlmsghdr *nl__begin(void *buf, uint16_t type, uint16_t flags, size_t extra, void **header)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	*header = mnl_nlmsg_put_extra_header(nlh, extra);
	memset(*header, 0, extra);
	return nlh;
}

static int on_message(const struct nlattr *attr, void *ctx)
{
	struct nl *nl = ctx;

	if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG &&
	    mnl_attr_validate(attr, MNL_TYPE_STRING) > 0)
		snprintf(nl->message, sizeof(nl->message), "%s", mnl_attr_get_str(attr));
	return MNL_CB_OK;
}

/* An answer of type NLMSG_ERROR, a plain acknowledgement included. */
static int take_error(struct nl *nl, const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *error = mnl_nlmsg_get_payload(nlh);
	size_t skip = sizeof(*error);

	if (nlh->nlmsg_len < mnl_nlmsg_size(sizeof(*error)))
		return -EBADMSG;
	if (nlh->nlmsg_flags & NLM_F_ACK_TLVS) {
		if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
			skip += mnl_nlmsg_get_payload_len(&error->msg);
		if (error->error && nlh->nlmsg_len > mnl_nlmsg_size(skip))
			mnl_attr_parse(nlh, skip, on_message, nl);
	}
	return error->error;
}

/* One datagram. 1: more to come. */
static int take(struct nl *nl, const void *buf, int len, mnl_cb_t cb, void *ctx, bool *interrupted)
{
	const struct nlmsghdr *nlh = buf;

	for (; mnl_nlmsg_ok(nlh, len); nlh = mnl_nlmsg_next(nlh, &len)) {
		if (nlh->nlmsg_seq != nl->seq || (nlh->nlmsg_pid && nlh->nlmsg_pid != nl->portid))
			continue;
		if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
			*interrupted = true;
		if (nlh->nlmsg_type == NLMSG_ERROR)
			return take_error(nl, nlh);
		if (nlh->nlmsg_type == NLMSG_DONE) {
			const int *error = mnl_nlmsg_get_payload(nlh);

			return mnl_nlmsg_get_payload_len(nlh) >= sizeof(*error) ? *error : 0;
		}
		if (nlh->nlmsg_type >= NLMSG_MIN_TYPE && cb)
			cb(nlh, ctx);
	}
	return 1;
}

int nl__query(struct nl *nl, struct nlmsghdr *nlh, mnl_cb_t cb, void *ctx)
{
	bool interrupted = false;
	void *buf;
	ssize_t len;
	int ret = 1;

	/* Each exchange ends with an error or a DONE, which is asked for here. */
	if ((nlh->nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP)
		nlh->nlmsg_flags |= NLM_F_ACK;
	nlh->nlmsg_seq = ++nl->seq;
	nl->message[0] = '\0';
	if (mnl_socket_sendto(nl->sock, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	buf = malloc(NL_BUFFER);
	if (!buf)
		return -ENOMEM;
	while (ret > 0) {
		len = mnl_socket_recvfrom(nl->sock, buf, NL_BUFFER);
		if (len < 0 && errno == EINTR)
			continue;
		ret = len < 0 ? -errno : take(nl, buf, len, cb, ctx, &interrupted);
	}
	free(buf);
	return ret ? ret : interrupted ? -EINTR : 0;
}

int nl__request(struct nl *nl, struct nlmsghdr *nlh)
{
	return nl__query(nl, nlh, NULL, NULL);
}
