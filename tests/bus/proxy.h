/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A door between a client and the service's private one, that can be held: bytes are passed on as
 * they are, descriptors are not. One client at a time. */

#include "tests/bus/harness.h"

typedef struct Proxy Proxy;

/* Below the harness's folder. */
Proxy *proxy_new(Harness *h);
Proxy *proxy_free(Proxy *p);
DEFINE_CLEANUP(Proxy *, proxy_free)

const char *proxy_address(const Proxy *p); /* for CONDUCTOR_BUS */
/* What the client says after what has this word in it waits. */
void proxy_hold_client_after(Proxy *p, const char *word);
/* What the service says waits from now on. */
void proxy_hold_service(Proxy *p);
void proxy_release(Proxy *p);
void proxy_cut(Proxy *p); /* what was held is lost; the next client is let in */
/* The word of proxy_hold_client_after() came. */
bool proxy_is_holding_client(const Proxy *p);
