# shellcheck shell=bash
# Host side: follow the TAP that the guest writes, number it, and judge it. The verdict needs
# the guest's own plan, its last line, and as many points as planned; how QEMU ended says
# nothing (after a panic it exits with 0).

passed=0 failed=0 planned="" finished="" partial="" latest="" silent="" earlier=0

point() { # ok|not ok, description
	if [ "$1" = ok ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
	latest=$2
	echo "$1 $((passed + failed)) - $2"
}

verdict_line() {
	case $1 in
	"ok - "*) point ok "${1#ok - }" ;;
	"not ok - "*) point "not ok" "${1#not ok - }" ;;
	"1.."*) planned=${1#1..} ;;
	"# bed: end") finished=1 ;;
	"") ;;
	*) echo "$1" ;;
	esac
}

# Take over what is new in the file open as descriptor 7. A line may arrive in pieces.
verdict_drain() {
	local line got=1
	while IFS= read -r -u 7 line; do
		verdict_line "$partial$line"
		partial="" got=0
	done
	partial+=$line
	return $got
}

# Follow $1/tap while process $2 lives; end it after $3 seconds of silence.
verdict_follow() {
	local last=$SECONDS gone=""
	exec 7<"$1/tap"
	while :; do
		kill -0 "$2" 2>/dev/null || gone=1
		if verdict_drain; then last=$SECONDS; fi
		[ -z "$gone" ] || break
		if [ -n "$finished" ] && [ $((SECONDS - last)) -ge 10 ]; then kill "$2"; fi
		if [ $((SECONDS - last)) -ge "$3" ]; then
			echo "# nothing heard from the guest for $3 seconds"
			silent=", then nothing for $3 s"
			vm_interrogate "$1" "$2"
			kill -KILL "$2" 2>/dev/null
			last=$SECONDS
		fi
		sleep 0.1
	done
	exec 7<&-
}

# What the guest's kernel said of its end.
last_words() { grep -aE 'panic|BUG|lockup|hung|stall|Out of memory|NMI|RIP' "$1/console.log" 2>/dev/null | tr -d '\r' | head -n "$2"; } # RESULTS LINES

# For those who see no more of a failure than its name.
broken_off() { # RESULTS
	local said
	said=$(last_words "$1" 4 | tr '\n' ' ')
	echo "planned ${planned:-nothing}, heard $((passed + failed)); last: ${latest:-nothing}$silent; kernel: ${said:-nothing}"
}

# What emulates the guest has ended by a signal, or answered as little as the guest did: no verdict on what runs in it. One
# that was asked and answered is well, and the silence the guest's.
emulator_stopped() { # RESULTS STATUS
	[ -z "$finished" ] && [ "$2" -gt 128 ] && [ -z "$(last_words "$1" 1)" ] || return
	[ -z "$silent" ] || { [ -e "$1/monitor.log" ] && ! grep -q 'CPU#' "$1/monitor.log"; }
}
next_account() { earlier=$((passed + failed)) planned="" partial="" silent=""; }

# Close the account: the plan, the summary; status 0 only if everything was said and good.
verdict_close() {
	local total=$((passed + failed))
	if [ -z "$finished" ] || [ "$((planned + earlier))" != "$total" ]; then
		point "not ok" "the guest's report is complete ($(broken_off "$1"))"
		tail -n 15 "$1/console.log" 2>/dev/null | tr -d '\r' | sed 's/^/# console: /'
		tail -n 10 "$1/guest.log" 2>/dev/null | sed 's/^/# guest: /'
	elif [ "$total" = 0 ]; then
		point "not ok" "at least one check ran"
	fi
	echo "1..$((passed + failed))"
	echo "$passed passed, $failed failed"
	[ "$failed" = 0 ]
}
