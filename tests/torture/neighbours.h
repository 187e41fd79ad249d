/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Who else is on a desktop: a keyring that has keys for two engines, and a user manager that starts
 * whatever it is asked to. The first scenario that needs one starts it. */

#include "tests/torture/torture.h"

int keyring_start(Torture *t);
/* The person is asked, and unlocks it at once. */
int keyring_lock(Torture *t);
int keyring_unlock(Torture *t);
/* Whether it did that since this was last asked. */
bool keyring_prompted(Torture *t);

int user_manager_start(Torture *t);
