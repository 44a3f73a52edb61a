# shellcheck shell=bash
# Guest side: what stands in a host that did not stand there before anond came, and what the
# kernel complained about. A baseline is taken when the topology is up (topology_up).

# One line per object, so that baselines compare with comm(1). No keys. Few processes, since
# under emulation each costs 10 ms or more.
snapshot() { # HOST
	local pid comm line
	{
		for pid in $(ip netns pids "$1"); do
			read -r comm 2>/dev/null <"/proc/$pid/comm" || continue
			# A server forks for each connection: there the name must do.
			if [ -n "${SERVE[$1]:-}" ]; then echo "process $comm"; else echo "process $pid $comm"; fi
		done
		on "$1" sh -c '
			# xfrm not in the batch: there an address family stays behind and filters
			printf "%s\n" "addr show" "route show table all" "rule show" | ip -batch -
			ip xfrm policy list
			ip xfrm state list nokeys
			ip -6 rule
			tc qdisc
			nft -s list ruleset' | fold_objects
		# Who is asked for names: what changes that must put it back.
		while read -r line; do echo "resolv.conf $line"; done 2>/dev/null <"$(root_of "$1")/etc/resolv.conf"
	} | sort -u
}

# Continuation lines are indented: join them to their object, but keep one line per nft rule.
fold_objects() {
	awk '
		/^table/ { end(); table = $2 " " $3; print "nft", table; next }
		/^}/ { table = ""; next }
		table != "" { $1 = $1; if (NF) print "nft", table, $0; next }
		/^[^ \t]/ { end(); line = $0; next }
		{ line = line " " $0 }
		function end() { gsub(/[ \t]+/, " ", line); if (line != "") print line; line = "" }
		END { end() }'
}

# What HOST has now and had not at its baseline; with a minus, what it had and has lost.
leftovers() { # HOST
	local line
	snapshot "$1" >"$BED/now.$1"
	comm -3 "$BED/baseline.$1" "$BED/now.$1" | while IFS= read -r line; do
		case $line in $'\t'*) echo "${line#?}" ;; *) echo "-$line" ;; esac
	done
}

nothing_left() { # HOST
	local found
	found=$(leftovers "$1")
	[ -z "$found" ] || { printf '%s\n' "$found" | sed "s/^/$1: /"; false; }
}

# The kernel's log is judged from the last mark on; in a file, for a scenario is another process.
kernel_log_mark() {
	echo "bed mark $RANDOM$RANDOM $1" >"$BED/kernel.mark"
	cat "$BED/kernel.mark" >/dev/kmsg
}

kernel_log() { dmesg | awk -v mark="$(cat "$BED/kernel.mark")" 'seen; index($0, mark) { seen = 1 }'; }

kernel_log_clean() {
	! kernel_log | grep -E 'WARN|BUG|Oops|refcount|lockdep|hung|unregister_netdevice|soft lockup|rcu.*stall|leak'
}

# Counters of refused packets that are not zero: a scenario must be able to explain them.
xfrm_stat() { # HOST
	awk -v h="$1" '$2 > 0 { print h, $1, $2 }' "/proc/$(cat "$BED/pid/$1")/net/xfrm_stat"
}
