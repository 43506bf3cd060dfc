// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What answers take: sizes of slots by kind of answer, and the memory of maps and process with
 * nothing, 10,000 and a million (or as many as the argument says) of them.
 *
 * The answers are what the servers named below send, encoded by ldns and taken in by the agent's
 * own code; only how often each kind comes is an assumption: of 100 questions of pods whose
 * resolver has the search path of Kubernetes. Bytes are the kernel's: fdinfo of the maps, smaps of
 * the process, without the pages of maps, which count as maps already.
 */
#include "harness.h"
#include "wire.h"

#define SOA                                                                                    \
	"cluster.local. 0 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 1800 " \
	"86400 30"
#define N  "@ 0 IN "
#define A4 N "A 192.0.2.1\n" N "A 192.0.2.2\n" N "A 192.0.2.3\n" N "A 192.0.2.4"

static const struct kind {
	const char *what;
	unsigned int share; /* of 100 */
	const char *qname;  /* with seven digits, which are the answer's number */
	uint16_t qtype, rcode;
	const char *answer, *authority; /* @: the name asked for */
	unsigned int repeat;		/* the answer so many times, addresses apart */
} kinds[] = {
	{ "service, A (CoreDNS, kubernetes)", 28,
	  "svc-0000000.payments-production.svc.cluster.local.", 1, 0, N "A 10.96.0.1", NULL, 1 },
	{ "service, AAAA: NODATA", 20, "svc-0000000.payments-production.svc.cluster.local.", 28, 0,
	  NULL, SOA, 0 },
	{ "search path: NXDOMAIN", 17,
	  "api-0000000.example.com.payments-production.svc.cluster.local.", 1, DNS_NXDOMAIN, NULL,
	  SOA, 0 },
	{ "public, one A", 10, "www-0000000.example.com.", 1, 0, N "A 192.0.2.1", NULL, 1 },
	{ "public, four A", 5, "api-0000000.example.com.", 1, 0, A4, NULL, 1 },
	{ "public, four AAAA", 5, "api-0000000.example.com.", 28, 0,
	  N "AAAA 2001:db8::1\n" N "AAAA 2001:db8::2\n" N "AAAA 2001:db8::3\n" N "AAAA 2001:db8::4",
	  NULL, 1 },
	{ "load balancer: CNAME, two A (Route 53)", 5, "app-0000000.example.com.", 1, 0,
	  N "CNAME k8s-prod-ingress-0123456789.eu-central-1.elb.amazonaws.com.\n"
	    "k8s-prod-ingress-0123456789.eu-central-1.elb.amazonaws.com. 0 IN A 192.0.2.1\n"
	    "k8s-prod-ingress-0123456789.eu-central-1.elb.amazonaws.com. 0 IN A 192.0.2.2",
	  NULL, 1 },
	{ "three CNAMEs, four A (traffic manager)", 3, "login-0000000.example.com.", 1, 0,
	  N
	  "CNAME login.example.com.trafficmanager.net.\n"
	  "login.example.com.trafficmanager.net. 0 IN CNAME login-weu.example.azurewebsites.net.\n"
	  "login-weu.example.azurewebsites.net. 0 IN CNAME waws-prod-am2-123.cloudapp.azure.com.\n"
	  "waws-prod-am2-123.cloudapp.azure.com. 0 IN A 192.0.2.1\n"
	  "waws-prod-am2-123.cloudapp.azure.com. 0 IN A 192.0.2.2\n"
	  "waws-prod-am2-123.cloudapp.azure.com. 0 IN A 192.0.2.3\n"
	  "waws-prod-am2-123.cloudapp.azure.com. 0 IN A 192.0.2.4",
	  NULL, 1 },
	{ "headless service, eight A", 4, "db-0000000.payments-production.svc.cluster.local.", 1, 0,
	  N "A 10.244.1.%u", NULL, 8 },
	{ "headless service, 20 A", 3, "mq-0000000.payments-production.svc.cluster.local.", 1, 0,
	  N "A 10.244.1.%u", NULL, 20 },
};

#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))
#define TEXT	4096

static struct env env;
static uint8_t wire[N_KINDS][DNS_MAX_MSG];
static size_t wire_len[N_KINDS];

/* @from with @ as @name, once for each %u there is to count. */
static void expand(char *to, const struct kind *kind, const char *from)
{
	size_t at = 0;

	for (unsigned int i = 0; i < (kind->repeat ? kind->repeat : 1); i++) {
		at += sprintf(to + at, "%s", i ? "\n" : "");
		for (const char *p = from; *p; p++) {
			if (*p == '@')
				at += sprintf(to + at, "%s", kind->qname);
			else if (*p == '%')
				at += sprintf(to + at, "%u", i + 1), p++;
			else
				to[at++] = *p;
		}
		to[at] = '\0';
	}
}

static void build(size_t k)
{
	static char answer[TEXT], authority[TEXT];
	const struct kind *kind = &kinds[k];
	struct wire_message m = { .id = 1,
				  .flags = DNS_QR | DNS_RA | kind->rcode,
				  .qname = kind->qname,
				  .qtype = kind->qtype };

	if (kind->answer) {
		expand(answer, kind, kind->answer);
		m.section[0] = answer;
	}
	if (kind->authority) {
		expand(authority, kind, kind->authority);
		m.section[1] = authority;
	}
	wire_len[k] = wire__build(wire[k], &m);
}

/* Number @n of its kind; the name is in the message once, records point to it. */
static struct answer *make(size_t k, uint32_t n)
{
	uint8_t *digits = memchr(wire[k] + 12, '-', 64);
	struct dns_name name = wire__name(kinds[k].qname);
	enum verdict got_verdict;
	struct answer *answer = NULL;
	char text[8];

	snprintf(text, sizeof(text), "%07u", n % 10000000);
	memcpy(digits + 1, text, 7);
	memcpy(name.wire + (digits + 1 - wire[k] - 12), text, 7);
	if (answer__decode(wire[k], wire_len[k], &name, kinds[k].qtype, 0, &got_verdict, &answer))
		die(kinds[k].what);
	return answer;
}

static size_t kind_of(uint32_t n)
{
	unsigned int at = n * 37 % 100; /* each kind's share of any hundred in a row */
	size_t k = 0;

	for (; at >= kinds[k].share; k++)
		at -= kinds[k].share;
	return k;
}

static void print_sizes(void)
{
	double exact = 0, taken = 0;

	printf("%-40s %5s %7s %5s\n", "answer", "of100", "bytes", "slot");
	for (size_t k = 0; k < N_KINDS; k++) {
		struct answer *answer = make(k, 0);
		size_t size = answer__slot_size(answer);
		int cls = 0;

		while (slot_class_size[cls] < size)
			cls++;
		printf("%-40s %5u %7zu %5u\n", kinds[k].what, kinds[k].share, size,
		       slot_class_size[cls]);
		exact += size * kinds[k].share / 100.0;
		taken += slot_class_size[cls] * kinds[k].share / 100.0;
		answer__free(answer);
	}
	printf("%-40s %5s %7.0f %5.0f\n\n", "mean", "", exact, taken);
}

/* Resident bytes of this process but for those of maps. */
static uint64_t resident(void)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	unsigned long long kb, sum = 0;
	bool map = false;
	char line[512];

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "Rss: %llu kB", &kb) == 1)
			sum += map ? 0 : kb;
		else if (strchr(line, '-') && strchr(line, '-') < strchr(line, ' '))
			map = strstr(line, "anon_inode:bpf-map");
	}
	if (f)
		fclose(f);
	return sum * 1024;
}

static void print_memory(uint32_t n, uint64_t fresh)
{
	uint64_t maps = datapath__bytes(env.datapath), process = resident() - fresh;

	printf("%9u answers: %7.1f MB of maps, %6.1f MB of the agent's tables, %4.0f bytes each\n",
	       n, maps / 1e6, process / 1e6, n ? (double)(maps + process) / n : 0);
}

static void put(uint32_t n)
{
	size_t k = kind_of(n);
	int err = store__put(
		env.store, make(k, n),
		&(struct store_put){ .kind = kinds[k].answer ? NODENS_POSITIVE : NODENS_NEGATIVE,
				     .ttl_s = 3600 },
		mono_ns());

	if (err)
		die(strerror(-err));
}

int main(int argc, char **argv)
{
	uint32_t max = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000000, n = 0;
	uint64_t fresh, begin, longest = 0, total;
	struct store_stats stats;

	for (size_t k = 0; k < N_KINDS; k++)
		build(k);
	print_sizes();
	env__open(&env, NULL, max);
	fresh = resident();
	print_memory(0, fresh);
	total = mono_ns();
	for (uint32_t upto = 10000; n < max; upto = max) {
		for (; n < upto && n < max; n++) {
			begin = mono_ns();
			put(n);
			begin = mono_ns() - begin;
			longest = begin > longest ? begin : longest;
		}
		print_memory(n, fresh);
	}
	total = mono_ns() - total;
	store__stats(env.store, &stats);
	if (stats.entries[0] + stats.entries[1] != max || stats.refused)
		die("not all of them are kept");
	printf("%.2f us an answer with its decoding, the longest %.1f ms\n", total / 1e3 / max,
	       longest / 1e6);
	env__close(&env);
	return 0;
}
