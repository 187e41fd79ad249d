/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the linker puts in the place of the calls of our own objects (--wrap, see meson.build). A
 * call that has an effect has none when it fails, as the real ones. */

#include <curl/curl.h>
#include <dirent.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "tests/torture/points.h"

/* returns: what the call gives when it fails; after it come the parameters and how they are passed
 * on. */
#define WRAP(kind, type, name, returns, parameters, arguments) \
        type __real_##name parameters; \
        type __wrap_##name parameters; \
        type __wrap_##name parameters \
        { \
                if (point_fails(kind, #name)) \
                        return returns; \
                return __real_##name arguments; \
        }

#define FAIL(error, value) (errno = (error), (value))

/* ---- memory ---- */

#define MEMORY(type, name, parameters, arguments) \
        WRAP(KIND_MEMORY, type, name, FAIL(ENOMEM, NULL), parameters, arguments)

MEMORY(void *, malloc, (size_t size), (size))
MEMORY(void *, calloc, (size_t n, size_t size), (n, size))
MEMORY(void *, realloc, (void *p, size_t size), (p, size))
MEMORY(void *, reallocarray, (void *p, size_t n, size_t size), (p, n, size))
MEMORY(char *, strdup, (const char *s), (s))
MEMORY(char *, strndup, (const char *s, size_t n), (s, n))
WRAP(KIND_MEMORY, int, vasprintf, FAIL(ENOMEM, -1), (char **ret, const char *format, va_list ap),
        (ret, format, ap))

int __wrap_asprintf(char **ret, const char *format, ...) _printf_(2, 3);
int __wrap_asprintf(char **ret, const char *format, ...)
{
        va_list ap;
        int r;

        if (point_fails(KIND_MEMORY, "asprintf"))
                return FAIL(ENOMEM, -1);
        va_start(ap, format);
        r = __real_vasprintf(ret, format, ap);
        va_end(ap);
        return r;
}

/* ---- system calls ---- */

#define SYSTEM(type, name, error, parameters, arguments) \
        WRAP(KIND_SYSTEM, type, name, FAIL(error, -1), parameters, arguments)

SYSTEM(ssize_t, read, EIO, (int fd, void *data, size_t size), (fd, data, size))
SYSTEM(ssize_t, pread64, EIO, (int fd, void *data, size_t size, off_t offset),
        (fd, data, size, offset))
SYSTEM(ssize_t, write, EIO, (int fd, const void *data, size_t size), (fd, data, size))
SYSTEM(ssize_t, pwrite64, ENOSPC, (int fd, const void *data, size_t size, off_t offset),
        (fd, data, size, offset))
SYSTEM(ssize_t, send, ENOBUFS, (int fd, const void *data, size_t size, int flags),
        (fd, data, size, flags))
SYSTEM(int, mkdir, ENOSPC, (const char *path, mode_t mode), (path, mode))
SYSTEM(int, rename, EIO, (const char *from, const char *to), (from, to))
SYSTEM(int, unlink, EIO, (const char *path), (path))
SYSTEM(int, chmod, EPERM, (const char *path, mode_t mode), (path, mode))
SYSTEM(int, fchmod, EPERM, (int fd, mode_t mode), (fd, mode))
SYSTEM(int, ftruncate64, ENOSPC, (int fd, off_t size), (fd, size))
SYSTEM(int, fstat64, EIO, (int fd, struct stat *st), (fd, st))
SYSTEM(int, stat64, EIO, (const char *path, struct stat *st), (path, st))
SYSTEM(int, lstat64, EIO, (const char *path, struct stat *st), (path, st))
SYSTEM(int, access, EACCES, (const char *path, int mode), (path, mode))
SYSTEM(ssize_t, readlink, EIO, (const char *path, char *target, size_t size), (path, target, size))
SYSTEM(int, pipe2, EMFILE, (int *ends, int flags), (ends, flags))
SYSTEM(int, socket, EMFILE, (int domain, int type, int protocol), (domain, type, protocol))
SYSTEM(int, bind, EADDRNOTAVAIL, (int fd, const struct sockaddr *a, socklen_t size), (fd, a, size))
SYSTEM(int, connect, ECONNREFUSED, (int fd, const struct sockaddr *a, socklen_t size),
        (fd, a, size))
SYSTEM(int, listen, EADDRINUSE, (int fd, int backlog), (fd, backlog))
SYSTEM(int, accept4, EMFILE, (int fd, struct sockaddr *a, socklen_t *size, int flags),
        (fd, a, size, flags))
SYSTEM(int, getsockopt, ENOBUFS, (int fd, int level, int option, void *value, socklen_t *size),
        (fd, level, option, value, size))
SYSTEM(int, eventfd, EMFILE, (unsigned int start, int flags), (start, flags))
SYSTEM(ssize_t, getrandom, ENOSYS, (void *data, size_t size, unsigned flags), (data, size, flags))
WRAP(KIND_SYSTEM, DIR *, opendir, FAIL(EMFILE, NULL), (const char *path), (path))
WRAP(KIND_SYSTEM, struct dirent *, readdir64, FAIL(EIO, NULL), (DIR * d), (d))
WRAP(KIND_SYSTEM, void *, mmap64, FAIL(ENOMEM, MAP_FAILED),
        (void *at, size_t size, int protection, int flags, int fd, off_t offset),
        (at, size, protection, flags, fd, offset))
WRAP(KIND_SYSTEM, int, pthread_create, EAGAIN,
        (pthread_t * thread, const pthread_attr_t *a, void *(*run)(void *), void *userdata),
        (thread, a, run, userdata))

int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...)
{
        mode_t mode = 0;
        va_list ap;

        if (point_fails(KIND_SYSTEM, "open"))
                return FAIL(EMFILE, -1);
        if (flags & (O_CREAT | __O_TMPFILE)) {
                va_start(ap, flags);
                mode = va_arg(ap, mode_t);
                va_end(ap);
        }
        return __real_open64(path, flags, mode);
}

int __real_fcntl64(int fd, int command, ...);
int __wrap_fcntl64(int fd, int command, ...);
int __wrap_fcntl64(int fd, int command, ...)
{
        va_list ap;
        void *value;

        if (point_fails(KIND_SYSTEM, "fcntl"))
                return FAIL(EMFILE, -1);
        va_start(ap, command);
        value = va_arg(ap, void *);
        va_end(ap);
        return __real_fcntl64(fd, command, value);
}

/* ---- sd-bus ---- */

#define BUS(name, parameters, arguments) WRAP(KIND_BUS, int, name, -ENOMEM, parameters, arguments)

BUS(sd_bus_new, (sd_bus * *ret), (ret))
BUS(sd_bus_start, (sd_bus * bus), (bus))
BUS(sd_bus_set_address, (sd_bus * bus, const char *address), (bus, address))
BUS(sd_bus_set_fd, (sd_bus * bus, int in, int out), (bus, in, out))
BUS(sd_bus_set_server, (sd_bus * bus, int b, sd_id128_t id), (bus, b, id))
BUS(sd_bus_set_sender, (sd_bus * bus, const char *name), (bus, name))
BUS(sd_bus_set_description, (sd_bus * bus, const char *text), (bus, text))
BUS(sd_bus_attach_event, (sd_bus * bus, sd_event *e, int priority), (bus, e, priority))
BUS(sd_bus_add_object_vtable,
        (sd_bus * bus, sd_bus_slot **slot, const char *path, const char *interface,
                const sd_bus_vtable *vtable, void *userdata),
        (bus, slot, path, interface, vtable, userdata))
BUS(sd_bus_add_fallback_vtable,
        (sd_bus * bus, sd_bus_slot **slot, const char *prefix, const char *interface,
                const sd_bus_vtable *vtable, sd_bus_object_find_t find, void *userdata),
        (bus, slot, prefix, interface, vtable, find, userdata))
BUS(sd_bus_add_node_enumerator,
        (sd_bus * bus, sd_bus_slot **slot, const char *path, sd_bus_node_enumerator_t f,
                void *userdata),
        (bus, slot, path, f, userdata))
BUS(sd_bus_add_filter,
        (sd_bus * bus, sd_bus_slot **slot, sd_bus_message_handler_t f, void *userdata),
        (bus, slot, f, userdata))
BUS(sd_bus_match_signal,
        (sd_bus * bus, sd_bus_slot **slot, const char *sender, const char *path,
                const char *interface, const char *member, sd_bus_message_handler_t f,
                void *userdata),
        (bus, slot, sender, path, interface, member, f, userdata))
BUS(sd_bus_request_name_async,
        (sd_bus * bus, sd_bus_slot **slot, const char *name, uint64_t flags,
                sd_bus_message_handler_t f, void *userdata),
        (bus, slot, name, flags, f, userdata))
BUS(sd_bus_release_name_async,
        (sd_bus * bus, sd_bus_slot **slot, const char *name, sd_bus_message_handler_t f,
                void *userdata),
        (bus, slot, name, f, userdata))
BUS(sd_bus_add_match_async,
        (sd_bus * bus, sd_bus_slot **slot, const char *match, sd_bus_message_handler_t f,
                sd_bus_message_handler_t installed, void *userdata),
        (bus, slot, match, f, installed, userdata))
BUS(sd_bus_send, (sd_bus * bus, sd_bus_message *m, uint64_t *cookie), (bus, m, cookie))
BUS(sd_bus_emit_properties_changed_strv,
        (sd_bus * bus, const char *path, const char *interface, char **names),
        (bus, path, interface, names))
BUS(sd_bus_error_set, (sd_bus_error * e, const char *name, const char *text), (e, name, text))
BUS(sd_bus_message_new_signal,
        (sd_bus * bus, sd_bus_message **ret, const char *path, const char *interface,
                const char *member),
        (bus, ret, path, interface, member))
BUS(sd_bus_message_new_method_return, (sd_bus_message * call, sd_bus_message **ret), (call, ret))
BUS(sd_bus_message_new_method_error,
        (sd_bus_message * call, sd_bus_message **ret, const sd_bus_error *e), (call, ret, e))
BUS(sd_bus_message_set_destination, (sd_bus_message * m, const char *name), (m, name))
BUS(sd_bus_message_open_container, (sd_bus_message * m, char type, const char *contents),
        (m, type, contents))
BUS(sd_bus_message_close_container, (sd_bus_message * m), (m))
BUS(sd_bus_message_appendv, (sd_bus_message * m, const char *types, va_list ap), (m, types, ap))
BUS(sd_bus_message_append_strv, (sd_bus_message * m, char **l), (m, l))
BUS(sd_bus_message_append_string_space, (sd_bus_message * m, size_t size, char **ret),
        (m, size, ret))
BUS(sd_bus_message_append_array, (sd_bus_message * m, char type, const void *data, size_t size),
        (m, type, data, size))
BUS(sd_bus_message_enter_container, (sd_bus_message * m, char type, const char *contents),
        (m, type, contents))
BUS(sd_bus_message_exit_container, (sd_bus_message * m), (m))
BUS(sd_bus_message_read_basic, (sd_bus_message * m, char type, void *ret), (m, type, ret))
BUS(sd_bus_message_read_array, (sd_bus_message * m, char type, const void **ret, size_t *ret_size),
        (m, type, ret, ret_size))
BUS(sd_bus_message_read_strv, (sd_bus_message * m, char ***ret), (m, ret))
BUS(sd_bus_message_peek_type, (sd_bus_message * m, char *type, const char **contents),
        (m, type, contents))

int __wrap_sd_bus_message_append(sd_bus_message *m, const char *types, ...);
int __wrap_sd_bus_message_append(sd_bus_message *m, const char *types, ...)
{
        va_list ap;
        int r;

        if (point_fails(KIND_BUS, "sd_bus_message_append"))
                return -ENOMEM;
        va_start(ap, types);
        r = __real_sd_bus_message_appendv(m, types, ap);
        va_end(ap);
        return r;
}

int __wrap_sd_bus_message_read(sd_bus_message *m, const char *types, ...);
int __wrap_sd_bus_message_read(sd_bus_message *m, const char *types, ...)
{
        va_list ap;
        int r;

        if (point_fails(KIND_BUS, "sd_bus_message_read"))
                return -ENOMEM;
        va_start(ap, types);
        r = sd_bus_message_readv(m, types, ap);
        va_end(ap);
        return r;
}

int __wrap_sd_bus_reply_method_return(sd_bus_message *call, const char *types, ...);
int __wrap_sd_bus_reply_method_return(sd_bus_message *call, const char *types, ...)
{
        va_list ap;
        int r;

        if (point_fails(KIND_BUS, "sd_bus_reply_method_return"))
                return -ENOMEM;
        va_start(ap, types);
        r = sd_bus_reply_method_returnv(call, types, ap);
        va_end(ap);
        return r;
}

int __wrap_sd_bus_call_method_async(sd_bus *bus, sd_bus_slot **slot, const char *destination,
        const char *path, const char *interface, const char *member, sd_bus_message_handler_t f,
        void *userdata, const char *types, ...);
int __wrap_sd_bus_call_method_async(sd_bus *bus, sd_bus_slot **slot, const char *destination,
        const char *path, const char *interface, const char *member, sd_bus_message_handler_t f,
        void *userdata, const char *types, ...)
{
        va_list ap;
        int r;

        if (point_fails(KIND_BUS, "sd_bus_call_method_async"))
                return -ENOMEM;
        va_start(ap, types);
        r = sd_bus_call_method_asyncv(
                bus, slot, destination, path, interface, member, f, userdata, types, ap);
        va_end(ap);
        return r;
}

/* ---- sd-event ---- */

#define LOOP(name, parameters, arguments) WRAP(KIND_LOOP, int, name, -ENOMEM, parameters, arguments)

LOOP(sd_event_new, (sd_event * *ret), (ret))
LOOP(sd_event_set_watchdog, (sd_event * e, int b), (e, b))
LOOP(sd_event_add_defer,
        (sd_event * e, sd_event_source **ret, sd_event_handler_t f, void *userdata),
        (e, ret, f, userdata))
LOOP(sd_event_add_post, (sd_event * e, sd_event_source **ret, sd_event_handler_t f, void *userdata),
        (e, ret, f, userdata))
LOOP(sd_event_add_io,
        (sd_event * e, sd_event_source **ret, int fd, uint32_t events, sd_event_io_handler_t f,
                void *userdata),
        (e, ret, fd, events, f, userdata))
LOOP(sd_event_add_time,
        (sd_event * e, sd_event_source **ret, clockid_t clock, uint64_t usec, uint64_t accuracy,
                sd_event_time_handler_t f, void *userdata),
        (e, ret, clock, usec, accuracy, f, userdata))
LOOP(sd_event_add_time_relative,
        (sd_event * e, sd_event_source **ret, clockid_t clock, uint64_t usec, uint64_t accuracy,
                sd_event_time_handler_t f, void *userdata),
        (e, ret, clock, usec, accuracy, f, userdata))
LOOP(sd_event_add_signal,
        (sd_event * e, sd_event_source **ret, int signal, sd_event_signal_handler_t f,
                void *userdata),
        (e, ret, signal, f, userdata))
LOOP(sd_event_add_inotify,
        (sd_event * e, sd_event_source **ret, const char *path, uint32_t mask,
                sd_event_inotify_handler_t f, void *userdata),
        (e, ret, path, mask, f, userdata))
LOOP(sd_event_source_set_io_events, (sd_event_source * s, uint32_t events), (s, events))
LOOP(sd_event_source_set_description, (sd_event_source * s, const char *text), (s, text))
LOOP(sd_event_prepare, (sd_event * e), (e))
LOOP(sd_event_wait, (sd_event * e, uint64_t usec), (e, usec))
LOOP(sd_event_dispatch, (sd_event * e), (e))

/* Off cannot fail. */
int __real_sd_event_source_set_enabled(sd_event_source *s, int enabled);
int __wrap_sd_event_source_set_enabled(sd_event_source *s, int enabled);
int __wrap_sd_event_source_set_enabled(sd_event_source *s, int enabled)
{
        if (enabled != SD_EVENT_OFF && point_fails(KIND_LOOP, "sd_event_source_set_enabled"))
                return -ENOMEM;
        return __real_sd_event_source_set_enabled(s, enabled);
}

/* ---- json-c ---- */

#define JSON(type, name, parameters, arguments) \
        WRAP(KIND_JSON, type, name, NULL, parameters, arguments)

JSON(struct json_tokener *, json_tokener_new_ex, (int depth), (depth))
JSON(struct json_object *, json_tokener_parse, (const char *text), (text))
JSON(struct json_object *, json_tokener_parse_ex,
        (struct json_tokener * t, const char *text, int size), (t, text, size))
JSON(const char *, json_object_to_json_string_ext, (struct json_object * o, int flags), (o, flags))
JSON(const char *, json_object_to_json_string_length,
        (struct json_object * o, int flags, size_t *size), (o, flags, size))

/* ---- libcurl ---- */

/* The headers have macros of these names, which check types. */
#undef curl_easy_setopt
#undef curl_multi_setopt

#define CURL_CALL(type, name, returns, parameters, arguments) \
        WRAP(KIND_CURL, type, name, returns, parameters, arguments)

CURL_CALL(CURLcode, curl_global_init_mem, CURLE_OUT_OF_MEMORY,
        (long flags, curl_malloc_callback m, curl_free_callback f, curl_realloc_callback r,
                curl_strdup_callback s, curl_calloc_callback c),
        (flags, m, f, r, s, c))
CURL_CALL(CURL *, curl_easy_init, NULL, (void), ())
CURL_CALL(CURLM *, curl_multi_init, NULL, (void), ())
CURL_CALL(CURLMcode, curl_multi_add_handle, CURLM_OUT_OF_MEMORY, (CURLM * m, CURL *e), (m, e))
CURL_CALL(CURLMcode, curl_multi_socket_action, CURLM_OUT_OF_MEMORY,
        (CURLM * m, curl_socket_t fd, int events, int *running), (m, fd, events, running))
CURL_CALL(CURLcode, curl_easy_pause, CURLE_OUT_OF_MEMORY, (CURL * e, int what), (e, what))
CURL_CALL(struct curl_slist *, curl_slist_append, NULL, (struct curl_slist * l, const char *s),
        (l, s))

/* Each option's value is as wide as a pointer where this is built. */
static_assert(sizeof(long) == sizeof(void *) && sizeof(curl_off_t) == sizeof(void *),
        "options are passed on as pointers");

CURLcode __real_curl_easy_setopt(CURL *e, CURLoption option, ...);
CURLcode __wrap_curl_easy_setopt(CURL *e, CURLoption option, ...);
CURLcode __wrap_curl_easy_setopt(CURL *e, CURLoption option, ...)
{
        va_list ap;
        void *value;

        if (point_fails(KIND_CURL, "curl_easy_setopt"))
                return CURLE_OUT_OF_MEMORY;
        va_start(ap, option);
        value = va_arg(ap, void *);
        va_end(ap);
        return __real_curl_easy_setopt(e, option, value);
}

CURLMcode __real_curl_multi_setopt(CURLM *m, CURLMoption option, ...);
CURLMcode __wrap_curl_multi_setopt(CURLM *m, CURLMoption option, ...);
CURLMcode __wrap_curl_multi_setopt(CURLM *m, CURLMoption option, ...)
{
        va_list ap;
        void *value;

        if (point_fails(KIND_CURL, "curl_multi_setopt"))
                return CURLM_OUT_OF_MEMORY;
        va_start(ap, option);
        value = va_arg(ap, void *);
        va_end(ap);
        return __real_curl_multi_setopt(m, option, value);
}
