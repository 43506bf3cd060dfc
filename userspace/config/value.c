// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Arguments of directives to values: numbers, durations, addresses, texts, terms of DNS.
 * Contract: every bound is checked before arithmetic; outputs are untouched on failure.
 */
#include "corefile_priv.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "dns/msg.h"
#include "base/regex.h"
#include "dns/rrtype.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Digits only, at most `max`; moves *s past them. */
static int digits(const char **s, uint64_t max, uint64_t *out)
{
	uint64_t n = 0;

	if (!is_digit(**s))
		return -EINVAL;
	for (; is_digit(**s); (*s)++) {
		unsigned int d = (unsigned int)(**s - '0');

		if (n > (max - d) / 10)
			return -ERANGE;
		n = n * 10 + d;
	}
	*out = n;
	return 0;
}

int corefile_value_u32(struct corefile_parse *p, const struct corefile_token *arg, uint32_t min,
		       uint32_t max, const char *what, uint32_t *out)
{
	const char *s = arg->text + (*arg->text == '+'); /* Go's Atoi takes the sign */
	uint64_t n;

	if (digits(&s, max, &n) || *s || n < min)
		return corefile_fail(p, arg, "'%s' is not a valid %s; write a number from %u to %u",
				     corefile_show(p, arg->text), what, min, max);
	*out = (uint32_t)n;
	return 0;
}

static const struct unit {
	const char *name;
	uint64_t ns;
} units[] = {
	/* Longest first where one starts with another. */
	{ "ns", 1 },	       { "us", 1000 },	    { "\xc2\xb5s", 1000 }, /* micro sign */
	{ "\xce\xbcs", 1000 },						   /* Greek mu */
	{ "ms", 1000000 },     { "s", 1000000000 }, { "m", 60000000000 },  { "h", 3600000000000 },
};

static const struct unit *unit_at(const char **s)
{
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		size_t len = strlen(units[i].name);

		if (strncmp(*s, units[i].name, len) == 0) {
			*s += len;
			return &units[i];
		}
	}
	return NULL;
}

/* ".5" of a unit; digits past the ninth are below a nanosecond for every unit up to the second. */
static uint64_t fraction(const char **s, uint64_t *scale)
{
	uint64_t n = 0;

	for (*scale = 1; is_digit(**s); (*s)++) {
		if (*scale < 1000000000) {
			n = n * 10 + (unsigned int)(**s - '0');
			*scale *= 10;
		}
	}
	return n;
}

/* Go's time.ParseDuration, without negative values: a sequence of number and unit, or 0. */
static int duration(const char *s, uint64_t *ns)
{
	uint64_t total = 0, whole, part, scale, value;
	const struct unit *unit;
	int err;

	if (strcmp(s, "0") == 0)
		goto out;
	if (!*s)
		return -EINVAL;
	while (*s) {
		bool has_whole = is_digit(*s), has_part = false;

		whole = 0;
		part = 0;
		scale = 1;
		if (has_whole) {
			err = digits(&s, INT64_MAX, &whole);
			if (err)
				return err;
		}
		if (*s == '.') {
			s++;
			has_part = is_digit(*s);
			part = fraction(&s, &scale);
		}
		if (!has_whole && !has_part)
			return -EINVAL;
		unit = unit_at(&s);
		if (!unit)
			return -EINVAL;
		/* part < 10^9 and an hour is below 2^42 ns: the product of the two needs 128 bits.
		 */
		part = (uint64_t)((unsigned __int128)part * unit->ns / scale);
		if (__builtin_mul_overflow(whole, unit->ns, &value) ||
		    __builtin_add_overflow(value, part, &value) ||
		    __builtin_add_overflow(total, value, &total) || total > INT64_MAX)
			return -ERANGE;
	}
out:
	*ns = total;
	return 0;
}

int corefile_value_duration(struct corefile_parse *p, const struct corefile_token *arg,
			    uint64_t *ns)
{
	int err = duration(arg->text, ns);

	if (err == -ERANGE)
		return corefile_fail(p, arg,
				     "the duration '%s' is too long; write less than 290 years",
				     corefile_show(p, arg->text));
	if (err)
		return corefile_fail(
			p, arg,
			"'%s' is not a duration; write a number with a unit (ns, us, ms, s, m, h), "
			"as in 500ms or 1h30m",
			corefile_show(p, arg->text));
	return 0;
}

/* The interface after the '%' of RFC 4007, 11: its name, or its index. 0: there is none. */
static unsigned int scope_of(struct corefile_parse *p, const char *text, size_t len)
{
	char name[IF_NAMESIZE];
	const char *at = name;
	uint64_t index;

	if (len >= sizeof(name))
		return 0;
	memcpy(name, text, len);
	name[len] = '\0';
	if (!digits(&at, INT32_MAX, &index) && !*at)
		return index;
	return p->options->ifindex ? p->options->ifindex(p->options->ctx, name) : 0;
}

int corefile_scoped_address(struct corefile_parse *p, const char *text, uint16_t default_port,
			    union sockaddr_any *out)
{
	const char *percent = strchr(text, '%');
	union sockaddr_any addr;
	char plain[INET6_ADDRSTRLEN + sizeof("[]:65535")];
	size_t before, scope;
	int err;

	if (!percent)
		return sockaddr__parse(text, default_port, out);
	before = percent - text;
	scope = *text == '[' ? strcspn(percent, "]") : strlen(percent);
	if (before + strlen(percent + scope) >= sizeof(plain))
		return -EINVAL;
	memcpy(plain, text, before);
	strcpy(plain + before, percent + scope);
	err = sockaddr__parse(plain, default_port, &addr);
	if (err)
		return err;
	if (addr.sa.sa_family != AF_INET6 || !IN6_IS_ADDR_LINKLOCAL(&addr.v6.sin6_addr))
		return -EINVAL;
	addr.v6.sin6_scope_id = scope_of(p, percent + 1, scope - 1);
	if (!addr.v6.sin6_scope_id)
		return -ENODEV;
	*out = addr;
	return 0;
}

int corefile_value_listen(struct corefile_parse *p, const struct corefile_token *arg,
			  union sockaddr_any *out)
{
	static const char localhost[] = "localhost:";
	union sockaddr_any addr;
	uint16_t port = 0;
	int err = -EINVAL;

	if (*arg->text == ':') {
		err = sockaddr__parse_port(arg->text + 1, &port)
			      ? sockaddr__parse_ip("::", port, &addr)
			      : -ERANGE;
	} else if (strncmp(arg->text, localhost, sizeof(localhost) - 1) == 0) {
		err = sockaddr__parse_port(arg->text + sizeof(localhost) - 1, &port)
			      ? sockaddr__parse_ip("127.0.0.1", port, &addr)
			      : -ERANGE;
	} else {
		err = sockaddr__parse(arg->text, 0, &addr);
	}
	if (err == -ERANGE)
		return corefile_fail(
			p, arg, "the port of '%s' is out of range; write a number from 1 to 65535",
			corefile_show(p, arg->text));
	if (err || !sockaddr__port(&addr))
		return corefile_fail(
			p, arg,
			"'%s' is not an address to listen on; write :PORT, IP:PORT or [IPV6]:PORT",
			corefile_show(p, arg->text));
	*out = addr;
	return 0;
}

/* ---- texts ---- */

int corefile_value_text(struct corefile_parse *p, const struct corefile_token *arg,
			const char **out)
{
	char *copy;

	if (!corefile_is_writable(arg->text))
		return corefile_fail(p, arg,
				     "'%s' would be read as something else where it is written "
				     "again: it names an environment variable, or has a backslash "
				     "before a quote; write the value itself, in quotes",
				     corefile_show(p, arg->text));
	copy = corefile_mem_strndup(p->cf->mem, arg->text, strlen(arg->text));
	if (!copy)
		return corefile_nomem(p);
	*out = copy;
	return 0;
}

int corefile_value_regex(struct corefile_parse *p, const struct corefile_token *arg,
			 const char **out)
{
	struct regex *regex = NULL;
	char why[200] = "";
	int err = regex__open(arg->text, &regex, why, sizeof(why));

	if (err == -ENOMEM)
		return corefile_nomem(p);
	if (err)
		return corefile_fail(p, arg, "'%s' is not a regular expression: %s",
				     corefile_show(p, arg->text), why);
	regex__close(regex);
	return corefile_value_text(p, arg, out);
}

int corefile_value_zones(struct corefile_parse *p, const struct corefile_token *args, size_t n,
			 struct corefile_zones *out)
{
	int err = 0;

	for (size_t i = 0; !err && i < n; i++)
		err = corefile_zones(p, &args[i], args[i].text, out);
	return err;
}

/* ---- terms of DNS ---- */

int corefile_value_class(struct corefile_parse *p, const struct corefile_token *arg, bool any,
			 uint16_t *out)
{
	if (!strcasecmp(arg->text, "IN"))
		*out = DNS_CLASS_IN;
	else if (!strcasecmp(arg->text, "CH"))
		*out = DNS_CLASS_CH;
	else if (!strcasecmp(arg->text, "HS"))
		*out = DNS_CLASS_HS;
	else if (any && !strcasecmp(arg->text, "ANY"))
		*out = DNS_CLASS_ANY;
	else
		return corefile_fail(p, arg, "'%s' is not a class; write IN, CH%s",
				     corefile_show(p, arg->text), any ? ", HS or ANY" : " or HS");
	return 0;
}

int corefile_value_type(struct corefile_parse *p, const struct corefile_token *arg, uint16_t *out)
{
	if (rrtype__parse(arg->text, out))
		return corefile_fail(p, arg, "'%s' is not a type; write A, AAAA, ANY... or TYPEn",
				     corefile_show(p, arg->text));
	return 0;
}

/* Its name, or its number as newer CoreDNS takes it. */
int corefile_value_rcode(struct corefile_parse *p, const struct corefile_token *arg, uint16_t *out)
{
	const char *s = arg->text;
	char text[RRTYPE_TEXT];
	uint64_t number;

	if (!digits(&s, DNS_RCODE, &number) && !*s) {
		*out = number;
		return 0;
	}
	for (uint16_t rcode = 0; rcode <= DNS_RCODE; rcode++) {
		if (strcasecmp(rcode__text(rcode, text), arg->text) != 0)
			continue;
		*out = rcode;
		return 0;
	}
	return corefile_fail(p, arg, "'%s' is not an rcode; write NOERROR, NXDOMAIN, REFUSED...",
			     corefile_show(p, arg->text));
}

bool corefile_subnet(const char *text, bool alone, struct corefile_subnet *out)
{
	size_t len = strcspn(text, "/");
	char addr[INET6_ADDRSTRLEN] = "", *end = NULL;
	struct corefile_subnet net = { .family = strchr(text, ':') ? AF_INET6 : AF_INET };
	unsigned long most = net.family == AF_INET ? 32 : 128, bits = most;

	if (len >= sizeof(addr) || (!text[len] && !alone))
		return false;
	memcpy(addr, text, len);
	if (text[len] && (text[len + 1] < '0' || text[len + 1] > '9'))
		return false;
	if (text[len])
		bits = strtoul(text + len + 1, &end, 10);
	if ((end && *end) || bits > most || inet_pton(net.family, addr, net.addr) != 1)
		return false;
	net.bits = bits;
	for (unsigned long i = bits; i < 8 * sizeof(net.addr); i++)
		net.addr[i / 8] &= ~(0x80 >> i % 8);
	*out = net;
	return true;
}
