# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# What the tests of the CLI share. They run below `session`.

. "$TESTS/../system/tap.sh"
exec </dev/null
set -u

config=$HOME/.config/conductor
state=$HOME/.local/state/conductor
mkdir -p "$config/engines.d"

# ---- the service and the engine ----

start_service() {
	local deadline=$((SECONDS + 30))
	"$BUILD/service/conductord" >>"$FOLDER/log" 2>&1 &
	service=$!
	echo "$service" >"$FOLDER/service.pid"
	until conductor status >"$FOLDER/status" 2>&1; do
		if [ $SECONDS -gt $deadline ] || ! kill -0 "$service" 2>/dev/null; then
			sed 's/^/# /' "$FOLDER/log" "$FOLDER/status"
			echo "Bail out! The service does not start"
			exit 1
		fi
	done
}

stop_service() { # [SIGNAL]
	kill -s "${1:-TERM}" "$service"
	wait "$service" 2>/dev/null
	rm -f "$FOLDER/service.pid"
}

start_engine() { # TYPE [LINE...]: the only engine; lines for its [Engine]
	mkfifo "$FOLDER/port"
	"$BUILD/tests/server/test-engine" --port 0 >"$FOLDER/port" 2>/dev/null &
	echo $! >"$FOLDER/engine.pid"
	read -r _ port <"$FOLDER/port"
	rm "$FOLDER/port"
	write_engine "$@"
}

write_engine() { # TYPE [LINE...]
	local type=$1
	shift
	printf '[Engine]\nType=%s\nUrl=http://127.0.0.1:%d\n' "$type" "$port" >"$config/engines.d/test.conf"
	[ $# -eq 0 ] || printf '%s\n' "$@" >>"$config/engines.d/test.conf"
}

engine_page() { curl -s --max-time 30 "http://127.0.0.1:$port/$1" "${@:2}"; }
# Waits until the engine counted so many, e.g. held=2.
engine_wait() { engine_page "wait?$1" >/dev/null; }
engine_release() { engine_page release -d '' >/dev/null; }

# comes COMMAND...: waits until it succeeds, which is asked again when a file in $FOLDER changes.
comes() { "$TESTS/../system/await" change 30 "$FOLDER" "$@"; }

# ---- checking ----

# run COMMAND...: leaves $out, $err and $code.
run() {
	"$@" >"$FOLDER/out" 2>"$FOLDER/err"
	code=$?
	out=$(tr -d '\0' <"$FOLDER/out")
	err=$(tr -d '\0' <"$FOLDER/err")
}

# The patterns are bash's, for all of the text.
matches() { # CODE OUT ERR
	# shellcheck disable=SC2053 # patterns are wanted
	[[ $code == "$1" && $out == $2 && $err == $3 ]] && return
	printf 'exit code %s, wanted %s\n' "$code" "$1"
	printf 'output: %s\nwanted: %s\nerrors: %s\nwanted: %s\n' "$out" "$2" "$err" "$3"
	return 1
}

# expect CODE OUT ERR NAME COMMAND...: one case.
expect() {
	local wanted=("$1" "$2" "$3") name=$4
	shift 4
	run "$@"
	tap "$name" matches "${wanted[@]}"
}

same() { [ "$1" = "$2" ] || {
	printf 'is:     %s\nwanted: %s\n' "$1" "$2"
	return 1
}; }

# The D-Bus name of the error that a question ends with, without its prefix: busctl tells it only so.
error_name() { # MODEL
	SYSTEMD_LOG_LEVEL=debug busctl --user call org.aiway.Conductor1 /org/aiway/Conductor1 org.aiway.Conductor1.Manager \
		Ask 'sa{sv}' hello 1 model s "$1" 2>&1 | sed -n 's/.* error-name=org\.aiway\.Conductor1\.Error\.\([A-Za-z]*\) .*/\1/p'
}

newest() { conductor list -n 1 | cut -d ' ' -f 1; }
