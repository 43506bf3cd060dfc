// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The records of a slot. Contract: dump.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/dump.h"
#include "cmd/record.h"
#include "dns/compose.h"
#include "dns/rrtype.h"

struct record {
	char owner[DNS_NAME_TEXT];
	const char *type;
	unsigned int section, class;
	const char *data;
};

typedef void record_fn(void *ctx, const struct record *record);

/* Of what cannot be read as its type: RFC 3597, 5. */
static char *data_as_octets(const struct records *records)
{
	const uint8_t *rdata = records__rdata(records);
	size_t len = records->rr.rdata_len, used;
	char *text = malloc(2 * len + 16);

	if (!text)
		return NULL;
	used = sprintf(text, "\\# %zu%s", len, len ? " " : "");
	for (size_t i = 0; i < len; i++)
		used += sprintf(text + used, "%02x", rdata[i]);
	return text;
}

/* Of the record that is at @at in the message. */
static char *data_of(const struct records *records, size_t at)
{
	ldns_rr *rr = NULL;
	char *data = NULL;

	if (ldns_wire2rr(&rr, records->msg, records->len, &at, LDNS_SECTION_ANSWER) ==
		    LDNS_STATUS_OK &&
	    ldns_rr_rd_count(rr))
		data = record__data(rr);
	ldns_rr_free(rr);
	return data ? data : data_as_octets(records);
}

static void each_record(const struct nodens_slot *slot, record_fn *fn, void *ctx)
{
	struct answer *answer = answer__from_slot(slot);
	char type_text[RRTYPE_TEXT];
	struct records records;
	struct record record;
	size_t at;
	int ret;

	if (!answer)
		return;
	ret = records__open(&records, answer);
	while (!ret) {
		char *data;

		at = records.cur.at;
		if (records__next(&records) <= 0)
			break;
		data = data_of(&records, at);
		dns_name__to_text(&records.rr.owner, record.owner, sizeof(record.owner));
		record.type = rrtype__text(records.rr.type, type_text);
		record.class = records.rr.class;
		record.section = records.rr.section;
		record.data = data ? data : "";
		fn(ctx, &record);
		free(data);
	}
	records__close(&records);
	answer__free(answer);
}

struct printing {
	uint32_t ttl_s;
	int section; /* of the record before */
	json_t *array;
};

static void print_record(void *ctx, const struct record *record)
{
	static const char *const headings[DNS_SECTIONS] = { "ANSWER", "AUTHORITY", "ADDITIONAL" };
	struct printing *printing = ctx;
	char class_text[16] = "IN";

	if (printing->section != (int)record->section)
		printf(";; %s SECTION:\n", headings[record->section]);
	printing->section = record->section;
	if (record->class != DNS_CLASS_IN)
		snprintf(class_text, sizeof(class_text), "CLASS%u", record->class);
	printf("%s\t%u\t%s\t%s\t%s\n", record->owner, printing->ttl_s, class_text, record->type,
	       record->data);
}

void dump_records_text(const struct nodens_slot *slot, uint32_t ttl_s)
{
	struct printing printing = { .ttl_s = ttl_s, .section = -1 };

	each_record(slot, print_record, &printing);
	putchar('\n');
}

static void add_record(void *ctx, const struct record *record)
{
	static const char *const sections[DNS_SECTIONS] = { "answer", "authority", "additional" };
	struct printing *printing = ctx;

	json_array_append_new(printing->array,
			      json_pack("{ss ss ss sI ss}", "section", sections[record->section],
					"name", record->owner, "type", record->type, "ttl",
					(json_int_t)printing->ttl_s, "data", record->data));
}

json_t *dump_records_json(const struct nodens_slot *slot, uint32_t ttl_s)
{
	struct printing printing = { .ttl_s = ttl_s, .array = json_array() };

	each_record(slot, add_record, &printing);
	return printing.array;
}
