/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* tui-ticker FIFO: for `tmux pipe-pane`. Writes one empty line into the FIFO for each piece of
 * output of a pane, so that a test can wait for the next one instead of looking again and again. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char *argv[])
{
        static char piece[65536];
        int fd;

        if (argc != 2)
                return 2;
        fd = open(argv[1], O_WRONLY | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0)
                return EXIT_FAILURE;
        for (;;) {
                ssize_t n = read(STDIN_FILENO, piece, sizeof piece);

                if (n == 0)
                        return EXIT_SUCCESS;
                if (n < 0 && errno != EINTR)
                        return EXIT_FAILURE;
                /* Full: the reader has something to look for already. */
                if (write(fd, "\n", 1) < 0 && errno != EAGAIN)
                        return EXIT_FAILURE;
        }
}
