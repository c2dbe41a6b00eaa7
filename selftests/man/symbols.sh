#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# Is every function of libexo in a manual page, as the headers declare it, and
# is every page whole?
exec selftests/man/manual.py check "${EXO_BUILD-build}/libexo/libexo.so.0"
