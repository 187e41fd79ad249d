/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the linker puts in the place of the calls of our own objects (--wrap, see meson.build). A
 * call that has an effect has none when it fails, as the real ones. */

#include "tests/torture/points.h"

/* returns: what the call gives when it fails; after it come the parameters and how they are passed
 * on. */
#define WRAP(kind, type, name, returns, parameters, arguments) \
        type __real_##name parameters; \
        type __wrap_##name parameters; \
        type __wrap_##name parameters \
        { \
                if (point_fails(kind, #name)) \
                        return returns; \
                return __real_##name arguments; \
        }

#define FAIL(error, value) (errno = (error), (value))
