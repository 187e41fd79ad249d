/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/soak/soak.h"

#include <fcntl.h>

#include "tests/bus/process.h"

static int read_port(int fd)
{
        char line[64] = "";
        const char *port;

        assert_true(read(fd, line, sizeof line - 1) > 0);
        port = startswith(line, "port ");
        assert_non_null(port);
        return (int) strtol(port, NULL, 10);
}

void engine_start(Soak *s, SoakEngine *e)
{
        char port[16];
        const char *const arguments[] = { getenv("TEST_ENGINE"), "--port", port, NULL };
        const char *const environment[] = { NULL };
        int out[2];

        (void) snprintf(port, sizeof port, "%d", e->port);
        assert_non_null(arguments[0]);
        assert_return_code(pipe2(out, O_CLOEXEC), errno);
        assert_return_code(process_spawn(&(Spawn){ .arguments = arguments,
                                                 .environment = environment,
                                                 .output = out[1],
                                                 .errors = -EBADF,
                                                 .pass = -EBADF },
                                   &e->pid),
                0);
        safe_close(out[1]);
        e->port = read_port(out[0]);
        safe_close(out[0]);
}

void engine_end(SoakEngine *e)
{
        process_end(&e->pid);
}

/* A question that one of them leaves unanswered goes to another that is known to have the model,
 * and is not answered there either. */
void engine_configure(Soak *s, const SoakEngine *e, const char *extra)
{
        const char *patience = e == &s->engines[SOAK_HUNG] && !s->real ? "500ms" : "10s";
        char name[64];

        (void) snprintf(name, sizeof name, "engines.d/%s.conf", e->name);
        harness_write_config(s->h, name,
                "[Engine]\nType=%s\nUrl=http://127.0.0.1:%d\nModels=%s\n"
                "FirstByteTimeoutSec=%s\n%s\n",
                e->type, e->port, "tiny:latest big:latest", patience, extra);
}

char *engine_model(const SoakEngine *e, unsigned model)
{
        char *name = NULL;

        assert_true(asprintf(&name, "%s/%s:latest", e->name, model == 0 ? "tiny" : "big") > 0);
        return name;
}
