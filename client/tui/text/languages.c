/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/tui/text/languages.h"

#define C_KEYWORDS \
        " alignas alignof asm auto break case const continue constexpr default do else enum " \
        "extern for goto if inline register restrict return sizeof static static_assert struct " \
        "switch thread_local typedef typeof union volatile while _Alignas _Atomic _Generic " \
        "_Noreturn _Static_assert "
#define C_TYPES \
        " bool char double float int long short signed unsigned void size_t ssize_t ptrdiff_t " \
        "int8_t int16_t int32_t int64_t uint8_t uint16_t uint32_t uint64_t uintptr_t intptr_t " \
        "off_t pid_t time_t FILE "

/* Names are looked for in order. */
const Language languages[] = {
        {
                .names = " c h ",
                .flags = LANGUAGE_CALLS | LANGUAGE_DIRECTIVES,
                .keywords = C_KEYWORDS,
                .types = C_TYPES,
                .constants = " true false NULL nullptr ",
                .line_comments = { "//" },
                .block_open = "/*",
                .block_close = "*/",
                .quotes = "\"'",
        },
        {
                .names = " cpp c++ cxx cc hpp hxx objc cuda ",
                .flags = LANGUAGE_CALLS | LANGUAGE_DIRECTIVES,
                .keywords = C_KEYWORDS
                " and bitand bitor catch class co_await co_return co_yield compl concept consteval "
                "constinit const_cast decltype delete dynamic_cast explicit export final friend "
                "import module mutable namespace new noexcept not operator or override private "
                "protected public reinterpret_cast requires static_cast template this throw try "
                "typeid typename using virtual xor ",
                .types = C_TYPES " string vector map set unordered_map unique_ptr shared_ptr "
                                 "optional pair tuple array string_view wchar_t char8_t ",
                .constants = " true false NULL nullptr ",
                .line_comments = { "//" },
                .block_open = "/*",
                .block_close = "*/",
                .quotes = "\"'",
        },
        {
                .names = " python py python3 py3 pyi ipython ",
                .flags = LANGUAGE_CALLS | LANGUAGE_ATTRIBUTES,
                .keywords =
                        " and as assert async await break case class continue def del elif else "
                        "except finally for from global if import in is lambda match nonlocal "
                        "not or pass raise return try type while with yield ",
                .types = " bool bytes bytearray complex dict float frozenset int list object set "
                         "str tuple type Any Optional Union List Dict Tuple Set Callable Iterable "
                         "Exception ValueError TypeError KeyError RuntimeError OSError ",
                .constants = " True False None self cls NotImplemented Ellipsis __name__ ",
                .line_comments = { "#" },
                .quotes = "\"'",
                .long_quotes = { "\"\"\"", "'''" },
        },
        {
                .names = " javascript js jsx mjs cjs node typescript ts tsx mts ",
                .flags = LANGUAGE_CALLS | LANGUAGE_CAPITALS | LANGUAGE_ATTRIBUTES,
                .keywords =
                        " abstract as async await break case catch class const continue debugger "
                        "declare default delete do else enum export extends finally for from "
                        "function get if implements import in infer instanceof interface is "
                        "keyof let namespace new of package private protected public readonly "
                        "return satisfies set static super switch throw try type typeof var void "
                        "while with yield ",
                .types = " any bigint boolean never number object string symbol unknown ",
                .constants = " true false null undefined NaN Infinity this ",
                .line_comments = { "//" },
                .block_open = "/*",
                .block_close = "*/",
                .quotes = "\"'",
                .long_quotes = { "`" },
        },
        {
                .names = " sh bash shell zsh ksh fish console shellsession terminal dockerfile "
                         "docker make makefile ",
                .flags = LANGUAGE_VARIABLES | LANGUAGE_WORD_COMMENT | LANGUAGE_RAW_SINGLE,
                .keywords =
                        " if then else elif fi for in do done while until case esac function "
                        "select time return break continue exit export local readonly declare "
                        "unset shift trap source alias eval exec set sudo FROM RUN CMD COPY ADD "
                        "ENV EXPOSE WORKDIR ENTRYPOINT ARG USER VOLUME ",
                .types = " echo printf cd read test ls cat grep sed awk cp mv rm mkdir chmod chown "
                         "find curl wget tar git apt apt-get dnf pacman systemctl docker npm pip "
                         "python python3 make ssh kill ps ",
                .constants = " true false ",
                .line_comments = { "#" },
                .long_quotes = { "\"", "'", "`" },
        },
        {
                .names = " rust rs ",
                .flags = LANGUAGE_CALLS | LANGUAGE_CAPITALS | LANGUAGE_NESTING | LANGUAGE_LIFETIMES,
                .keywords =
                        " as async await break const continue crate dyn else enum extern fn for "
                        "if impl in let loop match mod move mut pub ref return static struct "
                        "super trait type union unsafe use where while yield ",
                .types = " bool char f32 f64 i8 i16 i32 i64 i128 isize str u8 u16 u32 u64 u128 "
                         "usize ",
                .constants = " true false self None ",
                .line_comments = { "//" },
                .block_open = "/*",
                .block_close = "*/",
                .quotes = "'",
                .long_quotes = { "\"" },
        },
        {
                .names = " go golang ",
                .flags = LANGUAGE_CALLS,
                .keywords =
                        " break case chan const continue default defer else fallthrough for func "
                        "go goto if import interface map package range return select struct "
                        "switch type var ",
                .types = " any bool byte comparable complex64 complex128 error float32 float64 int "
                         "int8 int16 int32 int64 rune string uint uint8 uint16 uint32 uint64 "
                         "uintptr ",
                .constants = " true false nil iota ",
                .line_comments = { "//" },
                .block_open = "/*",
                .block_close = "*/",
                .quotes = "\"'",
                .long_quotes = { "`" },
        },
        {
                .names = " java kotlin kt scala cs csharp c# swift dart ",
                .flags = LANGUAGE_CALLS | LANGUAGE_CAPITALS | LANGUAGE_ATTRIBUTES,
                .keywords =
                        " abstract as assert async await base break by case catch class companion "
                        "const continue data default do else enum extends extension final "
                        "finally for foreach fun func get goto guard if implements import in init "
                        "instanceof interface internal is lateinit let lock namespace native new "
                        "object open operator out override package private protected protocol "
                        "public readonly record ref return sealed set static strictfp struct "
                        "super switch synchronized throw throws transient try using val var "
                        "virtual volatile when where while yield ",
                .types = " boolean bool byte char decimal double dynamic float int long object "
                         "short string uint ulong void ",
                .constants = " true false null nil this self ",
                .line_comments = { "//" },
                .block_open = "/*",
                .block_close = "*/",
                .quotes = "\"'",
                .long_quotes = { "\"\"\"" },
        },
        {
                .names = " json jsonc json5 jsonl ",
                .kind = LANGUAGE_KEYS,
                .constants = " true false null ",
                .line_comments = { "//" },
                .block_open = "/*",
                .block_close = "*/",
                .quotes = "\"",
        },
        {
                .names = " yaml yml ini toml conf cfg properties env systemd desktop ",
                .kind = LANGUAGE_KEYS,
                .flags = LANGUAGE_WORD_COMMENT | LANGUAGE_CASELESS | LANGUAGE_RAW_SINGLE,
                .constants = " true false null yes no on off ",
                .line_comments = { "#", ";" },
                .quotes = "\"'",
                .long_quotes = { "\"\"\"", "'''" },
        },
        {
                .names = " html xml xhtml svg htm vue svelte ",
                .kind = LANGUAGE_MARKUP,
                .block_open = "<!--",
                .block_close = "-->",
        },
        {
                .names = " sql mysql postgres postgresql sqlite plsql psql ",
                .flags = LANGUAGE_CASELESS | LANGUAGE_CALLS | LANGUAGE_DOUBLED,
                .keywords =
                        " add all alter and as asc begin between by cascade case check column "
                        "commit constraint create cross database default delete desc distinct "
                        "drop each else end except exists explain foreign from full grant group "
                        "having if in index inner insert intersect into is join key left like "
                        "limit not offset on or order outer over partition primary references "
                        "returning right rollback row rows select set table then to transaction "
                        "trigger truncate union unique update using values view when where with ",
                .types = " bigint blob bool boolean bytea char date decimal double float int "
                         "integer interval json jsonb numeric real serial smallint text time "
                         "timestamp uuid varchar ",
                .constants = " true false null ",
                .line_comments = { "--" },
                .block_open = "/*",
                .block_close = "*/",
                .quotes = "`",
                .long_quotes = { "'", "\"" },
        },
        {
                .names = " diff patch udiff ",
                .kind = LANGUAGE_DIFF,
        },
};

const size_t n_languages = ELEMENTSOF(languages);
