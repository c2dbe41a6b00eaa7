# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# libexo's TCP without the module: against Linux, by script, with noise.
TESTS_HOST += selftests/tcp/linux.c

selftests/tcp/linux_SRCS := selftests/tcp/linux.c selftests/tcp/app.c \
	selftests/tcp/client.c selftests/tcp/fake.c
selftests/tcp/linux_LIBS := exo -pthread

TCP_WORLD := selftests/tcp/world.c selftests/tcp/fake.c
TESTS_HOST += selftests/tcp/script.c selftests/tcp/attack.c selftests/tcp/loss.c
selftests/tcp/script_SRCS := selftests/tcp/script.c $(TCP_WORLD)
selftests/tcp/script_LIBS := exo
selftests/tcp/attack_SRCS := selftests/tcp/attack.c $(TCP_WORLD)
selftests/tcp/attack_LIBS := exo
selftests/tcp/loss_SRCS := selftests/tcp/loss.c $(TCP_WORLD)
selftests/tcp/loss_LIBS := exo

TESTS_HOST += selftests/tcp/fuzz.c
selftests/tcp/fuzz_SRCS := selftests/tcp/fuzz.c $(TCP_WORLD)
selftests/tcp/fuzz_LIBS := exo

TESTS_HOST += selftests/tcp/neigh.c
selftests/tcp/neigh_LIBS := exo
