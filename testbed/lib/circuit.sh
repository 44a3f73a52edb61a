# shellcheck shell=bash disable=SC2153,SC2034  # topology.sh sets ADDR4, ADDR6; scenarios use what is set here
# What scenarios about circuits share: the client is always `client`, the server `web`.

WEB4=192.0.2.80
WEB6=2001:db8:2::80
CLIENT4=198.51.100.10
CLIENT6=2001:db8:51::10
VICI=unix:///run/charon.anond.vici

# What may be on a public link: ESP, IKE, and neighbour discovery (RFC 4861; RFC 3810 stands behind a hop-by-hop header).
DISCOVERY='(icmp6 and ip6[40] >= 133 and ip6[40] <= 136) or (ip6[6] == 0 and ip6[40] == 58 and ip6[48] == 143)'
# Only with relays: a layer that left unwrapped has overlay addresses, and ESP to anybody else is nothing of ours.
RELAYS="host 198.51.100.11 or host 198.51.100.12 or host 198.51.100.13 or host 198.51.100.14 or host 198.51.100.15"
RELAYS+=" or host 2001:db8:51::11 or host 2001:db8:51::12 or host 2001:db8:51::13 or host 2001:db8:51::14 or host 2001:db8:51::15"
ONION="(esp or udp port 500 or udp port 4500) and ($RELAYS)"
CLEAR="(ip or ip6) and not ($ONION) and not ($DISCOVERY)"
# What routers, and a guard without charon, say to the client of what did not arrive: not the client's word.
ERRORS="(icmp and icmp[0] == 3 and dst host $CLIENT4) or (icmp6 and ip6[40] == 1 and dst host $CLIENT6)"
# ESP only, with or without UDP (RFC 3948: the SPI of IKE is 0, a keepalive has one byte).
ESP4='(ip proto 50 or (ip and udp port 4500 and udp[4:2] > 12 and udp[8:4] != 0))'
ESP6='(ip6 proto 50 or (ip6 and udp port 4500 and ip6[44:2] > 12 and ip6[48:4] != 0))'
# Headers that are not the one constant header: DSCP and ECN, DF and fragments, TTL; class, flow label, hop limit.
# The identification (RFC 6864) counts up, as in every host that lets routers fragment: nothing of the inner packet.
ODD4='ip and (ip[1] != 0 or ip[6:2] != 0 or ip[8] != 64)'
ODD6='ip6 and (ip6[0:4] != 0x60000000 or ip6[7] != 64)'

root_of() { echo "/proc/$(cat "$BED/pid/$1")/root"; } # HOST

circuit_up() {
	local status=0
	on client anonctl circuit up --json --wait 90 "$@" >"$BED/up" || status=$?
	cat "$BED/up"
	return $status
}
circuit_down() { on client anonctl circuit down "${1:---all}"; }
# The same of a circuit that is up, e.g. `circuits '.[0].mtu'`.
circuits() { on client anonctl circuit list --json | gojq -r ".circuits | $1"; }
status() { on "$1" anonctl status --json | gojq -r "$2"; }    # HOST JQ
links() { on "$1" anonctl link list --json | gojq -r ".links | $2"; } # HOST JQ
relay_circuits() { gives "$2" status "$1" .circuits; }       # HOST NUMBER
no_circuits() { local h; for h in "$@"; do relay_circuits "$h" 0 || return 1; done; }

# Exit status and words of a command, e.g. `fails_with 4 "no link" on client anonctl ...`: one line on standard error.
fails_with() { # STATUS REGEX CMD...
	local want=$1 words=$2 got=0 text
	shift 2
	text=$("$@" 2>&1 >/dev/null) || got=$?
	echo "status $got: $text"
	[ "$got" = "$want" ] && [ "$(grep -c . <<<"$text")" = 1 ] && grep -qE -e "$words" <<<"$text"
}

www_sum() { sed -n "s/ *$1\$//p" "$TREE/build/testbed/www/SHA256SUMS"; }

# Does a file of the web server arrive unharmed?
download() { # HOST FILE [4|6 [SECONDS]]
	local a=$WEB4
	[ "${3:-4}" = 4 ] || a="[$WEB6]"
	gives "$(www_sum "$2")" on "$1" sh -c "curl -sS --max-time ${4:-120} http://$a/$2 | sha256sum | cut -d' ' -f1"
}

# A download that another command watches: ends by itself; `wait` for its pid gives its verdict.
download_start() { # HOST FILE [4|6 [SECONDS]]
	download "$@" &
	DOWNLOAD=$!
}

tcp_echo() { gives hello on client sh -c "echo hello | socat -t 10 - TCP:$1:7"; }             # ADDRESS
udp_echo() { gives hello on client "$TREE/testbed/bin/udp-ask" "$1" 7 hello; }             # ADDRESS

# Has the first circuit's device received more than so many bytes?
moved() { [ "$(on client cat /sys/class/net/anon1/statistics/rx_bytes)" -gt "$1" ]; } # BYTES

# A long TCP session with somebody at a terminal: see testbed/lib/session.
session_start() { # HOST ADDRESS FILE
	rm -f "$3.stop"
	echo 0 >"$3"
	on "$1" "$TREE/testbed/lib/session" "$2" "$3" &
	echo $! >"$3.pid"
	wait_for 30 session_at "$3" 1
}
session_count() { local n; n=$(cat "$1"); echo "${n:-0}"; }
session_at() { [ "$(session_count "$1")" -ge "$2" ]; } # FILE LINES
# Five more lines come back from now on.
session_lives() { wait_for "${2:-40}" session_at "$1" $(($(session_count "$1") + 5)); } # FILE [SECONDS]
session_stop() { # FILE
	touch "$1.stop"
	wait "$(cat "$1.pid")"
}
session_kill() { # FILE: one that hangs
	kill "$(cat "$1.pid")" 2>/dev/null
	wait "$(cat "$1.pid")" 2>/dev/null
	true
}

# Packets from the client to anybody, all the time; the answers do not matter. A ping ends where there is no route.
# shellcheck disable=SC2016  # the shell on the host expands
PING_ON='trap "kill \$p; exit" TERM; while :; do ping -n -q -i 0.2 "$0" & p=$!; wait $p; sleep 0.2; done'
babble_start() { # ADDRESS...
	local a
	BABBLE=()
	for a in "$@"; do on client sh -c "$PING_ON" "$a" >/dev/null 2>&1 & BABBLE+=($!); done
}
babble_stop() {
	kill -TERM "${BABBLE[@]}"
	wait "${BABBLE[@]}"
	true
}

# Everything of circuits in a host's kernel, one object a line, without what changes with each packet.
circuit_objects() { # HOST
	on "$1" sh -c 'ip xfrm state list nokeys; ip xfrm policy list' | fold_objects |
		grep -E 'if_id 0x(616e0001|617[0-9a-f]{5})' | sed 's/ replay-window.*\( if_id\)/\1/' | sort
	on "$1" nft -j list ruleset | gojq -c '.nftables[] | .set? // empty | select(.name | startswith("circ")) | .elem // empty'
	on "$1" nft -s list ruleset | fold_objects | grep -E '(anon|hop)[0-9]|kill[0-9]' | sort
	on "$1" sh -c 'ip -br link; ip -4 route show table 7042; ip -6 route show table 7042' 2>/dev/null |
		grep -E '^(anon|hop)|dev (anon|hop)|unreachable' | sed 's/ *$//' | sort
}
objects_are() { circuit_objects "$1" | diff "$2" -; } # HOST FILE
circuit_sas() { circuit_objects "$1" | grep -c 'proto esp spi'; } # HOST

# The state of a host as a whole, to compare with later. Only where no SA is: they count packets.
# A process that was started again is no change.
host_state() { snapshot "$1" | sed 's/^process [0-9]* /process /' | sort; } # HOST
remember() { host_state "$1" >"$BED/remembered.$1"; }        # HOST
unchanged() { host_state "$1" | diff "$BED/remembered.$1" -; } # HOST

conf_add() { cat >>"$(root_of "$1")/etc/anond/anond.conf"; } # HOST <text
# Restart the exit r3 with these options in its section `exit` instead of what was said earlier.
exit_says() { # <lines
	local conf line
	conf=$(root_of r3)/etc/anond/anond.conf
	sed -i '/# scenario$/d' "$conf"
	while read -r line; do sed -i "/^exit {/a $line # scenario" "$conf"; done
	anond_restart r3
}
anond_restart() { daemon_stop "$1" anond && anond_start "$1" && wait_for 60 on "$1" anonctl status; } # HOST
# Restart the gateway with these interfaces as its LAN.
lan_is() { # '"IFACE", "IFACE"'
	sed -i "s/^lan = .*/lan = { $1 }/" "$(root_of client)/etc/anond/anond.conf"
	anond_restart client
}

# Nothing of the daemon's own has a say in this.
daemon_kill() { # HOST anond|charon
	local pid
	pid=$(cat "$BED/$2.$1") || return 1
	rm -f "$BED/$2.$1"
	kill -KILL "$pid" && wait_for 10 process_gone "$pid"
}

# Pull a host's cable and put it back as it was.
cable_out() { on "$1" ip link set eth0 down; }
cable_in() {
	host_end "$1" | ip -force -n "$1" -batch - >/dev/null 2>&1
	router_end "$1" | ip -force -n "${VIA[$1]}" -batch - >/dev/null 2>&1
	ping4 "$1" 192.0.2.1 || ping6 "$1" 2001:db8::1
}

# The client's kernel has nothing any more, as after a start; what is to be protected stays in the file.
kernel_forgets() {
	local state
	state=$(root_of client)/var/lib/anond/state
	cp "$state/selections" "$BED/selections" && flush client || return 1
	cp "$BED/selections" "$state/selections" && chown anond: "$state/selections"
	on client sh -c 'ip xfrm state flush; ip xfrm policy flush'
	gives "" circuit_objects client
}
# The client's host is started again: daemons, kernel state and /run are gone, /var is not. Its cable is out.
restart_host() {
	local d
	cable_out client
	for d in anond charon; do ! [ -e "$BED/$d.client" ] || daemon_kill client $d || return 1; done
	kernel_forgets && on client sh -c 'rm -rf /run/anond/* /run/charon*'
}

# Take what a stopped relay or client left standing on purpose (circuits outlive a stop), so that nothing is left.
flush() { on "$1" anond --flush; } # HOST
