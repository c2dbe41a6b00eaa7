# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# Tests of donated disks, extents and block I/O.
TESTS_VM += selftests/disk/attach.c selftests/disk/corrupt.c \
	selftests/disk/extent.c selftests/disk/io.c selftests/disk/ring.c \
	selftests/disk/isolation.c selftests/disk/fault.c \
	selftests/disk/stress.c selftests/disk/slow.c selftests/disk/striped.c
selftests/disk/extent_LIBS := -lpthread
selftests/disk/io_LIBS := -luring
selftests/disk/isolation_LIBS := -luring
selftests/disk/slow_LIBS := -luring -lpthread
selftests/disk/striped_LIBS := -luring
selftests/disk/fault_LIBS := -luring
selftests/disk/ring_LIBS := -lpthread
selftests/disk/stress_LIBS := -luring -lpthread
TESTS_HOST += selftests/disk/label.c
selftests/disk/label_CFLAGS := -Iselftests/disk/shim
