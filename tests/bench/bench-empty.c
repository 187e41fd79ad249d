/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The floor of bench-cli: what it costs to start a program that links libsystemd. */

#include <systemd/sd-bus.h>

int main(void)
{
        sd_bus_unref(NULL); /* without a use the linker would leave the library out */
        return 0;
}
