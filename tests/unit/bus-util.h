/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Messages that are never sent: a bus that nobody is on. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <systemd/sd-bus.h>

/* For cmocka: *state is the bus. */
int bus_setup(void **state);
int bus_teardown(void **state);

sd_bus_message *bus_new_call(sd_bus *bus);
