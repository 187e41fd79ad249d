/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the fuzz targets share. Each target is one LLVMFuzzerTestOneInput(): libFuzzer calls it with
 * bytes that it makes up, main.c with those of files. A property that does not hold ends the
 * program. */

#include "common/buffer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Stays with NDEBUG too. */
#define CHECK(condition) \
        do { \
                if (!(condition)) \
                        fuzz_fail(__FILE__, __LINE__, #condition); \
        } while (0)
void fuzz_fail(const char *file, int line, const char *what) _noreturn_;

/* Shows both, as a string in C, when they are not the same bytes. */
#define CHECK_SAME(a, b) fuzz_check_same(__FILE__, __LINE__, (a), (b))
void fuzz_check_same(const char *file, int line, const Buffer *a, const Buffer *b);

/* Decisions, taken from the input's beginning; 0 where there is nothing left. */
typedef struct FuzzInput {
        const uint8_t *data;
        size_t size;
} FuzzInput;

uint8_t fuzz_byte(FuzzInput *in);
uint16_t fuzz_u16(FuzzInput *in);
uint64_t fuzz_u64(FuzzInput *in);
/* So many bytes, or what is left. */
const char *fuzz_bytes(FuzzInput *in, size_t wanted, size_t *ret_size);
/* The same, up to the first byte that is no UTF-8. */
const char *fuzz_text(FuzzInput *in, size_t wanted, size_t *ret_size);

/* ---- any split ---- */

typedef enum FuzzCut {
        FUZZ_WHOLE,
        FUZZ_BYTES,
        FUZZ_RANDOM,
        _FUZZ_CUT_MAX,
} FuzzCut;

/* The next piece's size, 1 to left. The seed is moved on. */
size_t fuzz_piece(FuzzCut cut, uint32_t *seed, size_t left);

/* Memory is no limit of an input's: every append must succeed. */
void fuzz_append(Buffer *b, const void *data, size_t size);
void fuzz_format(Buffer *b, const char *format, ...) _printf_(2, 3);

/* ---- files ---- */

/* A folder of this process in memory, made at the first call, removed at its end. */
const char *fuzz_folder(void);
/* name: below the folder. */
void fuzz_write_file(const char *name, const void *data, size_t size);
/* Removes the files in it. */
void fuzz_empty_folder(const char *name);
