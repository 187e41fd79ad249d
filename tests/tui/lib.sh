# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# What the tests of the curses client share. They run below tests/cli/session: with a bus, folders
# and a terminal of their own. The terminal is tmux; nothing sleeps: each piece of output that a
# program writes is a line in the FIFO `ticks`, and then the screen is looked at again.
# shellcheck disable=SC1091,SC2034,SC2154 # see lib.sh of the CLI's tests
. "$TESTS/lib.sh"

here=$TESTS/../tui
program=$BUILD/client/tui/conductor-tui
PATIENCE=${PATIENCE:-20} # seconds, for any one thing to come
pane=one    # which program is meant: a session of tmux

for need in tmux "$program"; do
	command -v "$need" >/dev/null || {
		echo "1..0 # SKIP $need is missing"
		exit 0
	}
done

unset TMUX
export LANG=C.UTF-8 CONDUCTOR_AVATAR_DIR=$here/../../client/tui/avatar TMUX_TMPDIR=$FOLDER/run
mkfifo "$FOLDER/ticks"
exec 9<>"$FOLDER/ticks"
tmux() { command tmux -L tui -f /dev/null "$@" 9>&-; }
tmux new-session -d -s keep -x 10 -y 5 'exec cat'
tmux display-message -p '#{pid}' >"$FOLDER/tmux.pid"
tmux set -g status off \; set -g default-terminal tmux-256color \; set -g set-clipboard on \; \
	set -g remain-on-exit on \; set -s escape-time 0

# ---- starting ----

# start COLUMNSxROWS [ARGUMENT...]: in $pane, whose former program is killed. See in-terminal for
# what it leaves.
start() {
	local size=$1
	shift
	quit
	runs=$((runs + 1))
	rm -f "$FOLDER/$pane".* "$FOLDER/$pane-go"
	echo "$pane-$runs" >"$FOLDER/$pane.name"
	mkfifo "$FOLDER/$pane-go"
	tmux new-session -d -s "$pane" -x "${size%x*}" -y "${size#*x}" \
		"$here/in-terminal" "$FOLDER/$pane" "$pane-$runs" env "${environment[@]}" "$program" "$@"
	tmux pipe-pane -t "=$pane:" "exec '$BUILD/tests/tui/tui-ticker' '$FOLDER/ticks'"
	go_on
}
# Still pictures: she has a test of her own.
mkdir -p "$config"
printf '[Screen]\nAvatar=no\n' >"$config/tui.conf"
environment=() # NAME=VALUE of the programs that are started

runs=0
# quit: closes the terminal, and waits until the program is gone.
quit() {
	tmux kill-session -t "=$pane" 2>/dev/null || return 0
	[ -e "$FOLDER/$pane.exit" ] || event ended >/dev/null
}
process() { cat "$FOLDER/$pane.pid"; }

# event ended|stopped: waits until in-terminal says so.
event() { timeout "$PATIENCE" tmux -L tui wait-for "$1-$(<"$FOLDER/$pane.name")" 9>&-; }
# ended: waits for the program's end; its exit status is in $code.
ended() {
	event ended || {
		look
		printf 'it does not end:\n%s\n' "$screen"
		return 1
	}
	code=$(<"$FOLDER/$pane.exit")
}

# stopped: waits until it is; go_on continues it.
stopped() { event stopped; }
go_on() { echo >"$FOLDER/$pane-go"; }

# ---- what a person does ----

keys() { tmux send-keys -t "=$pane:" "$@"; }
# write TEXT...: typed, each letter a key.
write() { tmux send-keys -l -t "=$pane:" -- "$*"; }
# bytes HEX...: as if the terminal had sent them.
bytes() { tmux send-keys -H -t "=$pane:" "$@"; }
ask() { write "$*" && keys Enter; }
# Escape as a terminal sends it is only known by the silence after it: what is sent at once after it
# would be its Alt. This is the unmistakable one.
escape() { write $'\e[27u'; }
# slash NAME [WORDS]: a line that begins with a slash.
slash() { write "/$*" && keys Enter; }
# paste: what is on stdin.
paste() {
	tmux load-buffer -b pasted - && tmux paste-buffer -p -d -b pasted -t "=$pane:"
}
resize() { tmux resize-window -t "=$pane:" -x "${1%x*}" -y "${1#*x}"; }
# click ROW COLUMN and wheel up|down ROW COLUMN, counted from 1.
mouse() { write $'\e'"[<$1;$3;$2M"$'\e'"[<$1;$3;$2m"; }
click() { mouse 0 "$1" "$2"; }
wheel() { if [ "$1" = up ]; then mouse 64 "$2" "$3"; else mouse 65 "$2" "$3"; fi; }

# ---- what a person sees ----

look() { screen=$(tmux capture-pane -p -t "=$pane:"); }
look_styled() { screen=$(tmux capture-pane -e -p -t "=$pane:"); }
cursor() { tmux display-message -p -t "=$pane:" '#{cursor_x},#{cursor_y}'; }

# until_true COMMAND...: asks again after each piece of output.
until_true() {
	local deadline=$((SECONDS + PATIENCE)) tick
	while :; do
		while read -r -t 0 -u 9; do read -r -u 9 tick; done
		look
		"$@" && return
		# shellcheck disable=SC2034 # an empty line
		[ $SECONDS -lt $deadline ] && read -r -t $((deadline - SECONDS)) -u 9 tick || return 1
	done
}

has() { [[ $screen =~ ${1//\\n/$'\n'} ]]; }
has_not() { ! has "$1"; }

# wait_for REGEX, wait_gone REGEX: of the whole screen, lines parted by \n.
wait_for() {
	until_true has "$1" || {
		printf 'did not come: %s\nthe screen:\n%s\n' "$1" "$screen"
		return 1
	}
}
wait_gone() {
	until_true has_not "$1" || {
		printf 'does not go: %s\nthe screen:\n%s\n' "$1" "$screen"
		return 1
	}
}

# Times, ages and speeds are another one each day.
masked() {
	sed -E 's/ (now| [1-9]m)│/ now│/; s/\b[0-2][0-9]:[0-5][0-9]\b/HH:MM/; s/[0-9.,]+ tok\/s/N tok\/s/; s/[0-9.,]+ tokens\/s/N tokens\/s/; s/[0-9]+ ms\b/N ms/; s/[ \t]+$//' <<<"$screen"
}
is_screen() { [ "$(masked)" = "$(<"$1")" ]; }

# shows NAME: the screen is what screens/NAME.txt has. Where there is BUILD/tests/tui/write-screens
# the file is written instead: read it before it is kept.
shows() {
	local file=$here/screens/$1.txt
	if [ -e "$BUILD/tests/tui/write-screens" ]; then
		while read -r -t 1 -u 9; do :; done
		look
		masked >"$file"
		return
	fi
	until_true is_screen "$file" || {
		masked | diff -u "$file" -
		return 1
	}
}

# see NAME REGEX, gone NAME REGEX, shown NAME FILE: one case each.
see() { tap "$1" wait_for "$2"; }
gone() { tap "$1" wait_gone "$2"; }
shown() { tap "$1" shows "$2"; }

# ---- the engine ----

# says FILE [WORDS]: what it answers to all questions from now on is the file's text.
says() {
	local text
	text=$(<"$1")
	text=${text//\\/\\\\}
	text=${text//\"/\\\"}
	script "@say=\"${text//$'\n'/\\n}\" ${2-}"
}
script() { engine_page script --data-raw "$1" >/dev/null; }

# ---- the end ----

finish() {
	for pane in one two; do quit; done # what they write at their end is written
	tmux kill-server 2>/dev/null
	stop_service
	tap_done
}
