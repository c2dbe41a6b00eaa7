# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# libexo's base against a /dev/exo that is only imitated, and exoctl.
LIB_TESTS := base place io loop nomem cap event label
TESTS_HOST += $(LIB_TESTS:%=selftests/lib/%.c) selftests/lib/format.sh \
	selftests/lib/symbols.sh
TESTS_VM += selftests/lib/exoctl.sh selftests/lib/exoctl_cap.sh \
	selftests/lib/exoctl_frame.sh selftests/lib/tenants.sh \
	selftests/lib/uring.c selftests/lib/events.c \
	selftests/lib/nouring.c

$(foreach t,base place io loop nomem cap event,$(eval selftests/lib/$(t)_SRCS := \
	selftests/lib/$(t).c selftests/lib/fake.c selftests/lib/fake_cap.c) \
	$(eval selftests/lib/$(t)_LIBS := exo))
selftests/lib/label_SRCS := selftests/lib/label.c tools/exoctl/label.c \
	common/crc32c.c
selftests/lib/nomem_LIBS += -Wl,--wrap=malloc,--wrap=calloc,--wrap=reallocarray
selftests/lib/uring_LIBS := exo
selftests/lib/events_LIBS := exo
selftests/lib/nouring_LIBS := exo
