/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The D-Bus face of conversations: the Conversation interface, followers and pipes, the signals. */

#include "service/bus/object.h"

typedef struct Manager Manager;
typedef struct ConversationFace ConversationFace;

/* Installs itself as the conversations' observer (ConversationAdded, … of the Manager included). */
int conversation_face_new(ConversationFace **ret, Manager *m);
ConversationFace *conversation_face_free(ConversationFace *f);

extern const BusObject conversation_object;

unsigned conversation_face_reasons_to_stay(const ConversationFace *f); /* followers, unread pipes */
unsigned conversation_face_followers(const ConversationFace *f);
uint64_t conversation_face_stalls(const ConversationFace *f); /* followers dropped since start */
