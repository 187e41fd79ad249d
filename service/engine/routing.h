/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Which engine and model a name means. Pure: what is known of the engines goes in, a decision comes
 * out. */

#include "common/failure.h"
#include "service/config/config.h"
#include "service/engine/engines.h"
#include "service/engine/wire.h"

typedef struct RouteEngine {
        const EngineConfig *config;
        const char *display; /* its url as messages show it */
        const char *last_error;
        EngineState state;
        bool known;       /* state and models are what it said lately */
        bool key_refused; /* it refuses because of its key: it is there, and meant */
        bool may_start;   /* it is not up, and can be started */
        const WireModel *models;
        size_t n_models;
} RouteEngine;

typedef struct RouteQuery {
        const RouteEngine *engines;
        size_t n_engines;
        const char *model;         /* as asked; "" = the default */
        const char *default_model; /* the one set, "" = none */
        const char *last_model;    /* the one used last, "" = none */
        bool verify;               /* the last model counts only where its engine lists it */
} RouteQuery;

typedef struct Route {
        size_t engine;     /* index */
        const char *model; /* as the engine names it; belongs to the query */
} Route;

typedef enum RouteResult {
        ROUTE_FOUND = 0,
        ROUTE_ASK = 1,   /* it depends on engines that are not known: ask them first */
        ROUTE_START = 2, /* no engine that is up will do, as failure says: others may be started */
} RouteResult;

/* A RouteResult, or a negative errno with failure set. */
int route_model(const RouteQuery *q, Route *ret, Failure *failure);

/* The model that the engine knows by this name (":latest" implied, as Ollama has it), or NULL. */
const WireModel *route_find_model(const WireModel *models, size_t n, const char *name);
