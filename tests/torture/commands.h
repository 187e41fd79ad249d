/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The command line client, of which each call fails in turn, with a service in which nothing does:
 * it ends as when nothing failed and then has done the same, or it ends with a sentence and a
 * status that is not 0. */

#include "tests/torture/torture.h"

#define COMMAND_WORDS_MAX 8U

/* Where a name stands in a word, or in what is wanted, its value comes into its place: {id} is a
 * conversation that there is, {n} a number that no run before had. */
struct Command {
        const char *words[COMMAND_WORDS_MAX + 1]; /* after "conductor"; none: the last one was */
        const char *input;
        int status;        /* of its end when nothing fails */
        const char *wants; /* in what it prints; without it, that is the same each time */
        CommandFlags flags;
};

extern const Command command_ask[], command_ask_json[], command_ask_failing[], command_ask_host[],
        command_list[], command_show[], command_search[], command_models[], command_rename[],
        command_delete[], command_archive[], command_export[], command_import[], command_engines[],
        command_key[], command_status[], command_doctor[], command_complete[];

/* Those of the scenario, one after the other. Behind one in which something failed and which ended
 * with 0 nothing fails, and each must print what is wanted. */
void command_play(Torture *t);
/* What they printed when nothing failed. */
void command_forget(Torture *t);

/* ---- what all clients need ---- */

/* In a client's process: how it finds the service, and its folders. */
int client_environment(const Torture *t);
/* The caller frees it. */
char *command_fill_in(const Torture *t, const char *word);
char *command_read_file(int fd);
