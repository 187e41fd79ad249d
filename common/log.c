/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/log.h"

#include <endian.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "common/parse.h"
#include "common/utf8.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

#define LOG_TEXT_MAX   KIB(8) /* bytes of one message; the rest is cut */
#define LOG_PLAIN_MAX  512U   /* the same where there is no memory */
#define LOG_FIELDS_MAX 16U    /* own fields of one line */

/* Written by log_open() before there is a second thread, only read after it; each line is one
 * system call, so threads need no lock. */
static struct {
        const char *ident;
        int journal_fd; /* -EBADF: lines go to stderr */
        int stderr_fd;
        bool stderr_is_socket;
        bool stderr_may_wait; /* it is a pipe or terminal that could not be opened again */
} target = { .journal_fd = -EBADF, .stderr_fd = STDERR_FILENO };

static atomic_int max_level = LOG_INFO;
static atomic_uint dropped;

static const char *const level_table[] = {
        [LOG_EMERG] = "emerg",
        [LOG_ALERT] = "alert",
        [LOG_CRIT] = "crit",
        [LOG_ERR] = "err",
        [LOG_WARNING] = "warning",
        [LOG_NOTICE] = "notice",
        [LOG_INFO] = "info",
        [LOG_DEBUG] = "debug",
};

const char *log_level_to_string(int level)
{
        assert(level >= 0 && level < (int) ELEMENTSOF(level_table));
        return level_table[level];
}

int log_level_from_string(const char *s)
{
        return parse_word(level_table, ELEMENTSOF(level_table), s);
}

void log_set_max_level(int level)
{
        atomic_store(&max_level, level);
}

int log_get_max_level(void)
{
        return atomic_load(&max_level);
}

const char *log_get_target(void)
{
        return target.journal_fd >= 0 ? "journal" : "console";
}

/* systemd says in $JOURNAL_STREAM which device and inode its stream to the journal has: a stderr
 * that was redirected since then has others. */
static bool stderr_is_journal(const struct stat *st)
{
        const char *e = getenv("JOURNAL_STREAM");
        unsigned long long device, inode;
        char end;

        return e && sscanf(e, "%llu:%llu%c", &device, &inode, &end) == 2 &&
                (dev_t) device == st->st_dev && (ino_t) inode == st->st_ino;
}

static int connect_journal(const char *path)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = -EBADF;

        if (strlen(path) >= sizeof address.sun_path)
                return -ENAMETOOLONG;
        memcpy(address.sun_path, path, strlen(path));

        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        if (connect(fd, (struct sockaddr *) &address, sizeof address) < 0)
                return -errno;
        return TAKE_FD(fd);
}

/* A pipe or terminal that nobody drains must not stop us, and O_NONBLOCK on descriptor 2 itself
 * would be shared with whoever gave it to us: so the same pipe or terminal is opened again, which
 * makes a description of our own. Sockets cannot be opened again, they have MSG_DONTWAIT; regular
 * files do not wait for a reader, and opened again they would lose their position. What cannot be
 * opened again (another user's, after su) is asked before each line whether it has room: another
 * writer may take that room meanwhile, but nothing better is left. */
static void open_stderr(const struct stat *st)
{
        int fd;

        target.stderr_is_socket = S_ISSOCK(st->st_mode);
        if (!S_ISFIFO(st->st_mode) && !S_ISCHR(st->st_mode))
                return;
        fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd >= 0)
                target.stderr_fd = fd;
        else
                target.stderr_may_wait = true;
}

void log_open_at(const char *ident, const char *journal_socket)
{
        const char *e = getenv("CONDUCTOR_LOG_LEVEL");
        struct stat st;
        int level;

        assert(ident);

        target.ident = ident;
        target.journal_fd = safe_close(target.journal_fd);
        if (target.stderr_fd != STDERR_FILENO)
                (void) safe_close(target.stderr_fd);
        target.stderr_fd = STDERR_FILENO;
        target.stderr_is_socket = target.stderr_may_wait = false;

        if (fstat(STDERR_FILENO, &st) >= 0) {
                if (stderr_is_journal(&st))
                        target.journal_fd = connect_journal(journal_socket);
                open_stderr(&st);
        }

        if (!e)
                return;
        level = log_level_from_string(e);
        if (level < 0)
                log_warning("CONDUCTOR_LOG_LEVEL is no level (err, warning, notice, info, debug), "
                            "ignoring.");
        else
                log_set_max_level(level);
}

void log_open(const char *ident)
{
        log_open_at(ident, JOURNAL_SOCKET);
}

/* ---- the journal's datagram ---- */

/* KEY=value\n, or for a value with a line break KEY\n, its length in 64 bits, value, \n. */
#define IOVECS_PER_FIELD 5

typedef struct Datagram {
        struct iovec iovec[IOVECS_PER_FIELD * (LOG_FIELDS_MAX + 2) + 1];
        size_t n;
        uint64_t sizes[LOG_FIELDS_MAX + 2]; /* little endian */
        size_t n_sizes;
} Datagram;

static void datagram_add(Datagram *d, const void *data, size_t size)
{
        d->iovec[d->n++] = (struct iovec){ .iov_base = (void *) data, .iov_len = size };
}

static void datagram_add_field(Datagram *d, const char *key, size_t key_size, const char *value)
{
        size_t size = strlen(value);

        datagram_add(d, key, key_size);
        if (memchr(value, '\n', size)) {
                uint64_t *le = d->sizes + d->n_sizes++;

                *le = htole64(size);
                datagram_add(d, "\n", 1);
                datagram_add(d, le, sizeof *le);
        } else
                datagram_add(d, "=", 1);
        datagram_add(d, value, size);
        datagram_add(d, "\n", 1);
}

static bool send_journal(const char *head, const char *const *fields, const char *text)
{
        struct msghdr message = { 0 };
        Datagram d = { 0 };

        datagram_add(&d, head, strlen(head));
        for (size_t i = 0; fields && fields[i] && i < LOG_FIELDS_MAX; i++) {
                const char *equal = strchr(fields[i], '=');

                assert(equal);
                datagram_add_field(&d, fields[i], equal - fields[i], equal + 1);
        }
        datagram_add_field(&d, "MESSAGE", strlen("MESSAGE"), text);

        message.msg_iov = d.iovec;
        message.msg_iovlen = d.n;
        return sendmsg(target.journal_fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

/* ---- stderr ---- */

/* Where there is no memory to sanitize it, which is when a line matters most. */
static const char *plain_text(const char *text, char *plain, size_t size)
{
        size_t n = 0;

        for (; *text && n < size - 1; text++)
                plain[n++] = *text >= ' ' && *text <= '~' ? *text : '?';
        plain[n] = 0;
        return plain;
}

/* At most PIPE_BUF bytes: such a write to a pipe is whole or not at all. */
static bool send_stderr(const char *text)
{
        char line[PIPE_BUF], plain[LOG_PLAIN_MAX];
        const char *ident = strempty(target.ident);
        size_t size = strlen(text), n;
        _cleanup_free_ char *clean = NULL;

        if (target.stderr_may_wait &&
                poll(&(struct pollfd){ target.stderr_fd, POLLOUT, 0 }, 1, 0) < 1)
                return false;
        n = strlen(ident);
        (void) utf8_sanitize_line(text, size, PIPE_BUF - MIN(n, 64U) - 4, &clean);
        n = (size_t) snprintf(line, sizeof line, "%.64s%s%s\n", ident, *ident ? ": " : "",
                clean ?: plain_text(text, plain, sizeof plain));
        return (target.stderr_is_socket
                               ? send(target.stderr_fd, line, n, MSG_DONTWAIT | MSG_NOSIGNAL)
                               : write(target.stderr_fd, line, n)) == (ssize_t) n;
}

/* ---- a line ---- */

static void format_head(char *head, size_t size, int level, int error, const char *file, int line,
        const char *func, const char *message_id)
{
        char error_field[32] = "", id_field[64] = "";

        if (error != 0)
                (void) snprintf(error_field, sizeof error_field, "ERRNO=%d\n", -error);
        if (message_id)
                (void) snprintf(id_field, sizeof id_field, "MESSAGE_ID=%.32s\n", message_id);
        (void) snprintf(head, size,
                "PRIORITY=%d\nSYSLOG_IDENTIFIER=%.64s\nCODE_FILE=%.128s\nCODE_LINE=%d\n"
                "CODE_FUNC=%.64s\n%s%s",
                level, strempty(target.ident), file, line, func, error_field, id_field);
}

static void _printf_(8, 0)
        log_line(int level, int error, const char *file, int line, const char *func,
                const char *message_id, const char *const *fields, const char *format, va_list ap)
{
        char text[LOG_TEXT_MAX], head[512];
        int saved = errno, n;
        unsigned lost;
        bool sent;

        if (error < 0)
                errno = -error; /* for %m */
        n = vsnprintf(text, sizeof text, format, ap);
        if (n < 0)
                n = snprintf(text, sizeof text, "%s", format);

        lost = atomic_exchange(&dropped, 0);
        if (lost > 0 && (size_t) n < sizeof text)
                (void) snprintf(
                        text + n, sizeof text - n, " (%u lines before this one were lost)", lost);

        if (target.journal_fd >= 0) {
                format_head(head, sizeof head, level, error, file, line, func, message_id);
                sent = send_journal(head, fields, text);
        } else
                sent = send_stderr(text);
        if (!sent)
                (void) atomic_fetch_add(&dropped, lost + 1);

        errno = saved;
}

int log_internal(
        int level, int error, const char *file, int line, const char *func, const char *format, ...)
{
        va_list ap;

        va_start(ap, format);
        log_line(level, error, file, line, func, NULL, NULL, format, ap);
        va_end(ap);
        return error;
}

int log_struct_internal(int level, int error, const char *file, int line, const char *func,
        const char *message_id, const char *const *fields, const char *format, ...)
{
        va_list ap;

        va_start(ap, format);
        log_line(level, error, file, line, func, message_id, fields, format, ap);
        va_end(ap);
        return error;
}
