/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/tui/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "client/tui/helper.h"
#include "common/fd.h"
#include "common/utf8.h"

#define SCANNED_MAX  100000U /* entries of a folder that are looked at */
#define NAME_ALLOWED 256U    /* with a slash at its end */
#define ANSWER_MAX   (FILES_MAX * (size_t) (NAME_ALLOWED + 1))

struct FilesJob {
        Helper *helper;
        files_names_t names;
        files_open_t opened;
        files_written_t written;
        void *userdata;
};

/* ---- in the child ---- */

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

static void list_names(int fd, const void *what)
{
        const char *word = what;
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
                helper_answer(fd, l.names[i], strlen(l.names[i]) + 1);
}

/* Answers with the file, or with the sentence why not: nothing else is ever in between. */
static void open_file(int fd, const void *what)
{
        const char *name = what;
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
                helper_answer_file(fd, file);
                return;
        }
        if (r >= 0)
                helper_answer(fd, why, strlen(why));
}

/* The folder's entry of a file that was made. */
static int sync_folder(const char *path)
{
        const char *slash = strrchr(path, '/');
        _cleanup_free_ char *folder = slash ? strndup(path, (size_t) (slash - path) + 1)
                                            : strdup(".");
        _cleanup_close_ int fd = -EBADF;

        if (!folder)
                return -ENOMEM;
        fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

static int copy_input(int to)
{
        static char chunk[KIB(64)];

        for (;;) {
                ssize_t n = read(HELPER_INPUT, chunk, sizeof chunk);
                int r;

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n < 0 ? -errno : 0;
                r = fd_write(to, chunk, (size_t) n);
                if (r < 0)
                        return r;
        }
}

/* Answers with nothing but a sentence, when it failed, or one byte, when it is on the disk. */
static void write_file(int fd, const void *what)
{
        char *path = expand(what), *why = NULL, *shown = NULL;
        int file, r;

        if (!path || utf8_sanitize_line(what, strlen(what), NAME_ALLOWED, &shown) < 0)
                return;
        file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0600);
        if (file < 0) {
                if (asprintf(&why, "%s cannot be made: %s.", shown, strerror(errno)) >= 0)
                        helper_answer(fd, why, strlen(why));
                return;
        }
        (void) fchmod(file, 0600); /* whatever the umask took */
        r = copy_input(file);
        if (r >= 0 && fsync(file) < 0)
                r = -errno;
        if (r >= 0)
                r = sync_folder(path);
        if (r >= 0) {
                helper_answer(fd, "", 1);
                return;
        }
        (void) unlink(path);
        if (asprintf(&why, "%s cannot be written: %s.", shown, strerror(-r)) >= 0)
                helper_answer(fd, why, strlen(why));
}

/* ---- in the client ---- */

FilesJob *files_job_free(FilesJob *j)
{
        if (!j)
                return NULL;
        helper_free(j->helper);
        return mfree(j);
}

/* The job is freed by the callee, or later: it is not touched after the call. */
static void tell_names(FilesJob *j, Buffer *given)
{
        files_names_t names = j->names;
        void *userdata = j->userdata;
        _cleanup_buffer_ Buffer answer = *given;
        const char *list[FILES_MAX];
        size_t n = 0;

        *given = (Buffer){ 0 };
        for (size_t at = 0; at < answer.size && n < FILES_MAX;) {
                const char *name = answer.data + at, *end = memchr(name, 0, answer.size - at);

                if (!end)
                        break;
                list[n++] = name;
                at += (size_t) (end - name) + 1;
        }
        names(list, n, userdata);
}

/* What the child said went wrong; it may have died without a word. */
static void read_failure(const Buffer *answer, const char *otherwise, Failure *failure)
{
        bool said = answer->size > 0 && utf8_is_clean_line(answer->data, answer->size);

        (void) failure_set(failure, said ? FAILURE_INVALID_ARGUMENT : FAILURE_INTERNAL, "%s",
                said ? answer->data : otherwise);
}

static void on_done(Buffer *answer, int *file, void *userdata)
{
        FilesJob *j = ASSERT_PTR(userdata);
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        bool done;

        if (j->names) {
                tell_names(j, answer);
                return;
        }
        done = j->opened ? *file >= 0 : answer->size == 1 && answer->data[0] == 0;
        if (!done)
                read_failure(answer,
                        j->opened ? "The file could not be opened in time; try it again."
                                  : "The file could not be written; try another one.",
                        &failure);
        if (j->opened)
                j->opened(TAKE_FD(*file), done ? NULL : &failure, j->userdata);
        else
                j->written(done ? NULL : &failure, j->userdata);
}

static int start(sd_event *event, const HelperJob *work, const FilesJob *job, FilesJob **ret)
{
        _cleanup_(files_job_freep) FilesJob *j = NULL;
        HelperJob helper = *work;
        int r;

        j = malloc(sizeof *j);
        if (!j)
                return -ENOMEM;
        *j = *job;
        helper.answer_max = ANSWER_MAX;
        helper.done = on_done;
        helper.userdata = j;
        r = helper_start(event, &helper, &j->helper);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(j);
        return 0;
}

int files_complete(
        sd_event *event, const char *word, files_names_t done, void *userdata, FilesJob **ret)
{
        return start(event, &(HelperJob){ .work = list_names, .what = word },
                &(FilesJob){ .names = done, .userdata = userdata }, ret);
}

int files_open(sd_event *event, const char *path, files_open_t done, void *userdata, FilesJob **ret)
{
        return start(event, &(HelperJob){ .work = open_file, .what = path },
                &(FilesJob){ .opened = done, .userdata = userdata }, ret);
}

int files_write(sd_event *event, const char *path, int input, files_written_t done, void *userdata,
        FilesJob **ret)
{
        return start(event,
                &(HelperJob){
                        .flags = HELPER_STAYS | HELPER_HAS_INPUT,
                        .work = write_file,
                        .what = path,
                        .input = input,
                },
                &(FilesJob){ .written = done, .userdata = userdata }, ret);
}
