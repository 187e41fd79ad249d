/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* conductor export and import: whole conversations through descriptors. */

#include <fcntl.h>
#include <sys/mman.h>

#include "client/cli/verbs.h"
#include "common/names.h"

#define COPY_SIZE KIB(64)

/* Until end of file. A reader or writer that fails is the negative errno. */
static int copy(int from, int to)
{
        _cleanup_free_ char *buffer = malloc(COPY_SIZE);

        if (!buffer)
                return -ENOMEM;
        for (;;) {
                ssize_t n = read(from, buffer, COPY_SIZE);

                if (n < 0)
                        return -errno;
                if (n == 0)
                        return 0;
                for (ssize_t done = 0; done < n;) {
                        ssize_t k = write(to, buffer + done, n - done);

                        if (k < 0)
                                return -errno;
                        done += k;
                }
        }
}

/* ---- export ---- */

static int export_one(Cli *cli, const char *path)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int fd, r;

        r = cli_call(cli, path, INTERFACE_CONVERSATION, "Export", &reply, "s",
                cli->format        ? cli->format
                        : cli->all ? "jsonl"
                                   : "markdown");
        if (r != EXIT_DONE)
                return r;
        r = sd_bus_message_read(reply, "h", &fd);
        if (r >= 0)
                r = copy(fd, STDOUT_FILENO);
        if (r < 0) {
                if (r != -EPIPE)
                        cli_error("conductor: the export ended early: %s", strerror(-r));
                return EXIT_FAILED;
        }
        return EXIT_DONE;
}

/* One page of the list; *before becomes its last id. Returns the number of entries. */
static int export_page(Cli *cli, sd_bus_message *list, char **before)
{
        const char *path;
        int n = 0, r;

        r = sd_bus_message_enter_container(list, 'a', "(osstta{sv})");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(list, 'r', "osstta{sv}")) > 0) {
                r = sd_bus_message_read(list, "o", &path);
                if (r < 0)
                        return r;
                r = free_and_strdup(before, strrchr(path, '/') + 1);
                if (r < 0)
                        return r;
                if (export_one(cli, path) != EXIT_DONE)
                        return -EIO;
                n++;
                r = sd_bus_message_skip(list, "sstta{sv}");
                if (r < 0)
                        return r;
                r = sd_bus_message_exit_container(list);
                if (r < 0)
                        return r;
        }
        return r < 0 ? r : n;
}

static int export_list(Cli *cli, bool archived)
{
        _cleanup_free_ char *before = NULL;
        int n, r;

        do {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *list = NULL;

                if (before)
                        r = cli_call(cli, PATH_ROOT, INTERFACE_MANAGER, "ListConversations", &list,
                                "a{sv}", 3, "limit", "u", UINT32_C(1000), "archived", "b",
                                (int) archived, "before", "s", before);
                else
                        r = cli_call(cli, PATH_ROOT, INTERFACE_MANAGER, "ListConversations", &list,
                                "a{sv}", 2, "limit", "u", UINT32_C(1000), "archived", "b",
                                (int) archived);
                if (r != EXIT_DONE)
                        return r;
                n = export_page(cli, list, &before);
        } while (n > 0);
        return n < 0 ? EXIT_FAILED : EXIT_DONE;
}

int verb_export(Cli *cli, int argc, char *argv[])
{
        int r;

        r = cli_connect(cli);
        if (r != EXIT_DONE)
                return r;
        if (cli->door == CLIENT_REMOTE) {
                cli_error("conductor: an export does not pass over --host; run "
                          "'ssh %s conductor export …' instead.",
                        cli->host);
                return EXIT_FAILED;
        }
        if (cli->all) {
                r = export_list(cli, false);
                return r != EXIT_DONE ? r : export_list(cli, true);
        }
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

/* The service reads regular files and memfds only: what is piped in goes through one. */
static int open_import(const char *name)
{
        _cleanup_close_ int fd = -EBADF;
        int r;

        if (!streq(name, "-")) {
                fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
                return fd < 0 ? -errno : TAKE_FD(fd);
        }
        fd = memfd_create("conductor-import", MFD_CLOEXEC);
        if (fd < 0)
                return -errno;
        r = copy(STDIN_FILENO, fd);
        return r < 0 ? r : TAKE_FD(fd);
}

static int print_imported(sd_bus_message *reply)
{
        const char *path;
        int r;

        r = sd_bus_message_enter_container(reply, 'a', "o");
        if (r < 0)
                return EXIT_FAILED;
        while ((r = sd_bus_message_read(reply, "o", &path)) > 0)
                if (printf("%s\n", strrchr(path, '/') + 1) < 0)
                        return EXIT_FAILED;
        return r < 0 ? EXIT_FAILED : EXIT_DONE;
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
