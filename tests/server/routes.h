/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tests/server/connection.h"

/* Answers the request at once, or starts what will. */
void route_request(Connection *c, const Request *r);
