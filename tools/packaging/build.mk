# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# make install, uninstall: user space and what belongs to it, by a packager's
# variables.  DESTDIR goes before every path and into none of the files.  The
# module is not among it, because it has to follow the kernels of a machine:
# make dkms-install, dkms-remove.
PREFIX ?= /usr/local
bindir ?= $(PREFIX)/bin
sbindir ?= $(PREFIX)/sbin
libdir ?= $(PREFIX)/lib
includedir ?= $(PREFIX)/include
datadir ?= $(PREFIX)/share
mandir ?= $(datadir)/man
docdir ?= $(datadir)/doc/exo
sysconfdir ?= $(if $(filter /usr /usr/local,$(PREFIX)),/etc,$(PREFIX)/etc)
pkgconfigdir ?= $(libdir)/pkgconfig
udevrulesdir ?= $(PREFIX)/lib/udev/rules.d
sysusersdir ?= $(PREFIX)/lib/sysusers.d
systemdsystemunitdir ?= $(PREFIX)/lib/systemd/system
modprobedir ?= $(sysconfdir)/modprobe.d
usrsrcdir ?= /usr/src

PACKAGING := $(foreach v,DESTDIR PREFIX bindir sbindir libdir includedir mandir \
	docdir sysconfdir pkgconfigdir udevrulesdir sysusersdir \
	systemdsystemunitdir modprobedir usrsrcdir,$(v)='$($(v))') B='$(B)'

.PHONY: install uninstall dkms-install dkms-remove
install: user ## install user space (PREFIX, DESTDIR, sysconfdir)
	$(Q)$(PACKAGING) tools/packaging/install

uninstall: ## remove it; what was configured stays if it was changed
	$(Q)$(PACKAGING) tools/packaging/install --remove

dkms-install: ## give the module's sources to DKMS, build for this kernel
	$(Q)$(PACKAGING) tools/packaging/dkms

dkms-remove: ## take the module out of DKMS, for all kernels
	$(Q)$(PACKAGING) tools/packaging/dkms --remove
