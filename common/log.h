/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The journal's native protocol when stderr is the journal ($JOURNAL_STREAM), else lines on stderr.
 * Never blocks: a line that the journal cannot take at once is dropped and counted, and the count
 * is said with the next line that passes. Keys and the text of messages are never logged. */

#include <syslog.h>

#include "common/macro.h"

/* Call once at start; ident is the program's name (SYSLOG_IDENTIFIER=). Reads CONDUCTOR_LOG_LEVEL.
 */
void log_open(const char *ident);
/* The same with another socket in the journal's place: for tests. */
void log_open_at(const char *ident, const char *journal_socket);

void log_set_max_level(int level); /* LOG_ERR … LOG_DEBUG */
int log_get_max_level(void);

/* "journal", or "console" for lines on stderr, as org.freedesktop.LogControl1 has them. */
const char *log_get_target(void);

/* "err", "warning", …, as org.freedesktop.LogControl1 has them; negative errno when unknown. */
const char *log_level_to_string(int level);
int log_level_from_string(const char *s);

/* error is a negative errno, or 0; %m in the format is its text. Returns error. */
int log_internal(int level, int error, const char *file, int line, const char *func,
        const char *format, ...) _printf_(6, 7);

/* fields: "KEY=format" pairs are not parsed; give whole strings "CONDUCTOR_REPLY=12", NULL-ended.
 * message_id: 32 hex digits from common/message-ids.h, or NULL. */
int log_struct_internal(int level, int error, const char *file, int line, const char *func,
        const char *message_id, const char *const *fields, const char *format, ...) _printf_(8, 9);

#define log_full_errno(level, error, ...) \
        ({ \
                int _level = (level), _error = (error); \
                _level <= log_get_max_level() \
                        ? log_internal(_level, _error, __FILE__, __LINE__, __func__, __VA_ARGS__) \
                        : _error; \
        })
#define log_full(level, ...) (void) log_full_errno(level, 0, __VA_ARGS__)

#define log_debug(...)   log_full(LOG_DEBUG, __VA_ARGS__)
#define log_info(...)    log_full(LOG_INFO, __VA_ARGS__)
#define log_notice(...)  log_full(LOG_NOTICE, __VA_ARGS__)
#define log_warning(...) log_full(LOG_WARNING, __VA_ARGS__)
#define log_error(...)   log_full(LOG_ERR, __VA_ARGS__)

#define log_debug_errno(error, ...)   log_full_errno(LOG_DEBUG, error, __VA_ARGS__)
#define log_info_errno(error, ...)    log_full_errno(LOG_INFO, error, __VA_ARGS__)
#define log_notice_errno(error, ...)  log_full_errno(LOG_NOTICE, error, __VA_ARGS__)
#define log_warning_errno(error, ...) log_full_errno(LOG_WARNING, error, __VA_ARGS__)
#define log_error_errno(error, ...)   log_full_errno(LOG_ERR, error, __VA_ARGS__)
#define log_oom()                     log_error_errno(-ENOMEM, "Out of memory.")

/* log_struct(LOG_INFO, MESSAGE_REPLY_ENDED, ((const char *const[]){ field, NULL }), "Reply ended.")
 */
#define log_struct(level, message_id, fields, ...) \
        (void) ((level) <= log_get_max_level() \
                        ? log_struct_internal(level, 0, __FILE__, __LINE__, __func__, message_id, \
                                  fields, __VA_ARGS__) \
                        : 0)
