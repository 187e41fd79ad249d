/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The floor of bench-runtime: a command without a service. It reads the configuration, asks the
 * engine, writes the answer as it comes, opens the database, keeps question and answer and closes.
 * It links the service's own library and does no more than it must: question and answer are one
 * transaction, and one request is the only one, so that nothing is looked up before. */

#include <curl/curl.h>
#include <fcntl.h>
#include <sys/file.h>

#include "common/paths.h"
#include "common/text.h"
#include "service/conversation/conversation-internal.h"
#include "service/engine/wire.h"
#include "service/store/store-db.h"

#define MODEL "tiny:latest"

typedef struct Asking {
        WireDecoder *decoder;
        Buffer answer;
        int error;
} Asking;

static int on_text(Channel channel, const char *text, size_t size, void *userdata)
{
        Asking *a = userdata;

        if (channel != CHANNEL_CONTENT)
                return 0;
        if (write(STDOUT_FILENO, text, size) != (ssize_t) size)
                return -EIO;
        return buffer_append(&a->answer, text, size);
}

static size_t on_body(char *data, size_t size, size_t n, void *userdata)
{
        Asking *a = userdata;

        a->error = MIN(0, wire_decoder_feed(a->decoder, data, size * n, NULL));
        return a->error < 0 ? 0 : size * n;
}

/* All of it at once, as a program that asks one question would. */
static int make_body(const EngineConfig *engine, const Prompt *prompt, char **ret, size_t *ret_size)
{
        _cleanup_(wire_body_freep) WireBody *body = NULL;
        _cleanup_free_ char *text = NULL;
        ssize_t n;
        int r;

        r = wire_build_chat(engine->type,
                &(WireRequest){
                        .model = MODEL, .prompt = prompt, .keep_alive = engine->keep_alive },
                MIB(1), &body, NULL);
        if (r < 0)
                return r;
        text = malloc(wire_body_size(body));
        if (!text)
                return -ENOMEM;
        n = wire_body_read(body, text, wire_body_size(body));
        if (n < 0)
                return (int) n;
        *ret = TAKE_PTR(text);
        *ret_size = n;
        return 0;
}

static int post(const char *url, const char *body, size_t size, Asking *a)
{
        struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
        CURL *easy = curl_easy_init();
        CURLcode code;

        if (!easy || !headers)
                return -ENOMEM;
        (void) curl_easy_setopt(easy, CURLOPT_URL, url);
        (void) curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
        (void) curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
        (void) curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long) size);
        (void) curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
        (void) curl_easy_setopt(easy, CURLOPT_WRITEDATA, a);
        code = curl_easy_perform(easy);
        curl_easy_cleanup(easy);
        curl_slist_free_all(headers);
        return code == CURLE_OK ? 0 : -EIO;
}

static int ask(const EngineConfig *engine, char *question, Asking *a)
{
        static const WireOps ops = { .text = on_text };
        PromptMessage message = { .role = ROLE_USER, .text = question, .size = strlen(question) };
        char none[] = "";
        const Prompt prompt = { .system = none, .messages = &message, .n_messages = 1 };
        _cleanup_free_ char *url = NULL, *body = NULL;
        size_t size = 0;
        WireEnd end;
        int r;

        r = make_body(engine, &prompt, &body, &size);
        if (r < 0)
                return r;
        r = wire_chat_url(engine->type, engine->url, &url);
        if (r < 0)
                return r;
        r = wire_decoder_new(&a->decoder, engine->type, "application/x-ndjson", &ops, a);
        if (r < 0)
                return r;
        r = post(url, body, size, a);
        if (r >= 0)
                r = wire_decoder_finish(a->decoder, &end, NULL);
        a->decoder = wire_decoder_free(a->decoder);
        return r;
}

static int add(StoreDb *db, const StoreDbOpened *opened, char *question, const Buffer *answer)
{
        char title[] = "", model[] = "test/" MODEL, none[] = "";
        usec_t now = usec_now(CLOCK_REALTIME);
        StoreConversation c = { .number = opened->last_number + 1,
                .title = title,
                .model = model,
                .created = now,
                .modified = now };
        StoreMessage messages[] = {
                { .id = opened->last_id + 1,
                        .role = ROLE_USER,
                        .content = question,
                        .content_size = strlen(question),
                        .reasoning = none,
                        .metadata = none,
                        .created = now },
                { .id = opened->last_id + 2,
                        .parent = opened->last_id + 1,
                        .role = ROLE_ASSISTANT,
                        .content = answer->data,
                        .content_size = answer->size,
                        .reasoning = none,
                        .metadata = none,
                        .reason = REASON_STOP,
                        .created = now },
        };
        int r;

        r = sd_id128_randomize(&c.id);
        if (r < 0)
                return r;
        r = store_db_savepoint(db, c.number, NULL);
        if (r < 0)
                return r;
        r = store_db_create_conversation(db, &c, "", NULL);
        if (r >= 0)
                r = store_db_add_messages(
                        db, c.number, messages, 2, messages[1].id, now, NULL, NULL);
        if (r >= 0)
                r = store_db_savepoint_end(db, c.number, /* failed= */ false, NULL);
        return r < 0 ? r : store_db_commit(db, NULL);
}

/* Several of these at once wait for each other: ids go up. */
static int keep(char *question, const Buffer *answer)
{
        _cleanup_free_ char *path = NULL, *lock = NULL, *folder = NULL;
        _cleanup_(store_db_opened_done) StoreDbOpened opened = { 0 };
        _cleanup_close_ int fd = -EBADF; /* before the next, so that it is closed after it */
        _cleanup_(store_db_freep) StoreDb *db = NULL;
        int r;

        r = path_state(&folder);
        if (r < 0)
                return r;
        r = mkdir_private(folder);
        if (r < 0)
                return r;
        r = path_database(&path);
        if (r < 0)
                return r;
        if (asprintf(&lock, "%s.direct", path) < 0)
                return -ENOMEM;
        fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0 || flock(fd, LOCK_EX) < 0)
                return -errno;
        r = store_db_open(&db, path, &opened, NULL);
        if (r < 0)
                return r;
        r = add(db, &opened, question, answer);
        if (r < 0)
                return r;
        store_db_remember(db, opened.last_id + 2, opened.last_number + 1);
        return 0;
}

static int run(char *question)
{
        _cleanup_(config_freep) Config *config = NULL;
        Asking a = { .answer = BUFFER_INIT(MIB(16)) };
        const EngineConfig *engine = NULL;
        int r;

        r = config_load(&config);
        if (r < 0)
                return r;
        for (size_t i = 0; i < config->n_engines; i++)
                if (streq(config->engines[i].name, "test"))
                        engine = &config->engines[i];
        if (!engine)
                return -ENOENT;
        r = ask(engine, question, &a);
        if (r >= 0)
                r = keep(question, &a.answer);
        buffer_done(&a.answer);
        return r;
}

int main(int argc, char *argv[])
{
        return argc == 2 && run(argv[1]) >= 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
