/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Wrong Corefiles, each with its message.
 * Contract: included by test_corefile.c once, for its table.
 */
#define DIRECTIVES                                                                               \
	"bind, bufsize, cache, debug, dns64, errors, forward, health, hosts, loadbalance, log, " \
	"loop, nxdomain_cut, prometheus, ready, reload, rewrite, template, timeouts, whoami"
#define FORWARD_OPTIONS                                                                    \
	"except, expire, failfast_all_unhealthy_upstreams, force_tcp, health_check, "      \
	"max_concurrent, max_connect_attempts, max_fails, next, policy, prefer_udp, tls, " \
	"tls_servername"
#define CACHE_OPTIONS "denial, disable, keepttl, prefetch, serve_stale, servfail, success"
#define REWRITE_FORMS                                                                        \
	"rewrite [continue|stop] name|ttl|rcode [exact|prefix|suffix|substring|regex] FROM " \
	"TO..., type|class FROM TO, or edns0 local|nsid set|replace|append|unset [CODE [DATA]]"
#define EDNS0_FORMS                                                                         \
	"write edns0 local set|replace|append CODE DATA, edns0 local unset CODE, or edns0 " \
	"nsid set|replace|append|unset"
#define TO_FORMS                                                                                 \
	"write IP, IP:PORT, [IPV6]:PORT, tls://IP[%NAME] or the path of a file with nameserver " \
	"lines"
#define DURATION_FORMS	     "a number with a unit (ns, us, ms, s, m, h), as in 500ms or 1h30m"
#define PORTS		     "write a number from 1 to 65535"
#define TTLS		     "write a number from 1 to 2147483647"
#define DIFFERENT	     "give the two different zones, ports or bind addresses"
#define NAMES		     "write names divided by one comma or by blanks"
#define IN(directives)	     ". {\n" directives "\n}\n"
#define IN_FORWARD(options)  ". {\nforward . 192.0.2.1 {\n" options "\n}\n}\n"
#define IN_TEMPLATE(options) ". {\ntemplate IN A {\n" options "\n}\n}\n"
#define IN_CACHE(options)    ". {\ncache {\n" options "\n}\n}\n"
#define L63		     "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg"

static const struct {
	const char *text, *message;
} errors[] = {
	/* Blocks and braces. */
	{ "", "Corefile:1: it has no server block; write '. {', 'forward . IP' and '}' on three "
	      "lines" },
	{ "# nothing\n\n", "Corefile:1: it has no server block; write '. {', 'forward . IP' and "
			   "'}' on three lines" },
	{ "{\nforward . 192.0.2.1\n}", "Corefile:1: server block: it has no zone; write names "
				       "before '{', or '.' for every name" },
	{ "forward . 192.0.2.1\n", "Corefile:1: server block: 'forward' is a directive and stands "
				   "before any block; write it between '. {' and '}'" },
	{ ". {\ncache 30\n", "Corefile:1: server block: its '{' has no '}' before the end; close "
			     "it with '}' on a line of its own" },
	{ ". {\nforward . 192.0.2.1 {\n", "Corefile:2: forward: its '{' has no '}' before the end; "
					  "close it with '}' on a line of its own" },
	{ ".{\n}\n", "Corefile:1: server block: '.{' ends in '{'; put a blank before the '{'" },
	{ ".\ncache\n}\n", "Corefile:3: server block: '}' closes nothing; take it out or write the "
			   "'{' that it closes" },
	{ "} . {\n}", "Corefile:1: server block: '}' closes nothing; take it out or write the '{' "
		      "that it closes" },
	{ ". {\n}\na\ncache\n", "Corefile:3: server block: it has no '{'; only a block that is "
				"alone in its file may leave the braces out" },
	{ IN("cache { success 1 }"),
	  "Corefile:2: cache: success: '}' follows other words; write it on a line of its own" },
	{ IN("cache 30{\n}"), "Corefile:2: cache: '30{' ends in '{'; put a blank before the '{'" },
	{ IN("cache\n{\n}"),
	  "Corefile:3: cache: '{' starts a line; write it at the end of the line before" },
	{ IN("{\n}"),
	  "Corefile:2: server block: '{' has nothing before it; write it after a directive" },
	{ IN("cache {\n} log"),
	  "Corefile:3: cache: 'log' follows '}'; write it on a line of its own" },
	{ IN("forward . 192.0.2.1 {$BRACE}\nforce_tcp\n}"),
	  "Corefile:2: forward: '{' is neither an address nor a file; " TO_FORMS },
	{ IN("forward . \"192.0.2.1"),
	  "Corefile:2: syntax: the quote that starts here never ends; close it with \"" },
	{ "\"a\\\"\\x\nb\" {\n}",
	  "Corefile:1: server block: 'a\"\\x\\x0ab' is not a zone: it has a character other than "
	  "letters, digits, '-', '_', '*' and '.'; write that one as \\DDD" },
	{ IN("forward \"a\nb\" 192.0.2.1 {\nforce_tcp\n}\nx"),
	  "Corefile:2: forward: 'a\\x0ab' is not a zone: it has a character other than letters, "
	  "digits, '-', '_', '*' and '.'; write that one as \\DDD" },
	{ IN("log # \"\n\n# }\nforward \"a\\\n.b\" 192.0.2.1 {\npolicy x\n}"),
	  "Corefile:7: forward: policy: unknown policy 'x'; allowed: random, round_robin, "
	  "sequential" },
	/* Zones. */
	{ "a,, b {\n}", "Corefile:1: server block: a zone is missing in 'a,,'; " NAMES },
	{ ", a {\n}", "Corefile:1: server block: a zone is missing in ','; " NAMES },
	{ "a, {\n}",
	  "Corefile:1: server block: no zone follows the last comma; take the comma out" },
	{ "\"\" {\n}", "Corefile:1: server block: a zone is missing in ''; " NAMES },
	{ "dns:// {\n}",
	  "Corefile:1: server block: a zone is empty; write a name, or '.' for every name" },
	{ "tls://. {\n}", "Corefile:1: server block: the scheme of 'tls://.' is not supported; "
			  "write dns:// or none" },
	{ ".:0 {\n}", "Corefile:1: server block: the port of '.:0' is out of range; " PORTS },
	{ ".:65536 {\n}",
	  "Corefile:1: server block: the port of '.:65536' is out of range; " PORTS },
	{ "\n\na..b {\n}", "Corefile:3: server block: 'a..b' is not a zone: it has an empty label; "
			   "write one dot between labels" },
	{ "a/b {\n}", "Corefile:1: server block: 'a/b' is not a network: it is not ADDRESS/BITS; "
		      "write it as 10.0.0.0/8 or 2001:db8::/32" },
	{ "b\xc3\xbc"
	  "cher.example {\n}",
	  "Corefile:1: server block: 'b\\xc3\\xbccher.example' is not a zone: it is not ASCII; "
	  "write its xn-- form" },
	{ "a(b {\n}", "Corefile:1: server block: 'a(b' is not a zone: it has a character other "
		      "than letters, digits, '-', '_', '*' and '.'; write that one as \\DDD" },
	{ "{$ITSELF} {\n}",
	  "Corefile:1: server block: '{$ITSELF}' is not a zone: it has a character other than "
	  "letters, digits, '-', '_', '*' and '.'; write that one as \\DDD" },
	{ "a\\9 {\n}", "Corefile:1: server block: 'a\\9' is not a zone: it has a broken escape; "
		       "write \\DDD (000 to 255) or \\X" },
	{ L63 "x {\n}", "Corefile:1: server block: "
			"'aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggx' is not "
			"a zone: it has a label longer than 63 octets; shorten it" },
	{ L63 "." L63 "." L63 "." L63 " {\n}",
	  "Corefile:1: server block: "
	  "'aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg.aaaaaaaaaabb...' is "
	  "not a zone: it is longer than 255 octets; shorten it" },
	{ "10.0.0.0/33 {\n}", "Corefile:1: server block: '10.0.0.0/33' is not a network: its "
			      "length is out of range; write 0 to 32" },
	{ "2001:db8::/129 {\n}", "Corefile:1: server block: '2001:db8::/129' is not a network: its "
				 "length is out of range; write 0 to 128" },
	{ "10.0.0/8 {\n}", "Corefile:1: server block: '10.0.0/8' is not a network: it is not "
			   "ADDRESS/BITS; write it as 10.0.0.0/8 or 2001:db8::/32" },
	{ "a {\n}\nb A. {\n}",
	  "Corefile:3: server block: zone a. port 53 is already served at Corefile:1; " DIFFERENT },
	{ "a {\n}\na {\nbind 192.0.2.1\n}",
	  "Corefile:3: server block: zone a. port 53 is already served at Corefile:1; " DIFFERENT },
	{ "a {\nbind 192.0.2.1 192.0.2.2\n}\na {\nbind 192.0.2.2\n}",
	  "Corefile:4: server block: zone a. port 53 is already served at Corefile:1; " DIFFERENT },
	/* Directives. */
	{ IN("frobnicate"), "Corefile:2: frobnicate: unknown directive; allowed: " DIRECTIVES },
	{ IN("prometheus :9153 {\n}"),
	  "Corefile:2: prometheus: it takes no block; write prometheus [[IP]:PORT]" },
	{ IN("prometheus 9153"), "Corefile:2: prometheus: '9153' is not an address to listen on; "
				 "write :PORT, IP:PORT or [IPV6]:PORT" },
	{ IN("prometheus :0"), "Corefile:2: prometheus: the port of ':0' is out of range; " PORTS },
	{ IN("health 192.0.2.1"), "Corefile:2: health: '192.0.2.1' is not an address to listen on; "
				  "write :PORT, IP:PORT or [IPV6]:PORT" },
	{ IN("health :8080 {\nlameduck 5\n}"),
	  "Corefile:3: health: lameduck: '5' is not a duration; write " DURATION_FORMS },
	{ IN("bind"), "Corefile:2: bind: 0 arguments are given; write bind IP|INTERFACE..." },
	{ IN("bind {$UNSET}"), "Corefile:2: bind: an argument is empty; write a value, or set the "
			       "variable that it comes from" },
	/* cache */
	{ IN("cache\ncache 30"), "Corefile:3: cache: already given at line 2; write it once" },
	{ IN("cache 0"), "Corefile:2: cache: '0' is not a valid TTL in seconds; " TTLS },
	{ IN("cache -1"), "Corefile:2: cache: '-1' is not a valid TTL in seconds; " TTLS },
	{ IN("cache 30s"), "Corefile:2: cache: '30s' is not a valid TTL in seconds; " TTLS },
	{ IN("cache 2147483648"),
	  "Corefile:2: cache: '2147483648' is not a valid TTL in seconds; " TTLS },
	{ IN("cache 99999999999999999999999"),
	  "Corefile:2: cache: '99999999999999999999999' is not a valid TTL in seconds; " TTLS },
	{ IN_CACHE("success"), "Corefile:3: cache: success: 0 arguments are given; write success "
			       "CAPACITY [TTL] [MINTTL]" },
	{ IN_CACHE("success -1"), "Corefile:3: cache: success: '-1' is not a valid capacity; write "
				  "a number from 0 to 2147483647" },
	{ IN_CACHE("success 1 0"),
	  "Corefile:3: cache: success: '0' is not a valid TTL in seconds; " TTLS },
	{ IN_CACHE("denial 1 5 6"), "Corefile:3: cache: denial: the least TTL 6 is above the TTL "
				    "5; write it at most as large" },
	{ IN_CACHE("denial 1 2 3 4"), "Corefile:3: cache: denial: 4 arguments are given; write "
				      "denial CAPACITY [TTL] [MINTTL]" },
	{ IN_CACHE("denial 1\n\ndenial 1"),
	  "Corefile:5: cache: denial: already given at line 3; write it once" },
	{ IN_CACHE("sucess 1"),
	  "Corefile:3: cache: sucess: unknown option; allowed: " CACHE_OPTIONS },
	{ IN_CACHE("success 1 {\n}"),
	  "Corefile:3: cache: success: it takes no block; write success CAPACITY [TTL] [MINTTL]" },
	/* forward */
	{ IN("forward"), "Corefile:2: forward: 0 arguments are given; write forward FROM TO..." },
	{ IN("forward ."), "Corefile:2: forward: 1 argument is given; write forward FROM TO..." },
	{ IN("forward a..b 192.0.2.1"), "Corefile:2: forward: 'a..b' is not a zone: it has an "
					"empty label; write one dot between labels" },
	{ IN("forward 172.16.0.0/12 192.0.2.1"),
	  "Corefile:2: forward: '172.16.0.0/12' stands for 16 zones; write one forward for each, "
	  "or a network that ends at an octet (a nibble for IPv6)" },
	{ IN("forward . dns.example"),
	  "Corefile:2: forward: 'dns.example' is neither an address nor a file; " TO_FORMS },
	{ IN("forward . 192.0.2.1:0"),
	  "Corefile:2: forward: the port of '192.0.2.1:0' is out of range; " PORTS },
	{ IN("forward . [2001:db8::1]:x"),
	  "Corefile:2: forward: the port of '[2001:db8::1]:x' is out of range; " PORTS },
	{ IN("forward . https://192.0.2.1"),
	  "Corefile:2: forward: the scheme of 'https://192.0.2.1' is not supported; " TO_FORMS },
	{ IN("forward . /etc/empty.conf"),
	  "Corefile:2: forward: '/etc/empty.conf' has no nameserver line with an IP address; name "
	  "at least one upstream" },
	{ IN("forward . /etc/secret.conf"),
	  "Corefile:2: forward: cannot read '/etc/secret.conf': Permission denied; " TO_FORMS },
	{ IN("forward . /etc/many.conf /etc/many.conf /etc/many.conf /etc/many.conf /etc/many.conf "
	     "192.0.2.1"),
	  "Corefile:2: forward: more than 15 upstreams are given; write at most 15" },
	{ IN("forward . 192.0.2.1\nforward . 192.0.2.2"),
	  "Corefile:3: forward: . is already forwarded at line 2; write all upstreams in one "
	  "forward" },
	{ IN_FORWARD("force_udp"),
	  "Corefile:3: forward: force_udp: unknown option; allowed: " FORWARD_OPTIONS },
	{ IN_FORWARD("force_tcp yes"),
	  "Corefile:3: forward: force_tcp: 1 argument is given; write force_tcp" },
	{ IN_FORWARD("force_tcp\nforce_tcp"),
	  "Corefile:4: forward: force_tcp: already given at line 3; write it once" },
	{ IN_FORWARD("policy"), "Corefile:3: forward: policy: 0 arguments are given; write policy "
				"random|round_robin|sequential" },
	{ IN_FORWARD("policy fastest"), "Corefile:3: forward: policy: unknown policy 'fastest'; "
					"allowed: random, round_robin, sequential" },
	{ IN_FORWARD("max_fails -1"), "Corefile:3: forward: max_fails: '-1' is not a valid number; "
				      "write a number from 0 to 4294967295" },
	{ IN_FORWARD("max_fails 4294967296"),
	  "Corefile:3: forward: max_fails: '4294967296' is not a valid number; write a number from "
	  "0 to 4294967295" },
	{ IN_FORWARD("max_concurrent many"), "Corefile:3: forward: max_concurrent: 'many' is not a "
					     "valid number; write a number from 0 to 4294967295" },
	{ IN_FORWARD("expire 10"),
	  "Corefile:3: forward: expire: '10' is not a duration; write " DURATION_FORMS },
	{ IN_FORWARD("expire -1s"),
	  "Corefile:3: forward: expire: '-1s' is not a duration; write " DURATION_FORMS },
	{ IN_FORWARD("expire 1d"),
	  "Corefile:3: forward: expire: '1d' is not a duration; write " DURATION_FORMS },
	{ IN_FORWARD("expire 9999999h"), "Corefile:3: forward: expire: the duration '9999999h' is "
					 "too long; write less than 290 years" },
	{ IN_FORWARD("expire 99999999999999999999s"),
	  "Corefile:3: forward: expire: the duration '99999999999999999999s' is too long; write "
	  "less than 290 years" },
	{ IN_FORWARD("health_check 1s no_rec twice"),
	  "Corefile:3: forward: health_check: 'twice' is unknown; allowed after the duration: "
	  "no_rec, domain NAME" },
	{ IN_FORWARD("health_check 1s domain"), "Corefile:3: forward: health_check: domain has no "
						"name; write health_check DURATION domain NAME" },
	{ IN_FORWARD("health_check 1s domain a/b"),
	  "Corefile:3: forward: health_check: 'a/b' is not a name; write health_check DURATION "
	  "domain NAME" },
	{ IN_FORWARD("except"),
	  "Corefile:3: forward: except: 0 arguments are given; write except ZONE..." },
	{ IN_FORWARD("except a b..c"), "Corefile:3: forward: except: 'b..c' is not a zone: it has "
				       "an empty label; write one dot between labels" },
	/* import */
	{ "import", "Corefile:1: import: nothing to import is given; write import NAME, import "
		    "FILE or import GLOB" },
	{ IN("import absent"), "Corefile:2: import: there is no snippet and no file 'absent'; "
			       "define the snippet before its import or name a file" },
	{ IN("import /etc/secret.conf"), "Corefile:2: import: cannot read '/etc/secret.conf': "
					 "Permission denied; name a readable file" },
	{ IN("import good.conf bad.conf"), "Corefile:2: import: 'bad.conf' is one too many; write "
					   "import NAME, import FILE or import GLOB" },
	{ IN("import bad.conf"),
	  "bad.conf:2: frobnicate: unknown directive; allowed: " DIRECTIVES },
	{ IN("import open.conf"),
	  "open.conf:1: syntax: the quote that starts here never ends; close it with \"" },
	{ IN("import self.conf"),
	  "self.conf:1: import: 'self.conf' imports itself; take the import out" },
	{ IN("import *.*"),
	  "Corefile:2: import: '*.*' has more than one wildcard; write one '*' or '?' at most" },
	{ "(a) {\nimport a\n}\n" IN("import a"),
	  "Corefile:2: import: 'a' imports itself; take the import out" },
	{ "(a) {\ncache\n}\n(a) {\n}\n" IN("import a"),
	  "Corefile:4: (a): the snippet is already defined at line 1; give it another name" },
	{ "(a) {\ncache\n",
	  "Corefile:1: (a): the snippet's '{' has no '}'; close it with '}' on a line of its own" },
	{ "(a) {\ncache 0\n}\n" IN("import a"),
	  "Corefile:2: cache: '0' is not a valid TTL in seconds; " TTLS },
};
