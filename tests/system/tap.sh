# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Test Anything Protocol for shell scripts: source it, check things, `tap_done` at the end.

tap_n=0 tap_output=''

# tap NAME COMMAND...: one case; what a failing command printed is shown.
tap() {
	local name=$1
	shift
	tap_n=$((tap_n + 1))
	if tap_output=$("$@" 2>&1); then
		echo "ok $tap_n - $name"
	else
		echo "not ok $tap_n - $name"
		printf '%s\n' "$tap_output" | sed 's/^/# /'
	fi
}

# tap_skip NAME REASON
tap_skip() {
	tap_n=$((tap_n + 1))
	echo "ok $tap_n - $1 # SKIP $2"
}

tap_done() {
	echo "1..$tap_n"
}

# For use as commands: each says what it saw when it fails.
contains() { # TEXT WORD...
	local text=$1 word
	shift
	for word in "$@"; do
		[[ $text == *"$word"* ]] || {
			printf 'no "%s" in:\n%s\n' "$word" "$text"
			return 1
		}
	done
}

prints() { # WORD COMMAND...: the command succeeds and what it prints has the word
	local word=$1 text
	shift
	text=$("$@" 2>&1) || {
		printf 'failed with %d: %s\n%s\n' $? "$*" "$text"
		return 1
	}
	contains "$text" "$word"
}
