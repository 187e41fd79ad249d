/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* One fault for each target, linked in the place of the function that it looks at: the corpus alone
 * must show it. A target whose property cannot fail finds nothing here either. PLANT_… says which.
 */

#include "common/utf8.h"
#include "tests/fuzz/fuzz.h"

/* Of each piece that is longer than a byte the last one is lost. */
static _unused_ size_t all_but_last(size_t size)
{
        return size > 1 ? size - 1 : size;
}

#if defined PLANT_sse
#include "service/engine/sse.h"
int __real_sse_feed(Sse *s, const char *data, size_t size, sse_event_t event, void *userdata);
int __wrap_sse_feed(Sse *s, const char *data, size_t size, sse_event_t event, void *userdata);
int __wrap_sse_feed(Sse *s, const char *data, size_t size, sse_event_t event, void *userdata)
{
        return __real_sse_feed(s, data, all_but_last(size), event, userdata);
}

#elif defined PLANT_anthropic || defined PLANT_ollama || defined PLANT_openai
#include "service/engine/wire.h"
int __real_wire_decoder_feed(WireDecoder *d, const char *data, size_t size, Failure *failure);
int __wrap_wire_decoder_feed(WireDecoder *d, const char *data, size_t size, Failure *failure);
int __wrap_wire_decoder_feed(WireDecoder *d, const char *data, size_t size, Failure *failure)
{
        return __real_wire_decoder_feed(d, data, all_but_last(size), failure);
}

#elif defined PLANT_utf8
int __real_utf8_repair(Utf8Repair *u, const char *data, size_t size, Buffer *out);
int __wrap_utf8_repair(Utf8Repair *u, const char *data, size_t size, Buffer *out);
int __wrap_utf8_repair(Utf8Repair *u, const char *data, size_t size, Buffer *out)
{
        return __real_utf8_repair(u, data, all_but_last(size), out);
}

#elif defined PLANT_avatar
#include "service/avatar/avatar.h"
int __real_avatar_filter_feed(
        AvatarFilter *f, const char *text, size_t size, const AvatarFilterOps *ops, void *userdata);
int __wrap_avatar_filter_feed(
        AvatarFilter *f, const char *text, size_t size, const AvatarFilterOps *ops, void *userdata);
int __wrap_avatar_filter_feed(
        AvatarFilter *f, const char *text, size_t size, const AvatarFilterOps *ops, void *userdata)
{
        return __real_avatar_filter_feed(f, text, all_but_last(size), ops, userdata);
}

#elif defined PLANT_input
#include "client/tui/terminal/input-internal.h"
int __real_input_feed(Input *i, const char *data, size_t size);
int __wrap_input_feed(Input *i, const char *data, size_t size);
int __wrap_input_feed(Input *i, const char *data, size_t size)
{
        return __real_input_feed(i, data, all_but_last(size));
}

#elif defined PLANT_lists
/* Control characters are left in. */
int __wrap_utf8_sanitize_line(const char *text, size_t size, size_t maximum, char **ret);
int __wrap_utf8_sanitize_line(const char *text, size_t size, size_t maximum, char **ret)
{
        *ret = strndup(text, MIN(size, maximum));
        return *ret ? 0 : -ENOMEM;
}

#elif defined PLANT_headers
#include "common/failure.h"
/* The transfer ends, and nothing says why. */
int __wrap_failure_set(Failure *f, FailureCode code, const char *format, ...);
int __wrap_failure_set(Failure *f, FailureCode code, const char *format, ...)
{
        return -EIO;
}

#elif defined PLANT_ini
#include "common/ini.h"
/* A carriage return is not passed over. */
int __real_ini_parse(const char *data, size_t size, const IniOps *ops, void *userdata);
int __wrap_ini_parse(const char *data, size_t size, const IniOps *ops, void *userdata);
int __wrap_ini_parse(const char *data, size_t size, const IniOps *ops, void *userdata)
{
        const char *cr = size > 0 ? memchr(data, '\r', size) : NULL;

        return __real_ini_parse(data, cr ? (size_t) (cr - data) : size, ops, userdata);
}

#elif defined PLANT_config
#include "service/config/config-internal.h"
/* An address that is normal is made another one. */
int __wrap_config_url_normalize(const char *url, char **ret);
int __wrap_config_url_normalize(const char *url, char **ret)
{
        return asprintf(ret, "%s/", url) < 0 ? -ENOMEM : 0;
}

#elif defined PLANT_exchange
#include "service/conversation/export-format.h"
/* The end counts wrong. */
int __real_export_json_end(Buffer *b, ExportFormat format, uint64_t messages);
int __wrap_export_json_end(Buffer *b, ExportFormat format, uint64_t messages);
int __wrap_export_json_end(Buffer *b, ExportFormat format, uint64_t messages)
{
        return __real_export_json_end(b, format, messages + 1);
}

#elif defined PLANT_options
#include "service/bus/options.h"
/* Nothing is read. */
int __wrap_bus_read_options(
        sd_bus_message *m, const BusOption *options, size_t n_options, sd_bus_error *error);
int __wrap_bus_read_options(
        sd_bus_message *m, const BusOption *options, size_t n_options, sd_bus_error *error)
{
        return 0;
}

#elif defined PLANT_database
#include "service/store/store-db-internal.h"
/* A message comes back with another text. */
int __real_store_db_get_branch(StoreDb *db, uint64_t number, uint64_t id, uint32_t limit,
        size_t max_bytes, StoreDbRead what, StoreMessages **ret, Failure *failure);
int __wrap_store_db_get_branch(StoreDb *db, uint64_t number, uint64_t id, uint32_t limit,
        size_t max_bytes, StoreDbRead what, StoreMessages **ret, Failure *failure);
int __wrap_store_db_get_branch(StoreDb *db, uint64_t number, uint64_t id, uint32_t limit,
        size_t max_bytes, StoreDbRead what, StoreMessages **ret, Failure *failure)
{
        int r = __real_store_db_get_branch(db, number, id, limit, max_bytes, what, ret, failure);

        if (r >= 0 && (*ret)->n_messages > 0 && (*ret)->messages[0].content_size > 0)
                (*ret)->messages[0].content[0] = '?';
        return r;
}

#elif defined PLANT_markdown
#include "client/tui/text/layout.h"
/* A row is wider than the screen. */
int __real_layout_new(const Segments *segments, size_t index, unsigned width, StyleRole role,
        LayoutFlags flags, Builder **kept, Layout **ret);
int __wrap_layout_new(const Segments *segments, size_t index, unsigned width, StyleRole role,
        LayoutFlags flags, Builder **kept, Layout **ret);
int __wrap_layout_new(const Segments *segments, size_t index, unsigned width, StyleRole role,
        LayoutFlags flags, Builder **kept, Layout **ret)
{
        int r = __real_layout_new(segments, index, width + 1, role, flags, kept, ret);

        if (r >= 0)
                (*ret)->width = width;
        return r;
}

#elif defined PLANT_sprites
#include "client/tui/avatar/sprites-internal.h"
/* A picture is lower than it was written. */
int __real_sprite_set_parse(
        SpriteSet *set, const char *name, const char *text, size_t size, Failure *failure);
int __wrap_sprite_set_parse(
        SpriteSet *set, const char *name, const char *text, size_t size, Failure *failure);
int __wrap_sprite_set_parse(
        SpriteSet *set, const char *name, const char *text, size_t size, Failure *failure)
{
        int r = __real_sprite_set_parse(set, name, text, size, failure);

        if (r >= 0 && set->rows > 1)
                set->rows--;
        return r;
}

#elif defined PLANT_width
#include "client/tui/terminal/width.h"
/* A wide cluster is taken for a narrow one. */
size_t __real_cluster_next(const char *text, size_t size, unsigned *ret_cells);
size_t __wrap_cluster_next(const char *text, size_t size, unsigned *ret_cells);
size_t __wrap_cluster_next(const char *text, size_t size, unsigned *ret_cells)
{
        size_t n = __real_cluster_next(text, size, ret_cells);

        if (ret_cells && *ret_cells > 1)
                *ret_cells = 1;
        return n;
}

#else
#error "No fault is planted for this target."
#endif
