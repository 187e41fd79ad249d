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
        EXIT_NO_SERVICE = 3, /* no bus, no service on it, or it went away */
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
        bool continue_last, private, archived, deleted, all, quiet, undo, refresh, help, version;

        ClientFlags flags; /* beside CLIENT_WAIT */
        sd_bus *bus;       /* after cli_connect() */
        ClientDoor door;
} Cli;

typedef struct Verb {
        const char *name;
        unsigned min_args, max_args;                  /* after the verb */
        int (*run)(Cli *cli, int argc, char *argv[]); /* argv[0] is the verb; an ExitCode */
        /* Words, each one argument, the last of them perhaps for more ("..."). ID, DELETED-ID,
         * MODEL, ENGINE, FILE, and words to choose from ("a|b"), are completed by shells. */
        const char *arguments;
        const char *help;
} Verb;

/* A verb's own verbs: conductor engine list. */
typedef struct SubVerb {
        const char *name;
        int min, max;      /* arguments, with the word itself */
        const char *local; /* what it changes, here only, and not by --host; or NULL */
        int (*run)(Cli *cli, int argc, char *argv[]); /* argv[0] is the word; an ExitCode */
        const char *usage;
} SubVerb;

/* verbs.c. argv[0] is the verb, argv[1] one of these, of which the last has no name. names: all of
 * them, for who wrote another word. An ExitCode. */
int cli_run_sub_verb(Cli *cli, const SubVerb *verbs, const char *names, int argc, char *argv[]);

/* All verbs; the last has no name. The help text is made of it. */
extern const Verb cli_verbs[];

/* ---- service.c: reaching the service ---- */

/* Connects unless it is connected. Prints what is wrong and returns an ExitCode, 0 when connected.
 */
int cli_connect(Cli *cli);

/* Calls and, on failure, prints it; an ExitCode. ret_reply may be NULL. */
int cli_call(Cli *cli, const char *path, const char *interface, const char *member,
        sd_bus_message **ret_reply, const char *types, ...);

/* ---- conversations.c: lists of conversations, and one by its id ---- */

typedef enum ListKind {
        LIST_CURRENT,
        LIST_ARCHIVED,
        LIST_DELETED,
        _LIST_MAX,
} ListKind;

/* Fetches a list page by page, up to so many entries (0: all of them), and has each page
 * a(osstta{sv}) looked at, which gives an ExitCode; so does this. */
int cli_each_page(Cli *cli, ListKind kind, uint32_t limit,
        int (*look)(sd_bus_message *page, void *userdata), void *userdata);

#define ID_SHOWN 8 /* digits of an id: enough to name it */
/* The object path of the conversation that the user means: a whole id, its beginning where that is
 * unique, or "last". An ExitCode. The caller frees. */
int cli_find_conversation(Cli *cli, const char *word, char **ret);

/* The id at a path's end. */
const char *cli_id(const char *path);

/* ---- rows.c: lists and dictionaries ---- */

/* Has each row of an answer that is an array of structs of these types looked at, from the first;
 * what is not read of one is skipped. row gives a negative errno or an ExitCode, and all but 0 ends
 * it. An ExitCode: what cannot be read is said. */
typedef int (*cli_row_t)(sd_bus_message *m, void *userdata);
int cli_each_row(sd_bus_message *m, const char *types, cli_row_t row, void *userdata);

/* Has each entry of the a{sv} that comes next looked at. entry reads the variant, or gives 0: then
 * it is skipped. A negative errno, also of entry. */
typedef int (*cli_entry_t)(sd_bus_message *m, const char *key, void *userdata);
int cli_each_entry(sd_bus_message *m, cli_entry_t entry, void *userdata);

/* The types of a row of ListConversations, Search, GetMessages; of ListModels and ListEngines. */
#define ROW_CONVERSATION "osstta{sv}"
#define ROW_HIT          "otssa{sv}"
#define ROW_MESSAGE      "ttssa{sv}"
#define ROW_MODEL        "sssa{sv}"

/* ---- variables.c: variables of this shell that the service does not see ---- */

/* "OLLAMA_HOST OPENAI_API_KEY": those that matter for an answer, names only. *ret is NULL when
 * there is none, or nobody knows what the service sees. session: a connection to the session bus.
 * The caller frees. */
int cli_missing_variables(sd_bus *session, char **ret);

/* ---- output.c: for people ---- */

/* One sentence on stderr. */
void cli_error(const char *format, ...) _printf_(1, 2);
/* Prints the failure, and of which machine it is, and gives its exit code. */
int cli_fail(const Cli *cli, const Failure *failure);

bool cli_is_terminal(int fd);
/* Colours for a terminal that wants them: NO_COLOR and TERM=dumb turn them off. */
bool cli_colors(void);

/* Writes text from *done on and counts what was written. On a terminal, control and escape bytes
 * are shown as pictures of themselves, and bytes that are no UTF-8 replaced. A negative errno;
 * -EINTR when a signal came: the same call goes on. */
int cli_write_on(int fd, const char *text, size_t size, size_t *done);
/* All of it, signals or not. -EPIPE: the reader is gone. */
int cli_write(int fd, const char *text, size_t size);
/* The same to standard output, as an ExitCode; says what is wrong unless the reader is gone. */
int cli_print(const char *text, size_t size);
/* What was printed by stdio: an ExitCode, which says what is wrong as cli_print() does. */
int cli_flush(void);
/* Words and colours of this program's own, which pass a terminal as they are. */
int cli_print_own(const char *format, ...) _printf_(1, 2);

/* The columns of the terminal that is standard output; SIZE_MAX when it is none. */
size_t cli_columns(void);
/* The bytes of the text (UTF-8, whatever the locale) that fit into so many columns. */
size_t cli_fitting(const char *text, size_t columns);

/* ---- json.c: for programs ---- */

/* Prints as --json= says; takes the object over. An ExitCode; NULL is out of memory. */
int cli_print_json(const Cli *cli, json_object *object);
/* A member with a copy of the text. */
int cli_add_string(json_object *object, const char *key, const char *value);
/* A member that something else has, too. */
int cli_add_shared(json_object *object, const char *key, json_object *value);

/* Adds each struct of an answer's array, from the first, to `array`, as an object with these names.
 * An ExitCode. */
int cli_add_rows(json_object *array, sd_bus_message *m, const char *const *names, size_t n);
/* The whole answer so. NULL when it cannot be read, which was said then. */
json_object *cli_rows(sd_bus_message *m, const char *const *names, size_t n);

/* A member of an object as a string, "" when it has none. Borrowed. */
const char *cli_member(json_object *object, const char *key);
