/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/cli/complete.h"

#include "client/bus/call.h"
#include "client/cli/options.h"
#include "client/cli/verbs.h"
#include "common/buffer.h"
#include "common/names.h"

/* A person has pressed a key and waits. Engines that are asked for their models now answer the next
 * key. */
#define ANSWER_USEC (40 * USEC_PER_MSEC)
#define LISTED      200U

typedef struct Words {
        const char *begun;
        Buffer text;
} Words;

static void words_done(Words *w)
{
        buffer_done(&w->text);
}

/* What a terminal or a line of the answer could take for something else is left out. */
static int append_plain(Buffer *b, const char *text)
{
        int r = 0;

        for (const char *p = text; r >= 0 && *p; p++)
                r = (uint8_t) *p < ' ' || *p == 0x7f ? buffer_append(b, " ", 1)
                                                     : buffer_append(b, p, 1);
        return r;
}

static int add(Words *w, const char *word, int size, const char *what)
{
        int r;

        r = buffer_append_format(&w->text, "%.*s\t", size, word);
        if (r >= 0)
                r = append_plain(&w->text, what);
        return r < 0 ? r : buffer_append(&w->text, "\n", 1);
}

/* A conversation is meant by the beginning of its id, or by any part of its title. */
static int add_conversation(sd_bus_message *m, void *userdata)
{
        Words *w = ASSERT_PTR(userdata);
        const char *path, *title;
        int r;

        r = sd_bus_message_read(m, "os", &path, &title);
        if (r < 0)
                return r;
        if (!startswith(cli_id(path), w->begun) && !strcasestr(title, w->begun))
                return 0;
        return add(w, cli_id(path), ID_SHOWN, title);
}

static int add_model(sd_bus_message *m, void *userdata)
{
        Words *w = ASSERT_PTR(userdata);
        _cleanup_free_ char *whole = NULL;
        const char *model, *engine, *state;
        int r;

        r = sd_bus_message_read(m, "sss", &model, &engine, &state);
        if (r < 0)
                return r;
        if (asprintf(&whole, "%s/%s", engine, model) < 0)
                return -ENOMEM;
        if (startswith(whole, w->begun))
                return add(w, whole, -1, state);
        return startswith(model, w->begun) ? add(w, model, -1, engine) : 0;
}

static int add_engine(sd_bus_message *m, void *userdata)
{
        Words *w = ASSERT_PTR(userdata);
        const char *name, *type;
        int r;

        r = sd_bus_message_read(m, "ss", &name, &type);
        if (r < 0)
                return r;
        return startswith(name, w->begun) ? add(w, name, -1, type) : 0;
}

static const struct Kind {
        const char *name, *method, *row;
        cli_row_t add;
} kinds[] = {
        { "ID", "ListConversations", ROW_CONVERSATION, add_conversation },
        { "DELETED-ID", "ListConversations", ROW_CONVERSATION, add_conversation },
        { "MODEL", "ListModels", ROW_MODEL, add_model },
        { "ENGINE", "ListEngines", ROW_MODEL, add_engine },
};

static int append_arguments(const struct Kind *k, sd_bus_message *call)
{
        if (k->add == add_conversation)
                return sd_bus_message_append(call, "a{sv}", 2, "limit", "u", LISTED, "deleted", "b",
                        (int) streq(k->name, "DELETED-ID"));
        if (k->add == add_model)
                return sd_bus_message_append(call, "b", 0);
        return 0;
}

static int print_words(Cli *cli, const struct Kind *k, const char *begun)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL, *reply = NULL;
        _cleanup_(words_done) Words words = { .begun = begun, .text = BUFFER_INIT(MIB(1)) };
        int r;

        r = cli_connect(cli);
        if (r != EXIT_DONE)
                return r;
        if (client_new_call(cli->bus, PATH_ROOT, INTERFACE_MANAGER, k->method, &call) < 0 ||
                append_arguments(k, call) < 0 ||
                sd_bus_call(cli->bus, call, ANSWER_USEC, NULL, &reply) < 0)
                return EXIT_NO_SERVICE;
        r = cli_each_row(reply, k->row, k->add, &words);
        return r != EXIT_DONE ? r : cli_print(buffer_text(&words.text), words.text.size);
}

static int print_table(void)
{
        for (const Verb *v = cli_verbs; v->name; v++)
                (void) printf("verb\t%s\t%s\t%s\n", v->name, v->arguments, v->help);
        for (const Option *o = cli_options; o->name; o++)
                (void) printf("option\t%s\t%.1s\t%s\t%s\n", o->name, &o->letter,
                        strempty(o->argument), o->help);
        return cli_flush();
}

int cli_complete(Cli *cli, int argc, char *argv[])
{
        if (argc == 2 && streq(argv[1], "table"))
                return print_table();
        if (argc == 2 || argc == 3)
                for (const struct Kind *k = kinds; k < kinds + ELEMENTSOF(kinds); k++)
                        if (streq(k->name, argv[1]))
                                return print_words(cli, k, argc == 3 ? argv[2] : "");
        cli_error("conductor: use it as: conductor complete table|KIND [WORD]");
        return EXIT_USAGE;
}
