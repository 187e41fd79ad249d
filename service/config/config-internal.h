/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the files of this room share; for nobody else. */

#include "service/config/config.h"

/* ---- warnings (config-warnings.c) ---- */

#define CONFIG_WARNINGS_MAX 256U

typedef struct ConfigWarnings {
        char **list; /* NULL-ended */
        size_t n;
        char *unread; /* the first that config_note_unread() was told, a sentence, or NULL */
} ConfigWarnings;

/* Line 0 = the file as a whole. Only -ENOMEM. */
int config_warn(ConfigWarnings *w, const char *file, unsigned line, const char *format, ...)
        _printf_(4, 5);

/* What is there could not be read. Where that is for the machine and not for the file itself to
 * mend, what is loaded is only a part of the configuration. Only -ENOMEM. */
int config_note_unread(ConfigWarnings *w, const char *path, int error);

/* ---- which files there are (config-files.c) ---- */

typedef struct ConfigFile {
        char *name, *path; /* name: without folder */
        bool masked;       /* empty, or /dev/null */
} ConfigFile;

typedef struct ConfigFiles {
        ConfigFile *files; /* sorted by name */
        size_t n;
} ConfigFiles;

void config_files_done(ConfigFiles *f);

/* All *.conf below each folder's subfolder, a later folder's in place of an earlier one's of the
 * same name. More than maximum of them: the rest is left out with a warning. */
int config_list_files(char *const *folders, const char *subfolder, size_t maximum,
        ConfigWarnings *warnings, ConfigFiles *ret);

/* The last folder's file of this name: *ret is NULL when there is none, or a mask.
 * The caller frees. */
int config_find_file(char *const *folders, const char *name, char **ret);

/* ---- reading one (config-reader.c) ---- */

/* Reads a value into its field. -EINVAL: it is not what was expected; the field is unchanged. An
 * empty value gives the field its default back. */
typedef int (*config_read_value_t)(const char *value, void *field);

typedef struct ConfigSetting {
        const char *section, *key;
        config_read_value_t read;
        size_t offset;        /* of the field */
        const char *expected; /* in words, after "wants" */
} ConfigSetting;

typedef struct ConfigTable {
        const ConfigSetting *settings;
        size_t n;
} ConfigTable;

/* object is what the offsets are in. refused: called for a bad value of one of the settings, after
 * the warning; or NULL. Returns -ENOMEM only. */
int config_read_file(const char *path, const ConfigTable *table, void *object,
        void (*refused)(const char *key, void *object), ConfigWarnings *warnings);

int config_read_string(const char *value, void *field);  /* char *: clean line, at most 4 KiB */
int config_read_path(const char *value, void *field);    /* char *: absolute, or "" */
int config_read_url(const char *value, void *field);     /* char *: config_url_normalize() */
int config_read_timeout(const char *value, void *field); /* usec_t: over 0; 0 = unset */
int config_read_secret(const char *value, void *field);  /* char *: config_parse_attributes() */
int config_read_number(const char *value, void *field);  /* uint64_t; "" = 0 */

/* ---- addresses (config-url.c) ---- */

/* scheme://host[:port][/path], http or https, without a slash at the end; scheme and host in small
 * letters. -EINVAL for anything else, a user's name or password in it included. The caller frees.
 */
int config_url_normalize(const char *url, char **ret);
bool config_url_is_local(const char *url); /* a normalized one: this machine */

/* ---- engines (config-engine.c, config-found.c) ---- */

typedef struct EngineList {
        EngineConfig *engines;
        size_t n;
} EngineList;

void engine_list_done(EngineList *l);

/* Allocates all strings; url and source are copied. */
int engine_config_init(
        EngineConfig *e, const char *name, EngineType type, const char *url, const char *source);
void engine_config_done(EngineConfig *e);
/* Gives what no file said its default, which depends on type and url. */
void engine_config_complete(EngineConfig *e);
const char *engine_type_default_url(EngineType t);

/* Takes the engine's content over, also on failure. */
int engine_list_add(EngineList *l, EngineConfig *e);

int config_load_engines(char *const *folders, EngineList *ret, ConfigWarnings *warnings);

/* Appends the engines that users have at their usual places, except those named in masks. */
int config_find_engines(EngineList *l, const ConfigFiles *masks, ConfigWarnings *warnings);
bool config_is_masked(const ConfigFiles *files, const char *engine);

/* $OLLAMA_HOST as Ollama's own client reads it. NULL or "" = its usual place. -EINVAL. The
 * caller frees. */
int config_ollama_url(const char *host, char **ret);
