/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/desktop/runner-bus.h"

#include <strings.h>

#include "client/desktop/launch-bus.h"
#include "client/desktop/names.h"
#include "client/desktop/shown.h"
#include "common/log.h"

#define ASK          "ask"
#define ASK_ID       "ask:" /* and the question: Run has nothing else to know it by */
#define QUERY_LEAST  3      /* letters */
#define SHOWN_CUT    80U
#define FAILED_SHOWN "It could not be answered. Run it again to try once more."

/* How KRunner sorts. */
enum {
        RELEVANCE_MODERATE = 50,
        RELEVANCE_HIGHEST = 100,
};

typedef struct Match {
        const char *id, *text, *subtext;
        bool multiline;
        int category;
        double relevance;
} Match;

void runner_done(Runner *runner)
{
        runner->token = mfree(runner->token);
}

/* ---- matches ---- */

static int append_match(sd_bus_message *m, const Match *match)
{
        int r;

        r = sd_bus_message_open_container(m, 'r', "sssida{sv}");
        if (r >= 0)
                r = sd_bus_message_append(m, "sssid", match->id, match->text, APPLICATION_ID,
                        match->category, match->relevance);
        if (r >= 0)
                r = sd_bus_message_append(m, "a{sv}", 4, "subtext", "s", match->subtext, "category",
                        "s", "Conversations", "multiline", "b", match->multiline, "actions", "as",
                        0);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int new_matches(sd_bus_message *call, sd_bus_message **ret)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_return(call, &m);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "(sssida{sv})");
        if (r < 0)
                return r;
        *ret = TAKE_PTR(m);
        return 0;
}

static int send_matches(sd_bus_message *call, sd_bus_message *m)
{
        int r = sd_bus_message_close_container(m);

        return r < 0 ? r : sd_bus_send(sd_bus_message_get_bus(call), m, NULL);
}

static int reply_hits(sd_bus_message *call, const Hit *hits, size_t n)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        char id[PLACE_MAX];
        int r;

        r = new_matches(call, &m);
        for (size_t i = 0; i < n && r >= 0; i++) {
                place_format(&hits[i].place, id);
                r = append_match(m,
                        &(Match){
                                .id = id,
                                .text = hits[i].title,
                                .subtext = hits[i].snippet,
                                .category = RELEVANCE_MODERATE,
                                /* Newest first. */
                                .relevance = 0.7 - 0.01 * (double) i,
                        });
        }
        return r < 0 ? r : send_matches(call, m);
}

/* The question of `ask …`, or NULL. */
static const char *question_of(const char *query)
{
        const char *p;

        query += strspn(query, " \t");
        if (strncasecmp(query, ASK, strlen(ASK)) != 0)
                return NULL;
        p = query + strlen(ASK);
        if (*p != ' ' && *p != '\t')
                return NULL;
        p += strspn(p, " \t");
        return *p && strlen(p) <= QUESTION_MAX ? p : NULL;
}

/* It offers to ask; nobody is asked while one types. */
static int reply_question(const Runner *runner, sd_bus_message *call, const char *question)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_free_ char *id = NULL, *line = NULL, *offer = NULL;
        Match match = { .category = RELEVANCE_HIGHEST, .relevance = 1 };
        Place place;
        int r;

        r = shown_line(question, SHOWN_CUT, &line);
        if (r < 0)
                return r;
        if (asprintf(&id, ASK_ID "%s", question) < 0)
                id = NULL;
        if (asprintf(&offer, "Ask: %s", line) < 0)
                offer = NULL;
        if (!id || !offer)
                return -ENOMEM;
        match.id = id;
        switch (answers_find(runner->answers, question, &match.text, &place)) {
        case ANSWER_NONE:
                match.text = offer;
                match.subtext = "Enter asks; the answer is shown here and kept.";
                break;
        case ANSWER_COMING:
                match.text = offer;
                match.subtext = "The answer is being written…";
                break;
        case ANSWER_HERE:
                match.subtext = offer;
                match.multiline = true;
                break;
        case ANSWER_FAILED:
                match.subtext = FAILED_SHOWN;
                match.multiline = true;
                break;
        }
        r = new_matches(call, &m);
        if (r >= 0)
                r = append_match(m, &match);
        return r < 0 ? r : send_matches(call, m);
}

static int method_match(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Runner *runner = ASSERT_PTR(userdata);
        const char *query, *question;
        int r;

        r = sd_bus_message_read(m, "s", &query);
        if (r < 0)
                return r;
        question = question_of(query);
        if (question)
                return reply_question(runner, m, question);
        return search_begin(runner->search, m, query, reply_hits);
}

/* ---- running one ---- */

static int run_question(Runner *runner, sd_bus_message *m, const char *question)
{
        const char *text;
        Place place;
        int r;

        if (answers_find(runner->answers, question, &text, &place) == ANSWER_HERE)
                return launch_at(runner->session, &place, runner->token, m);
        r = answers_ask(runner->answers, question);
        return r < 0 ? r : sd_bus_reply_method_return(m, NULL);
}

static int method_run(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Runner *runner = ASSERT_PTR(userdata);
        const char *id, *question;
        Place place;
        int r;

        r = sd_bus_message_read(m, "s", &id);
        if (r < 0)
                return r;
        question = startswith(id, ASK_ID);
        if (question && *question && strlen(question) <= QUESTION_MAX)
                r = run_question(runner, m, question);
        else if (place_parse(id, &place) >= 0)
                r = launch_at(runner->session, &place, runner->token, m);
        else
                r = sd_bus_error_set(
                        error, SD_BUS_ERROR_INVALID_ARGS, "This match is not one of ours.");
        runner->token = mfree(runner->token);
        return r;
}

static int method_token(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Runner *runner = ASSERT_PTR(userdata);
        const char *token;
        int r;

        r = sd_bus_message_read(m, "s", &token);
        if (r >= 0)
                r = free_and_strdup(
                        &runner->token, strlen(token) <= ACTIVATION_TOKEN_MAX ? token : NULL);
        return r < 0 ? r : sd_bus_reply_method_return(m, NULL);
}

/* ---- what it is ---- */

static int method_actions(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        return sd_bus_reply_method_return(m, "a(sss)", 0);
}

static int method_config(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        return sd_bus_reply_method_return(m, "a{sv}", 1, "MinLetterCount", "i", QUERY_LEAST);
}

/* What was found stays for the next time. */
static int method_teardown(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        return sd_bus_reply_method_return(m, NULL);
}

static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_NAMES("Match", "s", SD_BUS_PARAM(query), "a(sssida{sv})",
                SD_BUS_PARAM(matches), method_match, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_NAMES("Run", "ss", SD_BUS_PARAM(matchId) SD_BUS_PARAM(actionId), NULL, ,
                method_run, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_NAMES("SetActivationToken", "s", SD_BUS_PARAM(token), NULL, ,
                method_token, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_NAMES("Actions", NULL, , "a(sss)", SD_BUS_PARAM(actions), method_actions,
                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_NAMES("Config", NULL, , "a{sv}", SD_BUS_PARAM(config), method_config,
                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Teardown", NULL, NULL, method_teardown, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

int runner_add(Runner *runner)
{
        return sd_bus_add_object_vtable(session_bus(runner->session), NULL, RUNNER_PATH,
                "org.kde.krunner1", vtable, runner);
}
