/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Built with a sanitizer: it has an allocator of its own, which keeps what is freed for a while,
 * and takes its time. Of memory and time nothing can be said then. gcc and clang say it
 * differently. */
#ifdef __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define SANITIZED 1
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif
