/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Who draws: each registered surface, what it can do, and which conversation it shows to a person.
 */

#include "common/failure.h"

#define SURFACES_MAX             64U
#define SURFACE_NAME_MAX         256U /* bytes */
#define SURFACE_CAPABILITIES_MAX 16U

typedef enum SurfaceCapability {
        SURFACE_TEXT = 1 << 0,
        SURFACE_AVATAR = 1 << 1,
        SURFACE_NOTIFY = 1 << 2,
        SURFACE_COMMAND = 1 << 3,
} SurfaceCapability;

typedef struct Surfaces Surfaces;
typedef struct Surface Surface;

int surfaces_new(Surfaces **ret);
Surfaces *surfaces_free(Surfaces *s);
DEFINE_CLEANUP(Surfaces *, surfaces_free)

/* FAILURE_BUSY over SURFACES_MAX. capabilities: names, NULL-ended; an unknown one is
 * FAILURE_INVALID_ARGUMENT and named. */
int surface_new(Surfaces *all, const char *name, char *const *capabilities, bool passive,
        Surface **ret, Failure *failure);
Surface *surface_free(Surface *s); /* unlinks itself */

/* What its face keeps with it; destroy is called with it when the surface is freed. */
typedef void (*surface_destroy_t)(void *userdata);
void surface_set_userdata(Surface *s, void *userdata, surface_destroy_t destroy);
void *surface_userdata(const Surface *s);

/* "text"; NULL for what is not exactly one capability. */
const char *surface_capability_to_string(SurfaceCapability capability);

uint32_t surface_number(const Surface *s);
const char *surface_name(const Surface *s);
SurfaceCapability surface_capabilities(const Surface *s);
const char *surface_focus(const Surface *s);         /* an object path, "/" = none */
int surface_set_focus(Surface *s, const char *path); /* 1 = it is another one now */

Surface *surfaces_find(Surfaces *all, uint32_t number);
Surface *surfaces_next(Surfaces *all, Surface *after);
unsigned surfaces_count(const Surfaces *all);
unsigned surfaces_active(const Surfaces *all); /* not passive: reasons to stay */
bool surfaces_any_focus(Surfaces *all, const char *path);
