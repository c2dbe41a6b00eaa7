# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# What the manual pages say: is it so?
TESTS_VM += selftests/man/unattached.c
