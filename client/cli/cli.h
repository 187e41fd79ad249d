/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the verbs of `conductor` share. */

#include <json-c/json.h>
#include <systemd/sd-bus.h>

#include "client/bus/connect.h"
#include "common/failure.h"

/* Exit codes; conductor(1) lists them. */
typedef enum ExitCode {
        EXIT_DONE = 0,
        EXIT_FAILED = 1,
        EXIT_USAGE = 2,
        EXIT_NO_SERVICE = 3, /* no bus, or no service on it */
        EXIT_ENGINE = 4,     /* the engine is away, refuses, or failed */
        EXIT_NOT_FOUND = 5,  /* no such conversation, message, model or engine */
        EXIT_LIMIT = 6,      /* busy, or over a limit */
        EXIT_STORE = 7,      /* disk full, database unreadable */
        EXIT_CANCELLED = 130,
} ExitCode;

typedef enum JsonMode {
        JSON_OFF,
        JSON_SHORT,
        JSON_PRETTY,
} JsonMode;

#define CLI_FILES_MAX 16U

/* The command line, parsed. Strings are borrowed from argv. */
typedef struct Cli {
        const char *host;
        const char *conversation, *model, *system, *title, *format, *order, *key_file;
        const char *files[CLI_FILES_MAX];
        unsigned n_files;
        uint32_t limit; /* 0 = not given */
        JsonMode json;
        bool json_given;
        bool continue_last, private, archived, deleted, all, quiet, undo, refresh;

        sd_bus *bus; /* after cli_connect() */
        ClientDoor door;
} Cli;

typedef struct Verb {
        const char *name;
        unsigned min_args, max_args;                  /* after the verb */
        int (*run)(Cli *cli, int argc, char *argv[]); /* argv[0] is the verb; an ExitCode */
        const char *arguments, *help;
} Verb;

/* All verbs; the last has no name. The help text and completions are made of it. */
extern const Verb cli_verbs[];

/* Connects unless it is connected. Prints what is wrong and returns an ExitCode, 0 when connected.
 */
int cli_connect(Cli *cli);

/* One sentence on stderr. */
void cli_error(const char *format, ...) _printf_(1, 2);
/* Prints the failure and gives its exit code. */
int cli_fail(const Failure *failure);
ExitCode cli_exit_code(FailureCode code);

/* Calls and, on failure, prints it; an ExitCode. ret_reply may be NULL. */
int cli_call(Cli *cli, const char *path, const char *interface, const char *member,
        sd_bus_message **ret_reply, const char *types, ...);

/* The object path of the conversation that the user means: a whole id, its beginning where that is
 * unique, or "last". An ExitCode. The caller frees. */
int cli_find_conversation(Cli *cli, const char *word, char **ret);

/* ---- output ---- */

bool cli_is_terminal(int fd);
/* Colours for a terminal that wants them: NO_COLOR and TERM=dumb turn them off. */
bool cli_colors(void);

/* Prints as --json= says; takes the object over. An ExitCode. */
int cli_print_json(const Cli *cli, json_object *object);

/* Writes text for people: on a terminal, control and escape bytes are shown as pictures of
 * themselves. Returns a negative errno (-EPIPE: the reader is gone). */
int cli_write(int fd, const char *text, size_t size);
