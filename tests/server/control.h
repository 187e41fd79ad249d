/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The pages for the test itself. */

#include "tests/server/connection.h"

/* True when the path was one of them. */
bool control_request(Connection *c, const Request *r);
/* Keeps the request for GET /log. Values of key headers are not kept. */
int control_log(Server *s, const Request *r);
/* Answers those whose wait has come true. */
void control_wake(Server *s);
