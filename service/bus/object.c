/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/bus/object.h"

#define INTROSPECT_HEAD \
        "<!DOCTYPE node PUBLIC \"-//freedesktop//DTD D-BUS Object Introspection 1.0//EN\"\n" \
        " \"http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd\">\n"
#define ANNOTATION(name, value) \
        "   <annotation name=\"org.freedesktop.DBus." name "\" value=\"" value "\"/>\n"

int bus_object_register(sd_bus *bus, const BusObject *root, void *userdata)
{
        int r;

        for (size_t i = 0; i < root->n_interfaces; i++) {
                const BusInterface *f = root->interfaces + i;

                if (f->find)
                        r = sd_bus_add_fallback_vtable(
                                bus, NULL, root->path, f->name, f->vtable, f->find, userdata);
                else
                        r = sd_bus_add_object_vtable(
                                bus, NULL, root->path, f->name, f->vtable, userdata);
                if (r < 0)
                        return r;
        }

        if (root->enumerate) {
                r = sd_bus_add_node_enumerator(bus, NULL, root->path, root->enumerate, userdata);
                if (r < 0)
                        return r;
        }

        for (const BusObject *const *child = root->children; child && *child; child++) {
                r = bus_object_register(bus, *child, userdata);
                if (r < 0)
                        return r;
        }

        return 0;
}

static const BusInterface *find_interface(
        const BusObject *o, const char *path, const char *interface)
{
        for (size_t i = 0; i < o->n_interfaces; i++) {
                const BusInterface *f = o->interfaces + i;

                if (streq(f->name, interface) &&
                        (f->find ? startswith(path, o->path) != NULL : streq(path, o->path)))
                        return f;
        }
        for (const BusObject *const *child = o->children; child && *child; child++) {
                const BusInterface *found = find_interface(*child, path, interface);

                if (found)
                        return found;
        }
        return NULL;
}

static const sd_bus_vtable *find_property(const BusInterface *interface, const char *name)
{
        for (const sd_bus_vtable *v = interface->vtable; v->type != _SD_BUS_VTABLE_END; v++)
                if ((v->type == _SD_BUS_VTABLE_PROPERTY ||
                            v->type == _SD_BUS_VTABLE_WRITABLE_PROPERTY) &&
                        streq(v->x.property.member, name))
                        return v;
        return NULL;
}

static int append_property(sd_bus_message *m, const char *path, const BusInterface *interface,
        const char *name, void *object)
{
        const sd_bus_vtable *v = find_property(interface, name);
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        if (!v)
                return -ENOENT;
        r = sd_bus_message_open_container(m, SD_BUS_TYPE_DICT_ENTRY, "sv");
        if (r < 0)
                return r;
        r = sd_bus_message_append_basic(m, SD_BUS_TYPE_STRING, name);
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(m, SD_BUS_TYPE_VARIANT, v->x.property.signature);
        if (r < 0)
                return r;
        r = v->x.property.get(
                sd_bus_message_get_bus(m), path, interface->name, name, m, object, &error);
        if (r < 0)
                return r;
        r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

int bus_object_append_changed(sd_bus_message *m, const BusObject *root, const char *path,
        const char *interface, const char *const *names, void *userdata)
{
        const BusInterface *f = find_interface(root, path, interface);
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        void *object = userdata;
        int r;

        if (!f)
                return -ENOENT;
        if (f->find) {
                r = f->find(sd_bus_message_get_bus(m), path, interface, userdata, &object, &error);
                if (r <= 0)
                        return r < 0 ? r : -ENOENT;
        }
        r = sd_bus_message_append_basic(m, SD_BUS_TYPE_STRING, interface);
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(m, SD_BUS_TYPE_ARRAY, "{sv}");
        for (; r >= 0 && *names; names++)
                r = append_property(m, path, f, *names, object);
        if (r < 0)
                return r;
        r = sd_bus_message_close_container(m);
        /* None is without its value. */
        return r < 0 ? r : sd_bus_message_append(m, "as", 0);
}

/* The length of the first complete type; the signature is a constant of ours. */
static size_t first_type(const char *signature)
{
        size_t n = strspn(signature, "a"), depth = 0;

        do {
                if (signature[n] == '(' || signature[n] == '{')
                        depth++;
                else if (signature[n] == ')' || signature[n] == '}')
                        depth--;
                assert(signature[n]);
                n++;
        } while (depth > 0);

        return n;
}

/* names are NUL-ended one after another; returns the first one that was not used. */
static const char *print_arguments(
        FILE *f, const char *signature, const char *names, const char *direction)
{
        for (const char *s = strempty(signature); *s; s += first_type(s)) {
                fprintf(f, "   <arg type=\"%.*s\"", (int) first_type(s), s);
                if (!isempty(names)) {
                        fprintf(f, " name=\"%s\"", names);
                        names += strlen(names) + 1;
                }
                if (direction)
                        fprintf(f, " direction=\"%s\"", direction);
                fputs("/>\n", f);
        }

        return names;
}

static void print_method(FILE *f, const sd_bus_vtable *v)
{
        const char *names;

        fprintf(f, "  <method name=\"%s\">\n", v->x.method.member);
        names = print_arguments(f, v->x.method.signature, v->x.method.names, "in");
        (void) print_arguments(f, v->x.method.result, names, "out");
        if (v->flags & SD_BUS_VTABLE_DEPRECATED)
                fputs(ANNOTATION("Deprecated", "true"), f);
        if (v->flags & SD_BUS_VTABLE_METHOD_NO_REPLY)
                fputs(ANNOTATION("Method.NoReply", "true"), f);
        fputs("  </method>\n", f);
}

static void print_signal(FILE *f, const sd_bus_vtable *v)
{
        fprintf(f, "  <signal name=\"%s\">\n", v->x.signal.member);
        (void) print_arguments(f, v->x.signal.signature, v->x.signal.names, /* direction= */ NULL);
        if (v->flags & SD_BUS_VTABLE_DEPRECATED)
                fputs(ANNOTATION("Deprecated", "true"), f);
        fputs("  </signal>\n", f);
}

static void print_property(FILE *f, const sd_bus_vtable *v)
{
        fprintf(f, "  <property name=\"%s\" type=\"%s\" access=\"%s\">\n", v->x.property.member,
                v->x.property.signature,
                v->type == _SD_BUS_VTABLE_WRITABLE_PROPERTY ? "readwrite" : "read");
        if (v->flags & SD_BUS_VTABLE_DEPRECATED)
                fputs(ANNOTATION("Deprecated", "true"), f);
        if (v->flags & SD_BUS_VTABLE_PROPERTY_CONST)
                fputs(ANNOTATION("Property.EmitsChangedSignal", "const"), f);
        else if (v->flags & SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION)
                fputs(ANNOTATION("Property.EmitsChangedSignal", "invalidates"), f);
        else if (!(v->flags & SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE))
                fputs(ANNOTATION("Property.EmitsChangedSignal", "false"), f);
        fputs("  </property>\n", f);
}

static void print_interface(FILE *f, const BusInterface *interface)
{
        fprintf(f, " <interface name=\"%s\">\n", interface->name);
        for (const sd_bus_vtable *v = interface->vtable; v->type != _SD_BUS_VTABLE_END; v++) {
                if (v->flags & SD_BUS_VTABLE_HIDDEN)
                        continue;
                switch (v->type) {
                case _SD_BUS_VTABLE_METHOD:
                        print_method(f, v);
                        break;
                case _SD_BUS_VTABLE_SIGNAL:
                        print_signal(f, v);
                        break;
                case _SD_BUS_VTABLE_PROPERTY:
                case _SD_BUS_VTABLE_WRITABLE_PROPERTY:
                        print_property(f, v);
                        break;
                default: /* _SD_BUS_VTABLE_START */
                        break;
                }
        }
        fputs(" </interface>\n", f);
}

static void print_object(FILE *f, const BusObject *o)
{
        fprintf(f, INTROSPECT_HEAD "<node name=\"%s\">\n", o->path);
        for (size_t i = 0; i < o->n_interfaces; i++)
                print_interface(f, o->interfaces + i);
        for (const BusObject *const *child = o->children; child && *child; child++) {
                const char *below = startswith((*child)->path, o->path);

                if (below && *below == '/')
                        fprintf(f, " <node name=\"%s\"/>\n", below + 1);
        }
        fputs("</node>\n", f);
}

static void print_paths(FILE *f, const BusObject *o)
{
        if (o->n_interfaces > 0)
                fprintf(f, "%s\n", o->path);
        for (const BusObject *const *child = o->children; child && *child; child++)
                print_paths(f, *child);
}

static const BusObject *find_object(const BusObject *o, const char *path)
{
        if (streq(o->path, path))
                return o;

        for (const BusObject *const *child = o->children; child && *child; child++) {
                const BusObject *found = find_object(*child, path);

                if (found)
                        return found;
        }

        return NULL;
}

int bus_object_introspect(FILE *f, const BusObject *root, const char *path)
{
        const BusObject *o;

        if (streq(path, "list")) {
                print_paths(f, root);
                return 0;
        }

        o = find_object(root, path);
        if (!o)
                return -ENOENT;

        print_object(f, o);
        return 0;
}
