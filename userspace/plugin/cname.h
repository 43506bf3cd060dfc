/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * CNAMEs that lead on: an answer of our own whose chain of CNAMEs ends in a name for which it has
 * no record, and the answer for that name put behind it.
 *
 * Contract: pure but for malloc.
 */
#ifndef NODENS_CNAME_H
#define NODENS_CNAME_H

#include "plugin/plugin.h"

/* CoreDNS' number too: more is a loop. */
#define CNAME_MAX 8

/*
 * @first's records, then those of @then, the answer for its target, with the latter's rcode, as the
 * answer to @first's question. -EINVAL, -ENOMEM, -EMSGSIZE.
 */
int cname__join(const struct answer *first, const struct answer *then, enum verdict *verdict,
		struct answer **out);

extern const struct plugin cname_plugin; /* follows those of templates; has no directive */

#endif /* NODENS_CNAME_H */
