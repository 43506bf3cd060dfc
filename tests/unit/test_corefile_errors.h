/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Wrong Corefiles, each with its message.
 * Contract: included by test_corefile_errors.c once, for its table.
 */
#define DIRECTIVES                                                                               \
	"acl, any, bind, bufsize, cache, debug, dns64, dnstap, errors, forward, health, hosts, " \
	"loadbalance, log, loop, nxdomain_cut, probe, prometheus, ready, reload, rewrite, "      \
	"template, "                                                                             \
	"timeouts, whoami"
#define FORWARD_OPTIONS                                                                       \
	"doh_method, except, expire, failfast_all_unhealthy_upstreams, failover, force_tcp, " \
	"health_check, max_age, max_concurrent, max_connect_attempts, max_fails, "            \
	"max_idle_conns, next, next_on_nodata, policy, prefer_udp, read_timeout, resolver, "  \
	"source_address, tls, "                                                               \
	"tls_servername"
#define STALE_FORMS                                                            \
	"serve_stale [DURATION] [immediate [TTL [RECHECK]] | verify [TIMEOUT " \
	"[TTL [RECHECK]]]]"
#define CACHE_OPTIONS \
	"denial, disable, keepttl, prefetch, serve_stale, serve_stale_policy, servfail, success"
#define REWRITE_FORMS                                                                        \
	"rewrite [continue|stop] name|ttl|rcode [exact|prefix|suffix|substring|regex] FROM " \
	"TO..., type|class FROM TO, or edns0 local|nsid|subnet set|replace|append|unset "    \
	"[CODE [DATA]]"
#define EDNS0_FORMS                                                                \
	"edns0 local set|replace|append CODE DATA, edns0 local unset CODE, edns0 " \
	"nsid|subnet unset, edns0 nsid set|replace|append, or edns0 subnet "       \
	"set|replace|append V4BITS V6BITS"
#define VARIABLES \
	"{qname}, {qtype}, {client_ip}, {client_port}, {protocol}, {server_ip} or {server_port}"
#define TO_FORMS                                                                                 \
	"write IP, IP:PORT, [IPV6]:PORT, tls://IP[%NAME] or the path of a file with nameserver " \
	"lines"
#define DURATION_FORMS "a number with a unit (ns, us, ms, s, m, h), as in 500ms or 1h30m"
#define PORTS	       "write a number from 1 to 65535"
#define TAP	       "dnstap SOCKET [full [WRITEBUFFER [QUEUE]]]"
#define TTLS	       "write a number from 1 to 2147483647"
#define DIFFERENT      "give the two different zones, ports or bind addresses"
#define NAMES	       "write names divided by one comma or by blanks"
#define ACTIONS                                                                                    \
	"supported; write .Name, .Type, .Class, .Zone, .Group.NAME, index .Match N, index .Group " \
	"\"NAME\" or parseInt .Group.NAME BASE BITS"
#define RCODES		     "write NOERROR, NXDOMAIN, REFUSED..."
#define LISTEN_FORMS	     "write :PORT, IP:PORT or [IPV6]:PORT"
#define DNS64_FORMS	     "write IPV6/LENGTH with 32, 40, 48, 56, 64 or 96 bits, all others zero"
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
	  "Corefile:2: forward: '{' is neither an address nor a file, and names are not looked "
	  "up; " TO_FORMS },
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
	{ "dot://. {\n}", "Corefile:1: server block: the scheme of 'dot://.' is not supported; "
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
	{ IN("prometheus :9153 {\ntls /etc/web.yml\n}"),
	  "Corefile:3: prometheus: tls: not supported by nodens: take it out; the flags "
	  "-tls-enabled, "
	  "-tls-cert-file and -tls-private-key-file serve /metrics over TLS" },
	{ IN("prometheus {\nruntime_metrics all\n}"),
	  "Corefile:3: prometheus: runtime_metrics: 1 argument is given; write runtime_metrics" },
	{ IN("prometheus {\nnosuch\n}"),
	  "Corefile:3: prometheus: nosuch: unknown option; allowed: runtime_metrics" },
	{ IN_TEMPLATE("expr type() == 'A'"),
	  "Corefile:3: template: expr: not supported by nodens: its language of expressions is not "
	  "known here; write match and answer" },
	{ IN_TEMPLATE("var n 1"),
	  "Corefile:3: template: var: not supported by nodens: its language of expressions is not "
	  "known here; write match and answer" },
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
	  "Corefile:2: forward: 'dns.example' is neither an address nor a file, and names are not "
	  "looked up; " TO_FORMS },
	{ IN("forward . 192.0.2.1:0"),
	  "Corefile:2: forward: the port of '192.0.2.1:0' is out of range; " PORTS },
	{ IN("forward . [2001:db8::1]:x"),
	  "Corefile:2: forward: the port of '[2001:db8::1]:x' is out of range; " PORTS },
	{ IN("forward . https://192.0.2.1"),
	  "Corefile:2: forward: 'https://192.0.2.1': DNS over HTTPS is not there; write "
	  "tls://IP%NAME, which the same servers mostly have" },
	{ IN("forward . quic://192.0.2.1"),
	  "Corefile:2: forward: the scheme of 'quic://192.0.2.1' is not supported; " TO_FORMS },
	{ IN_FORWARD("doh_method GET"),
	  "Corefile:3: forward: doh_method: DNS over HTTPS is not there; take it out, and write "
	  "tls://IP%NAME as the upstream" },
	{ IN_FORWARD("resolver 192.0.2.53"),
	  "Corefile:3: forward: resolver: upstreams are not looked up by name, so there is nothing "
	  "to resolve; take it out, and " TO_FORMS },
	{ IN_FORWARD("failover SERVFAIL NOERROR"),
	  "Corefile:3: forward: failover: NOERROR is no failure; write next_on_nodata where an "
	  "answer without records is to be asked for elsewhere" },
	{ IN_FORWARD("read_timeout 0s"),
	  "Corefile:3: forward: read_timeout: no time at all; write a duration above 0, such as "
	  "2s" },
	{ IN_FORWARD("source_address eth0"),
	  "Corefile:3: forward: source_address: 'eth0' is not an IP address" },
	{ IN_FORWARD("source_address ::1"),
	  "Corefile:2: forward: source_address and upstream 1 are of different families; write a "
	  "forward for each family" },
	{ IN_FORWARD("max_age 5s"), "Corefile:2: forward: max_age is shorter than expire (10s "
				    "where it is not given); write a "
				    "longer max_age or a shorter expire" },
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
	/* Plugins and their options. */
	{ IN("log x..y"), "Corefile:2: log: 'x..y' is not a zone: it has an empty label; write one "
			  "dot between labels" },
	{ IN("log . {\nclass slow\n}"),
	  "Corefile:3: log: class: unknown class 'slow'; allowed: success, denial, error, all" },
	{ IN("log . {\nclass\n}"), "Corefile:3: log: class: 0 arguments are given; write class "
				   "success|denial|error|all..." },
	{ IN("log . {\nminDuration 1s\n}"),
	  "Corefile:3: log: minDuration: unknown option; allowed: class" },
	{ IN("errors {\nconsolidate 5m (\n}"),
	  "Corefile:3: errors: consolidate: '(' is not a regular expression: missing closing "
	  "parenthesis, at character 2" },
	{ IN("errors {\nconsolidate 0 x\n}"), "Corefile:3: errors: consolidate: it is 0; write how "
					      "long errors are gathered, as in 5m" },
	{ IN("errors {\nconsolidate 5m x loud\n}"),
	  "Corefile:3: errors: consolidate: 'loud' is not known; write a level (warning, error, "
	  "info, debug), then show_first" },
	{ IN("errors {\nconsolidate 5m x show_first warning\n}"),
	  "Corefile:3: errors: consolidate: 'warning' is not known; write a level (warning, error, "
	  "info, debug), then show_first" },
	{ IN("errors {\nconsolidate 5m\n}"),
	  "Corefile:3: errors: consolidate: 1 argument is given; write consolidate DURATION REGEX "
	  "[LEVEL] [show_first]" },
	{ IN("bind eth9"), "Corefile:2: bind: 'eth9' is neither an IP address nor an interface "
			   "that is up and has an address; write bind IP|INTERFACE..." },
	{ IN("bind 192.0.2.1 {\nexcept 192.0.2.1\n}"),
	  "Corefile:2: bind: except leaves no address to listen on; take one of them out" },
	{ IN("bind 192.0.2.1 {\nexcept eth9\n}"),
	  "Corefile:3: bind: except: 'eth9' is neither an IP address nor an interface that is up "
	  "and has an address; write bind IP|INTERFACE..." },
	{ IN("bufsize 511"), "Corefile:2: bufsize: '511' is not a valid number of octets; write a "
			     "number from 512 to 4096" },
	{ IN("bufsize 4097"), "Corefile:2: bufsize: '4097' is not a valid number of octets; write "
			      "a number from 512 to 4096" },
	{ IN("bufsize 1 2"), "Corefile:2: bufsize: 2 arguments are given; write bufsize [BYTES]" },
	{ IN("loadbalance weighted /etc/weights {\nreload 10s\n}"),
	  "Corefile:2: loadbalance: weighted is not supported: the kernel rotates records and "
	  "knows no weights; write loadbalance [round_robin]" },
	{ IN("loadbalance fleeb"),
	  "Corefile:2: loadbalance: 'fleeb' is not known; write loadbalance [round_robin]" },
	{ IN("loadbalance round_robin a"),
	  "Corefile:2: loadbalance: 'a' is one too many; write loadbalance [round_robin]" },
	{ IN("loadbalance {\nprefer 10.0.0.0\n}"),
	  "Corefile:3: loadbalance: prefer: '10.0.0.0' is not a subnet; write IP/BITS" },
	{ IN("loadbalance {\nprefer 10.0.0.0/33\n}"),
	  "Corefile:3: loadbalance: prefer: '10.0.0.0/33' is not a subnet; write IP/BITS" },
	{ IN("loadbalance {\nprefer 2001:db8::/129\n}"),
	  "Corefile:3: loadbalance: prefer: '2001:db8::/129' is not a subnet; write IP/BITS" },
	{ IN("acl {\ndeny net 10.0.0.0/8\n}"),
	  "Corefile:3: acl: deny: unknown option; allowed: allow, block, drop, filter" },
	{ IN("acl {\nblock 10.0.0.0/8\n}"), "Corefile:3: acl: block: '10.0.0.0/8' is not known; "
					    "write type QTYPE... or net SOURCE..." },
	{ IN("acl {\nblock net\n}"),
	  "Corefile:3: acl: block: 'net' says none; write type QTYPE... or net SOURCE..." },
	{ IN("acl {\nblock type net 10.0.0.0/8\n}"),
	  "Corefile:3: acl: block: 'type' says none; write type QTYPE... or net SOURCE..." },
	{ IN("acl {\nblock net 10.0.0.0/33\n}"),
	  "Corefile:3: acl: block: '10.0.0.0/33' is not a source; write IP, IP/BITS or *" },
	{ IN("acl {\nblock net pods\n}"),
	  "Corefile:3: acl: block: 'pods' is not a source; write IP, IP/BITS or *" },
	{ IN("any a"), "Corefile:2: any: 1 argument is given; write any" },
	{ IN("nxdomain_cut maybe"),
	  "Corefile:2: nxdomain_cut: 'maybe' is not known; write on or off" },
	{ IN("loop twice"), "Corefile:2: loop: 1 argument is given; write loop" },
	{ IN("debug on"), "Corefile:2: debug: 1 argument is given; write debug" },
	{ IN("probe"), "Corefile:2: probe: 0 arguments are given; write probe NAME...|FILE" },
	{ IN("probe a/b"),
	  "Corefile:2: probe: 'a/b' is not a name; write probe NAME... or probe FILE" },
	{ "example.org {\nprobe www.example.com\n}",
	  "Corefile:2: probe: 'www.example.com.' is in no zone of this block; write the names of "
	  "each block's zones there" },
	{ IN("probe a {\ninterval 500ms\n}"),
	  "Corefile:2: probe: the interval is not from 1s to 24h" },
	{ IN("probe a {\ninterval 1s\ntimeout 2s\n}"),
	  "Corefile:2: probe: the timeout is not from 10ms to 5s, or longer than the interval" },
	{ IN("probe a {\ntimeout 0\n}"),
	  "Corefile:2: probe: the timeout is not from 10ms to 5s, or longer than the interval" },
	{ IN("probe a {\nexpect maybe\n}"),
	  "Corefile:3: probe: expect: 'maybe' is not an rcode; write NOERROR, NXDOMAIN, "
	  "REFUSED..." },
	{ IN("whoami me"), "Corefile:2: whoami: 1 argument is given; write whoami" },
	{ IN("reload 1s"),
	  "Corefile:2: reload: the interval is below 2s; write 2s or more, or 0 for none" },
	{ IN("reload 30s 500ms"),
	  "Corefile:2: reload: the jitter is below 1s; write 1s or more, or 0 for none" },
	{ IN("reload soon"),
	  "Corefile:2: reload: 'soon' is not a duration; write " DURATION_FORMS },
	{ IN("ready 8181"),
	  "Corefile:2: ready: '8181' is not an address to listen on; " LISTEN_FORMS },
	{ IN("timeouts {\nwrite snake\n}"),
	  "Corefile:3: timeouts: write: 'snake' is not a duration; write " DURATION_FORMS },
	{ IN("timeouts {\nidle 0s\n}"),
	  "Corefile:3: timeouts: idle: '0s' is out of range; write 1s to 24h" },
	{ IN("timeouts {\nread 48h\n}"),
	  "Corefile:3: timeouts: read: '48h' is out of range; write 1s to 24h" },
	{ IN("timeouts {\nread 86401\n}"), "Corefile:3: timeouts: read: '86401' is not a valid "
					   "number of seconds; write a number from 1 to 86400" },
	{ IN("timeouts {\nmaxtcpqueries 0\n}"),
	  "Corefile:3: timeouts: maxtcpqueries: '0' is not a valid number of queries; " TTLS },
	{ IN("timeouts {\nmaxtcpqueries -2\n}"),
	  "Corefile:3: timeouts: maxtcpqueries: '-2' is not a valid number of queries; " TTLS },
	{ IN("timeouts"), "Corefile:2: timeouts: it has no option; write read, write, idle or "
			  "maxtcpqueries" },
	{ IN("timeouts {\n}"), "Corefile:2: timeouts: it has no option; write read, write, idle or "
			       "maxtcpqueries" },
	{ IN("timeouts {\nlinger 5s\n}"),
	  "Corefile:3: timeouts: linger: unknown option; allowed: idle, maxtcpqueries, read, "
	  "write" },
	{ IN("dnstap"), "Corefile:2: dnstap: 0 arguments are given; write " TAP },
	{ IN("dnstap /run/tap.sock all"), "Corefile:2: dnstap: 'all' is not known; write " TAP },
	{ IN("dnstap /run/tap.sock full 1025"),
	  "Corefile:2: dnstap: '1025' is not a valid write buffer in MiB; write a number from 1 to "
	  "1024" },
	{ IN("dnstap /run/tap.sock full 1 0"), "Corefile:2: dnstap: '0' is not a valid queue in "
					       "10,000 messages; write a number from 1 to "
					       "4096" },
	{ IN("dnstap /run/tap.sock full 1 1 1"),
	  "Corefile:2: dnstap: too many arguments; write " TAP },
	{ IN("dnstap listen tcp://127.0.0.1:6000"),
	  "Corefile:2: dnstap: 'listen' would open a port for readers, which nodens does not; have "
	  "the reader listen, and write where" },
	{ IN("dnstap tls://127.0.0.1:6000 full"),
	  "Corefile:2: dnstap: 'tls://127.0.0.1:6000' is over TLS, which nodens does not speak to "
	  "readers of dnstap; write a socket of this node (unix://) or tcp://, and have the reader "
	  "there pass it on over TLS" },
	{ IN("dnstap tcp://collector.example:6000"),
	  "Corefile:2: dnstap: 'tcp://collector.example:6000' is no address with a port; write "
	  "tcp://10.0.0.9:6000, with no name: to look it up DNS would have to be there already" },
	{ IN("dnstap /run/tap.sock {\ntls cert key\n}"),
	  "Corefile:3: dnstap: tls: not supported by nodens: take it out; it is for `dnstap "
	  "listen`, and nodens opens no port for readers" },
	{ IN("dnstap /run/tap.sock {\nidentity\n}"),
	  "Corefile:3: dnstap: identity: 0 arguments are given; write identity TEXT" },
	{ IN("dnstap /run/tap.sock {\nidentitiy x\n}"),
	  "Corefile:3: dnstap: identitiy: unknown option; allowed: extra, identity, skipverify, "
	  "version" },
	{ IN("trace"), "Corefile:2: trace: not supported by nodens; take it out, or start nodens "
		       "with -ignore-unsupported" },
	{ IN("pprof"), "Corefile:2: pprof: not supported by nodens; take it out, or start nodens "
		       "with -ignore-unsupported" },
	{ IN("metadata"), "Corefile:2: metadata: not supported by nodens; take it out, or start "
			  "nodens with -ignore-unsupported" },
	{ IN("erratic"), "Corefile:2: erratic: unknown directive; allowed: " DIRECTIVES },
	{ IN("cache 30 a..b"), "Corefile:2: cache: 'a..b' is not a zone: it has an empty label; "
			       "write one dot between labels" },
	{ IN_CACHE("prefetch"), "Corefile:3: cache: prefetch: 0 arguments are given; write "
				"prefetch AMOUNT [DURATION [PERCENTAGE%]]" },
	{ IN_CACHE("prefetch x"), "Corefile:3: cache: prefetch: 'x' is not a valid number of hits; "
				  "write a number from 0 to 2147483647" },
	{ IN_CACHE("prefetch 2 60"),
	  "Corefile:3: cache: prefetch: '60' is not a duration; write " DURATION_FORMS },
	{ IN_CACHE("prefetch 2 1m 10"),
	  "Corefile:3: cache: prefetch: '10' is not a percentage; write 10% to 90%" },
	{ IN_CACHE("prefetch 2 1m 9%"),
	  "Corefile:3: cache: prefetch: '9%' is not a percentage; write 10% to 90%" },
	{ IN_CACHE("prefetch 2 1m 91%"),
	  "Corefile:3: cache: prefetch: '91%' is not a percentage; write 10% to 90%" },
	{ IN_CACHE("serve_stale 1h later"),
	  "Corefile:3: cache: serve_stale: 'later' is not known; write immediate or verify" },
	{ IN_CACHE("serve_stale immediate 1h"),
	  "Corefile:3: cache: serve_stale: '1h' is one too many; write " STALE_FORMS },
	{ IN_CACHE("serve_stale 1h immediate 30s 30s 1s"),
	  "Corefile:3: cache: serve_stale: '1s' is one too many; write " STALE_FORMS },
	{ IN_CACHE("serve_stale 1h verify 1s 30s 30s 1s"),
	  "Corefile:3: cache: serve_stale: 6 arguments are given; write " STALE_FORMS },
	{ IN_CACHE("serve_stale 1h verify -100ms"),
	  "Corefile:3: cache: serve_stale: '-100ms' is not a duration; write " DURATION_FORMS },
	{ IN_CACHE("serve_stale 1h immediate 1500ms"),
	  "Corefile:3: cache: serve_stale: '1500ms' is not a TTL in whole seconds of at most 68 "
	  "years" },
	{ IN_CACHE("serve_stale 1h immediate 30s 6m"),
	  "Corefile:3: cache: serve_stale: '6m' is longer than 5m; write 0 to 5m" },
	{ IN_CACHE("serve_stale_policy prefer_positive"),
	  "Corefile:2: cache: serve_stale_policy does nothing alone; write serve_stale as well" },
	{ IN_CACHE("serve_stale 1h\nserve_stale_policy prefer_negative"),
	  "Corefile:4: cache: serve_stale_policy: 'prefer_negative' is not known; write "
	  "prefer_positive" },
	{ IN_CACHE("serve_stale 5"),
	  "Corefile:3: cache: serve_stale: '5' is not a duration; write " DURATION_FORMS },
	{ IN_CACHE("servfail 5m1s"),
	  "Corefile:3: cache: servfail: '5m1s' is longer than 5m; write 0 to 5m" },
	{ IN_CACHE("servfail never"),
	  "Corefile:3: cache: servfail: 'never' is not a duration; write " DURATION_FORMS },
	{ IN_CACHE("disable"), "Corefile:3: cache: disable: 0 arguments are given; write disable "
			       "success|denial [ZONE...]" },
	{ IN_CACHE("disable all"),
	  "Corefile:3: cache: disable: 'all' is not known; write success or denial" },
	{ IN_CACHE("disable success a..b"), "Corefile:3: cache: disable: 'a..b' is not a zone: it "
					    "has an empty label; write one dot between labels" },
	{ IN_CACHE("keepttl 1"), "Corefile:3: cache: keepttl: 1 argument is given; write keepttl" },
	{ IN("dns64 64:ff9b::"), "Corefile:2: dns64: '64:ff9b::' is not a prefix; " DNS64_FORMS },
	{ IN("dns64 64:ff9b::/95"),
	  "Corefile:2: dns64: '64:ff9b::/95' is not a prefix; " DNS64_FORMS },
	{ IN("dns64 64:ff9b::1/96"),
	  "Corefile:2: dns64: '64:ff9b::1/96' is not a prefix; " DNS64_FORMS },
	{ IN("dns64 2001:db8:0:0:ff00::/96"),
	  "Corefile:2: dns64: '2001:db8:0:0:ff00::/96' is not a prefix; " DNS64_FORMS },
	{ IN("dns64 {\nprefix x/96\n}"),
	  "Corefile:3: dns64: prefix: 'x/96' is not a prefix; " DNS64_FORMS },
	{ IN("hosts /etc/hosts a..b"), "Corefile:2: hosts: 'a..b' is not a zone: it has an empty "
				       "label; write one dot between labels" },
	{ IN("hosts {\n192.0.2.1\n}"),
	  "Corefile:3: hosts: 192.0.2.1: no name follows; write IP NAME..." },
	{ IN("hosts {\n192.0.2.1 a..b\n}"),
	  "Corefile:3: hosts: 192.0.2.1: 'a..b' is not a host's name: it has an empty label; write "
	  "one dot between labels" },
	{ IN("hosts {\n192.0.2.300 a\n}"),
	  "Corefile:3: hosts: 192.0.2.300: unknown option; allowed: fallthrough, "
	  "fallthrough_unsupported, no_reverse, "
	  "reload, ttl, IP NAME..." },
	{ IN("hosts {\nfallthrough_unsupported\n}"),
	  "Corefile:2: hosts: fallthrough_unsupported does nothing alone; write fallthrough as "
	  "well" },
	{ IN("hosts {\nttl 0\n}"),
	  "Corefile:3: hosts: ttl: '0' is not a valid TTL in seconds; " PORTS },
	{ IN("hosts {\nttl 65536\n}"),
	  "Corefile:3: hosts: ttl: '65536' is not a valid TTL in seconds; " PORTS },
	{ IN("hosts {\nreload 5\n}"),
	  "Corefile:3: hosts: reload: '5' is not a duration; write " DURATION_FORMS },
	{ IN("hosts {\nno_reverse yes\n}"),
	  "Corefile:3: hosts: no_reverse: 1 argument is given; write no_reverse" },
	{ IN("template IN"),
	  "Corefile:2: template: 1 argument is given; write template CLASS TYPE [ZONE...]" },
	{ IN("template XX A"),
	  "Corefile:2: template: 'XX' is not a class; write IN, CH, HS or ANY" },
	{ IN("template IN NOSUCH"),
	  "Corefile:2: template: 'NOSUCH' is not a type; write A, AAAA, ANY... or TYPEn" },
	{ IN("template IN A a..b"), "Corefile:2: template: 'a..b' is not a zone: it has an empty "
				    "label; write one dot between labels" },
	{ IN_TEMPLATE("match ("), "Corefile:3: template: match: '(' is not a regular expression: "
				  "missing closing parenthesis, at character 2" },
	{ IN_TEMPLATE("match"),
	  "Corefile:3: template: match: 0 arguments are given; write match REGEX..." },
	{ IN_TEMPLATE("answer {{ .Name }} 60 IN A 192.0.2.1"),
	  "Corefile:3: template: answer: '{{' is not a record; write it in quotes, as in \"{{ "
	  ".Name }} 60 IN A 192.0.2.1\"" },
	{ IN_TEMPLATE("answer \"{{ .Name 60 IN A 192.0.2.1\""),
	  "Corefile:3: template: answer: the action '{{ .Name 60 IN A 192.0.2.1' is not " ACTIONS },
	{ IN_TEMPLATE("answer \"{{ .Nmae }} 60 IN A 192.0.2.1\""),
	  "Corefile:3: template: answer: the action '{{ .Nmae }}' is not " ACTIONS },
	{ IN_TEMPLATE("rcode NOSUCH"),
	  "Corefile:3: template: rcode: 'NOSUCH' is not an rcode; " RCODES },
	{ IN_TEMPLATE("rcode 16"), "Corefile:3: template: rcode: '16' is not an rcode; " RCODES },
	{ IN_TEMPLATE("ederror x"), "Corefile:3: template: ederror: 'x' is not a valid code of an "
				    "extended error (RFC 8914); write a number from 0 to 65535" },
	{ IN_TEMPLATE("ederror 65536"),
	  "Corefile:3: template: ederror: '65536' is not a valid code of an extended error (RFC "
	  "8914); write a number from 0 to 65535" },
	{ IN_TEMPLATE("fallthrough a..b"),
	  "Corefile:3: template: fallthrough: 'a..b' is not a zone: it has an empty label; write "
	  "one dot between labels" },
	{ IN_TEMPLATE("downstream"),
	  "Corefile:3: template: downstream: unknown option; allowed: additional, answer, "
	  "authority, ederror, fallthrough, match, rcode, upstream" },
	{ IN("rewrite"), "Corefile:2: rewrite: 0 arguments are given; write " REWRITE_FORMS },
	{ IN("rewrite stop"),
	  "Corefile:2: rewrite: a word is missing at its end; write " REWRITE_FORMS },
	{ IN("rewrite nmae a b"),
	  "Corefile:2: rewrite: 'nmae' cannot stand here; write " REWRITE_FORMS },
	{ IN("rewrite name a"),
	  "Corefile:2: rewrite: a word is missing at its end; write " REWRITE_FORMS },
	{ IN("rewrite name exct a b"),
	  "Corefile:2: rewrite: 'exct' is none of exact, prefix, suffix, substring, regex" },
	{ IN("rewrite name exact a b anser auto"),
	  "Corefile:2: rewrite: 'anser' cannot stand here; write " REWRITE_FORMS },
	{ IN("rewrite name a b answer auto name x y"),
	  "Corefile:2: rewrite: answer auto and answer name contradict each other; "
	  "write one of them" },
	{ IN("rewrite ttl exct a 5"),
	  "Corefile:2: rewrite: 'exct' is none of exact, prefix, suffix, substring, regex" },
	{ IN("rewrite rcode exct a NOERROR NXDOMAIN"),
	  "Corefile:2: rewrite: 'exct' is none of exact, prefix, suffix, substring, regex" },
	{ IN("rewrite type A AAAA MX"),
	  "Corefile:2: rewrite: 'MX' cannot stand here; write " REWRITE_FORMS },
	{ IN("rewrite name a b answer"),
	  "Corefile:2: rewrite: a word is missing at its end; write " REWRITE_FORMS },
	{ IN("rewrite name regex ( b"), "Corefile:2: rewrite: '(' is not a regular expression: "
					"missing closing parenthesis, at character 2" },
	{ IN("rewrite name regex a b answer name x"),
	  "Corefile:2: rewrite: a word is missing at its end; write " REWRITE_FORMS },
	{ IN("rewrite name regex a b answer name ( y"),
	  "Corefile:2: rewrite: '(' is not a regular expression: missing closing parenthesis, at "
	  "character 2" },
	{ IN("rewrite name a b answer auto x"),
	  "Corefile:2: rewrite: 'x' cannot stand here; write " REWRITE_FORMS },
	{ IN("rewrite type A"),
	  "Corefile:2: rewrite: a word is missing at its end; write " REWRITE_FORMS },
	{ IN("rewrite type A NOSUCH"),
	  "Corefile:2: rewrite: 'NOSUCH' is not a type; write A, AAAA, ANY... or TYPEn" },
	{ IN("rewrite class ANY IN"),
	  "Corefile:2: rewrite: 'ANY' is not a class; write IN, CH or HS" },
	{ IN("rewrite ttl a 5s"),
	  "Corefile:2: rewrite: '5s' is not a TTL in seconds; write 5, 5-, -5 or 5-10" },
	{ IN("rewrite ttl a 10-5"),
	  "Corefile:2: rewrite: '10-5' is not a TTL in seconds; write 5, 5-, -5 or 5-10" },
	{ IN("rewrite ttl a -"),
	  "Corefile:2: rewrite: '-' is not a TTL in seconds; write 5, 5-, -5 or 5-10" },
	{ IN("rewrite rcode a SERVFAIL"),
	  "Corefile:2: rewrite: a word is missing at its end; write " REWRITE_FORMS },
	{ IN("rewrite rcode a SERVFAIL FINE"),
	  "Corefile:2: rewrite: 'FINE' is not an rcode; " RCODES },
	{ IN("rewrite edns0"),
	  "Corefile:2: rewrite: a word is missing at its end; write " EDNS0_FORMS },
	{ IN("rewrite edns0 local set 0xffee"),
	  "Corefile:2: rewrite: a word is missing at its end; write " EDNS0_FORMS },
	{ IN("rewrite edns0 local set x y"),
	  "Corefile:2: rewrite: 'x' is not an option's code; write 1 to 65535 or 0x..." },
	{ IN("rewrite edns0 local set 70000 y"),
	  "Corefile:2: rewrite: '70000' is not an option's code; write 1 to 65535 or 0x..." },
	{ IN("rewrite edns0 local set 0xffee 0xabc"),
	  "Corefile:2: rewrite: '0xabc' has an odd number of digits" },
	{ IN("rewrite edns0 local set 0xffee 0xzz"),
	  "Corefile:2: rewrite: '0xzz' is not hexadecimal" },
	{ IN("rewrite edns0 local set 0xffee {client_name}"),
	  "Corefile:2: rewrite: '{client_name}' is not known; write " VARIABLES },
	{ IN("rewrite edns0 local set 0xffee {geoip/city}"),
	  "Corefile:2: rewrite: '{geoip/city}' is not known: there is no metadata; "
	  "write " VARIABLES },
	{ IN("rewrite edns0 local unset 0xffee revert"),
	  "Corefile:2: rewrite: 'revert' cannot stand here; write " EDNS0_FORMS },
	{ IN("rewrite edns0 nsid unset revert"),
	  "Corefile:2: rewrite: 'revert' cannot stand here; write " EDNS0_FORMS },
	{ IN("rewrite edns0 subnet set 24"),
	  "Corefile:2: rewrite: a word is missing at its end; write " EDNS0_FORMS },
	{ IN("rewrite edns0 subnet unset 24 56"),
	  "Corefile:2: rewrite: '24' cannot stand here; write " EDNS0_FORMS },
	{ IN("rewrite edns0 subnet set 33 56"),
	  "Corefile:2: rewrite: '33' is not a number of bits; write 0 to 32" },
	{ IN("rewrite edns0 subnet set 24 129"),
	  "Corefile:2: rewrite: '129' is not a number of bits; write 0 to 128" },
	{ IN("rewrite continue cname exact a.test b.test"),
	  "Corefile:2: rewrite: cname rules are not supported: an answer would need a second "
	  "look-up after it came; write a name rule" },
	{ IN("rewrite edns0 nsid set x"),
	  "Corefile:2: rewrite: 'x' cannot stand here; write " EDNS0_FORMS },
	{ IN("rewrite edns0 cookie set"),
	  "Corefile:2: rewrite: 'cookie' cannot stand here; write " EDNS0_FORMS },
	{ IN("rewrite stop {\nname a b"), "Corefile:1: server block: its '{' has no '}' before the "
					  "end; close it with '}' on a line of its own" },
	{ IN("rewrite stop {\nname a {\n}\n}"),
	  "Corefile:2: rewrite: its '{' has no '}' before the next '{'" },
	{ IN("forward . tls://dns.example"),
	  "Corefile:2: forward: 'tls://dns.example' has no IP address; " TO_FORMS },
	{ IN("forward . tls://192.0.2.1%"), "Corefile:2: forward: '' is not the name of a server: "
					    "it is empty; write it as in its certificate" },
	{ IN("forward . tls://192.0.2.1%a..b"),
	  "Corefile:2: forward: 'a..b' is not the name of a server: it has an empty label; write "
	  "one dot between labels" },
	{ IN("forward . tls://192.0.2.1%*.example"),
	  "Corefile:2: forward: '*.example' is not the name of a server: it has a '\\' or '*'; "
	  "write it as in its certificate" },
	{ IN("forward . tls://192.0.2.1:0"),
	  "Corefile:2: forward: the port of '192.0.2.1:0' is out of range; " PORTS },
	{ IN("forward . https://192.0.2.1/dns-query"),
	  "Corefile:2: forward: 'https://192.0.2.1/dns-query': DNS over HTTPS is not there; write "
	  "tls://IP%NAME, which the same servers mostly have" },
	{ IN("forward . tls://192.0.2.1%a.example {\ntls_servername b.example\n}"),
	  "Corefile:2: forward: tls_servername and tls://IP%NAME are both given; write the name in "
	  "one of them" },
	{ IN_FORWARD("tls_servername"),
	  "Corefile:3: forward: tls_servername: 0 arguments are given; write tls_servername NAME" },
	{ IN_FORWARD("tls_servername a..b"),
	  "Corefile:3: forward: tls_servername: 'a..b' is not the name of a server: it has an "
	  "empty label; write one dot between labels" },
	{ IN_FORWARD("tls a b c d"),
	  "Corefile:3: forward: tls: 4 arguments are given; write tls [CERT KEY] [CA]" },
	{ IN_FORWARD("next"),
	  "Corefile:3: forward: next: 0 arguments are given; write next RCODE..." },
	{ IN_FORWARD("next BAD"), "Corefile:3: forward: next: 'BAD' is not an rcode; " RCODES },
	{ IN_FORWARD("max_connect_attempts x"),
	  "Corefile:3: forward: max_connect_attempts: 'x' is not a valid number; write a number "
	  "from 0 to 4294967295" },
	{ IN_FORWARD("failfast_all_unhealthy_upstreams yes"),
	  "Corefile:3: forward: failfast_all_unhealthy_upstreams: 1 argument is given; write "
	  "failfast_all_unhealthy_upstreams" },
	{ IN("forward . 192.0.2.1 {\nnext NXDOMAIN\n}\nforward . 192.0.2.2\nforward . 192.0.2.3"),
	  "Corefile:6: forward: . is already forwarded at line 5; write all upstreams in one "
	  "forward" },
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
	  "bad.conf:2: server block: unknown directive; allowed: " DIRECTIVES },
	{ IN("import open.conf"),
	  "open.conf:1: syntax: the quote that starts here never ends; close it with \"" },
	{ IN("import self.conf"),
	  "self.conf:1: import: 'self.conf' imports itself; take the import out" },
	{ IN("import *.*"), "Corefile:2: import: '*.*' has more than one wildcard; write one '*' "
			    "and one '?' at most" },
	{ "(a) {\nimport a\n}\n" IN("import a"),
	  "Corefile:2: import: 'a' imports itself; take the import out" },
	{ "(a) {\ncache\n}\n(a) {\n}\n" IN("import a"),
	  "Corefile:4: (a): the snippet is already defined at line 1; give it another name" },
	{ "(a) {\ncache\n",
	  "Corefile:1: (a): the snippet's '{' has no '}'; close it with '}' on a line of its own" },
	{ "(a) {\ncache 0\n}\n" IN("import a"),
	  "Corefile:2: cache: '0' is not a valid TTL in seconds; " TTLS },
};
