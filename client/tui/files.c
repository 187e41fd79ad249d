/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/tui/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common/buffer.h"
#include "common/utf8.h"

#define SCANNED_MAX  100000U /* entries of a folder that are looked at */
#define NAME_ALLOWED 256U    /* with a slash at its end */
#define ANSWER_MAX   (FILES_MAX * (size_t) (NAME_ALLOWED + 1))

struct FilesJob {
        sd_event_source *source;
        int fd;    /* where the child answers */
        int pidfd; /* to end it: one that was reaped is not hit */
        int file;  /* what it opened, or -EBADF */
        Buffer answer;
        files_names_t names;
        files_open_t opened;
        void *userdata;
};

/* ---- in the child ---- */

static void send_all(int fd, const char *data, size_t size)
{
        while (size > 0) {
                ssize_t n = send(fd, data, size, MSG_NOSIGNAL);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        _exit(EXIT_FAILURE);
                data += n;
                size -= (size_t) n;
        }
}

/* "~/" is the home folder. */
static char *expand(const char *path)
{
        const char *home = getenv("HOME");
        char *whole;

        if (path[0] != '~' || path[1] != '/' || isempty(home))
                return strdup(path);
        return asprintf(&whole, "%s%s", home, path + 1) < 0 ? NULL : whole;
}

typedef struct Names {
        char *names[FILES_MAX];
        size_t n;
} Names;

static bool is_folder(int folder, const struct dirent *entry)
{
        struct stat st;

        if (entry->d_type != DT_LNK && entry->d_type != DT_UNKNOWN)
                return entry->d_type == DT_DIR;
        return fstatat(folder, entry->d_name, &st, 0) >= 0 && S_ISDIR(st.st_mode);
}

/* Keeps the first ones in their order. */
static void add_name(Names *l, int folder, const struct dirent *entry)
{
        size_t low = 0, high = l->n;
        char *name;

        while (low < high) {
                size_t middle = (low + high) / 2;

                if (strcmp(l->names[middle], entry->d_name) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        if (low == FILES_MAX)
                return;
        if (asprintf(&name, "%s%s", entry->d_name, is_folder(folder, entry) ? "/" : "") < 0)
                _exit(EXIT_FAILURE);
        if (l->n == FILES_MAX)
                free(l->names[--l->n]);
        memmove(l->names + low + 1, l->names + low, (l->n - low) * sizeof *l->names);
        l->names[low] = name;
        l->n++;
}

static void list_names(int fd, const char *word)
{
        static Names l; /* the child's own */
        char *path = expand(word), *slash = path ? strrchr(path, '/') : NULL;
        const char *prefix = slash ? slash + 1 : path, *folder = ".";
        struct dirent *entry;
        DIR *d;

        if (!path)
                return;
        if (slash) {
                if (asprintf(&path, "%.*s", (int) (slash + 1 - path), path) < 0)
                        return;
                folder = path;
        }
        d = opendir(folder);
        if (!d)
                return;
        for (size_t i = 0; i < SCANNED_MAX && (entry = readdir(d)); i++)
                if (startswith(entry->d_name, prefix) && !streq(entry->d_name, ".") &&
                        !streq(entry->d_name, "..") &&
                        (entry->d_name[0] != '.' || prefix[0] == '.') &&
                        utf8_is_clean_line(entry->d_name, strlen(entry->d_name)))
                        add_name(&l, dirfd(d), entry);
        for (size_t i = 0; i < l.n; i++)
                send_all(fd, l.names[i], strlen(l.names[i]) + 1);
}

static void send_file(int fd, int file)
{
        char control[CMSG_SPACE(sizeof file)] = { 0 };
        struct iovec part = { .iov_base = (char[]){ 0 }, .iov_len = 1 };
        struct msghdr message = {
                .msg_iov = &part,
                .msg_iovlen = 1,
                .msg_control = control,
                .msg_controllen = sizeof control,
        };
        struct cmsghdr *c = CMSG_FIRSTHDR(&message);

        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof file);
        memcpy(CMSG_DATA(c), &file, sizeof file);
        if (sendmsg(fd, &message, MSG_NOSIGNAL) < 0)
                _exit(EXIT_FAILURE);
}

/* Answers with the file, or with the sentence why not: nothing else is ever in between. */
static void open_file(int fd, const char *name)
{
        char *path = expand(name), *why = NULL, *shown = NULL;
        struct stat st;
        int file, r;

        if (!path || utf8_sanitize_line(name, strlen(name), NAME_ALLOWED, &shown) < 0)
                return;
        /* A FIFO or a device must neither stop us nor be read. */
        file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (file < 0 || fstat(file, &st) < 0)
                r = asprintf(&why, "Cannot open %s: %s.", shown, strerror(errno));
        else if (S_ISDIR(st.st_mode))
                r = asprintf(&why, "%s is a folder; choose a file in it.", shown);
        else if (!S_ISREG(st.st_mode))
                r = asprintf(&why, "%s is no regular file and cannot be attached.", shown);
        else if ((uint64_t) st.st_size > FILES_SIZE_MAX)
                r = asprintf(&why, "%s is larger than %zu MiB; attach a part of it.", shown,
                        FILES_SIZE_MAX / MIB(1));
        else {
                send_file(fd, file);
                return;
        }
        if (r >= 0)
                send_all(fd, why, strlen(why));
}

_noreturn_ static void run_child(
        int fd, pid_t parent, const char *word, void (*answer)(int fd, const char *word))
{
        sigset_t none;

        /* Nothing of ours may live on in it: the terminal, the bus, and the pipe whose end tells
         * that we died. What handles our crashes is not for it either. */
        if (dup2(fd, STDIN_FILENO) < 0 || close_range(1, ~0U, 0) < 0)
                _exit(EXIT_FAILURE);
        for (int i = 1; i < NSIG; i++)
                (void) signal(i, SIG_DFL); /* not of SIGKILL and SIGSTOP, and of no other need */
        (void) sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
                _exit(EXIT_FAILURE);
        answer(STDIN_FILENO, word);
        _exit(EXIT_SUCCESS);
}

/* ---- in the client ---- */

/* A child ended, with its job or after it: nobody waits for one that hangs. */
static int on_exited(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        siginfo_t info;

        (void) waitid(P_PIDFD, (id_t) fd, &info, WEXITED | WNOHANG);
        (void) sd_event_source_set_floating(source, false); /* the last one that has it */
        return 0;
}

/* The loop reaps it. */
static int watch_child(sd_event *event, pid_t pid, int *ret_pidfd)
{
        _cleanup_(sd_event_source_unrefp) sd_event_source *source = NULL;
        _cleanup_close_ int pidfd = -EBADF, copy = -EBADF;
        int r;

        pidfd = pidfd_open(pid, 0);
        if (pidfd < 0)
                return -errno;
        copy = fcntl(pidfd, F_DUPFD_CLOEXEC, 3);
        if (copy < 0)
                return -errno;
        r = sd_event_add_io(event, &source, pidfd, EPOLLIN, on_exited, NULL);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(source, "files-child");
        (void) sd_event_source_set_io_fd_own(source, true);
        (void) TAKE_FD(pidfd);
        r = sd_event_source_set_floating(source, true);
        if (r < 0)
                return r;
        *ret_pidfd = TAKE_FD(copy);
        return 0;
}

FilesJob *files_job_free(FilesJob *j)
{
        if (!j)
                return NULL;
        sd_event_source_disable_unref(j->source);
        if (j->pidfd >= 0)
                (void) pidfd_send_signal(j->pidfd, SIGKILL, NULL, 0);
        safe_close(j->pidfd);
        safe_close(j->fd);
        safe_close(j->file);
        buffer_done(&j->answer);
        return mfree(j);
}

/* The job is freed by the callee, or later: it is not touched after the call. */
static void tell_names(FilesJob *j)
{
        files_names_t names = j->names;
        void *userdata = j->userdata;
        _cleanup_buffer_ Buffer answer = j->answer;
        const char *list[FILES_MAX];
        size_t n = 0;

        j->answer = (Buffer){ 0 };
        for (size_t at = 0; at < answer.size && n < FILES_MAX;) {
                const char *name = answer.data + at, *end = memchr(name, 0, answer.size - at);

                if (!end)
                        break;
                list[n++] = name;
                at += (size_t) (end - name) + 1;
        }
        names(list, n, userdata);
}

static void tell_file(FilesJob *j)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        files_open_t opened = j->opened;
        void *userdata = j->userdata;
        int file = TAKE_FD(j->file);

        if (file < 0 && j->answer.size > 0)
                (void) failure_set(&failure, FAILURE_INVALID_ARGUMENT, "%s", j->answer.data);
        else if (file < 0)
                (void) failure_set(&failure, FAILURE_INTERNAL,
                        "The file could not be opened in time; try it again.");
        opened(file, file < 0 ? &failure : NULL, userdata);
}

/* The byte that a file comes with is not part of a sentence. */
static ssize_t receive(FilesJob *j, char *data, size_t size)
{
        char control[CMSG_SPACE(sizeof j->file)];
        struct iovec part = { .iov_base = data, .iov_len = size };
        struct msghdr message = {
                .msg_iov = &part,
                .msg_iovlen = 1,
                .msg_control = control,
                .msg_controllen = sizeof control,
        };
        struct cmsghdr *c;
        ssize_t n;

        n = recvmsg(j->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (n < 0)
                return -errno;
        c = CMSG_FIRSTHDR(&message);
        if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
                c->cmsg_len == CMSG_LEN(sizeof j->file)) {
                safe_close(j->file);
                memcpy(&j->file, CMSG_DATA(c), sizeof j->file);
        }
        return n;
}

static int on_answer(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        FilesJob *j = ASSERT_PTR(userdata);
        char data[KIB(16)];
        ssize_t n;

        n = receive(j, data, sizeof data);
        if (n == -EAGAIN || n == -EINTR)
                return 0;
        if (n > 0 && buffer_append(&j->answer, data, (size_t) n) >= 0)
                return 0;
        (void) sd_event_source_set_enabled(source, SD_EVENT_OFF);
        if (j->names)
                tell_names(j);
        else
                tell_file(j);
        return 0;
}

static pid_t fork_child(int fd, const char *word, void (*answer)(int fd, const char *word))
{
        sigset_t all, before;
        pid_t parent = getpid(), pid;

        /* No handler of ours runs in the child. */
        (void) sigfillset(&all);
        (void) sigprocmask(SIG_SETMASK, &all, &before);
        pid = fork();
        if (pid == 0)
                run_child(fd, parent, word, answer);
        if (pid < 0)
                pid = -errno;
        (void) sigprocmask(SIG_SETMASK, &before, NULL);
        return pid;
}

static int start(sd_event *event, const char *word, void (*answer)(int fd, const char *word),
        const FilesJob *job, FilesJob **ret)
{
        _cleanup_(files_job_freep) FilesJob *j = NULL;
        _cleanup_close_ int other = -EBADF;
        int r, fds[2];
        pid_t pid;

        j = malloc(sizeof *j);
        if (!j)
                return -ENOMEM;
        *j = *job;
        j->fd = j->pidfd = j->file = -EBADF;
        j->answer = BUFFER_INIT(ANSWER_MAX);
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
                return -errno;
        j->fd = fds[0];
        other = fds[1];
        r = sd_event_add_io(event, &j->source, j->fd, EPOLLIN, on_answer, j);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(j->source, "files-answer");

        pid = fork_child(other, word, answer);
        if (pid < 0)
                return pid;
        r = watch_child(event, pid, &j->pidfd);
        if (r < 0) {
                (void) kill(pid, SIGKILL);
                return r;
        }
        *ret = TAKE_PTR(j);
        return 0;
}

int files_complete(
        sd_event *event, const char *word, files_names_t done, void *userdata, FilesJob **ret)
{
        return start(
                event, word, list_names, &(FilesJob){ .names = done, .userdata = userdata }, ret);
}

int files_open(sd_event *event, const char *path, files_open_t done, void *userdata, FilesJob **ret)
{
        return start(
                event, path, open_file, &(FilesJob){ .opened = done, .userdata = userdata }, ret);
}
