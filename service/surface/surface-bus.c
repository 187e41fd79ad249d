/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/surface/surface-bus.h"

#include "common/log.h"
#include "common/names.h"
#include "common/parse.h"
#include "common/paths.h"
#include "service/bus/error.h"
#include "service/bus/options.h"
#include "service/bus/property.h"
#include "service/conversation/conversation-bus.h"
#include "service/manager.h"

/* What stands behind a surface's object: whose it is. Freed with the surface. */
typedef struct SurfaceFace {
        Manager *manager;
        Surface *surface;
        Peer *peer;
        PeerWatch *watch;
        char path[sizeof PATH_SURFACE "/4294967295"];
} SurfaceFace;

static void surface_face_free(void *userdata)
{
        SurfaceFace *f = userdata;

        if (!f)
                return;
        peer_watch_free(f->watch);
        free(f);
}

static void emit_changed(Manager *m, const char *path, const char *interface, const char *name)
{
        const char *const names[] = { name, NULL };
        int r;

        r = doors_emit_properties(m->doors, path, interface, names);
        if (r < 0)
                log_warning_errno(r, "%s of %s could not be sent, ignoring: %m", name, path);
}

static void on_peer_gone(Peer *p, void *userdata)
{
        SurfaceFace *f = ASSERT_PTR(userdata);
        Manager *m = f->manager;

        log_debug("Surface %u is gone with its connection.", surface_number(f->surface));
        surface_free(f->surface);
        emit_changed(m, PATH_ROOT, INTERFACE_MANAGER, "Surfaces");
}

/* ---- RegisterSurface ---- */

/* The face is the surface's from here on, also on failure. */
static int attach_face(Manager *m, Surface *s, Peer *peer, SurfaceFace **ret)
{
        SurfaceFace *f;
        int r;

        f = calloc(1, sizeof *f);
        if (!f)
                return -ENOMEM;
        f->manager = m;
        f->surface = s;
        f->peer = peer;
        (void) snprintf(f->path, sizeof f->path, PATH_SURFACE "/%u", surface_number(s));
        surface_set_userdata(s, f, surface_face_free);

        r = peer_watch(peer, on_peer_gone, f, &f->watch);
        if (r < 0)
                return r;
        *ret = f;
        return 0;
}

int surface_method_register(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Manager *manager = ASSERT_PTR(userdata);
        _cleanup_(strv_freep) char **capabilities = NULL;
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        char *const none[] = { NULL };
        bool passive = false;
        const BusOption options[] = {
                { "passive", "b", &passive },
        };
        const char *name;
        SurfaceFace *face;
        Surface *surface;
        Peer *peer;
        int r;

        r = sd_bus_message_read(m, "s", &name);
        if (r < 0)
                return r;
        r = sd_bus_message_read_strv(m, &capabilities);
        if (r < 0)
                return r;
        r = bus_read_options(m, options, ELEMENTSOF(options), error);
        if (r < 0)
                return r;
        r = doors_get_peer(manager->doors, m, &peer);
        if (r < 0)
                return r;

        r = surface_new(manager->surfaces, name, capabilities ? capabilities : none, passive,
                &surface, &failure);
        if (r < 0)
                return bus_error_from_failure(error, &failure);
        r = attach_face(manager, surface, peer, &face);
        if (r < 0) {
                surface_free(surface);
                return r;
        }
        if (passive)
                peer_set_passive(peer, true);
        emit_changed(manager, PATH_ROOT, INTERFACE_MANAGER, "Surfaces");
        return sd_bus_reply_method_return(m, "o", face->path);
}

/* ---- the object ---- */

static int surface_object_find(sd_bus *bus, const char *path, const char *interface, void *userdata,
        void **ret_found, sd_bus_error *error)
{
        Manager *m = ASSERT_PTR(userdata);
        const char *tail = startswith(path, PATH_SURFACE "/");
        uint64_t number;
        Surface *s;

        if (!tail || tail[0] == '0' || parse_u64(tail, &number) < 0 || number > UINT32_MAX)
                return 0;
        s = surfaces_find(m->surfaces, (uint32_t) number);
        if (!s)
                return 0;
        *ret_found = surface_userdata(s);
        return 1;
}

static int surface_object_enumerate(
        sd_bus *bus, const char *prefix, void *userdata, char ***ret, sd_bus_error *error)
{
        Manager *m = ASSERT_PTR(userdata);
        _cleanup_(strv_freep) char **paths = NULL;
        size_t n = 0;

        paths = calloc(surfaces_count(m->surfaces) + 1, sizeof *paths);
        if (!paths)
                return -ENOMEM;
        for (Surface *s = surfaces_next(m->surfaces, NULL); s; s = surfaces_next(m->surfaces, s)) {
                const SurfaceFace *f = surface_userdata(s);

                paths[n] = strdup(f->path);
                if (!paths[n])
                        return -ENOMEM;
                n++;
        }
        *ret = TAKE_PTR(paths);
        return 0;
}

#define GETTER(name, type, value) \
        BUS_DEFINE_GETTER(name, type, const SurfaceFace *f = ASSERT_PTR(userdata), value)

GETTER(property_name, "s", surface_name(f->surface))
GETTER(property_focus, "o", surface_focus(f->surface))

static int property_capabilities(sd_bus *bus, const char *path, const char *interface,
        const char *property, sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        const SurfaceFace *f = ASSERT_PTR(userdata);
        SurfaceCapability all = surface_capabilities(f->surface);
        int r;

        r = sd_bus_message_open_container(reply, 'a', "s");
        if (r < 0)
                return r;
        for (unsigned bit = 1; bit <= all; bit <<= 1)
                if (all & bit) {
                        r = sd_bus_message_append(reply, "s", surface_capability_to_string(bit));
                        if (r < 0)
                                return r;
                }
        return sd_bus_message_close_container(reply);
}

/* *ret is NULL for "/". */
static int find_focus(Manager *m, const char *path, Conversation **ret, sd_bus_error *error)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        Conversation *c;

        if (streq(path, "/")) {
                *ret = NULL;
                return 0;
        }
        c = conversation_at(m, path);
        if (!c) {
                (void) failure_set(&failure, FAILURE_NO_SUCH_CONVERSATION, NULL);
                return bus_error_from_failure(error, &failure);
        }
        *ret = c;
        return 0;
}

/* The value is read before anything else: one that is left in the message closes the connection. */
static int property_set_focus(sd_bus *bus, const char *path, const char *interface,
        const char *property, sd_bus_message *value, void *userdata, sd_bus_error *error)
{
        SurfaceFace *f = ASSERT_PTR(userdata);
        Manager *m = f->manager;
        Conversation *c = NULL;
        const char *focus;
        Peer *peer;
        int r;

        r = sd_bus_message_read(value, "o", &focus);
        if (r < 0)
                return r;
        r = doors_get_peer(m->doors, value, &peer);
        if (r < 0)
                return r;
        if (peer != f->peer)
                return sd_bus_error_set(error, SD_BUS_ERROR_ACCESS_DENIED,
                        "Only the connection that registered a surface can set its focus.");
        r = find_focus(m, focus, &c, error);
        if (r < 0)
                return r;

        r = surface_set_focus(f->surface, focus);
        if (r < 0)
                return r;
        if (r > 0)
                emit_changed(m, f->path, INTERFACE_SURFACE, "Focus");
        if (c) {
                r = conversation_mark_read(c);
                if (r < 0)
                        log_warning_errno(
                                r, "A conversation could not be marked as read, ignoring: %m");
        }
        return 0;
}

/* clang-format off */
static const sd_bus_vtable surface_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Name", "s", property_name, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Capabilities", "as", property_capabilities, 0,
                SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_WRITABLE_PROPERTY("Focus", "o", property_focus, property_set_focus, 0,
                SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE | SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};
/* clang-format on */

static const BusInterface surface_interfaces[] = {
        { INTERFACE_SURFACE, surface_vtable, surface_object_find },
};

const BusObject surface_object = {
        .path = PATH_SURFACE,
        .interfaces = surface_interfaces,
        .n_interfaces = ELEMENTSOF(surface_interfaces),
        .enumerate = surface_object_enumerate,
};
