/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Files of [Section] and Key=value: no content makes the reading fail, each line's end may be CRLF,
 * and what comes out is what a file can say. */

#include "common/ini.h"
#include "tests/fuzz/fuzz.h"

typedef struct Reading {
        Buffer out;
        unsigned line, lines;
} Reading;

static void note_line(Reading *r, unsigned line)
{
        CHECK(line >= 1 && line >= r->line && line <= r->lines);
        r->line = line;
}

static int on_assign(
        const char *section, const char *key, const char *value, unsigned line, void *userdata)
{
        Reading *r = userdata;

        note_line(r, line);
        CHECK(*key && !strpbrk(key, "\n=") && !strpbrk(value, "\n"));
        CHECK(strlen(key) + strlen(value) <= INI_LINE_MAX);
        fuzz_format(&r->out, "%u [%s] %s=%s\n", line, strempty(section), key, value);
        return 0;
}

static int on_diagnose(unsigned line, const char *sentence, void *userdata)
{
        Reading *r = userdata;

        note_line(r, line);
        CHECK(*sentence);
        fuzz_format(&r->out, "%u %s\n", line, sentence);
        return 0;
}

static void read_ini(const char *text, size_t size, Reading *r)
{
        const IniOps ops = { on_assign, on_diagnose };

        r->out = BUFFER_INIT(MIB(64));
        r->lines = 1;
        for (size_t i = 0; i < size; i++)
                r->lines += text[i] == '\n';
        CHECK(ini_parse(text, size, &ops, r) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_buffer_ Buffer text = BUFFER_INIT(MIB(1));
        Reading plain = { 0 }, with_cr = { 0 };

        read_ini((const char *) data, size, &plain);
        for (size_t i = 0; i < size; i++)
                if (data[i] == '\n')
                        fuzz_append(&text, "\r\n", 2);
                else
                        fuzz_append(&text, data + i, 1);
        if (size > 0 && !memchr(data, '\r', size)) {
                read_ini(buffer_text(&text), text.size, &with_cr);
                CHECK_SAME(&plain.out, &with_cr.out);
        }
        buffer_done(&plain.out);
        buffer_done(&with_cr.out);
        return 0;
}
