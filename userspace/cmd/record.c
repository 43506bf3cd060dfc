// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "cmd/record.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

char *record__data(const ldns_rr *rr)
{
	ldns_buffer *data = ldns_buffer_new(256);
	char *text = NULL;
	size_t len;

	for (size_t i = 0; data && i < ldns_rr_rd_count(rr); i++) {
		if (i)
			ldns_buffer_printf(data, " ");
		ldns_rdf2buffer_str(data, ldns_rr_rdf(rr, i));
	}
	if (data && ldns_buffer_status_ok(data))
		text = strndup((char *)ldns_buffer_begin(data), ldns_buffer_position(data));
	ldns_buffer_free(data);
	if (!text)
		return NULL;
	/* a list of types ends with one */
	for (len = strlen(text); len && text[len - 1] == ' '; len--)
		text[len - 1] = '\0';
	return text__printable(text, len + 1, text);
}
