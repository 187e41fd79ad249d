/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* How text looks: a role, which the theme gives colours, and attributes. Views name roles, never
 * colours, so that a theme, 8 colours or none are nobody else's affair. */

#include "common/buffer.h"

typedef enum StyleRole {
        STYLE_NORMAL,
        STYLE_DIM,     /* what matters less: times, hints, borders */
        STYLE_ACCENT,  /* what is chosen, links, names of keys */
        STYLE_TITLE,   /* headings */
        STYLE_USER,    /* the person's own words */
        STYLE_GOOD,    /* ready, done */
        STYLE_WARNING, /* waiting, interrupted */
        STYLE_BAD,     /* failed */
        STYLE_REASONING,
        STYLE_QUOTE,
        STYLE_CODE,    /* inline and fenced, with a background where colours allow it */
        STYLE_KEYWORD, /* in code, on its background */
        STYLE_TYPE,
        STYLE_STRING,
        STYLE_NUMBER,
        STYLE_COMMENT,
        STYLE_FUNCTION,
        STYLE_BAR,      /* the status line */
        STYLE_BAR_GOOD, /* on the status line's background */
        STYLE_BAR_WARNING,
        STYLE_BAR_BAD,
        STYLE_SELECTED, /* the chosen row of a list */
        STYLE_MATCH,    /* a search hit */
        STYLE_INPUT,
        STYLE_CHIP, /* an attachment, a folded paste */
        /* The avatar is a shape of BODY blocks; FACE, EYE and CHEEK are drawn onto it, so their
         * background is BODY's colour (without colours: reverse). */
        STYLE_AVATAR_OUTLINE, /* gills and fins, deeper than the body */
        STYLE_AVATAR_BODY,
        STYLE_AVATAR_SHADE, /* limbs in front of the body */
        STYLE_AVATAR_FACE,  /* dark, on the body */
        STYLE_AVATAR_EYE,   /* darkest, on the body */
        STYLE_AVATAR_CHEEK, /* blush, on the body */
        STYLE_AVATAR_EXTRA, /* what is in its hand, sparks, bubbles */
        _STYLE_ROLE_MAX,
} StyleRole;

/* A role in the low byte, attributes above. */
typedef uint16_t Style;

#define STYLE_BOLD      (1U << 8)
#define STYLE_ITALIC    (1U << 9)
#define STYLE_UNDERLINE (1U << 10)
#define STYLE_REVERSE   (1U << 11)
#define STYLE_STRIKE    (1U << 12)
#define STYLE_ROLE(s)   ((StyleRole) ((s) &0xff))

typedef enum ColourDepth {
        COLOURS_NONE, /* attributes only */
        COLOURS_8,
        COLOURS_256,
        COLOURS_TRUE,
} ColourDepth;

typedef enum Theme {
        THEME_DARK,
        THEME_LIGHT,
        _THEME_MAX,
        _THEME_INVALID = -EINVAL,
} Theme;

Theme theme_from_string(const char *s);

void style_load(Theme theme, ColourDepth depth);

/* Bytes of the longest change. */
#define STYLE_CHANGE_MAX 80U

/* What a terminal's look is when nobody knows: every change from it begins with a reset. */
#define STYLE_UNKNOWN ((Style) 0xffff)

/* Writes the shortest sequence that turns one look into the other; returns its size: 0 when they
 * are alike. */
size_t style_change(Style from, Style to, char buffer[static STYLE_CHANGE_MAX]);

/* Whether a blank looks the same in both (what is written on it might not). */
bool style_is_alike_blank(Style a, Style b);

/* Whether a blank of this look is background alone, so that erasing can draw it. */
bool style_is_plain_blank(Style s);

/* Whether it has the terminal's own background. */
bool style_has_own_background(Style s);
