/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* In libFuzzer's place: gives the target each file of the folders named. */

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "tests/fuzz/fuzz.h"

#define FILE_MAX KIB(64)

/* The name stands before what the target says of it when it ends the program. */
static void replay(int folder, const char *name)
{
        _cleanup_free_ uint8_t *data = NULL;
        _cleanup_close_ int fd = -EBADF;
        struct stat st;

        fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
        CHECK(fd >= 0 && fstat(fd, &st) >= 0);
        CHECK(st.st_size >= 0 && (size_t) st.st_size <= FILE_MAX);
        /* Not a byte more, so that a sanitizer sees who reads behind the end. */
        data = malloc((size_t) st.st_size);
        CHECK(data || st.st_size == 0);
        CHECK(read(fd, data, (size_t) st.st_size) == st.st_size);

        (void) printf("# %s\n", name);
        (void) fflush(stdout);
        CHECK(LLVMFuzzerTestOneInput(data, (size_t) st.st_size) == 0);
}

static int is_file(const struct dirent *entry)
{
        return entry->d_name[0] != '.';
}

int main(int argc, char *argv[])
{
        (void) printf("1..%d\n", argc - 1);
        for (int i = 1; i < argc; i++) {
                struct dirent **files;
                int n = scandir(argv[i], &files, is_file, alphasort);
                int folder = open(argv[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

                CHECK(n >= 0 && folder >= 0);
                for (int k = 0; k < n; k++) {
                        replay(folder, files[k]->d_name);
                        free(files[k]);
                }
                free(files);
                (void) close(folder);
                (void) printf("%sok %d - %d inputs of %s\n", n > 0 ? "" : "not ", i, n, argv[i]);
        }
        return 0;
}
