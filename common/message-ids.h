/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* MESSAGE_ID= of the journal's lines that a program may look for: `journalctl MESSAGE_ID=…`. An id
 * never changes its meaning; a new meaning gets a new one (`systemd-id128 new`). */

#define MESSAGE_SERVICE_READY        "51722131d73646bd955384492afeb8df"
#define MESSAGE_LEAVING_ON_IDLE      "83c37590e86341a6814a12dad1cd994f"
#define MESSAGE_REPLY_STARTED        "999ce31e3915433b9ee84d8bf769a7ef"
#define MESSAGE_REPLY_ENDED          "025f7a8a46014192bb640a9ef5e4c3da"
#define MESSAGE_REPLY_FAILED         "c63b566be1b5451b8c4fdcf012cb3a22"
#define MESSAGE_FOLLOWER_STALLED     "cd720519edbd4d709d4f9c3f45d02024"
#define MESSAGE_FOLLOWER_DROPPED     "d82c3fd54697494e89194e07946f4b7d"
#define MESSAGE_SLOW_DISPATCH        "2621ab39cae74a229b84372066fe347b" /* over 100 ms */
#define MESSAGE_CONFIGURATION_LOADED "a99197c656f94c48a13c3196610858ea" /* read again */
#define MESSAGE_DATABASE_SALVAGED    "ab8cd0ef61674bf5844114d9b7a4d6cb"
#define MESSAGE_STORE_FAILED         "42519b06d3c74c48a3b718cf154030f5"
#define MESSAGE_ENGINE_CHANGED       "dbfaf5e8e74b469f9864908303535d2b"
#define MESSAGE_SESSION_BUS_LOST     "ed0d7e91eed0440aadd47ee2cfbd99d9"
