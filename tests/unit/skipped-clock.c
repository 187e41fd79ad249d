/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/skipped-clock.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static atomic_uint skipped; /* seconds */

int clock_gettime(clockid_t clock, struct timespec *ret)
{
        if (syscall(SYS_clock_gettime, clock, ret) < 0)
                return -1;
        ret->tv_sec += (time_t) atomic_load(&skipped);
        return 0;
}

/* sd-event's, which are of a moment: what was skipped has gone by. */
int timerfd_settime(int fd, int flags, const struct itimerspec *new, struct itimerspec *old)
{
        struct itimerspec t = *new;

        if (flags != TFD_TIMER_ABSTIME) {
                errno = EINVAL;
                return -1;
        }
        if (t.it_value.tv_sec > 0)
                t.it_value.tv_sec -= (time_t) atomic_load(&skipped);
        /* Gone by, but not 0, which disarms. */
        if (t.it_value.tv_sec < 0)
                t.it_value = (struct timespec){ .tv_nsec = 1 };
        return (int) syscall(SYS_timerfd_settime, fd, flags, &t, old);
}

void clock_skip(unsigned seconds)
{
        atomic_fetch_add(&skipped, seconds);
}
