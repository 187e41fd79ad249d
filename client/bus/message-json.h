/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Any D-Bus value as JSON: a{s*} an object, other arrays and structs arrays, 64-bit numbers
 * numbers. */

#include <json-c/json.h>
#include <systemd/sd-bus.h>

/* Reads the next complete value. *ret is a new reference; NULL stands for JSON's null. */
int message_to_json(sd_bus_message *m, json_object **ret);
/* All that is left, as an array. */
int message_to_json_array(sd_bus_message *m, json_object **ret);
