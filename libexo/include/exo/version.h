/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef EXO_VERSION_H
#define EXO_VERSION_H

#ifdef __cplusplus
extern "C" {
#endif

#define EXO_VERSION_MAJOR	0
#define EXO_VERSION_MINOR	1
#define EXO_VERSION_PATCH	0

/**
 * exo_version() - which libexo is linked
 *
 * Return: a constant string, "0.1.0". What the module can do is asked for by
 * exo_query(), never derived from a version.
 */
const char *exo_version(void);

#ifdef __cplusplus
}
#endif

#endif /* EXO_VERSION_H */
