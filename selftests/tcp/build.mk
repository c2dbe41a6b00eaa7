# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# libexo's TCP without the module: against Linux, by script, with noise.
TESTS_HOST += selftests/tcp/linux.c

selftests/tcp/linux_SRCS := selftests/tcp/linux.c selftests/tcp/app.c \
	selftests/tcp/client.c selftests/tcp/fake.c
selftests/tcp/linux_LIBS := exo -pthread
