# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# Builds exo: the kernel module, libexo, the tools and samples, the tests.
#
# A folder adds what it has by a build.mk of its own (every build.mk two levels
# down is read), which appends to these, all paths from the top of the tree:
#
#   PROGRAMS    executables, as paths under the build directory: "cheetah" is
#               built as build/cheetah.  Program P takes
#                 P_SRCS    its sources (default: P.c)
#                 P_LIBS    libraries: "exo" is libexo and what it needs, any
#                           other word goes to the linker as it is
#                 P_CFLAGS  compiler flags for its sources (a source file that
#                           several programs share takes those of the first)
#                 P_DEPS    files to be made before its sources are compiled
#   LIBEXO_SRCS, LIBEXO_LIBS
#               sources of libexo (default: libexo/*.c), linker words
#   TESTS_HOST  tests that run here, under ASan + UBSan if they are programs
#   TESTS_VM    tests that run in the guest, on each kernel
#               An entry that ends in .c is a program (dir/x.c is built as
#               build/dir/x, and dir/x_SRCS and so on apply); any other is a
#               script, run where it is.  See tools/check for what a test does.
#   TEST_KMODS  .c files of test modules, built as build/kmod-V/NAME.ko
#   EXTRA       further targets that "all" makes
#
# make WERROR= does without -Werror; make SANITIZE=1 builds user space with
# ASan + UBSan into build-asan; make KERNELS=6.1 builds for that kernel only,
# KERNELS=debug for the debug kernel (tools/vm/debug-kernel), KERNELS=sid for
# the newest of Debian (tools/vm/sid-kernel); make check-full NAMES="core disk"
# is for these tests only.

B := $(if $(SANITIZE),build-asan,build)
KERNELS ?= 6.1 6.12
WERROR ?= -Werror

ifeq ($(origin CC),default)
CC := gcc
endif
CFLAGS ?= -O2 -g
# Empty, so that a source may define it too.
EXO_CFLAGS := -std=gnu11 -D_GNU_SOURCE= -Wall -Wextra -Wstrict-prototypes \
	-Wmissing-prototypes $(WERROR) -fPIC -Iinclude/uapi -Ilibexo/include
# Link-time optimisation: libexo's hot path crosses files, and saves 6 % of its
# instructions when calls can be inlined there.
LTO ?= -flto=auto -ffat-lto-objects
ifdef SANITIZE
LTO :=
EXO_CFLAGS += -fsanitize=address,undefined -fno-sanitize-recover=undefined \
	-fno-omit-frame-pointer
EXO_LDFLAGS += -fsanitize=address,undefined
endif

# make V=1 shows the commands.
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' '$(1)' '$(2)')

.DELETE_ON_ERROR:
.SECONDARY:
MAKEFLAGS += --no-builtin-rules

.PHONY: all
all: ## build user space, the modules for each kernel, the test rig

include $(wildcard */build.mk */*/build.mk)

# Folders without a build.mk.
LIBEXO_SRCS ?= $(wildcard libexo/*.c)
LIBEXO_LIBS ?= -luring
ifeq ($(wildcard tools/exoctl/build.mk),)
ifneq ($(wildcard tools/exoctl/*.c),)
PROGRAMS += exoctl
exoctl_SRCS := $(wildcard tools/exoctl/*.c)
exoctl_LIBS := exo
endif
endif

# Several makes may run in one tree: what they make appears whole, by a rename.
tmp = $@.tmp$$$$
whole = && mv -f $(tmp) $@

# User space ----------------------------------------------------------------

stem = $(patsubst %.c,%,$(1))
TEST_PROGRAMS_HOST := $(call stem,$(filter %.c,$(TESTS_HOST)))
TEST_PROGRAMS_VM := $(call stem,$(filter %.c,$(TESTS_VM)))
ALL_PROGRAMS := $(sort $(PROGRAMS) $(TEST_PROGRAMS_HOST) $(TEST_PROGRAMS_VM))

LIBEXO := $(if $(LIBEXO_SRCS),$(B)/libexo/libexo.a)
LIBEXO_SO := $(if $(LIBEXO_SRCS),$(B)/libexo/libexo.so.0)
LIBEXO_OBJS := $(LIBEXO_SRCS:%.c=$(B)/obj/%.o)
LIBEXO_MAP := $(wildcard libexo/libexo.map)

$(B)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(LTO) $(EXO_CFLAGS) $(OBJ_CFLAGS) -MMD -MP \
		-MF $(@:.o=.d) -MT $@ -c -o $(tmp) $< $(whole)

$(B)/libexo/libexo.a: $(LIBEXO_OBJS)
	@mkdir -p $(@D)
	$(call say,AR,$@)
	$(Q)$(AR) rcs $(tmp) $^ $(whole)

$(B)/libexo/libexo.so.0: $(LIBEXO_OBJS) $(LIBEXO_MAP)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) $(EXO_LDFLAGS) -shared -Wl,-soname,libexo.so.0 \
		$(LIBEXO_MAP:%=-Wl,--version-script=%) -o $(tmp) \
		$(LIBEXO_OBJS) $(LIBEXO_LIBS) $(whole)
	@ln -sf libexo.so.0 $(@D)/libexo.so

# $(call program,NAME): objects, libraries and the link of one executable.
define program
$(1)_SRCS ?= $(1).c
$(1)_OBJS := $$(patsubst %.c,$(B)/obj/%.o,$$($(1)_SRCS))
$$($(1)_OBJS): OBJ_CFLAGS = $$($(1)_CFLAGS)
$$($(1)_OBJS): | $$($(1)_DEPS)
$(B)/$(1): $$($(1)_OBJS) $$(if $$(filter exo,$$($(1)_LIBS)),$(LIBEXO))
	@mkdir -p $$(@D)
	$$(call say,LD,$$@)
	$$(Q)$$(CC) $$(LDFLAGS) $$(EXO_LDFLAGS) -o $$(tmp) $$($(1)_OBJS) \
		$$(foreach l,$$($(1)_LIBS),$$(if $$(filter exo,$$l),$(LIBEXO) $(LIBEXO_LIBS),$$l)) \
		$$(whole)
OBJS += $$($(1)_OBJS)
endef
$(foreach p,$(ALL_PROGRAMS),$(eval $(call program,$(p))))

-include $(patsubst %.o,%.d,$(sort $(OBJS) $(LIBEXO_OBJS)))

.PHONY: user tests tests-host
user: $(LIBEXO) $(LIBEXO_SO) $(PROGRAMS:%=$(B)/%) $(EXTRA)
tests: $(ALL_PROGRAMS:%=$(B)/%)
tests-host: $(TEST_PROGRAMS_HOST:%=$(B)/%)

# Modules -------------------------------------------------------------------
#
# A kernel's module is made in build/kmod-V, where the sources are linked, so
# that the kernels do not share objects and the tree stays clean.

KMOD_SRCS := $(sort $(shell find kmod include/uapi -name '*.[chS]' -o -name 'Kbuild*' 2>/dev/null))
# debug: the kernel of tools/vm/debug-kernel, built when it is asked for
headers = $(if $(filter debug,$(1)),$(addsuffix /tree,$(shell tools/vm/debug-kernel)),$(release_headers))
release_headers = $(lastword $(shell ls -d /usr/src/linux-headers-$(1).*-amd64 2>/dev/null | sort -V))
KMODS := $(if $(filter %.c,$(KMOD_SRCS)),$(KERNELS:%=build/kmod-%/exo.ko)) \
	$(if $(TEST_KMODS),$(KERNELS:%=build/kmod-%/tests/.made))

# $(call kbuild,DIRECTORY,KERNEL), by one make at a time in a directory.  sid
# has a compiler of its own, in a chroot where the tree is elsewhere: links are
# relative.
kbuild = $(Q)flock $(1) $(if $(filter sid,$(2)),$(sid_make),$(here_make)) \
	W=1 KCFLAGS="$(strip $(WERROR) $(if $(filter debug,$(2)),-g))" modules
here_make = $(MAKE) --no-print-directory M=$(CURDIR)/$(1) \
	-C $(or $(call headers,$(2)),$(error no headers of Linux $(2); run make setup))
sid_make = tools/vm/sid-kernel make $(1)

define link_sources
	@mkdir -p $(@D)
	@find $(@D) -xtype l -delete
	@for f in $(filter-out tools/% /%,$^); do mkdir -p $(@D)/$$(dirname $$f) && \
		ln -sfnr $$f $(@D)/$$f || exit; done
endef

build/kmod-%/exo.ko: Kbuild $(KMOD_SRCS)
	$(link_sources)
	+$(call kbuild,$(@D),$*)
	@touch $@

# The modules in which checks can be switched off (tools/mutate), or all are
# (benchmarks).  No kernel takes their vermagic unless it is forced.
define unsafe_module
	$(link_sources)
	+$(call kbuild,$(@D),$*) EXO_CHECKS=$(1)
	$(Q)LC_ALL=C sed 's/\x00vermagic=\([^ ]*\) SMP /\x00vermagic=\1 NOT /' $(@D)/exo.ko >$(tmp) $(whole)
	@rm $(@D)/exo.ko
endef
build/kmod-mutant-%/exo_mutant.ko: Kbuild $(KMOD_SRCS)
	$(call unsafe_module,mutant)
build/kmod-unchecked-%/exo_unchecked.ko: Kbuild $(KMOD_SRCS)
	$(call unsafe_module,unchecked)

build/kmod-debug/exo.ko build/kmod-debug/tests/.made: tools/vm/debug-kernel tools/vm/debug.config
ifneq ($(filter sid,$(KERNELS)),)
build/kmod-sid/exo.ko build/kmod-sid/tests/.made: $(addsuffix /release,$(shell tools/vm/sid-kernel))
endif

build/kmod-%/tests/.made: $(TEST_KMODS) $(filter include/%,$(KMOD_SRCS))
	@mkdir -p $(@D)
	@ln -sfr $(TEST_KMODS) $(@D)/
	@ln -sfnr include $(@D)/include
	@{ echo 'ccflags-y += -I$$(src)/include/uapi'; \
	   echo 'obj-m := $(notdir $(TEST_KMODS:.c=.o))'; } >$(@D)/Kbuild
	+$(call kbuild,$(@D),$*)
	@for m in $(notdir $(TEST_KMODS:.c=.ko)); do \
		ln -f $(@D)/$$m build/kmod-$*/$$m || exit; done
	@touch $@

.PHONY: modules
modules: $(KMODS) ## build the kernel modules only

# Rig -----------------------------------------------------------------------

RIG := build/rig/count.so build/rig/vm-host build/rig/vm-mark

build/rig/count.so: tools/vm/count.c tools/vm/qplugin.h tools/vm/mark.h
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) -O2 -g $(filter-out -fsanitize% -fno-%,$(EXO_CFLAGS)) -shared -o $(tmp) $< $(whole)

build/rig/vm-%: tools/vm/guest/vm-%.c tools/vm/mark.h
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) -O2 $(filter-out -fsanitize% -fno-%,$(EXO_CFLAGS)) -static -o $(tmp) $< $(whole)

.PHONY: rig
rig: $(RIG) ## build what tools/vm needs

# ---------------------------------------------------------------------------

all: user $(if $(SANITIZE),,modules rig)

.PHONY: setup demo demo-tenants check check-debug check-full mutate bench bench-http style list-tests clean help
setup: ## install the Debian packages that building and testing need
	tools/setup

check: ## install what is missing, build, run all tests
	tools/setup
	tools/check

check-debug: ## run the tests of the guest on the debug kernel (not in check)
	tools/setup --debug
	tools/check --kernel debug

check-full: ## all of it, on all kernels, long; writes docs/check-full.md
	tools/setup --debug
	tools/check-full $(NAMES)

mutate: ## does a test fail without each check of the module? (not in check)
	tools/setup
	tools/mutate

demo: ## install what is missing, build, show it in a virtual machine
	tools/setup
	$(MAKE) all
	tools/demo

demo-tenants: ## the same, two users who share memory
	tools/setup
	$(MAKE) all
	tools/demo-tenants
bench: ## install what is missing, build, measure the module's core
	tools/setup
	$(MAKE) all
	tools/bench/core

bench-http: ## the same, measuring the web server against others
	tools/setup
	$(MAKE) all
	tools/bench/http

style: ## check the sources against the rules of the house
	tools/style

list-tests:
	@$(foreach t,$(sort $(TESTS_HOST)),echo host $(t);)
	@$(foreach t,$(sort $(TESTS_VM)),echo vm $(t);)

clean: ## remove what was built
	rm -rf build build-asan

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile tools/packaging/build.mk | expand -t 14
