/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>

#include "common/utf8.h"

void fuzz_fail(const char *file, int line, const char *what)
{
        (void) fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
        abort();
}

static void show(const char *name, const Buffer *b)
{
        (void) fprintf(stderr, "%s (%zu bytes): \"", name, b->size);
        for (size_t i = 0; i < b->size; i++) {
                unsigned char c = (unsigned char) b->data[i];

                if (c >= ' ' && c < 0x7f)
                        (void) fputc(c, stderr);
                else
                        (void) fprintf(stderr, "\\x%02x", c);
        }
        (void) fputs("\"\n", stderr);
}

void fuzz_check_same(const char *file, int line, const Buffer *a, const Buffer *b)
{
        if (a->size == b->size &&
                (a->size == 0 || memcmp(buffer_text(a), buffer_text(b), a->size) == 0))
                return;
        show("this", a);
        show("that", b);
        fuzz_fail(file, line, "both are the same");
}

uint8_t fuzz_byte(FuzzInput *in)
{
        if (in->size == 0)
                return 0;
        in->size--;
        return *in->data++;
}

uint16_t fuzz_u16(FuzzInput *in)
{
        unsigned low = fuzz_byte(in);

        return (uint16_t) (low | (unsigned) fuzz_byte(in) << 8);
}

uint64_t fuzz_u64(FuzzInput *in)
{
        uint64_t value = 0;

        for (unsigned i = 0; i < 8; i++)
                value |= (uint64_t) fuzz_byte(in) << 8 * i;
        return value;
}

const char *fuzz_bytes(FuzzInput *in, size_t wanted, size_t *ret_size)
{
        const char *bytes = (const char *) in->data;
        size_t n = MIN(wanted, in->size);

        in->data += n;
        in->size -= n;
        *ret_size = n;
        return n > 0 ? bytes : "";
}

const char *fuzz_text(FuzzInput *in, size_t wanted, size_t *ret_size)
{
        const char *text;
        size_t n;

        text = fuzz_bytes(in, wanted, &n);
        *ret_size = utf8_valid_prefix(text, n);
        return text;
}

size_t fuzz_piece(FuzzCut cut, uint32_t *seed, size_t left)
{
        switch (cut) {
        case FUZZ_WHOLE:
                return left;
        case FUZZ_BYTES:
                return 1;
        case FUZZ_RANDOM:
        case _FUZZ_CUT_MAX:
                break;
        }
        *seed = *seed * 1664525U + 1013904223U;
        return 1 + (*seed >> 16) % MIN(left, (size_t) 1 + (*seed >> 8) % 64);
}

void fuzz_append(Buffer *b, const void *data, size_t size)
{
        CHECK(buffer_append(b, data, size) == 0);
}

void fuzz_format(Buffer *b, const char *format, ...)
{
        _cleanup_free_ char *text = NULL;
        va_list ap;
        int n;

        va_start(ap, format);
        n = vasprintf(&text, format, ap);
        va_end(ap);
        CHECK(n >= 0);
        fuzz_append(b, text, (size_t) n);
}

/* ---- files ---- */

static char folder[64];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
        (void) remove(path);
        return 0;
}

static void remove_folder(void)
{
        (void) nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *fuzz_folder(void)
{
        if (*folder)
                return folder;
        (void) snprintf(folder, sizeof folder, "%s/conductor-fuzz-XXXXXX",
                access("/dev/shm", W_OK) >= 0 ? "/dev/shm" : "/tmp");
        CHECK(mkdtemp(folder));
        CHECK(atexit(remove_folder) == 0);
        return folder;
}

void fuzz_write_file(const char *name, const void *data, size_t size)
{
        _cleanup_close_ int fd = -EBADF;
        _cleanup_free_ char *path = NULL;

        CHECK(asprintf(&path, "%s/%s", fuzz_folder(), name) > 0);
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        CHECK(fd >= 0);
        CHECK(write(fd, data, size) == (ssize_t) size);
}

void fuzz_empty_folder(const char *name)
{
        _cleanup_free_ char *path = NULL;
        const struct dirent *e;
        DIR *d;

        CHECK(asprintf(&path, "%s/%s", fuzz_folder(), name) > 0);
        d = opendir(path);
        CHECK(d);
        while ((e = readdir(d)))
                if (e->d_name[0] != '.')
                        CHECK(unlinkat(dirfd(d), e->d_name, 0) >= 0);
        (void) closedir(d);
}
