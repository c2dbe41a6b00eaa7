/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* All of libexo's base. */
#ifndef EXO_EXO_H
#define EXO_EXO_H

#include <exo/cap.h>
#include <exo/disk.h>
#include <exo/env.h>
#include <exo/event.h>
#include <exo/extent.h>
#include <exo/frame.h>
#include <exo/io.h>
#include <exo/loop.h>
#include <exo/net.h>
#include <exo/policy.h>
#include <exo/version.h>

#endif /* EXO_EXO_H */
