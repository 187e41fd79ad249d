/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/desktop/provider-bus.h"

#include "client/bus/limits.h"
#include "client/desktop/launch-bus.h"
#include "client/desktop/names.h"
#include "common/buffer.h"
#include "common/paths.h"

#define METAS_MAX 256U /* asked for at once */

/* ---- searching ---- */

static int reply_ids(sd_bus_message *call, const Hit *hits, size_t n)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        char id[PLACE_MAX];
        int r;

        r = sd_bus_message_new_method_return(call, &m);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "s");
        for (size_t i = 0; i < n && r >= 0; i++) {
                place_format(&hits[i].place, id);
                r = sd_bus_message_append(m, "s", id);
        }
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_send(sd_bus_message_get_bus(call), m, NULL);
}

/* The terms as the service's query; what does not fit is no search of a person. */
static int read_query(sd_bus_message *m, char **ret)
{
        _cleanup_buffer_ Buffer query = BUFFER_INIT(QUERY_MAX);
        _cleanup_(strv_freep) char **terms = NULL;
        int r;

        r = sd_bus_message_read_strv(m, &terms);
        for (size_t i = 0; r >= 0 && terms && terms[i]; i++)
                r = buffer_append_format(&query, "%s%s", i > 0 ? " " : "", terms[i]);
        if (r == -EFBIG) {
                buffer_clear(&query);
                r = 0;
        }
        return r < 0 ? r : buffer_steal(&query, ret, NULL);
}

static int search_for_call(Provider *p, sd_bus_message *m)
{
        _cleanup_free_ char *query = NULL;
        int r;

        r = read_query(m, &query);
        return r < 0 ? r : search_begin(p->search, m, query, reply_ids);
}

static int method_initial(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        return search_for_call(ASSERT_PTR(userdata), m);
}

/* What matches more terms is found again: what was found before was cut. */
static int method_subsearch(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        int r = sd_bus_message_skip(m, "as");

        return r < 0 ? r : search_for_call(ASSERT_PTR(userdata), m);
}

/* ---- what was found ---- */

/* The shell shows nothing at all unless each id is answered, so a forgotten one is, too. */
static int append_meta(sd_bus_message *m, const Search *s, const char *id)
{
        const Hit *h = NULL;
        Place place;

        if (place_parse(id, &place) >= 0)
                h = search_find(s, &place);
        return sd_bus_message_append(m, "a{sv}", 4, "id", "s", id, "name", "s",
                h ? h->title : "Conversation", "description", "s", h ? h->snippet : "", "gicon",
                "s", APPLICATION_ID);
}

static int method_metas(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Provider *p = ASSERT_PTR(userdata);
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
        _cleanup_(strv_freep) char **ids = NULL;
        int r;

        r = sd_bus_message_read_strv(m, &ids);
        if (r >= 0)
                r = sd_bus_message_new_method_return(m, &answer);
        if (r >= 0)
                r = sd_bus_message_open_container(answer, 'a', "a{sv}");
        for (size_t i = 0; r >= 0 && ids && ids[i] && i < METAS_MAX; i++)
                r = append_meta(answer, p->search, ids[i]);
        if (r >= 0)
                r = sd_bus_message_close_container(answer);
        return r < 0 ? r : sd_bus_send(sd_bus_message_get_bus(m), answer, NULL);
}

/* ---- opening ---- */

static int method_activate(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        const Provider *p = ASSERT_PTR(userdata);
        const char *id;
        Place place;
        int r;

        r = sd_bus_message_read(m, "s", &id);
        if (r < 0)
                return r;
        if (place_parse(id, &place) < 0)
                return sd_bus_error_set(
                        error, SD_BUS_ERROR_INVALID_ARGS, "This result is not one of ours.");
        return launch_at(p->session, &place, /* token= */ NULL, m);
}

static int method_launch(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        const Provider *p = ASSERT_PTR(userdata);
        _cleanup_free_ char *query = NULL, *option = NULL;
        int r;

        r = read_query(m, &query);
        if (r < 0)
                return r;
        if (asprintf(&option, "--search=%s", query) < 0) {
                option = NULL;
                return -ENOMEM;
        }
        return launch_client(p->session, (const char *const[]){ option, NULL }, NULL, m);
}

static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_NAMES("GetInitialResultSet", "as", SD_BUS_PARAM(terms), "as",
                SD_BUS_PARAM(results), method_initial, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_NAMES("GetSubsearchResultSet", "asas",
                SD_BUS_PARAM(previous_results) SD_BUS_PARAM(terms), "as", SD_BUS_PARAM(results),
                method_subsearch, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_NAMES("GetResultMetas", "as", SD_BUS_PARAM(identifiers), "aa{sv}",
                SD_BUS_PARAM(metas), method_metas, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_NAMES("ActivateResult", "sasu",
                SD_BUS_PARAM(identifier) SD_BUS_PARAM(terms) SD_BUS_PARAM(timestamp), NULL, ,
                method_activate, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_NAMES("LaunchSearch", "asu", SD_BUS_PARAM(terms) SD_BUS_PARAM(timestamp),
                NULL, , method_launch, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

int provider_add(Provider *provider)
{
        return sd_bus_add_object_vtable(session_bus(provider->session), NULL, PROVIDER_PATH,
                "org.gnome.Shell.SearchProvider2", vtable, provider);
}
