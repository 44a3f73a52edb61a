# shellcheck shell=bash
# What a scenario's `run` may use, besides `on` and the functions of the other files here.
# Everything it does goes to its log; only these write TAP.

# A pause without a process: nothing ever comes here.
exec {NEVER}<> <(:)
nap() { read -r -t "$1" -u "$NEVER"; true; } # SECONDS

# Poll a condition; the only way to wait. Its output is shown once, when it never came true. Between two looks as long
# as a look takes: under emulation a program costs much, and what is waited for needs the processors too.
# On the instruction clock an idle guest's time leaps while it waits for a file: ten times.
wait_for() { # SECONDS CMD...
	local end=$((SECONDS + $1${ICOUNT:+0})) out began took
	shift
	while :; do
		began=${EPOCHREALTIME/[.,]/}
		! out=$("$@" 2>&1) || return 0
		[ $SECONDS -lt "$end" ] || { printf '%s\n' "$out" "waited in vain for: $*"; return 1; }
		took=$((${EPOCHREALTIME/[.,]/} - began))
		[ $took -ge 20000 ] || took=20000
		[ $took -le 500000 ] || took=500000
		nap "$((took / 1000000)).$(printf %06d $((took % 1000000)))"
	done
}

tap() { echo "$*" >>"$BED_TAP"; }

# Show the end of what the log says of the last check.
tap_log_tail() { tac "$BED_LOG" | sed -n 'p; /^+ check: /q' | head -n 20 | tac | sed 's/^/#   /' >>"$BED_TAP"; }

verify() { # WANTED(0|1) DESCRIPTION CMD...
	local want=$1 what=$2 got=0 began=$SECONDS
	shift 2
	echo "+ check: at $SECONDS s: $*"
	"$@" || got=1
	[ $((SECONDS - began)) -lt 10 ] || tap "# $((SECONDS - began)) s: $what"
	if [ "$got" = "$want" ]; then
		tap "ok - $BED_SCENARIO: $what"
	else
		tap "not ok - $BED_SCENARIO: $what"
		tap_log_tail
		return 1
	fi
}

check() { verify 0 "$@"; }  # the command must succeed
refute() { verify 1 "$@"; } # the command must fail

# The whole output of a command equals a string.
gives() { # STRING CMD...
	local want=$1 got
	shift
	got=$("$@" 2>&1)
	[ "$got" = "$want" ] || { printf 'wanted: %s\ngot:    %s\n' "$want" "$got"; return 1; }
}

# The output of a command is a number within a limit.
at_least() { number -ge "$@"; } # NUMBER CMD...
at_most() { number -le "$@"; }
number() { # OPERATOR NUMBER CMD...
	local op=$1 limit=$2 got
	shift 2
	got=$("$@" 2>&1)
	test "$got" "$op" "$limit" || { echo "wanted: $op $limit, got: $got"; return 1; }
}

capture() { # HOST IFACE FILTER FILE
	on "$1" tcpdump -i "$2" -n -U -Z root --immediate-mode -w "$4" "$3" 2>"$4.err" &
	echo "$!" >"$4.pid"
	wait_for 10 grep -q 'listening on' "$4.err"
}

# A zombie is gone with its last thread: until then its sockets and files are open.
process_gone() { # PID
	local threads=("/proc/$1/task"/*)
	! [ -e "/proc/$1" ] || { [ ${#threads[@]} = 1 ] && grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null; }
}

# Packets reach the file a moment after they passed: stop when it has been still for a while, or when it never is.
capture_stop() { # FILE [LOOKS, default 15]
	local pid size=-1 now tries=0
	pid=$(cat "$1.pid")
	kill -0 "$pid" 2>/dev/null || { rm -f "$1"; echo "the capture $1 had ended"; return 1; }
	while now=$(stat -c %s "$1") && [ "$now" != "$size" ] && [ $((tries += 1)) -le "${2:-15}" ]; do size=$now; sleep 0.2; done
	kill -INT "$pid" 2>/dev/null
	wait_for 10 process_gone "$pid"
	rm -f "$1.pid"
}

# Number of packets in a capture that match a filter.
captured() { # FILE [FILTER]
	local lines
	lines=$(tcpdump -n -r "$1" "${2:-}" 2>/dev/null) || { echo "no capture can be read from $1"; return 1; }
	grep -c . <<<"$lines" || true
}
# None does; shows the first ones that do.
uncaptured() { # FILE [FILTER]
	[ "$(captured "$@")" = 0 ] || { tcpdump -n -v -c 3 -r "$1" "${2:-}" 2>/dev/null; false; }
}

ping4() { on "$1" ping -4 -n -q -c "${3:-1}" -i 0.2 -W 2 "$2"; } # HOST ADDRESS [COUNT]
ping6() { on "$1" ping -6 -n -q -c "${3:-1}" -i 0.2 -W 2 "$2"; }
fetch() { on "$1" curl -sS --max-time "${3:-30}" "$2"; } # HOST URL [SECONDS]

# Each open of a file of the machine's asks the emulator and costs a millisecond, and a program opens a dozen: what is
# started all the time is copied into the guest's memory, for that is what touching does on an overlay.
local_copies() { # PROGRAM...
	local p paths=()
	for p in "$@"; do paths+=("$(type -P "$p")"); done
	{
		echo /etc/ld.so.cache
		printf '%s\n' "${paths[@]}"
		ldd "${paths[@]}" | grep -o '/[^ ]*[^ :]'
	} | sort -u | xargs readlink -e | sort -u | xargs touch -c
}
