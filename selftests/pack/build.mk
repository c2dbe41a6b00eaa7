# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# Installing, and the administrator's tool.
TESTS_HOST += $(addprefix selftests/pack/,install.sh dkms.sh \
	service.sh doctor.sh policy.sh)
TESTS_VM += selftests/pack/admin.sh
