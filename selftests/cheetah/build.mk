# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
TESTS_HOST += selftests/cheetah/http.c selftests/cheetah/pack.c
TESTS_VM += $(addprefix selftests/cheetah/,beside.sh hostile.sh kill.sh site.sh)

selftests/cheetah/http_SRCS := selftests/cheetah/http.c $(CHEETAH_CORE)
selftests/cheetah/http_LIBS := -lhttp_parser
selftests/cheetah/pack_SRCS := selftests/cheetah/pack.c $(CHEETAH_PACK) \
	$(CHEETAH_CORE)
selftests/cheetah/pack_LIBS := -lhttp_parser
