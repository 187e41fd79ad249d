/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The Manager interface at the root object. Userdata of everything here: the Manager. */

#include <systemd/sd-bus.h>

#include "service/manager.h"

#define MANAGER_LIST_MAX   1000U /* conversations, hits or entries of one answer */
#define MANAGER_QUERY_MAX  1024U /* bytes of a search's words */
#define MANAGER_RECENT_MAX 50U   /* conversations in a snapshot */

extern const sd_bus_vtable manager_vtable[];

/* Signals; the rooms' observers call them. */
void manager_emit_engine_changed(Manager *m, const char *engine, EngineState state);
void manager_emit_notice(Manager *m, int level, const char *title, const char *text);
/* PropertiesChanged of one property: "LiveReplies", "Surfaces". */
void manager_emit_property(Manager *m, const char *name);
/* The same of "DefaultModel", where it is another than was told last. */
void manager_emit_default_model(Manager *m);

/* The handlers of manager-list-bus.c, manager-snapshot-bus.c, manager-ask-bus.c. */
int manager_method_list_conversations(sd_bus_message *m, void *userdata, sd_bus_error *error);
int manager_method_search(sd_bus_message *m, void *userdata, sd_bus_error *error);
int manager_method_list_models(sd_bus_message *m, void *userdata, sd_bus_error *error);
int manager_method_list_engines(sd_bus_message *m, void *userdata, sd_bus_error *error);
int manager_method_get_snapshot(sd_bus_message *m, void *userdata, sd_bus_error *error);
int manager_method_get_statistics(sd_bus_message *m, void *userdata, sd_bus_error *error);
int manager_method_ask(sd_bus_message *m, void *userdata, sd_bus_error *error);

/* Those under way; their calls stay the doors'. */
void manager_asks_free(Manager *m);

/* Parts that several answers share: one a(osstta{sv}) and one a(sssa{sv}) entry. */
int manager_append_conversation(const Manager *manager, sd_bus_message *m, Conversation *c);
int manager_append_engine(sd_bus_message *m, const EngineInfo *engine);

/* The conversation that an id (32 hex digits) or an object path names. */
int manager_find_conversation(Manager *m, const char *id, Conversation **ret, sd_bus_error *error);
