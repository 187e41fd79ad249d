/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Keys to actions, and what each action does. */

#include <signal.h>

#include "client/tui/app/app-internal.h"

static int move(App *app, int how)
{
        EditorMove m = (EditorMove) how;
        int r;

        r = editor_move(app->editor, m);
        if (r != 0)
                return r;
        if (m == MOVE_UP)
                return app_history(app, -1);
        if (m == MOVE_DOWN)
                return app_history(app, 1);
        return 0;
}

static int edited(App *app, int r)
{
        if (r <= 0)
                return r;
        app->history = 0;
        app_edited(app);
        return 0;
}

static int kill_text(App *app, int what)
{
        return edited(app, editor_kill(app->editor, (EditorKill) what));
}

static int change(App *app, int (*how)(Editor *e))
{
        return edited(app, how(app->editor));
}

static MessageItem *last_of(App *app, Role role)
{
        MessageItem *const *messages;
        size_t n;

        messages = mirror_messages(app->mirror, &n);
        while (n-- > 0)
                if (messages[n]->role == role)
                        return messages[n];
        return NULL;
}

/* ---- leaving and cancelling ---- */

/* While reading, of several replies and questions that wait the one that is meant. */
static int cancel_reply(App *app)
{
        const MessageItem *m = app->place == CONTEXT_TRANSCRIPT
                ? transcript_current(app->transcript)
                : NULL;

        return mirror_cancel(app->mirror, m && (m->live || m->send != SEND_DONE) ? m->id : 0);
}

static int cancel(App *app)
{
        if (mirror_can_cancel(app->mirror))
                return cancel_reply(app);
        if (app->editing != 0) {
                app_stop_editing(app);
                return 0;
        }
        app->notice = mfree(app->notice);
        app->place = CONTEXT_INPUT;
        return transcript_highlight(app->transcript, NULL);
}

static int interrupt(App *app, int unused)
{
        usec_t now = app_now(app);
        bool live = mirror_can_cancel(app->mirror);
        int r;

        if (app->cancelled_at != 0 && now - app->cancelled_at < LEAVE_USEC) {
                app_leave(app);
                return 0;
        }
        app->cancelled_at = now;
        r = cancel(app);
        if (r >= 0 && !live)
                app_say(app, "Ctrl-C again leaves.");
        return r;
}

/* ---- places and conversations ---- */

static int go_to_place(App *app, int by)
{
        static const KeyContext order[] = { CONTEXT_INPUT, CONTEXT_TRANSCRIPT, CONTEXT_LIST };
        size_t n = ELEMENTSOF(order), i = 0;

        while (i < n && order[i] != app->place)
                i++;
        app->place = order[(i + n + (size_t) (by + (int) n)) % n];
        return 0;
}

static int open_at(App *app, ssize_t index)
{
        const ConversationItem *list;
        size_t n;

        list = mirror_list(app->mirror, &n);
        if (index < 0 || (size_t) index >= n)
                return 0;
        app->list.selected = (size_t) index;
        if ((size_t) index + 1 == n && mirror_list_has_more(app->mirror))
                (void) mirror_list_more(app->mirror);
        return mirror_open(app->mirror, list[index].id, 0);
}

static int open_neighbour(App *app, int by)
{
        const ConversationItem *c = mirror_open_conversation(app->mirror), *list;
        size_t n;

        list = mirror_list(app->mirror, &n);
        for (size_t i = 0; c && i < n; i++)
                if (streq(list[i].id, c->id))
                        return open_at(app, (ssize_t) i + by);
        return open_at(app, 0);
}

static int list_move(App *app, int by)
{
        size_t n;

        (void) mirror_list(app->mirror, &n);
        if (by < 0 && app->list.selected > 0)
                app->list.selected--;
        else if (by > 0 && app->list.selected + 1 < n)
                app->list.selected++;
        else if (by > 0 && mirror_list_has_more(app->mirror))
                return mirror_list_more(app->mirror);
        return 0;
}

static int begin_new(App *app, int private)
{
        int r;

        app->draft_loaded = false; /* also when the one before was a new one */
        r = mirror_open_new(app->mirror, strempty(app->model), private != 0);
        if (r < 0)
                return r;
        app->place = CONTEXT_INPUT;
        app_switch_draft(app);
        return 0;
}

/* The conversation that is meant: in the list the chosen one, else the open one. */
static const ConversationItem *conversation_meant(App *app)
{
        const ConversationItem *list;
        size_t n;

        if (app->place != CONTEXT_LIST)
                return mirror_open_conversation(app->mirror);
        list = mirror_list(app->mirror, &n);
        return app->list.selected < n ? &list[app->list.selected] : NULL;
}

static int remove_conversation(App *app, int archive)
{
        const ConversationItem *c = conversation_meant(app), *open;
        char id[sizeof c->id];
        int r;

        if (!c)
                return 0;
        memcpy(id, c->id, sizeof id);
        open = mirror_open_conversation(app->mirror);
        r = archive ? mirror_archive(app->mirror, id, true, app_done, app)
                    : mirror_delete(app->mirror, id, app_done, app);
        if (r < 0)
                return r;
        memcpy(app->removed, id, sizeof id);
        app->removed_archived = archive;
        app_say(app, "%s; /undelete takes it back.", archive ? "Archived" : "Deleted");
        if (open && streq(open->id, id))
                return begin_new(app, /* private= */ false);
        return 0;
}

static int undelete(App *app, int unused)
{
        int r;

        if (isempty(app->removed)) {
                app_say(app,
                        "Nothing was deleted or archived here. `conductor list --deleted` "
                        "shows what can be restored.");
                return 0;
        }
        r = app->removed_archived ? mirror_archive(app->mirror, app->removed, false, app_done, app)
                                  : mirror_restore(app->mirror, app->removed, app_done, app);
        if (r >= 0)
                app->removed[0] = '\0';
        return r;
}

/* ---- messages ---- */

static int reasoning(App *app, int unused)
{
        int r;

        if (app->place == CONTEXT_TRANSCRIPT) {
                r = transcript_toggle_reasoning(app->transcript);
                if (r == -ENOENT)
                        app_say(app, "This message has no reasoning.");
                return r == -ENOENT ? 0 : r;
        }
        app->transcript_flags ^= TRANSCRIPT_REASONING;
        transcript_set_flags(app->transcript, app->transcript_flags);
        return 0;
}

static int metadata(App *app, int unused)
{
        app->transcript_flags ^= TRANSCRIPT_METADATA;
        transcript_set_flags(app->transcript, app->transcript_flags);
        return 0;
}

static int regenerate(App *app, int last)
{
        const MessageItem *m = last ? last_of(app, ROLE_ASSISTANT)
                                    : transcript_current(app->transcript);

        if (!m || m->role != ROLE_ASSISTANT) {
                app_say(app, "That is for replies; go to one with Ctrl-Up.");
                return 0;
        }
        if (m->live) {
                app_say(app, "This reply is still being written; Escape cancels it.");
                return 0;
        }
        return mirror_regenerate(app->mirror, m->id, "", app_done, app);
}

static int go_on(App *app, int unused)
{
        const MessageItem *m = last_of(app, ROLE_ASSISTANT);

        if (!m || m->live) {
                app_say(app, "There is no reply that was cut.");
                return 0;
        }
        return mirror_continue(app->mirror, m->id, app_done, app);
}

static int branch(App *app, int by)
{
        const MessageItem *m = transcript_current(app->transcript);
        size_t i = 0;

        if (!m || m->n_siblings < 2) {
                app_say(app, "This message has no other branch.");
                return 0;
        }
        while (i < m->n_siblings && m->siblings[i] != m->id)
                i++;
        if ((by < 0 && i == 0) || (by > 0 && i + 1 >= m->n_siblings)) {
                app_say(app, by < 0 ? "This is the first branch." : "This is the last branch.");
                return 0;
        }
        return mirror_select_branch(
                app->mirror, m->siblings[by < 0 ? i - 1 : i + 1], app_done, app);
}

static int copy(App *app, const char *text, size_t size, const char *what)
{
        int r;

        r = terminal_copy(app->terminal, text, size);
        if (r == -EFBIG)
                app_say(app, "This is too large for the terminal's clipboard; export it instead.");
        else if (r == -EOPNOTSUPP)
                app_say(app, "This terminal takes nothing into its clipboard.");
        else if (r < 0)
                return r;
        else
                app_say(app, "Copied %s, %zu bytes.", what, size);
        return 0;
}

static int copy_code(App *app, int unused)
{
        const char *text;
        size_t size;
        int r;

        r = transcript_code(app->transcript, &text, &size);
        if (r == -ENOENT) {
                app_say(app, "There is no code block here.");
                return 0;
        }
        return r < 0 ? r : copy(app, text, size, "the code block");
}

static int copy_message(App *app, int unused)
{
        const MessageItem *m = transcript_current(app->transcript);
        const char *text;
        size_t size;

        if (!m)
                return 0;
        text = document_source(m->channels[CHANNEL_CONTENT], &size);
        return copy(app, text, size, "the message");
}

/* ---- the screen ---- */

static int toggle_mouse(App *app, int unused)
{
        app->mouse = !app->mouse;
        app_say(app,
                app->mouse ? "The mouse scrolls and chooses; F9 gives it to the terminal."
                           : "The mouse is the terminal's: it selects text.");
        return terminal_set_mouse(app->terminal, app->mouse);
}

static int toggle_avatar(App *app, int unused)
{
        app->settings.avatar = !app->settings.avatar;
        if (app->avatar)
                avatar_set_visible(app->avatar, app->settings.avatar, app_now(app));
        return keeper_remember_avatar(app->keeper, app->settings.avatar);
}

static int toggle_theme(App *app, int unused)
{
        app->light = !app->light;
        return terminal_set_theme(app->terminal, app->light ? "light" : "dark");
}

static int leave_or_delete(App *app, int unused)
{
        if (!editor_is_empty(app->editor))
                return kill_text(app, KILL_RIGHT);
        app_leave(app);
        return 0;
}

static int write_here(App *app, int unused)
{
        app->place = CONTEXT_INPUT;
        return 0;
}

static int newline(App *app, int unused)
{
        return edited(app, editor_insert(app->editor, "\n", 1));
}

static int page(App *app, int by)
{
        (void) transcript_page(app->transcript, by);
        return 0;
}

static int go_to_message(App *app, int by)
{
        (void) transcript_message(app->transcript, by);
        app->place = CONTEXT_TRANSCRIPT;
        return 0;
}

static int start_of_transcript(App *app, int unused)
{
        transcript_home(app->transcript);
        return 0;
}

static int end_of_transcript(App *app, int unused)
{
        transcript_end(app->transcript);
        return 0;
}

static int scroll(App *app, int rows)
{
        (void) transcript_scroll(app->transcript, rows);
        return 0;
}

static int next_place(App *app, int unused)
{
        if (app->place == CONTEXT_INPUT && app_complete(app))
                return 0;
        return go_to_place(app, 1);
}

static int leave(App *app, int unused)
{
        app_leave(app);
        return 0;
}

static int suspend(App *app, int unused)
{
        (void) app_keep(app);
        return raise(SIGTSTP) == 0 ? 0 : -errno;
}

static int redraw(App *app, int unused)
{
        screen_forget(app->screen);
        return 0;
}

static int toggle_list(App *app, int unused)
{
        app->list_shown = !app->list_shown;
        if (!app->list_shown && app->place == CONTEXT_LIST)
                app->place = CONTEXT_INPUT;
        return 0;
}

static int open_chosen(App *app, int unused)
{
        app->place = CONTEXT_INPUT;
        return open_at(app, (ssize_t) app->list.selected);
}

static int edit_message(App *app, int last)
{
        return app_edit_message(
                app, last ? last_of(app, ROLE_USER) : transcript_current(app->transcript));
}

static int detach(App *app, int unused)
{
        app_detach_all(app);
        return 0;
}

/* Each action's function and what is given to it. */
/* clang-format off */
#define PLAIN(function) \
        static int act_##function(App *app, int unused) { return function(app); }
#define EDITING(function) \
        static int act_##function(App *app, int unused) { return change(app, function); }
PLAIN(app_send)
PLAIN(app_pick_action)
PLAIN(app_pick_model)
PLAIN(app_pick_title)
PLAIN(app_pick_export)
PLAIN(app_pick_history)
PLAIN(app_show_keys)
PLAIN(app_edit_in_editor)
PLAIN(app_read_in_pager)
EDITING(editor_yank)
EDITING(editor_yank_pop)
EDITING(editor_transpose)
EDITING(editor_undo)
EDITING(editor_redo)
EDITING(editor_unfold)
/* clang-format on */

static int pick_search(App *app, int unused)
{
        return app_pick_search(app, strempty(app->words));
}

static int pick_file(App *app, int unused)
{
        return app_pick_file(app, "");
}

static int cancel_by(App *app, Key key)
{
        return key.code == 'c' && key.modifiers == KEY_CONTROL ? interrupt(app, 0) : cancel(app);
}

static int cancel_unasked(App *app, int unused)
{
        return cancel(app);
}

typedef struct Handler {
        int (*act)(App *app, int argument);
        int argument;
} Handler;

static const Handler handlers[_ACTION_MAX] = {
        [ACTION_SEND] = { act_app_send, 0 },
        [ACTION_NEWLINE] = { newline, 0 },
        [ACTION_CANCEL] = { cancel_unasked, 0 },
        [ACTION_LEAVE] = { leave, 0 },
        [ACTION_LEAVE_OR_DELETE] = { leave_or_delete, 0 },
        [ACTION_HELP] = { act_app_show_keys, 0 },
        [ACTION_HELP_READING] = { act_app_show_keys, 0 },
        [ACTION_PALETTE] = { act_app_pick_action, 0 },
        [ACTION_SUSPEND] = { suspend, 0 },
        [ACTION_REDRAW] = { redraw, 0 },
        [ACTION_NEXT_PLACE] = { next_place, 0 },
        [ACTION_PREVIOUS_PLACE] = { go_to_place, -1 },
        [ACTION_WRITE] = { write_here, 0 },
        [ACTION_TOGGLE_LIST] = { toggle_list, 0 },
        [ACTION_NEW] = { begin_new, false },
        [ACTION_NEW_PRIVATE] = { begin_new, true },
        [ACTION_PREVIOUS] = { open_neighbour, -1 },
        [ACTION_NEXT] = { open_neighbour, 1 },
        [ACTION_OPEN] = { open_chosen, 0 },
        [ACTION_LIST_UP] = { list_move, -1 },
        [ACTION_LIST_DOWN] = { list_move, 1 },
        [ACTION_RENAME] = { act_app_pick_title, 0 },
        [ACTION_ARCHIVE] = { remove_conversation, true },
        [ACTION_DELETE] = { remove_conversation, false },
        [ACTION_UNDELETE] = { undelete, 0 },
        [ACTION_SEARCH] = { pick_search, 0 },
        [ACTION_MODEL] = { act_app_pick_model, 0 },
        [ACTION_EXPORT] = { act_app_pick_export, 0 },
        [ACTION_PAGER] = { act_app_read_in_pager, 0 },
        [ACTION_ATTACH] = { pick_file, 0 },
        [ACTION_DETACH] = { detach, 0 },
        [ACTION_EDITOR] = { act_app_edit_in_editor, 0 },
        [ACTION_SCROLL_UP] = { scroll, -1 },
        [ACTION_SCROLL_DOWN] = { scroll, 1 },
        [ACTION_PAGE_UP] = { page, -1 },
        [ACTION_PAGE_DOWN] = { page, 1 },
        [ACTION_MESSAGE_UP] = { go_to_message, -1 },
        [ACTION_MESSAGE_DOWN] = { go_to_message, 1 },
        [ACTION_START] = { start_of_transcript, 0 },
        [ACTION_FINISH] = { end_of_transcript, 0 },
        [ACTION_HIT_NEXT] = { app_open_hit, 1 },
        [ACTION_HIT_PREVIOUS] = { app_open_hit, -1 },
        [ACTION_REASONING] = { reasoning, 0 },
        [ACTION_METADATA] = { metadata, 0 },
        [ACTION_EDIT] = { edit_message, false },
        [ACTION_EDIT_LAST] = { edit_message, true },
        [ACTION_REGENERATE] = { regenerate, false },
        [ACTION_RETRY] = { regenerate, true },
        [ACTION_CONTINUE] = { go_on, 0 },
        [ACTION_BRANCH_LEFT] = { branch, -1 },
        [ACTION_BRANCH_RIGHT] = { branch, 1 },
        [ACTION_COPY] = { copy_code, 0 },
        [ACTION_COPY_LAST] = { copy_code, 0 },
        [ACTION_COPY_MESSAGE] = { copy_message, 0 },
        [ACTION_MOUSE] = { toggle_mouse, 0 },
        [ACTION_AVATAR] = { toggle_avatar, 0 },
        [ACTION_THEME] = { toggle_theme, 0 },
        [ACTION_LEFT] = { move, MOVE_LEFT },
        [ACTION_RIGHT] = { move, MOVE_RIGHT },
        [ACTION_LEFT_IN_LINE] = { move, MOVE_LEFT_IN_LINE },
        [ACTION_RIGHT_IN_LINE] = { move, MOVE_RIGHT_IN_LINE },
        [ACTION_UP] = { move, MOVE_UP },
        [ACTION_DOWN] = { move, MOVE_DOWN },
        [ACTION_WORD_LEFT] = { move, MOVE_WORD_LEFT },
        [ACTION_WORD_RIGHT] = { move, MOVE_WORD_RIGHT },
        [ACTION_LINE_START] = { move, MOVE_LINE_START },
        [ACTION_LINE_END] = { move, MOVE_LINE_END },
        [ACTION_ERASE] = { kill_text, KILL_LEFT },
        [ACTION_ERASE_RIGHT] = { kill_text, KILL_RIGHT },
        [ACTION_KILL_WORD] = { kill_text, KILL_WORD_LEFT },
        [ACTION_KILL_WORD_RIGHT] = { kill_text, KILL_WORD_RIGHT },
        [ACTION_KILL_LINE] = { kill_text, KILL_LINE_END },
        [ACTION_KILL_START] = { kill_text, KILL_LINE_START },
        [ACTION_KILL_WHOLE_LINE] = { kill_text, KILL_WHOLE_LINE },
        [ACTION_YANK] = { act_editor_yank, 0 },
        [ACTION_YANK_BEFORE] = { act_editor_yank_pop, 0 },
        [ACTION_TRANSPOSE] = { act_editor_transpose, 0 },
        [ACTION_UNDO] = { act_editor_undo, 0 },
        [ACTION_REDO] = { act_editor_redo, 0 },
        [ACTION_UNFOLD] = { act_editor_unfold, 0 },
        [ACTION_HISTORY] = { act_app_pick_history, 0 },
};

int app_act(App *app, Action action)
{
        const Handler *h = &handlers[action];

        return h->act ? h->act(app, h->argument) : 0;
}

/* ---- keys ---- */

/* A letter without Control or Alt writes itself. */
static bool is_text(Key key)
{
        return key.code >= 0x20 && key.code < KEY_ENTER &&
                !(key.modifiers & (KEY_CONTROL | KEY_ALT));
}

static size_t encode(uint32_t code, char text[static 4])
{
        if (code < 0x80) {
                text[0] = (char) code;
                return 1;
        }
        if (code < 0x800) {
                text[0] = (char) (0xc0 | code >> 6);
                text[1] = (char) (0x80 | (code & 0x3f));
                return 2;
        }
        if (code < 0x10000) {
                text[0] = (char) (0xe0 | code >> 12);
                text[1] = (char) (0x80 | (code >> 6 & 0x3f));
                text[2] = (char) (0x80 | (code & 0x3f));
                return 3;
        }
        text[0] = (char) (0xf0 | code >> 18);
        text[1] = (char) (0x80 | (code >> 12 & 0x3f));
        text[2] = (char) (0x80 | (code >> 6 & 0x3f));
        text[3] = (char) (0x80 | (code & 0x3f));
        return 4;
}

/* The editing actions that a picker's line knows. */
static int edit_picker(App *app, Action action, Key key)
{
        Editor *e = picker_editor(app->picker);
        const Handler *h = &handlers[action];
        char text[4];
        int r = 0;

        if (h->act == move)
                r = editor_move(e, (EditorMove) h->argument);
        else if (h->act == kill_text)
                r = editor_kill(e, (EditorKill) h->argument);
        else if (action == ACTION_YANK)
                r = editor_yank(e);
        else if (is_text(key))
                r = editor_insert(e, text, encode(key.code, text));
        if (r <= 0 || h->act == move)
                return r;
        return picker_changed(app->picker);
}

static int key_in_picker(App *app, Key key)
{
        Action action = keymap_find(app->settings.keymap, CONTEXT_INPUT, key);

        switch (key.code) {
        case KEY_ENTER:
                picker_accept(app->picker);
                return 0;
        case KEY_UP:
        case KEY_DOWN:
                picker_move(app->picker, key.code == KEY_UP ? -1 : 1);
                return 0;
        case KEY_PAGE_UP:
        case KEY_PAGE_DOWN:
                picker_move(app->picker, key.code == KEY_PAGE_UP ? -10 : 10);
                return 0;
        case KEY_TAB:
                picker_move(app->picker, key.modifiers & KEY_SHIFT ? -1 : 1);
                return 0;
        default:
                break;
        }
        if (action == ACTION_CANCEL) {
                picker_cancel(app->picker);
                return 0;
        }
        return edit_picker(app, action, key);
}

int app_key(App *app, Key key)
{
        Action actions[KEYMAP_ACTIONS_MAX];
        char text[4];
        int n, r = 0;

        if (app->picker)
                return key_in_picker(app, key);
        /* Where nothing is written yet it is no question. */
        if (app->place == CONTEXT_INPUT && key.code == '?' && editor_is_empty(app->editor))
                return app_show_keys(app);
        n = keymap_look_up(app->settings.keymap, &app->vi, app->place, key, actions);
        for (int i = 0; i < n && r >= 0; i++)
                r = actions[i] == ACTION_CANCEL ? cancel_by(app, key) : app_act(app, actions[i]);
        if (n != -ENOENT)
                return n < 0 ? n : r;
        if (!is_text(key))
                return 0;
        /* Who types while reading wants to write. */
        app->place = CONTEXT_INPUT;
        return edited(app, editor_insert(app->editor, text, encode(key.code, text)));
}
