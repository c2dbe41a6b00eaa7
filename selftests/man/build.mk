# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# What the manual pages and docs/why.md say: is it so? Their examples are built here for the
# guest; examples.sh compiles them anew in other ways.
TESTS_HOST += selftests/man/symbols.sh selftests/man/examples.sh
TESTS_VM += selftests/man/unattached.c selftests/man/turns.c selftests/man/run.sh \
	selftests/man/reads.sh
PROGRAMS += selftests/man/reads

selftests/man/turns_LIBS := -pthread
selftests/man/reads_LIBS := exo

MAN_EXAMPLES := $(patsubst docs/man/%.3,$(B)/selftests/man/%,$(wildcard docs/man/exo_*.3))
EXTRA += $(MAN_EXAMPLES) $(B)/selftests/man/exoctl.example

$(B)/selftests/man/exoctl.example: docs/man/exoctl.8 selftests/man/manual.py
	@mkdir -p $(@D)
	$(Q)selftests/man/manual.py extract $< >$(tmp) $(whole)

$(B)/selftests/man/exo_%.c: docs/man/exo_%.3 selftests/man/manual.py
	@mkdir -p $(@D)
	$(Q)selftests/man/manual.py extract $< >$(tmp) $(whole)

$(MAN_EXAMPLES): $(B)/selftests/man/exo_%: $(B)/selftests/man/exo_%.c $(B)/libexo/libexo.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(EXO_CFLAGS) $(EXO_LDFLAGS) -o $(tmp) $^ \
		$(LIBEXO_LIBS) $(whole)
