# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# Tests of attached devices and flows.
TESTS_VM += $(addprefix selftests/net/,tx_attack.c reserve.c rx_match.c \
	tx_data.c tx_revoked.c life.c args.c tap.c uring.c cookie.c \
	doorbell.c vrf.c)
selftests/net/uring_LIBS := -luring
$(foreach t,tx_attack reserve tx_data life args doorbell,$(eval selftests/net/$t_LIBS := -lpthread))
