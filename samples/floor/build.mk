# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
PROGRAMS += floor-epoll
floor-epoll_SRCS := samples/floor/epoll.c
