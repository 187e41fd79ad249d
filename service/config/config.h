/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The configuration: conductor.conf with drop-ins, engines.d/NAME.conf, read from
 * /usr/lib/conductor, /etc/conductor and $XDG_CONFIG_HOME/conductor in systemd's way (a file of the
 * same name in a later folder replaces the earlier one; /dev/null masks it; drop-ins are sorted by
 * name over all folders). Lenient: an unknown key or a bad value is one warning with file and line,
 * and the default stays. */

#include "common/failure.h"
#include "common/macro.h"

typedef enum EngineType {
        ENGINE_OLLAMA,
        ENGINE_OPENAI,
        ENGINE_ANTHROPIC,
        ENGINE_BUILTIN,
        _ENGINE_TYPE_MAX,
        _ENGINE_TYPE_INVALID = -EINVAL,
} EngineType;

const char *engine_type_to_string(EngineType t);
EngineType engine_type_from_string(const char *s);

typedef struct ModelAlias {
        char *alias, *model; /* Models=fast=qwen2.5:0.5b big=llama3:70b plain-name */
} ModelAlias;

/* One engines.d/NAME.conf, or one found in the environment or at its usual place. */
typedef struct EngineConfig {
        char *name;
        EngineType type;
        char *url; /* scheme://host[:port][/path], no trailing slash; "" for builtin */
        ModelAlias *models;
        size_t n_models;
        unsigned max_concurrent; /* default: ollama 1 … see config.c; builtin 0 = no limit */
        char *keep_alive;        /* ollama's, as given; "" = unset */
        uint64_t context_size;   /* 0 = what the engine says */
        uint64_t max_tokens;     /* 0 = the engine's own (anthropic: 4,096) */
        usec_t connect_timeout, first_byte_timeout, stall_timeout; /* USEC_INFINITY = none */
        char *unit;
        char *key_credential, *key_secret, *key_file; /* "" = none */
        char *key_environment; /* the variable found ones read, e.g. OPENAI_API_KEY; "" */
        char *ca_file;
        char *proxy;  /* "" = from the environment (NO_PROXY honoured); "off"; a URL */
        bool found;   /* not from a file: its absence is no error */
        char *source; /* path of the file, or the variable's name, for messages */
} EngineConfig;

typedef struct Config {
        char *default_model; /* "" = rule */
        usec_t idle_timeout; /* default 5 min; USEC_INFINITY = never leave */
        usec_t trash_keep;   /* default 7 days; 0 = at once */
        bool avatar;         /* default true */
        int log_level;       /* -1 = unset */
        EngineConfig *engines;
        size_t n_engines;
        char **warnings; /* "file:line: …", NULL-ended */
        char *directory; /* $XDG_CONFIG_HOME/conductor */
} Config;

/* Blocks: call it before READY or on a worker. Never fails for what a file says (warnings tell);
 * -ENOMEM only. */
int config_load(Config **ret);
Config *config_free(Config *c);
DEFINE_CLEANUP(Config *, config_free)

/* The folders to watch with inotify, the user's own made first (0700), NULL-ended; freed by caller.
 */
int config_watched_folders(char ***ret);
