/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/folder.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "common/macro.h"

char *folder_new(void)
{
        char memory[] = "/dev/shm/conductor-test-XXXXXX", disk[] = "/tmp/conductor-test-XXXXXX";
        char *folder;

        folder = strdup(mkdtemp(memory) ?: strempty(mkdtemp(disk)));
        assert_true(folder && *folder);
        return folder;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
        return remove(path);
}

void folder_remove(const char *folder)
{
        if (nftw(folder, remove_one, /* fds= */ 8, FTW_DEPTH | FTW_PHYS) != 0)
                assert_int_equal(errno, ENOENT);
}

char *folder_free(char *folder)
{
        if (folder)
                folder_remove(folder);
        free(folder);
        return NULL;
}

char *folder_below(const char *folder, const char *name)
{
        char *path;

        assert_true(asprintf(&path, "%s/%s", folder, name) > 0);
        return path;
}

char *file_read(const char *path, size_t *ret_size)
{
        _cleanup_fclose_ FILE *file = fopen(path, "re");
        struct stat st;
        char *data;

        assert_non_null(file);
        assert_return_code(fstat(fileno(file), &st), errno);
        data = malloc((size_t) st.st_size + 1);
        assert_non_null(data);
        *ret_size = fread(data, 1, (size_t) st.st_size, file);
        assert_int_equal(*ret_size, st.st_size);
        data[*ret_size] = 0;
        return data;
}

char *fixture_read(const char *name, size_t *ret_size)
{
        _cleanup_free_ char *path = NULL;

        assert_non_null(getenv("FIXTURES"));
        path = folder_below(getenv("FIXTURES"), name);
        return file_read(path, ret_size);
}
