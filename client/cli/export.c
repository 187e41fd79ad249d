/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* conductor export and import: whole conversations. */

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "client/cli/verbs.h"
#include "common/names.h"
#include "common/utf8.h"

#define COPY_SIZE KIB(64)

/* ---- export ---- */

/* A terminal is shown whole characters, a file gets the bytes as they are. */
typedef struct Printer {
        bool terminal;
        Utf8Repair repair;
        Buffer text;
} Printer;

static void printer_init(Printer *p)
{
        *p = (Printer){
                .terminal = cli_is_terminal(STDOUT_FILENO),
                .text = BUFFER_INIT(MIB(1)),
        };
}

static void printer_done(Printer *p)
{
        buffer_done(&p->text);
}

static int print_part(Printer *p, const char *bytes, size_t n)
{
        int r;

        if (!p->terminal)
                return cli_print(bytes, n);
        buffer_clear(&p->text);
        r = utf8_repair(&p->repair, bytes, n, &p->text);
        if (r >= 0)
                return cli_print(buffer_text(&p->text), p->text.size);
        cli_error("conductor: the export cannot be shown: %s", strerror(-r));
        return EXIT_FAILED;
}

static int unreadable(int r)
{
        cli_error("conductor: the export cannot be read: %s", strerror(-r));
        return EXIT_FAILED;
}

/* Not through a pipe, whose end looks alike when the service is gone in the middle. */
static int export_parts(Cli *cli, const char *path, const char *format, Printer *p)
{
        uint64_t export = 0;
        int r;

        do {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
                const void *data;
                size_t size;

                r = cli_call(cli, path, INTERFACE_CONVERSATION, "ExportPart", &reply, "st", format,
                        export);
                if (r != EXIT_DONE)
                        return r;
                r = sd_bus_message_read(reply, "t", &export);
                if (r >= 0)
                        r = sd_bus_message_read_array(reply, 'y', &data, &size);
                if (r >= 0 && size == 0 && export != 0)
                        r = -EBADMSG; /* it would go on so for ever */
                if (r < 0)
                        return unreadable(r);
                r = print_part(p, data, size);
        } while (r == EXIT_DONE && export != 0);
        return r;
}

static int export_one(Cli *cli, const char *path)
{
        const char *format = cli->format ? cli->format : cli->all ? "jsonl" : "markdown";
        _cleanup_(printer_done) Printer p;

        printer_init(&p);
        return export_parts(cli, path, format, &p);
}

/* All paths, before the first is written: the list changes while one exports. */
typedef struct Paths {
        char **paths;
        size_t n, allocated;
} Paths;

static void paths_done(Paths *p)
{
        for (size_t i = 0; i < p->n; i++)
                free(p->paths[i]);
        free(p->paths);
}

static int paths_add(Paths *p, const char *path)
{
        if (p->n == p->allocated) {
                size_t allocate = MAX(p->allocated * 2, (size_t) 64);
                char **paths = reallocarray(p->paths, allocate, sizeof *paths);

                if (!paths)
                        return -ENOMEM;
                p->paths = paths;
                p->allocated = allocate;
        }
        p->paths[p->n] = strdup(path);
        if (!p->paths[p->n])
                return -ENOMEM;
        p->n++;
        return 0;
}

static int collect_row(sd_bus_message *m, void *userdata)
{
        const char *path;
        int r;

        r = sd_bus_message_read(m, "o", &path);
        return r < 0 ? r : paths_add(ASSERT_PTR(userdata), path);
}

static int collect_page(sd_bus_message *page, void *userdata)
{
        return cli_each_row(page, ROW_CONVERSATION, collect_row, userdata);
}

static int export_all(Cli *cli)
{
        _cleanup_(paths_done) Paths paths = { 0 };
        int r;

        r = cli_each_page(cli, LIST_CURRENT, 0, collect_page, &paths);
        if (r == EXIT_DONE)
                r = cli_each_page(cli, LIST_ARCHIVED, 0, collect_page, &paths);
        for (size_t i = 0; r == EXIT_DONE && i < paths.n; i++)
                r = export_one(cli, paths.paths[i]);
        return r;
}

int verb_export(Cli *cli, int argc, char *argv[])
{
        int r;

        if (cli->all && argc > 1) {
                cli_error("conductor: --all exports all; leave the ids out.");
                return EXIT_USAGE;
        }
        r = cli_connect(cli);
        if (r != EXIT_DONE)
                return r;
        if (cli->all)
                return export_all(cli);
        for (int i = 1; i < MAX(argc, 2); i++) {
                _cleanup_free_ char *path = NULL;

                r = cli_find_conversation(cli, i < argc ? argv[i] : "last", &path);
                if (r == EXIT_DONE)
                        r = export_one(cli, path);
                if (r != EXIT_DONE)
                        return r;
        }
        return EXIT_DONE;
}

/* ---- import ---- */

static ssize_t read_some(int fd, char *buffer, size_t size)
{
        ssize_t n;

        do
                n = read(fd, buffer, size);
        while (n < 0 && errno == EINTR);
        return n < 0 ? -errno : n;
}

/* The service reads regular files and memfds only: what is piped in goes through one. */
static int spool(int from)
{
        _cleanup_free_ char *bytes = malloc(COPY_SIZE);
        _cleanup_close_ int fd = -EBADF;
        ssize_t n;

        if (!bytes)
                return -ENOMEM;
        fd = memfd_create("conductor-import", MFD_CLOEXEC);
        if (fd < 0)
                return -errno;
        while ((n = read_some(from, bytes, COPY_SIZE)) > 0)
                for (ssize_t done = 0, k; done < n; done += k) {
                        k = write(fd, bytes + done, n - done);
                        if (k < 0)
                                return -errno;
                }
        return n < 0 ? (int) n : TAKE_FD(fd);
}

static int open_import(const char *name)
{
        _cleanup_close_ int fd = -EBADF;
        struct stat st;

        if (streq(name, "-"))
                return spool(STDIN_FILENO);
        fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        return S_ISREG(st.st_mode) ? TAKE_FD(fd) : spool(fd);
}

static int print_imported(sd_bus_message *reply)
{
        const char *path;
        int r, code;

        r = sd_bus_message_enter_container(reply, 'a', "o");
        while (r >= 0 && (r = sd_bus_message_read(reply, "o", &path)) > 0) {
                code = cli_print(cli_id(path), strlen(cli_id(path)));
                if (code == EXIT_DONE)
                        code = cli_print("\n", 1);
                if (code != EXIT_DONE)
                        return code;
        }
        if (r >= 0)
                return EXIT_DONE;
        cli_error("conductor: the imported ids cannot be read: %s", strerror(-r));
        return EXIT_FAILED;
}

static int import_one(Cli *cli, const char *name)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_close_ int fd = -EBADF;
        int r;

        fd = open_import(name);
        if (fd < 0) {
                cli_error("conductor: %s cannot be read: %s", name, strerror(-fd));
                return EXIT_FAILED;
        }
        r = cli_call(cli, PATH_ROOT, INTERFACE_MANAGER, "Import", &reply, "h", fd);
        return r != EXIT_DONE ? r : print_imported(reply);
}

int verb_import(Cli *cli, int argc, char *argv[])
{
        int r;

        r = cli_connect(cli);
        if (r != EXIT_DONE)
                return r;
        if (cli->door == CLIENT_REMOTE) {
                cli_error("conductor: files do not pass over --host; copy it there and run "
                          "'ssh %s conductor import …'.",
                        cli->host);
                return EXIT_FAILED;
        }
        for (int i = 1; i < argc; i++) {
                r = import_one(cli, argv[i]);
                if (r != EXIT_DONE)
                        return r;
        }
        return EXIT_DONE;
}
