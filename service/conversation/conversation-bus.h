/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The D-Bus face of conversations: the Conversation interface, followers and pipes, the signals. */

#include "service/bus/doors.h"
#include "service/conversation/reply.h"

typedef struct Manager Manager;
typedef struct ConversationFace ConversationFace;

/* Installs itself as the conversations' observer (ConversationAdded, … of the Manager included). */
int conversation_face_new(ConversationFace **ret, Manager *m);
ConversationFace *conversation_face_free(ConversationFace *f);
DEFINE_CLEANUP(ConversationFace *, conversation_face_free)

extern const BusObject conversation_object;

/* The conversation at a path; NULL when there is none or it is set aside. */
Conversation *conversation_at(Manager *m, const char *path);

/* Manager.Import. */
int conversation_method_import(sd_bus_message *m, void *userdata, sd_bus_error *error);

/* As Follow without options, for a caller of Ask; nothing when the peer follows already. */
int conversation_face_follow(ConversationFace *f, Peer *p, Conversation *c, Failure *failure);

/* The entries of a reply's metadata, into an a{sv} that is open. */
int conversation_append_reply_info(sd_bus_message *m, const ReplyInfo *info);

/* Followers that are not passive, pipes that are not read to their end. */
unsigned conversation_face_reasons_to_stay(const ConversationFace *f);
/* Pipes whose reader has not taken all. */
unsigned conversation_face_pipes(const ConversationFace *f);
unsigned conversation_face_followers(const ConversationFace *f);
/* How often a follower's window was full, since the start; once for each reply. */
uint64_t conversation_face_stalls(const ConversationFace *f);
