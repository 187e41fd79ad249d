/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/server/script.h"

#include <ctype.h>

#include "common/buffer.h"

#define VALUE_MAX MIB(16)

typedef struct Word {
        const char *word;
        int value;
} Word;

static const Word text_kinds[] = {
        { "words", TEXT_WORDS },
        { "clock", TEXT_CLOCK },
        { "unicode", TEXT_UNICODE },
        { "nul", TEXT_NUL },
        { "escape", TEXT_ESCAPE },
        { "invalid", TEXT_INVALID },
        { "echo", TEXT_ECHO },
        {},
};

static const Word faults[] = {
        { "none", FAULT_NONE },
        { "html", FAULT_HTML },
        { "cut-json", FAULT_CUT_JSON },
        { "error", FAULT_ERROR },
        { "error-line", FAULT_ERROR_LINE },
        { "eof", FAULT_EOF },
        { "silence", FAULT_SILENCE },
        { "hold", FAULT_HOLD },
        { "step", FAULT_STEP },
        { "reset", FAULT_RESET },
        { "close", FAULT_CLOSE },
        { "huge", FAULT_HUGE },
        { "silent", FAULT_SILENT },
        {},
};

static const Word usages[] = {
        { "normal", USAGE_NORMAL },
        { "none", USAGE_NONE },
        { "finish", USAGE_FINISH },
        {},
};

typedef enum FieldType {
        FIELD_NUMBER,
        FIELD_FLAG,
        FIELD_STRING,
        FIELD_SAY,
        FIELD_WORD,
        FIELD_FAULT
} FieldType;

typedef struct Field {
        const char *name;
        FieldType type;
        size_t offset;
        const Word *words;
} Field;

#define NUMBER(n, field) \
        { \
                n, FIELD_NUMBER, offsetof(Script, field), NULL \
        }
#define FLAG(n, field) \
        { \
                n, FIELD_FLAG, offsetof(Script, field), NULL \
        }
#define STRING(n, field) \
        { \
                n, FIELD_STRING, offsetof(Script, field), NULL \
        }

static const Field fields[] = {
        { "text", FIELD_WORD, offsetof(Script, text), text_kinds },
        { "usage", FIELD_WORD, offsetof(Script, usage), usages },
        { "fault", FIELD_FAULT, offsetof(Script, fault), faults },
        { "say", FIELD_SAY, offsetof(Script, say), NULL },
        NUMBER("tokens", tokens),
        NUMBER("reasoning", reasoning),
        NUMBER("size", size),
        NUMBER("repeat", repeat),
        NUMBER("rate", rate),
        NUMBER("first", first_msec),
        NUMBER("first-token", first_token_msec),
        NUMBER("cut", cut),
        NUMBER("drip", drip_msec),
        NUMBER("pause", pause),
        NUMBER("huge", huge),
        NUMBER("status", status),
        NUMBER("retry-after", retry_after),
        NUMBER("retry-date", retry_date),
        NUMBER("fail-first", fail_first),
        NUMBER("context", context),
        STRING("error", error),
        STRING("type", type),
        STRING("finish", finish),
        STRING("location", location),
        FLAG("think", think),
        FLAG("old-reasoning", old_reasoning),
        FLAG("no-length", no_length),
        FLAG("no-keep", no_keep),
        FLAG("no-stream", no_stream),
        FLAG("no-done", no_done),
        FLAG("no-blank", no_blank),
        FLAG("crlf", crlf),
        FLAG("bom", bom),
        FLAG("no-stream-options", no_stream_options),
};

void script_init(Script *s)
{
        *s = (Script){ .tokens = 5, .huge = MIB(200), .repeat = 1 };
}

void script_done(Script *s)
{
        s->say = mfree(s->say);
        s->error = mfree(s->error);
        s->type = mfree(s->type);
        s->finish = mfree(s->finish);
        s->location = mfree(s->location);
}

static int parse_number(const char *value, uint64_t *ret)
{
        char *end;
        unsigned long long n;

        if (!isdigit((unsigned char) *value))
                return -EINVAL;
        errno = 0;
        n = strtoull(value, &end, 10);
        if (errno > 0 || *end)
                return -EINVAL;
        *ret = n;
        return 0;
}

static int parse_word(const Word *words, const char *value, int *ret)
{
        for (const Word *w = words; w->word; w++)
                if (streq(w->word, value)) {
                        *ret = w->value;
                        return 0;
                }
        return -EINVAL;
}

/* "reset:3": what, and after how many tokens. */
static int parse_fault(Script *s, const Field *field, char *value)
{
        char *colon = strchr(value, ':');
        int fault, r;

        if (colon) {
                *colon = 0;
                r = parse_number(colon + 1, &s->fault_after);
                if (r < 0)
                        return r;
        }
        r = parse_word(field->words, value, &fault);
        if (r < 0)
                return r;
        s->fault = fault;
        return 0;
}

static int field_set(Script *s, const Field *field, char *value, size_t size)
{
        void *place = (char *) s + field->offset;
        int word, r;

        switch (field->type) {

        case FIELD_NUMBER:
                return parse_number(value, place);

        case FIELD_FLAG:
                if (*value)
                        return -EINVAL;
                *(bool *) place = true;
                return 0;

        case FIELD_STRING:
                return free_and_strdup(place, value);

        case FIELD_SAY:
                free(s->say);
                s->say = malloc(size + 1);
                if (!s->say)
                        return -ENOMEM;
                memcpy(s->say, value, size + 1);
                s->say_size = size;
                s->text = TEXT_SAY;
                return 0;

        case FIELD_WORD:
                r = parse_word(field->words, value, &word);
                if (r < 0)
                        return r;
                *(int *) place = word;
                return 0;

        case FIELD_FAULT:
                return parse_fault(s, field, value);
        }
        return -EINVAL;
}

static int hex_digit(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        c = (char) tolower((unsigned char) c);
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -EINVAL;
}

/* One escaped character of a quoted value; *p stands behind the backslash. */
static int unescape(const char **p, char *ret)
{
        char c = *(*p)++;
        int high, low;

        switch (c) {
        case 'n':
                *ret = '\n';
                return 0;
        case 'r':
                *ret = '\r';
                return 0;
        case 't':
                *ret = '\t';
                return 0;
        case 'e':
                *ret = '\033';
                return 0;
        case '0':
                *ret = 0;
                return 0;
        case 'x':
                high = hex_digit((*p)[0]);
                low = high < 0 ? high : hex_digit((*p)[1]);
                if (low < 0)
                        return low;
                *p += 2;
                *ret = (char) (high << 4 | low);
                return 0;
        case 0:
                return -EINVAL;
        default:
                *ret = c;
                return 0;
        }
}

/* A value ends at white space, or is quoted with "…" and may then hold \n \r \t \e \0 \xNN. */
static int read_value(const char **p, Buffer *value)
{
        bool quoted = **p == '"';
        int r;

        if (quoted)
                (*p)++;
        for (;;) {
                char c = **p;

                if (quoted ? c == '"' : !c || isspace((unsigned char) c)) {
                        *p += quoted;
                        return 0;
                }
                if (!c)
                        return -EINVAL;
                (*p)++;
                if (quoted && c == '\\') {
                        r = unescape(p, &c);
                        if (r < 0)
                                return r;
                }
                r = buffer_append(value, &c, 1);
                if (r < 0)
                        return r;
        }
}

static int apply_one(Script *s, const char **p)
{
        _cleanup_buffer_ Buffer value = BUFFER_INIT(VALUE_MAX);
        size_t n = strcspn(*p, "= \t\r\n");
        const char *name = *p;
        int r;

        *p += n;
        r = buffer_append(&value, "", 0);
        if (r < 0)
                return r;
        if (**p == '=') {
                (*p)++;
                r = read_value(p, &value);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < ELEMENTSOF(fields); i++)
                if (strlen(fields[i].name) == n && strncmp(fields[i].name, name, n) == 0)
                        return field_set(s, &fields[i], value.data, value.size);
        return -EINVAL;
}

int script_apply(Script *s, const char *text, char **ret_word)
{
        bool at_begin = true;

        for (const char *p = text; *p;) {
                const char *word = p;
                int r;

                if (*p != '@' || !at_begin) {
                        at_begin = isspace((unsigned char) *p++);
                        continue;
                }
                p++;
                r = apply_one(s, &p);
                if (r == -EINVAL) {
                        *ret_word = strndup(word, strcspn(word, " \t\r\n"));
                        return *ret_word ? r : -ENOMEM;
                }
                if (r < 0)
                        return r;
                at_begin = false;
        }
        return 0;
}
