// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The one object that is built anew when the version or the revision is another. Contract:
 * version.h.
 */
#include "base/version.h"

/* Programs that link with the sources themselves, as the fuzzers do, have none. */
#ifndef NODENS_VERSION
#define NODENS_VERSION	"unknown"
#define NODENS_REVISION "unknown"
#endif

const char version__number[] = NODENS_VERSION;
const char version__revision[] = NODENS_REVISION;
