// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Mnemonics, from the IANA registry "Domain Name System (DNS) Parameters".
 *
 * Contract: see rrtype.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "dns/rcode.h"
#include "dns/rrtype.h"

static const struct {
	uint16_t type;
	const char *text;
} types[] = {
	{ 1, "A" },	      { 2, "NS" },     { 5, "CNAME" },	     { 6, "SOA" },
	{ 10, "NULL" },	      { 12, "PTR" },   { 13, "HINFO" },	     { 15, "MX" },
	{ 16, "TXT" },	      { 17, "RP" },    { 18, "AFSDB" },	     { 24, "SIG" },
	{ 25, "KEY" },	      { 28, "AAAA" },  { 29, "LOC" },	     { 33, "SRV" },
	{ 35, "NAPTR" },      { 36, "KX" },    { 37, "CERT" },	     { 39, "DNAME" },
	{ 41, "OPT" },	      { 42, "APL" },   { 43, "DS" },	     { 44, "SSHFP" },
	{ 45, "IPSECKEY" },   { 46, "RRSIG" }, { 47, "NSEC" },	     { 48, "DNSKEY" },
	{ 49, "DHCID" },      { 50, "NSEC3" }, { 51, "NSEC3PARAM" }, { 52, "TLSA" },
	{ 53, "SMIMEA" },     { 55, "HIP" },   { 59, "CDS" },	     { 60, "CDNSKEY" },
	{ 61, "OPENPGPKEY" }, { 62, "CSYNC" }, { 63, "ZONEMD" },     { 64, "SVCB" },
	{ 65, "HTTPS" },      { 99, "SPF" },   { 108, "EUI48" },     { 109, "EUI64" },
	{ 249, "TKEY" },      { 250, "TSIG" }, { 251, "IXFR" },	     { 252, "AXFR" },
	{ 255, "ANY" },	      { 256, "URI" },  { 257, "CAA" },	     { 32769, "DLV" },
};

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

const char *rrtype__text(uint16_t type, char text[RRTYPE_TEXT])
{
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (types[i].type == type)
			return types[i].text;
	snprintf(text, RRTYPE_TEXT, "TYPE%u", type);
	return text;
}

int rrtype__parse(const char *text, uint16_t *type)
{
	unsigned long value;
	char *end;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		if (!strcasecmp(types[i].text, text)) {
			*type = types[i].type;
			return 0;
		}
	}
	if (strncasecmp(text, "TYPE", 4) || text[4] < '0' || text[4] > '9')
		return -EINVAL;
	errno = 0;
	value = strtoul(text + 4, &end, 10);
	if (errno || *end || value > UINT16_MAX)
		return -EINVAL;
	*type = value;
	return 0;
}

const char *rcode__text(uint16_t rcode, char text[RRTYPE_TEXT])
{
	if (rcode__of(rcode) != RCODE_OTHER)
		return rcode_names[rcode__of(rcode)];
	snprintf(text, RRTYPE_TEXT, "RCODE%u", rcode);
	return text;
}
