# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# Tests of attached devices and flows.
TESTS_VM += selftests/net/tx_attack.c selftests/net/reserve.c \
	selftests/net/rx_match.c
selftests/net/tx_attack_LIBS := -lpthread
selftests/net/reserve_LIBS := -lpthread
