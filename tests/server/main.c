/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* test-engine: a model engine that does what its test says. See README.md. */

#include <arpa/inet.h>
#include <getopt.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include "tests/server/connection.h"
#include "tests/server/control.h"

#define CONTEXT_DEFAULT 8192

static const char *const counter_names[_COUNTER_MAX] = {
        [COUNTER_OPENED] = "opened",
        [COUNTER_CLOSED] = "closed",
        [COUNTER_REQUESTS] = "requests",
        [COUNTER_CHATS] = "chats",
        [COUNTER_HELD] = "held",
        [COUNTER_ENDED] = "ended",
        [COUNTER_CANCELLED] = "cancelled",
        [COUNTER_RELOADS] = "reloads",
};

const char *counter_to_string(Counter c)
{
        return counter_names[c];
}

usec_t now_usec(void)
{
        struct timespec ts;

        (void) clock_gettime(CLOCK_MONOTONIC, &ts);
        return (usec_t) ts.tv_sec * USEC_PER_SEC + (usec_t) ts.tv_nsec / 1000;
}

void server_count(Server *s, Counter counter)
{
        s->counters[counter]++;
        s->counted[counter] = now_usec();
        control_wake(s);
}

Model *server_find_model(Server *s, const char *name)
{
        size_t n = strlen(name);

        for (size_t i = 0; i < s->n_models; i++) {
                const char *rest = startswith(s->models[i].name, name);

                if (n > 0 && rest && (!*rest || streq(rest, ":latest")))
                        return &s->models[i];
        }
        return NULL;
}

void server_forget(Server *s)
{
        for (size_t i = 0; i < s->n_log; i++)
                free(s->log[i]);
        s->log = mfree(s->log);
        s->n_log = 0;
        memset(s->counters, 0, sizeof s->counters);
        memset(s->counted, 0, sizeof s->counted);
        while (s->attempts) {
                Attempt *a = s->attempts;

                s->attempts = a->next;
                free(a);
        }
        for (size_t i = 0; i < s->n_models; i++)
                s->models[i].loaded = 0;
        s->defaults = mfree(s->defaults);
}

static void server_done(Server *s)
{
        while (s->connections)
                connection_free(s->connections);
        server_forget(s);
        for (size_t i = 0; i < s->n_models; i++)
                free(s->models[i].name);
        free(s->models);
        free(s->capabilities);
        free(s->key);
        SSL_CTX_free(s->tls);
        sd_event_unref(s->event);
}

static int server_add_model(Server *s, const char *name)
{
        Model *models = reallocarray(s->models, s->n_models + 1, sizeof *models);

        if (!models)
                return -ENOMEM;
        s->models = models;
        s->models[s->n_models] = (Model){ .name = strdup(name) };
        return s->models[s->n_models++].name ? 0 : -ENOMEM;
}

/* So many more, with names of their own. */
static int server_add_models(Server *s, const char *number)
{
        unsigned long n = strtoul(number, NULL, 10);
        char name[64];
        int r = 0;

        for (unsigned long i = 0; r >= 0 && i < n; i++) {
                (void) snprintf(name, sizeof name, "hub.example/people/model-%05lu:latest", i);
                r = server_add_model(s, name);
        }
        return r;
}

/* ---- options ---- */

typedef struct Options {
        uint16_t port;
        const char *certificate, *certificate_key;
} Options;

static int usage(void)
{
        fputs("test-engine [--port N] [--model NAME]… [--models N] [--context N]\n"
              "            [--capability WORD]… [--key SECRET] [--script \"@directive…\"] [--tls-cert FILE --tls-key FILE]\n"
              "A model engine that does what its test says; prints \"port N\" when it listens.\n",
                stdout);
        return 0;
}

static int append_capability(Server *s, const char *word)
{
        char *longer;

        if (asprintf(&longer, "%.*s,\"%s\"]", (int) strlen(s->capabilities) - 1, s->capabilities,
                    word) < 0)
                return -ENOMEM;
        free(s->capabilities);
        s->capabilities = longer;
        return 0;
}

/* 0 when there is nothing more to do. */
static int parse_options(Server *s, Options *o, int argc, char **argv)
{
        static const struct option options[] = {
                { "port", required_argument, NULL, 'p' },
                { "model", required_argument, NULL, 'm' },
                { "models", required_argument, NULL, 'M' },
                { "context", required_argument, NULL, 'c' },
                { "capability", required_argument, NULL, 'a' },
                { "key", required_argument, NULL, 'k' },
                { "script", required_argument, NULL, 's' },
                { "tls-cert", required_argument, NULL, 'C' },
                { "tls-key", required_argument, NULL, 'K' },
                { "help", no_argument, NULL, 'h' },
                {},
        };
        int c, r = 0;

        while (r >= 0 && (c = getopt_long(argc, argv, "", options, NULL)) >= 0)
                switch (c) {
                case 'p':
                        o->port = (uint16_t) strtoul(optarg, NULL, 10);
                        break;
                case 'm':
                        r = server_add_model(s, optarg);
                        break;
                case 'M':
                        r = server_add_models(s, optarg);
                        break;
                case 'c':
                        s->context = strtoull(optarg, NULL, 10);
                        break;
                case 'a':
                        r = append_capability(s, optarg);
                        break;
                case 'k':
                        r = free_and_strdup(&s->key, optarg);
                        break;
                case 's':
                        r = free_and_strdup(&s->defaults, optarg);
                        break;
                case 'C':
                        o->certificate = optarg;
                        break;
                case 'K':
                        o->certificate_key = optarg;
                        break;
                case 'h':
                        return usage();
                default:
                        return -EINVAL;
                }
        if (r >= 0 && s->n_models == 0)
                r = server_add_model(s, "tiny:latest");
        if (r >= 0 && s->n_models == 1 && streq(s->models[0].name, "tiny:latest"))
                r = server_add_model(s, "big:latest");
        return r < 0 ? r : 1;
}

/* ---- listening ---- */

static int start_tls(Server *s, const Options *o)
{
        if (!o->certificate)
                return 0;
        s->tls = SSL_CTX_new(TLS_server_method());
        if (!s->tls)
                return -ENOMEM;
        (void) SSL_CTX_set_mode(
                s->tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
        if (SSL_CTX_use_certificate_chain_file(s->tls, o->certificate) != 1 ||
                SSL_CTX_use_PrivateKey_file(s->tls, o->certificate_key, SSL_FILETYPE_PEM) != 1)
                return -ENOKEY;
        return 0;
}

static int on_accept(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (client >= 0)
                (void) connection_new(userdata, client);
        return 0;
}

/* The port, or a negative errno. */
static int start_listening(Server *s, uint16_t port)
{
        struct sockaddr_in address = { .sin_family = AF_INET,
                .sin_port = htons(port),
                .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t length = sizeof address;
        sd_event_source *source;
        int one = 1, fd, r;

        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        (void) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
        if (bind(fd, (struct sockaddr *) &address, sizeof address) < 0 || listen(fd, 1024) < 0 ||
                getsockname(fd, (struct sockaddr *) &address, &length) < 0) {
                r = -errno;
                safe_close(fd);
                return r;
        }
        r = sd_event_add_io(s->event, &source, fd, EPOLLIN, on_accept, s);
        if (r < 0) {
                safe_close(fd);
                return r;
        }
        (void) sd_event_source_set_io_fd_own(source, true);
        (void) sd_event_source_set_floating(source, true);
        sd_event_source_unref(source);
        return ntohs(address.sin_port);
}

static int serve(Server *s, const Options *o)
{
        sigset_t signals;
        int r;

        (void) sigemptyset(&signals);
        (void) sigaddset(&signals, SIGTERM);
        (void) sigaddset(&signals, SIGINT);
        (void) sigprocmask(SIG_BLOCK, &signals, NULL);
        (void) signal(SIGPIPE, SIG_IGN);

        r = sd_event_default(&s->event);
        if (r < 0)
                return r;
        r = sd_event_add_signal(s->event, NULL, SIGTERM, NULL, NULL);
        if (r < 0)
                return r;
        r = sd_event_add_signal(s->event, NULL, SIGINT, NULL, NULL);
        if (r < 0)
                return r;
        r = start_tls(s, o);
        if (r < 0)
                return r;
        r = start_listening(s, o->port);
        if (r < 0)
                return r;
        printf("port %d\n", r);
        (void) fflush(stdout);
        return sd_event_loop(s->event);
}

int main(int argc, char **argv)
{
        _cleanup_(server_done) Server server = { .context = CONTEXT_DEFAULT,
                .capabilities = strdup("[\"completion\"]") };
        Options options = {};
        int r;

        r = server.capabilities ? parse_options(&server, &options, argc, argv) : -ENOMEM;
        if (r > 0)
                r = serve(&server, &options);
        if (r < 0)
                fprintf(stderr, "test-engine: %s\n", strerrordesc_np(-r));
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
