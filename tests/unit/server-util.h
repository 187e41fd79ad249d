/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* All of it, or so much as is taken before the client closes. */
void server_send(int fd, const char *text);
