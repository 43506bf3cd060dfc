// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * `nodens explain`: who answers a question on this node, and why.
 *
 * Contract: reads, and asks nobody but with --ask. Exit status 0, 2 for wrong usage, 3 not running,
 * 4 no permission; 1 where the answers to --ask differ, or none came.
 */
#include "cmd/explain.h"

#include <stdlib.h>

#include "cmd/cmd.h"
#include "cmd/config.h"
#include "cmd/pinned.h"
#include "dns/rrtype.h"
#include "link/pods.h"

#define NAME_TEXT 1024

struct explain_options {
	bool json, ask;
	const char *bpffs, *conf, *pod, *cni_results;
};

static const char about[] =
	"Walks the way of a question in order, as far as device, served address, cache, agent,\n"
	"and the block of the Corefile with its plugins and upstreams, and says who answers.\n"
	"Nothing is asked, but with --ask: then the served address as this node reaches it, and\n"
	"each upstream of the name's forward, once; answers that differ are marked.\n"
	"\n"
	"Exit status: 0, 1 answers of --ask differ or are missing, 2 wrong usage, 3 not running,\n"
	"4 no permission.";

#define AT(member) offsetof(struct explain_options, member)
static const struct option_row rows[] = {
	{ "pod", "POD", "who asks: an address, or NAMESPACE/NAME of one that has asked before",
	  .kind = &option_text, AT(pod), "is empty" },
	{ "ask", NULL, "ask for real", .kind = &option_switch, AT(ask) },
	{ "json", NULL, "one JSON object: docs/schema/explain.json", .kind = &option_switch,
	  AT(json) },
	{ "conf", "FILE", "the Corefile (the agent's own)", .kind = &option_text, AT(conf),
	  "is empty" },
	PINNED_BPFFS_ROW(AT(bpffs)),
	PINNED_CNI_ROW(AT(cni_results)),
};
#undef AT

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

static const char *const verdicts[] = {
	[EXPLAIN_OPEN] = "nobody here decides it",
	[EXPLAIN_KERNEL] = "the kernel answers",
	[EXPLAIN_AGENT] = "the agent answers, and asks nobody",
	[EXPLAIN_UPSTREAM] = "the agent asks an upstream",
	[EXPLAIN_CLUSTER] = "it passes on to the cluster's DNS",
	[EXPLAIN_BEHIND] = "it passes on to the cache that nodens stands in front of",
	[EXPLAIN_NOBODY] = "it is not resolved",
};

#define LABEL_WIDTH 15

static void print_line(const char *label, const char *text, const char *mark)
{
	char line[NAME_TEXT + 128];

	snprintf(line, sizeof(line), "%-*s%s%s", LABEL_WIDTH, label, text, mark);
	status__print_wrapped(line, LABEL_WIDTH, status__columns());
}

static void print_text(const struct explain *ex, const char *name, const char *type)
{
	char line[NAME_TEXT + 64];

	snprintf(line, sizeof(line), "%s %s", name, type);
	print_line("question", line, "");
	for (size_t i = 0; i < ex->n_steps; i++)
		print_line(ex->steps[i].name, ex->steps[i].text,
			   ex->steps[i].decides ? "  <--" : "");
	print_line("so", verdicts[ex->by], "");
	for (size_t i = 0; i < ex->n_asked; i++) {
		const struct explain_asked *asked = &ex->asked[i];
		char ms[32] = "";

		if (asked->asked)
			snprintf(ms, sizeof(ms), " (%.1f ms)", asked->ms);
		snprintf(line, sizeof(line), "%s%s: %s%s%s", asked->to,
			 asked->path ? " from this node" : "", asked->differs ? "DIFFERS: " : "",
			 asked->answer, ms);
		print_line(asked->asked ? "asked" : "not asked", line, "");
	}
}

static json_t *to_json(const struct explain *ex, const char *name, const char *type)
{
	json_t *steps = json_array(), *asked = json_array();

	for (size_t i = 0; i < ex->n_steps; i++)
		json_array_append_new(steps, json_pack("{ss sb ss}", "step", ex->steps[i].name,
						       "decides", (int)ex->steps[i].decides, "text",
						       ex->steps[i].text));
	for (size_t i = 0; i < ex->n_asked; i++)
		json_array_append_new(
			asked, json_pack("{ss sb sb sb sb ss sf}", "to", ex->asked[i].to, "path",
					 (int)ex->asked[i].path, "asked", (int)ex->asked[i].asked,
					 "failed", (int)ex->asked[i].failed, "differs",
					 (int)ex->asked[i].differs, "answer", ex->asked[i].answer,
					 "ms", ex->asked[i].ms));
	return json_pack("{si s{ss ss} so ss ss so}", "schema", 1, "question", "name", name, "type",
			 type, "steps", steps, "by", explain_by_names[ex->by], "verdict",
			 verdicts[ex->by], "asked", asked);
}

static int take_question(struct explain *ex, const char *const words[2])
{
	if (!words[0]) {
		fprintf(stderr, "nodens explain: which name? see nodens explain --help\n");
		return EXIT_USAGE;
	}
	if (dns_name__from_text(&ex->qname, words[0])) {
		fprintf(stderr, "nodens explain: the first argument is not a domain name\n");
		return EXIT_USAGE;
	}
	dns_name__lower(&ex->qname);
	ex->qtype = 1;
	if (words[1] && rrtype__parse(words[1], &ex->qtype)) {
		fprintf(stderr, "nodens explain: the second argument is not a record type: A, "
				"AAAA... or TYPE1\n");
		return EXIT_USAGE;
	}
	return -1;
}

static int result_of(const struct explain *ex)
{
	for (size_t i = 0; i < ex->n_asked; i++) {
		if (ex->asked[i].failed || ex->asked[i].differs)
			return EXIT_DEGRADED;
	}
	return 0;
}

static int explain(struct explain *ex, const struct explain_options *opts)
{
	char name[NAME_TEXT], type_text[RRTYPE_TEXT];
	const char *type = rrtype__text(ex->qtype, type_text);
	int ret = explain__walk(ex);

	if (ret >= 0)
		return ret;
	if (opts->ask)
		explain__ask(ex);
	dns_name__to_text(&ex->qname, name, sizeof(name));
	if (opts->json) {
		print_json_value(to_json(ex, name, type), JSON_INDENT(1) | JSON_REAL_PRECISION(10));
		putchar('\n');
	} else {
		print_text(ex, name, type);
	}
	return result_of(ex);
}

int cmd_explain(int argc, char **argv)
{
	struct explain_options opts = { .bpffs = NODENS_PIN_DIR,
					.cni_results = NODENS_CNI_RESULTS };
	const char *words[2];
	struct explain *ex;
	int ret = pinned__words(argv[0], rows, N_ROWS, &opts, argc, argv, " NAME [TYPE]", about,
				words, 2);

	if (ret >= 0)
		return ret;
	ex = calloc(1, sizeof(*ex));
	if (!ex) {
		fprintf(stderr, "nodens explain: out of memory\n");
		return EXIT_DEGRADED;
	}
	ex->bpffs = opts.bpffs;
	ex->conf = opts.conf;
	ex->pod = opts.pod;
	ex->cni_results = opts.cni_results;
	ret = take_question(ex, words);
	if (ret < 0)
		ret = explain(ex, &opts);
	explain__free(ex);
	free(ex);
	return pinned__finish("explain") ? EXIT_DEGRADED : ret;
}
