/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The configuration: conductor.conf with drop-ins, engines.d/NAME.conf, read from
 * /usr/lib/conductor, /etc/conductor and $XDG_CONFIG_HOME/conductor in systemd's way (a file of the
 * same name in a later folder replaces the earlier one; /dev/null masks it; drop-ins are sorted by
 * name over all folders). Lenient: an unknown key or a bad value is one warning with file and line,
 * and the default stays. */

#include "common/macro.h"

#define CONFIG_FILE_MAX       MIB(1) /* bytes of one file; a larger one is ignored with a warning */
#define CONFIG_DROPINS_MAX    256U
#define CONFIG_ENGINES_MAX    64U
#define CONFIG_MODELS_MAX     256U /* aliases of one engine */
#define MODEL_NAME_MAX        256U /* bytes; of an alias, too */
#define CONFIG_ATTRIBUTES_MAX 16U  /* of one secret */

typedef enum EngineType {
        ENGINE_OLLAMA,
        ENGINE_OPENAI,
        ENGINE_ANTHROPIC,
        ENGINE_BUILTIN,
        _ENGINE_TYPE_MAX,
        _ENGINE_TYPE_INVALID = -EINVAL,
} EngineType;

const char *engine_type_to_string(EngineType t);

typedef struct ModelAlias {
        char *alias, *model; /* Models=fast=qwen2.5:0.5b big=llama3:70b plain-name */
} ModelAlias;

/* One engines.d/NAME.conf, or one found in the environment or at its usual place. Engines are
 * looked for only where no engines.d file is (a mask is none: it only hides the found one of its
 * name); `builtin` is always there, unless all engine files are useless: it must not answer in
 * their place. A file without Type= or with a bad Url= makes no engine: what was meant for one
 * server never goes to another. Strings are never NULL. */
typedef struct EngineConfig {
        char *name;
        EngineType type;
        char *url; /* scheme://host[:port][/path], no trailing slash; "" for builtin */
        ModelAlias *models;
        size_t n_models;
        unsigned max_concurrent; /* 0 = no limit; default: ollama 1 (more would only wait in it),
                                    openai and anthropic 4 on this machine and 16 elsewhere,
                                    builtin 0 */
        char *keep_alive;        /* ollama's, as given; "" = unset */
        uint64_t context_size;   /* 0 = what the engine says */
        uint64_t max_tokens;     /* 0 = the engine's own (anthropic: 4,096) */
        /* USEC_INFINITY = none. Until there is a connection: 10 s. Then until the answer's first
         * byte: none on this machine, where a model may be loading for minutes, 600 s elsewhere.
         * Between two bytes of the answer: 300 s. */
        usec_t connect_timeout, first_byte_timeout, stall_timeout;
        char *unit; /* of the user manager, started before the first request; "" = none */
        char *key_credential, *key_secret, *key_file; /* "" = none */
        char *key_environment; /* KeyEnvironment=, and what found ones read: OPENAI_API_KEY; "" */
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
        char **warnings; /* "file:line: …", NULL-ended; values are not repeated in them, one may
                            be a key that somebody wrote into the wrong place */
        char *unread;    /* why it is only a part: the machine failed to read the rest; or NULL */
        char *directory; /* $XDG_CONFIG_HOME/conductor */
} Config;

/* Blocks: call it before READY or on a worker. Never fails for what a file says (warnings tell):
 * only -ENOMEM, or -ENXIO for a user without a home. */
int config_load(Config **ret);
Config *config_free(Config *c);
DEFINE_CLEANUP(Config *, config_free)

/* The same from other folders than path_config_dirs(): each later one over the earlier, the last is
 * the user's own. */
int config_load_from(char *const *folders, Config **ret);

/* The attributes that KeySecret= has: name=value words, a value with blanks in "double quotes".
 * *ret: names and values in turn, at least one of each; strv_free(). -EINVAL. */
int config_parse_attributes(const char *text, char ***ret);

/* The folders to watch with inotify, NULL-ended; strv_free(). The user's own are made where they
 * are missing (0700); of the others those that are there. */
int config_watched_folders(char ***ret);
