/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/surface/surface.h"

#include "common/utf8.h"

#define NO_FOCUS "/"

struct Surfaces {
        Surface *first, *last; /* in the order of their numbers */
        unsigned n, n_active;
        uint32_t number; /* the last one given; never given twice in a run */
};

struct Surface {
        Surfaces *surfaces; /* set when it is linked */
        Surface *next, *previous;
        uint32_t number;
        char *name, *focus;
        SurfaceCapability capabilities;
        bool passive;
        void *userdata;
        surface_destroy_t destroy;
};

static const struct {
        SurfaceCapability capability;
        const char *name;
} capability_table[] = {
        { SURFACE_TEXT, "text" },
        { SURFACE_AVATAR, "avatar" },
        { SURFACE_NOTIFY, "notify" },
        { SURFACE_COMMAND, "command" },
};

int surfaces_new(Surfaces **ret)
{
        Surfaces *s;

        s = calloc(1, sizeof *s);
        if (!s)
                return -ENOMEM;
        *ret = s;
        return 0;
}

Surfaces *surfaces_free(Surfaces *s)
{
        if (!s)
                return NULL;
        while (s->first)
                surface_free(s->first);
        return mfree(s);
}

Surface *surface_free(Surface *s)
{
        Surfaces *all;

        if (!s)
                return NULL;
        all = s->surfaces;
        if (all) {
                *(s->previous ? &s->previous->next : &all->first) = s->next;
                *(s->next ? &s->next->previous : &all->last) = s->previous;
                all->n--;
                all->n_active -= !s->passive;
        }
        if (s->destroy)
                s->destroy(s->userdata);
        free(s->name);
        free(s->focus);
        return mfree(s);
}

static int read_capabilities(char *const *names, SurfaceCapability *ret, Failure *failure)
{
        SurfaceCapability all = 0;
        unsigned n = 0;

        for (; *names; names++) {
                SurfaceCapability found = 0;

                if (++n > SURFACE_CAPABILITIES_MAX)
                        return failure_set(failure, FAILURE_TOO_LARGE,
                                "A surface has at most %u capabilities.", SURFACE_CAPABILITIES_MAX);
                for (size_t i = 0; i < ELEMENTSOF(capability_table); i++)
                        if (streq(capability_table[i].name, *names))
                                found = capability_table[i].capability;
                if (found == 0) {
                        _cleanup_free_ char *shown = NULL;

                        (void) utf8_sanitize_line(*names, strlen(*names), 64, &shown);
                        return failure_set(failure, FAILURE_INVALID_ARGUMENT,
                                "There is no capability '%s'; there are text, avatar, notify and "
                                "command.",
                                strempty(shown));
                }
                all |= found;
        }
        *ret = all;
        return 0;
}

static int check_name(const char *name, Failure *failure)
{
        size_t n = strlen(name);

        if (n > SURFACE_NAME_MAX)
                return failure_set(failure, FAILURE_TOO_LARGE,
                        "A surface's name has at most %u bytes.", SURFACE_NAME_MAX);
        if (n == 0 || !utf8_is_clean_line(name, n))
                return failure_set(failure, FAILURE_INVALID_ARGUMENT,
                        "A surface's name is one line of text without control characters, and not "
                        "empty.");
        return 0;
}

DEFINE_CLEANUP(Surface *, surface_free)

int surface_new(Surfaces *all, const char *name, char *const *capabilities, bool passive,
        Surface **ret, Failure *failure)
{
        _cleanup_(surface_freep) Surface *s = NULL;
        SurfaceCapability known = 0;
        int r;

        r = check_name(name, failure);
        if (r < 0)
                return r;
        r = read_capabilities(capabilities, &known, failure);
        if (r < 0)
                return r;
        if (all->n >= SURFACES_MAX)
                return failure_set(failure, FAILURE_BUSY,
                        "There are %u surfaces already, the most that there can be: close one.",
                        SURFACES_MAX);

        s = calloc(1, sizeof *s);
        if (!s)
                return failure_set(failure, FAILURE_NO_MEMORY, NULL);
        s->name = strdup(name);
        s->focus = strdup(NO_FOCUS);
        if (!s->name || !s->focus)
                return failure_set(failure, FAILURE_NO_MEMORY, NULL);
        s->capabilities = known;
        s->passive = passive;

        s->number = ++all->number;
        s->previous = all->last;
        *(all->last ? &all->last->next : &all->first) = s;
        all->last = s;
        all->n++;
        all->n_active += !passive;
        s->surfaces = all;

        *ret = TAKE_PTR(s);
        return 0;
}

void surface_set_userdata(Surface *s, void *userdata, surface_destroy_t destroy)
{
        s->userdata = userdata;
        s->destroy = destroy;
}

void *surface_userdata(const Surface *s)
{
        return s->userdata;
}

uint32_t surface_number(const Surface *s)
{
        return s->number;
}

const char *surface_name(const Surface *s)
{
        return s->name;
}

SurfaceCapability surface_capabilities(const Surface *s)
{
        return s->capabilities;
}

const char *surface_capability_to_string(SurfaceCapability capability)
{
        for (size_t i = 0; i < ELEMENTSOF(capability_table); i++)
                if (capability_table[i].capability == capability)
                        return capability_table[i].name;
        return NULL;
}

const char *surface_focus(const Surface *s)
{
        return s->focus;
}

int surface_set_focus(Surface *s, const char *path)
{
        int r;

        if (streq(s->focus, path))
                return 0;
        r = free_and_strdup(&s->focus, path);
        return r < 0 ? r : 1;
}

Surface *surfaces_find(Surfaces *all, uint32_t number)
{
        for (Surface *s = all->first; s; s = s->next)
                if (s->number == number)
                        return s;
        return NULL;
}

Surface *surfaces_next(Surfaces *all, Surface *after)
{
        return after ? after->next : all->first;
}

unsigned surfaces_count(const Surfaces *all)
{
        return all->n;
}

unsigned surfaces_active(const Surfaces *all)
{
        return all->n_active;
}

bool surfaces_any_focus(Surfaces *all, const char *path)
{
        for (Surface *s = all->first; s; s = s->next)
                if (streq(s->focus, path))
                        return true;
        return false;
}
