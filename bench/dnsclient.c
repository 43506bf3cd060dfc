/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A DNS client that measures: one query outstanding, an open loop at a fixed rate, or a window of
 * many.
 *
 * Contract: one thread, one connected UDP socket (or one per query, -S), blocking like a real
 * client. Each query's fate is known: answered, answered wrongly (another question, another
 * address), refused (rcode other than NOERROR) or lost; prints one line of key=value; times in µs.
 * Exit status 0 unless it could not run.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dnsq.h"

#define RING	    65536 /* outstanding queries, by ID */
#define MAX_SAMPLES (8u << 20)

static struct {
	const char *server, *name;
	uint16_t port, type;
	uint32_t first, last; /* indices for %u in the name */
	bool unique;	      /* each index once, counting up from first */
	bool new_socket;
	const char *mode;
	double seconds, rate;
	unsigned int window;
	uint64_t timeout_ns;
	bool expect;
	uint8_t base[16];
	FILE *lost_log; /* when each lost query was sent, ms */
} opt = { .port = 53,
	  .type = DNSQ_A,
	  .mode = "one",
	  .seconds = 1,
	  .rate = 10000,
	  .window = 100,
	  .timeout_ns = 1000000000 };

static struct {
	uint64_t sent, answered, lost, wrong, refused, senderr, behind;
	uint64_t lost_first_ns, lost_last_ns; /* when they were sent */
	uint64_t answered_ns, gap_ns;	      /* longest time without an answer */
	uint32_t *sample;		      /* ns */
	size_t samples;
} res;

struct query {
	uint64_t sent_ns; /* 0: none outstanding under this ID */
	uint32_t index;
	uint16_t len;
	uint8_t msg[DNSQ_MAX_QUERY];
};

static struct query ring[RING];
static uint32_t next_seq, oldest_seq; /* of what is outstanding; the ID is the low half */
static unsigned int outstanding;
static uint64_t rnd_state;
static volatile sig_atomic_t stop;

static uint32_t rnd(void)
{
	rnd_state ^= rnd_state << 13;
	rnd_state ^= rnd_state >> 7;
	rnd_state ^= rnd_state << 17;
	return rnd_state >> 16;
}

static void on_signal(int sig)
{
	(void)sig;
	stop = 1;
}

static int open_socket(void)
{
	struct timeval tv = { .tv_sec = opt.timeout_ns / 1000000000,
			      .tv_usec = opt.timeout_ns / 1000 % 1000000 };
	struct sockaddr_storage addr;
	socklen_t len;
	int fd, size = 4 << 20;

	if (dnsq_address(opt.server, opt.port, &addr, &len))
		exit(2);
	fd = socket(addr.ss_family, SOCK_DGRAM, 0);
	if (fd < 0 || connect(fd, (void *)&addr, len)) {
		perror(opt.server);
		exit(2);
	}
	if (!opt.new_socket)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	return fd;
}

static void note_sample(uint64_t now, const struct query *query)
{
	uint64_t ns = now - query->sent_ns;

	if (res.samples < MAX_SAMPLES)
		res.sample[res.samples++] = ns > UINT32_MAX ? UINT32_MAX : ns;
	if (res.answered_ns && now - res.answered_ns > res.gap_ns)
		res.gap_ns = now - res.answered_ns;
	res.answered_ns = now;
}

static void note_lost(const struct query *query)
{
	res.lost++;
	if (!res.lost_first_ns)
		res.lost_first_ns = query->sent_ns;
	res.lost_last_ns = query->sent_ns;
	if (opt.lost_log)
		fprintf(opt.lost_log, "%lu\n", query->sent_ns / 1000000);
}

/* Make the next query in the ring; the clock starts in send_query(). */
static struct query *make_query(void)
{
	struct query *query = &ring[next_seq % RING];
	char name[512];

	if (query->sent_ns) { /* the ID comes round again: it is lost for good */
		note_lost(query);
		query->sent_ns = 0;
		outstanding--;
	}
	query->index =
		opt.unique ? opt.first + next_seq : opt.first + rnd() % (opt.last - opt.first + 1);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(name, sizeof(name), opt.name, query->index);
#pragma GCC diagnostic pop
	query->len = dnsq_build(query->msg, next_seq, name, opt.type);
	if (!query->len) {
		fprintf(stderr, "not a host name: %s\n", name);
		exit(2);
	}
	next_seq++;
	return query;
}

static void send_query(int fd, struct query *query)
{
	query->sent_ns = dnsq_now_ns();
	outstanding++;
	res.sent++;
	/* ECONNREFUSED is what an earlier query met; the kernel did not send this one. */
	if (send(fd, query->msg, query->len, 0) < 0 && send(fd, query->msg, query->len, 0) < 0)
		res.senderr++;
}

/* Whose reply this is, or NULL; counts it. */
static struct query *take_reply(const uint8_t *msg, size_t len)
{
	struct query *query;
	uint64_t now;

	if (len < 12)
		return NULL;
	query = &ring[dnsq_id(msg)];
	if (!query->sent_ns)
		return NULL; /* late: it was counted as lost */
	now = dnsq_now_ns();
	if (!dnsq_replies_to(msg, len, query->msg, query->len))
		res.wrong++;
	else if (msg[3] & 0x0f)
		res.refused++;
	else if (opt.expect && !dnsq_first_is(msg, len, query->len, opt.type, opt.base,
					      opt.unique ? 0 : query->index))
		res.wrong++;
	else
		res.answered++;
	note_sample(now, query);
	query->sent_ns = 0;
	outstanding--;
	return query;
}

static void drain(int fd)
{
	uint8_t msg[4096];
	ssize_t len;

	while ((len = recv(fd, msg, sizeof(msg), MSG_DONTWAIT)) >= 0 || errno == ECONNREFUSED)
		if (len >= 0)
			take_reply(msg, len);
}

static void expire(uint64_t now)
{
	while (oldest_seq != next_seq) {
		struct query *query = &ring[oldest_seq % RING];

		if (query->sent_ns) {
			if (now < query->sent_ns + opt.timeout_ns)
				return;
			note_lost(query);
			query->sent_ns = 0;
			outstanding--;
		}
		oldest_seq++;
	}
}

static void run_one(int fd, uint64_t end)
{
	uint8_t msg[4096];

	while (!stop && dnsq_now_ns() < end) {
		struct query *query = make_query();

		if (opt.new_socket)
			fd = open_socket();
		send_query(fd, query);
		while (query->sent_ns) {
			ssize_t len = recv(fd, msg, sizeof(msg), 0);

			if (len >= 0)
				take_reply(msg, len);
			else if (errno == EAGAIN || stop)
				expire(UINT64_MAX);
		}
		if (opt.new_socket)
			close(fd);
	}
}

/* Wait for input, at most until @when. */
static void wait_until(int fd, uint64_t when)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	uint64_t now = dnsq_now_ns();
	struct timespec ts;

	if (now >= when)
		return;
	ts.tv_sec = (when - now) / 1000000000;
	ts.tv_nsec = (when - now) % 1000000000;
	ppoll(&pfd, 1, &ts, NULL);
}

static void run_rate(int fd, uint64_t end)
{
	double interval = 1e9 / opt.rate;
	uint64_t start = dnsq_now_ns(), now, due;

	for (uint64_t n = 0; !stop; n++) {
		due = start + (uint64_t)(n * interval);
		if (due >= end)
			break;
		while ((now = dnsq_now_ns()) < due && !stop) {
			wait_until(fd, due);
			drain(fd);
		}
		if (now > due + 1000000)
			res.behind++;
		send_query(fd, make_query());
		drain(fd);
		expire(now);
	}
}

static void run_window(int fd, uint64_t end)
{
	uint64_t now;

	while (!stop && (now = dnsq_now_ns()) < end) {
		while (outstanding < opt.window)
			send_query(fd, make_query());
		wait_until(fd, now + 10000000);
		drain(fd);
		expire(dnsq_now_ns());
	}
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static double percentile(double p)
{
	size_t at = res.samples * p;

	if (!res.samples)
		return 0;
	return res.sample[at < res.samples ? at : res.samples - 1] / 1e3;
}

static void report(double seconds)
{
	qsort(res.sample, res.samples, sizeof(*res.sample), by_value);
	printf("sent=%lu answered=%lu lost=%lu wrong=%lu refused=%lu senderr=%lu behind=%lu "
	       "qps=%.0f"
	       " p50=%.2f p90=%.2f p99=%.2f p99.9=%.2f max=%.2f gap_ms=%.1f",
	       res.sent, res.answered, res.lost, res.wrong, res.refused, res.senderr, res.behind,
	       res.samples / seconds, percentile(.5), percentile(.9), percentile(.99),
	       percentile(.999), percentile(1), res.gap_ns / 1e6);
	if (res.lost)
		printf(" lost_first_ms=%lu lost_last_ms=%lu", res.lost_first_ns / 1000000,
		       res.lost_last_ns / 1000000);
	printf("\n");
}

static void usage(void)
{
	fprintf(stderr,
		"usage: dnsclient -s SERVER -n NAME [options]\n"
		"  -n NAME      what to ask; %%u in it becomes an index\n"
		"  -i LO-HI     indices, taken at random (default 0-0)\n"
		"  -u           each index once, from LO up: names that nobody has cached\n"
		"  -t A|AAAA    query type (A)\n"
		"  -m MODE      one: one query outstanding; rate: an open loop; window (one)\n"
		"  -S           a new socket, so a new port, for each query (with -m one)\n"
		"  -r RATE      queries/s of the open loop (10000)\n"
		"  -w COUNT     outstanding queries of the window (100)\n"
		"  -d SECONDS   how long (1)\n"
		"  -T MS        when a query counts as lost (1000)\n"
		"  -x ADDRESS   the first address of an answer must be this, plus the index "
		"without -u\n"
		"  -L FILE      write there when each lost query was sent (ms, as /proc/uptime)\n"
		"  -p PORT      (53)\n");
	exit(2);
}

static void parse(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "s:n:i:ut:m:Sr:w:d:T:x:L:p:")) >= 0) {
		switch (c) {
		case 's':
			opt.server = optarg;
			break;
		case 'n':
			opt.name = optarg;
			break;
		case 'i':
			if (sscanf(optarg, "%u-%u", &opt.first, &opt.last) < 1)
				usage();
			break;
		case 'u':
			opt.unique = true;
			break;
		case 't':
			opt.type = strcmp(optarg, "AAAA") ? DNSQ_A : DNSQ_AAAA;
			break;
		case 'm':
			opt.mode = optarg;
			break;
		case 'S':
			opt.new_socket = true;
			break;
		case 'r':
			opt.rate = atof(optarg);
			break;
		case 'w':
			opt.window = atoi(optarg);
			break;
		case 'd':
			opt.seconds = atof(optarg);
			break;
		case 'T':
			opt.timeout_ns = atol(optarg) * 1000000;
			break;
		case 'x':
			opt.expect = inet_pton(strchr(optarg, ':') ? AF_INET6 : AF_INET, optarg,
					       opt.base) == 1;
			if (!opt.expect)
				usage();
			break;
		case 'L':
			opt.lost_log = fopen(optarg, "w");
			if (!opt.lost_log) {
				perror(optarg);
				exit(2);
			}
			break;
		case 'p':
			opt.port = atoi(optarg);
			break;
		default:
			usage();
		}
	}
	if (opt.last < opt.first)
		opt.last = opt.first;
	if (!opt.server || !opt.name || opt.rate <= 0 || opt.seconds <= 0 || !opt.window ||
	    opt.window > RING / 2)
		usage();
}

int main(int argc, char **argv)
{
	uint64_t start, end, grace;
	int fd;

	parse(argc, argv);
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	/* Timers of the open loop as exact as the kernel has them. */
	prctl(PR_SET_TIMERSLACK, 1);
	res.sample = malloc(MAX_SAMPLES * sizeof(*res.sample));
	if (!res.sample)
		return 2;
	start = dnsq_now_ns();
	rnd_state = start | 1;
	next_seq = oldest_seq = 0;
	fd = open_socket();
	end = start + (uint64_t)(opt.seconds * 1e9);
	if (!strcmp(opt.mode, "one"))
		run_one(fd, end);
	else if (!strcmp(opt.mode, "rate"))
		run_rate(fd, end);
	else if (!strcmp(opt.mode, "window"))
		run_window(fd, end);
	else
		usage();
	end = dnsq_now_ns();
	for (grace = end + opt.timeout_ns; outstanding && dnsq_now_ns() < grace;) {
		wait_until(fd, grace);
		drain(fd);
	}
	expire(UINT64_MAX);
	report((end - start) / 1e9);
	return opt.lost_log && fclose(opt.lost_log) ? 2 : 0;
}
