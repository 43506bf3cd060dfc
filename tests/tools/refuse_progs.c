// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Runs a command under a kernel that refuses BPF programs by their names, as a verifier does:
 *EACCES, and a log where one is asked for. By seccomp's user notification, so the command is the
 *one that is installed.
 *
 *	refuse_progs NAME[,NAME...] CMD [ARG...]
 *	refuse_progs --while FILE NAME[,NAME...] CMD [ARG...]
 *
 * With --while a load takes as long as FILE is there, as with a slow verifier, and is not refused.
 *
 * Contract: needs root and Linux 5.5. CMD keeps this process' id; what it starts is under the
 *filter as well.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The last lines of a real refusal, after forty that nobody needs. */
static const char reason[] =
	"41: (71) r1 = *(u8 *)(r7 +0)\n"
	"R7 unbounded memory access, make sure to bounds check any such access\n"
	"processed 1234 insns (limit 1000000) max_states_per_insn 4\n";

static void die(const char *what)
{
	perror(what);
	exit(125);
}

static int install(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_bpf, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, BPF_PROG_LOAD, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { sizeof(code) / sizeof(code[0]), code };
	int fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
			 &prog);

	if (fd < 0)
		die("seccomp");
	return fd;
}

static void send_fd(int sock, int fd)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .head = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	struct iovec iov = { "", 1 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };

	memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	if (sendmsg(sock, &msg, 0) != 1)
		die("sendmsg");
}

static int receive_fd(int sock)
{
	char byte, control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	int fd;

	if (recvmsg(sock, &msg, MSG_CMSG_CLOEXEC) != 1 || !CMSG_FIRSTHDR(&msg))
		exit(0);
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

static int is_named(const char *names, const char *name)
{
	size_t len = strlen(name);

	for (; *names; names += strcspn(names, ","), names += *names == ',') {
		if (strcspn(names, ",") == len && !memcmp(names, name, len))
			return 1;
	}
	return 0;
}

/* Whether the load in @req is of one of @names; with @log the verifier's is there then as well. */
static int refused(const struct seccomp_notif *req, const char *names, int log)
{
	union bpf_attr attr = { 0 };
	size_t size = req->data.args[2];
	char path[64];
	int mem, ret = 0;

	snprintf(path, sizeof(path), "/proc/%u/mem", req->pid);
	mem = open(path, O_RDWR | O_CLOEXEC);
	if (mem < 0)
		die(path);
	if (size > sizeof(attr))
		size = sizeof(attr);
	if (pread(mem, &attr, size, req->data.args[1]) == (ssize_t)size) {
		attr.prog_name[sizeof(attr.prog_name) - 1] = '\0';
		ret = is_named(names, attr.prog_name);
	}
	if (ret && log && attr.log_buf && attr.log_size > 4096) {
		char text[4096] = "";
		size_t len = 0;

		for (int i = 0; i < 40; i++)
			len += snprintf(text + len, sizeof(text) - len, "%d: (b7) r0 = %d\n", i, i);
		snprintf(text + len, sizeof(text) - len, "%s", reason);
		if (pwrite(mem, text, strlen(text) + 1, attr.log_buf) < 0)
			die("pwrite");
	}
	close(mem);
	return ret;
}

/* Until the load may go on, or whoever wants it is gone. */
static void hold(int listener, uint64_t id, const char *file)
{
	while (!access(file, F_OK) && !ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id))
		usleep(10000);
}

static void supervise(int listener, const char *names, const char *file)
{
	struct pollfd poll_fd = { .fd = listener, .events = POLLIN };

	for (;;) {
		struct seccomp_notif req = { 0 };
		struct seccomp_notif_resp resp = { 0 };

		if (poll(&poll_fd, 1, -1) < 0 || !(poll_fd.revents & POLLIN))
			exit(0); /* nobody is left under the filter */
		if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &req))
			continue;
		resp.id = req.id;
		resp.error = refused(&req, names, !file) ? -EACCES : 0;
		if (resp.error && file) {
			hold(listener, req.id, file);
			resp.error = 0;
		}
		if (!resp.error)
			resp.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
		ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &resp);
	}
}

int main(int argc, char **argv)
{
	const char *file = NULL;
	int pair[2];

	if (argc > 2 && !strcmp(argv[1], "--while")) {
		file = argv[2];
		argv += 2;
		argc -= 2;
	}
	if (argc < 3) {
		fprintf(stderr, "usage: refuse_progs [--while FILE] NAME[,NAME...] CMD [ARG...]\n");
		return 125;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		die("socketpair");
	signal(SIGCHLD, SIG_IGN);
	switch (fork()) {
	case -1:
		die("fork");
		break;
	case 0:
		close(pair[1]);
		supervise(receive_fd(pair[0]), argv[1], file);
		break;
	}
	signal(SIGCHLD, SIG_DFL);
	send_fd(pair[1], install());
	execvp(argv[2], argv + 2);
	die(argv[2]);
}
