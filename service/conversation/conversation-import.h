/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "service/conversation/conversations.h"
#include "service/conversation/import.h"

/* Stores an imported conversation with all its messages, or nothing of it, and lists it. It keeps
 * its id when that is free, else gets a new one; its messages get new ids. imported is emptied,
 * also on failure. */
int conversations_import(Conversations *cs, Imported *imported, conversation_done_t done,
        void *userdata, Failure *failure);
