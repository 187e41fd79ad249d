/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What there is to attack: asked of the program, so that a new method is attacked without a line
 * here. */

#include <ctype.h>
#include <dirent.h>

#include "common/buffer.h"
#include "tests/bus/attack.h"

#define XML_MAX MIB(1)

static void read_stream(FILE *f, Buffer *ret)
{
        char part[4096];
        size_t n;

        while ((n = fread(part, 1, sizeof part, f)) > 0)
                assert_return_code(buffer_append(ret, part, n), 0);
}

static void introspect(const char *path, Buffer *ret)
{
        _cleanup_free_ char *command = NULL;
        FILE *f;

        assert_true(asprintf(&command, "'%s' --introspect='%s'", getenv("CONDUCTORD"), path) > 0);
        f = popen(command, "re");
        assert_non_null(f);
        read_stream(f, ret);
        assert_int_equal(pclose(f), 0);
}

/* The value of an attribute of the tag that begins here; the caller frees. */
static char *attribute(const char *tag, const char *name)
{
        _cleanup_free_ char *key = NULL;
        const char *end = strchr(tag, '>'), *at;
        char *value;

        assert_true(asprintf(&key, " %s=\"", name) > 0);
        at = strstr(tag, key);
        assert_true(at && at < end);
        at += strlen(key);
        value = strndup(at, strcspn(at, "\""));
        assert_non_null(value);
        return value;
}

static Member *add(Members *m, const char *path, const char *interface, const char *tag)
{
        Member *more = reallocarray(m->members, m->n + 1, sizeof *more);

        assert_non_null(more);
        m->members = more;
        more[m->n] = (Member){
                .path = strdup(path),
                .interface = strdup(interface),
                .name = attribute(tag, "name"),
                .property = startswith(tag, "<property ") != NULL,
        };
        assert_true(more[m->n].path && more[m->n].interface);
        more[m->n].types = more[m->n].property ? attribute(tag, "type") : strdup("");
        assert_non_null(more[m->n].types);
        return &more[m->n++];
}

static void add_argument(Member *member, const char *tag)
{
        _cleanup_free_ char *type = attribute(tag, "type"), *direction = NULL, *before = NULL;

        direction = attribute(tag, "direction");
        if (!streq(direction, "in"))
                return;
        before = member->types;
        member->types = NULL;
        assert_true(asprintf(&member->types, "%s%s", before, type) >= 0);
}

static void read_object(Members *m, const char *path)
{
        _cleanup_buffer_ Buffer xml = BUFFER_INIT(XML_MAX);
        _cleanup_free_ char *interface = NULL;
        bool method = false;

        introspect(path, &xml);
        for (const char *tag = buffer_text(&xml); (tag = strchr(tag, '<')); tag++) {
                if (startswith(tag, "<interface ")) {
                        free(interface);
                        interface = attribute(tag, "name");
                } else if (startswith(tag, "<method ") || startswith(tag, "<property ")) {
                        method = startswith(tag, "<method ");
                        add(m, path, interface, tag);
                } else if (startswith(tag, "<signal "))
                        method = false;
                else if (method && startswith(tag, "<arg "))
                        add_argument(&m->members[m->n - 1], tag);
        }
}

/* ---- the keys of options: in the descriptions a name and its type, "limit u" ---- */

static void add_option(Members *m, const char *name, size_t size)
{
        char **more;

        for (size_t i = 0; i < m->n_options; i++)
                if (strlen(m->options[i]) == size && memcmp(m->options[i], name, size) == 0)
                        return;
        more = reallocarray(m->options, m->n_options + 1, sizeof *more);
        assert_non_null(more);
        m->options = more;
        more[m->n_options] = strndup(name, size);
        assert_non_null(more[m->n_options++]);
}

static bool is_type(const char *text)
{
        size_t n = strspn(text, "a(){}sbutoxv");

        return n > 0 &&
                (startswith(text, "a(sh)") || (n <= 2 && !isalnum((unsigned char) text[n])));
}

static void read_options(Members *m, const char *text)
{
        for (const char *space = text; (space = strchr(space, ' ')); space++) {
                size_t n = 0;

                while (space - text > (ptrdiff_t) n &&
                        (islower((unsigned char) space[-1 - (ptrdiff_t) n]) ||
                                space[-1 - (ptrdiff_t) n] == '_'))
                        n++;
                if (n > 1 && is_type(space + 1))
                        add_option(m, space - n, n);
        }
}

static void read_descriptions(Members *m)
{
        const char *folder = getenv("CONDUCTOR_INTERFACES");
        struct dirent *entry;
        DIR *d;

        assert_non_null(folder);
        d = opendir(folder);
        assert_non_null(d);
        while ((entry = readdir(d))) {
                _cleanup_buffer_ Buffer text = BUFFER_INIT(XML_MAX);
                _cleanup_fclose_ FILE *f = NULL;
                _cleanup_free_ char *path = NULL;
                size_t n = strlen(entry->d_name);

                if (n < 4 || !streq(entry->d_name + n - 4, ".xml"))
                        continue;
                assert_true(asprintf(&path, "%s/%s", folder, entry->d_name) > 0);
                f = fopen(path, "re");
                assert_non_null(f);
                read_stream(f, &text);
                read_options(m, buffer_text(&text));
        }
        assert_int_equal(closedir(d), 0);
}

void members_read(Members *ret)
{
        _cleanup_buffer_ Buffer list = BUFFER_INIT(XML_MAX);
        char *rest, *path;

        introspect("list", &list);
        for (rest = list.data; (path = strsep(&rest, "\n"));)
                if (*path)
                        read_object(ret, path);
        read_descriptions(ret);
        /* Neither a tree nor descriptions that nobody can read any more go unseen. */
        assert_true(ret->n > 50 && ret->n_options > 20);
}

void members_done(Members *m)
{
        for (size_t i = 0; i < m->n; i++) {
                free(m->members[i].path);
                free(m->members[i].interface);
                free(m->members[i].name);
                free(m->members[i].types);
        }
        for (size_t i = 0; i < m->n_options; i++)
                free(m->options[i]);
        free(m->members);
        free(m->options);
}

const char *attack_object(const Attack *a, const Member *m)
{
        if (streq(m->path, PATH_CONVERSATION))
                return a->path;
        if (streq(m->path, PATH_SURFACE))
                return *a->surface ? a->surface : PATH_SURFACE "/1";
        return m->path;
}
