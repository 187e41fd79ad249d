/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/import-util.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "common/fd.h"

int import_file(const char *text, size_t size)
{
        int fd = memfd_create("test-import", MFD_CLOEXEC);

        assert_true(fd >= 0);
        assert_int_equal(fd_write(fd, text, size), 0);
        return fd;
}

int import_text(const char *text, size_t size, Imported *ret, Failure *failure)
{
        _cleanup_(import_freep) Import *i = NULL;
        int r;

        assert_int_equal(import_new(&i, import_file(text, size), failure), 0);
        r = import_next(i, ret, failure);
        if (r > 0) {
                Imported more;

                assert_int_equal(import_next(i, &more, failure), 0);
        }
        return r;
}
