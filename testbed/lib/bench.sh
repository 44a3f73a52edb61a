# shellcheck shell=bash disable=SC2153,SC2034  # topology.sh and circuit.sh set what is used here
# Guest side of `make bench`: the same work through each of the peers, on the hosts of three-relays. A scenario sources
# this file and calls `bench PEER`.
#
# A peer is a pair of functions, peer_PEER_start and peer_PEER_stop: after the first, what the client sends to the web server goes
# that way (with curl's options PROXY), after the second nothing of it is left. Figures go to $BED_RESULTS/figures, one JSON
# object a line: peer, work, delay (ms each way on every link), repetition, value, and for some hops or count. Times are of
# the guest's clock, so they mean something only with --icount.

WIREGUARD_PORT=51820
TOR_OR=9001 TOR_DIR=9030 TOR_SOCKS=9050
COVER_RATE=1000 # packets a second on each link
BULK=4000000
OBJECTS=60
PAGE_BYTES=1500000
URL=http://$WEB4/bench
PROXY=()
# shellcheck source=testbed/lib/bench-circuits.sh
. "$TREE/testbed/lib/bench-circuits.sh"

# The relays that must carry what a peer's client sends.
declare -A PATH_OF=([direct]="" [esp1]=r3 [wg1]=r3 [wg3]="r1 r2 r3" [tor]="r1 r2 r3" [ours]="r1 r2 r3" [ours_cover]="r1 r2 r3")

# Peers -----------------------------------------------------------------------------------------------------------------

# At whose link a tunnel ends, what comes out of it leaves with the relay's own address.
masquerade() { # HOST SOURCE-PREFIX
	on "$1" nft "table ip bench { chain post { type nat hook postrouting priority srcnat;
		oifname \"eth0\" ip saddr $2 ip daddr != $CLIENT4 masquerade; }; }"
}
# Also what was learnt of the path's MTU, which others must not inherit.
forget_path() { # HOST...
	local h
	for h in "$@"; do on "$h" nft delete table ip bench || return 1; done
	for h in client web; do ip -n "$h" route flush cache || return 1; done
}

peer_direct_start() { true; }
peer_direct_stop() { true; }

esp_state() { # HOST SRC DST SPI
	on "$1" ip xfrm state add src "$2" dst "$3" proto esp spi "$4" mode tunnel replay-window 128 \
		aead 'rfc4106(gcm(aes))' "0x$(printf '%040d' 9)" 128
}
esp_policy() { # HOST DIR SRC DST TUNNEL-SRC TUNNEL-DST
	on "$1" ip xfrm policy add src "$3" dst "$4" dir "$2" tmpl src "$5" dst "$6" proto esp mode tunnel
}
peer_esp1_start() {
	local h exit4=${ADDR4[r3]}
	for h in client r3; do esp_state $h "$CLIENT4" "$exit4" 0x601 && esp_state $h "$exit4" "$CLIENT4" 0x602 || return 1; done
	esp_policy client out "$CLIENT4" "$WEB4" "$CLIENT4" "$exit4" && esp_policy client in "$WEB4" "$CLIENT4" "$exit4" "$CLIENT4" &&
		esp_policy r3 fwd "$CLIENT4" "$WEB4" "$CLIENT4" "$exit4" && esp_policy r3 out "$WEB4" "$CLIENT4" "$exit4" "$CLIENT4" &&
		masquerade r3 "$CLIENT4"
}
peer_esp1_stop() {
	local h
	for h in client r3; do on $h ip xfrm policy flush && on $h ip xfrm state flush || return 1; done
	forget_path r3
}

# A tunnel from the client to a relay, number N of those that lie inside one another (10.9.N.0/24), for packets to a destination.
wg_tunnel() { # N RELAY DESTINATION
	local h n=$1 relay=$2 mtu=$((1500 - 60 * $1)) key=$BED/wg
	umask 077
	wg genkey >"$key.client" && wg genkey >"$key.relay" || return 1
	for h in client "$relay"; do ip -n "$h" link add "wg$n" type wireguard && ip -n "$h" link set "wg$n" mtu $mtu || return 1; done
	on "$relay" wg set "wg$n" private-key "$key.relay" listen-port $WIREGUARD_PORT \
		peer "$(wg pubkey <"$key.client")" allowed-ips "10.9.$n.2/32" &&
		on client wg set "wg$n" private-key "$key.client" peer "$(wg pubkey <"$key.relay")" \
			endpoint "${ADDR4[$relay]}:$WIREGUARD_PORT" allowed-ips 0.0.0.0/0 &&
		ip -n "$relay" link set "wg$n" up && ip -n "$relay" route add "10.9.$n.2" dev "wg$n" &&
		ip -n client addr add "10.9.$n.2/32" dev "wg$n" && ip -n client link set "wg$n" up &&
		ip -n client route add "$3" dev "wg$n" && masquerade "$relay" "10.9.$n.0/24"
}
peer_wg1_start() { wg_tunnel 1 r3 "$WEB4"; }
peer_wg1_stop() { ip -n client link del wg1 && ip -n r3 link del wg1 && forget_path r3; }
# Each tunnel but the first goes through the one before it, whose relay so learns only the next one's address.
peer_wg3_start() { wg_tunnel 1 r1 "${ADDR4[r2]}" && wg_tunnel 2 r2 "${ADDR4[r3]}" && wg_tunnel 3 r3 "$WEB4"; }
peer_wg3_stop() {
	local n
	for n in 3 2 1; do ip -n client link del wg$n && ip -n "r$n" link del wg$n || return 1; done
	forget_path r1 r2 r3
}

# A network of its own: r1 is the only authority too. Paths are fixed, or the three might come in another order.
tor_dir() { echo "$(root_of "$1")/run/bench-tor"; } # HOST; there /run/bench-tor
TOR_ONLY=(--defaults-torrc /none -f /none --ignore-missing-torrc) # nothing of /etc
tor_fingerprint() { # HOST: of its relay's key, which is made
	on "$1" tor --quiet "${TOR_ONLY[@]}" --DataDirectory /run/bench-tor --ORPort $TOR_OR --list-fingerprint \
		--DirAuthority "none 127.0.0.1:1 $(printf '%040d' 0)" | sed 's/^[^ ]* //; s/ //g'
}
tor_authority() { # the line of all hosts' configuration that names it
	local keys=/run/bench-tor/keys
	mkdir -m 700 "$(tor_dir r1)/keys" || return 1
	on r1 sh -c "cd $keys && echo bench | tor-gencert --create-identity-key --passphrase-fd 0 -a ${ADDR4[r1]}:$TOR_DIR" >&2 || return 1
	echo "DirAuthority r1 orport=$TOR_OR v3ident=$(sed -n 's/^fingerprint //p' "$(tor_dir r1)/keys/authority_certificate")" \
		"${ADDR4[r1]}:$TOR_DIR $(tor_fingerprint r1)"
}
tor_conf() { # HOST AUTHORITY-LINE
	cat <<-C
		TestingTorNetwork 1
		$2
		DataDirectory /run/bench-tor
		Log notice file /run/bench-tor/log
		AssumeReachable 1
	C
	if [ "$1" = client ]; then
		cat <<-C
			SocksPort 127.0.0.1:$TOR_SOCKS IsolateDestAddr
			ControlPort unix:/run/bench-tor/control
			EntryNodes ${ADDR4[r1]}
			MiddleNodes ${ADDR4[r2]}
			ExitNodes ${ADDR4[r3]}
			StrictNodes 1
			ConfluxEnabled 0
			MaxCircuitDirtiness 86400
		C
	else
		printf '%s\n' "Nickname $1" "Address ${ADDR4[$1]}" "ORPort ${ADDR4[$1]}:$TOR_OR" "SocksPort 0"
	fi
	if [ "$1" = r3 ]; then printf '%s\n' "ExitRelay 1" "ExitPolicyRejectPrivate 0" "ExitPolicy accept *:*"; else echo "ExitRelay 0"; fi
	[ "$1" != r1 ] || cat <<-C
		DirPort $TOR_DIR
		AuthoritativeDirectory 1
		V3AuthoritativeDirectory 1
		V3AuthVotingInterval 30
		V3AuthVoteDelay 5
		V3AuthDistDelay 5
		TestingV3AuthInitialVotingInterval 30
		TestingV3AuthInitialVoteDelay 5
		TestingV3AuthInitialDistDelay 5
		TestingDirAuthVoteExit *
		TestingDirAuthVoteGuard *
		TestingDirAuthVoteHSDir *
	C
}
tor_bootstrapped() { grep 'Bootstrapped 100%' "$(tor_dir client)/log" || { tail -n 3 "$(tor_dir client)/log"; return 1; }; }
peer_tor_start() {
	local h authority
	for h in client r1 r2 r3; do mkdir -m 700 "$(tor_dir $h)" || return 1; done
	authority=$(tor_authority) || return 1
	for h in r1 r2 r3 client; do
		tor_conf $h "$authority" >"$(tor_dir $h)/torrc"
		on $h tor --quiet --defaults-torrc /none -f /run/bench-tor/torrc &
		echo $! >"$BED/tor.$h"
	done
	PROXY=(--socks5 "127.0.0.1:$TOR_SOCKS")
	wait_for 180 tor_bootstrapped && wait_for 60 bench_curl -o /dev/null "http://$WEB4/ip"
}
peer_tor_stop() {
	local h bad=0
	PROXY=()
	# A relay waits half a minute for its circuits, unless it is told a second time.
	for h in client r3 r2 r1; do daemon_stop $h tor || bad=1; rm -rf "$(tor_dir $h)"; done
	return $bad
}

peer_ours_start() { circuit_up --path r1,r2,r3; }
peer_ours_stop() { circuit_down && wait_for 20 no_circuits client r1 r2 r3; }
peer_ours_cover_start() {
	tfc_load && links_become "packets-per-second = $COVER_RATE" "packets-per-second-per-client = $COVER_RATE" && peer_ours_start
}
peer_ours_cover_stop() { peer_ours_stop; } # the links go with the network, and the module after it

# Work ------------------------------------------------------------------------------------------------------------------

# Nothing is read but what is in the guest's memory: while a program waits for a file of the machine's, the clock leaps.
export LC_ALL=C OPENSSL_CONF=/dev/null
bench_curl() { on client curl -q -sSf --max-time 900 "${PROXY[@]}" "$@"; }

# In bytes: half a dozen sizes ten times each, from an icon to a picture, and the document: PAGE_BYTES in all.
object_bytes() { local sizes=(2000 4000 8000 16000 32000 80000); echo "${sizes[$1 % 6]}"; } # NUMBER
# What the web server offers under /bench/, in memory. seq: no block repeats.
bench_files() {
	local www n
	www=$(root_of web)/run/bench
	mkdir -p "$www"
	seq 1000000 20000000 | head -c $BULK >"$www/bulk"
	head -c 80000 "$www/bulk" >"$www/document"
	for ((n = 0; n < OBJECTS; n++)); do tail -c $((100000 + n * 1000)) "$www/bulk" | head -c "$(object_bytes $n)" >"$www/o$n"; done
	cp "$www/bulk" "$BED/bulk"
	printf '%s\n' parallel parallel-immediate "parallel-max = 6" http1.1 no-progress-meter >"$BED/page"
	for ((n = 0; n < OBJECTS; n++)); do printf '%s\n' "url = \"$URL/o$n\"" 'output = "/dev/null"' >>"$BED/page"; done
	part_files && gives $PAGE_BYTES eval "cat $www/document $www/o[0-9]* | wc -c"
}
bench_files_gone() { rm -rf "$(root_of web)/run/bench" "$BED/bulk"; }

# In bytes a second.
bulk_down() { bench_curl -o /dev/null -w '%{speed_download}' "$URL/bulk"; }
bulk_up() { bench_curl -o /dev/null -H Expect: -w '%{speed_upload}' -T "$BED/bulk" "$URL/upload"; }

# A document, then its objects over six connections. Both are started as programs, like any reader of it.
page_load() { bench_curl -o /dev/null "$URL/document" && bench_curl -K "$BED/page"; }
page_connections() { bench_curl -K "$BED/page" -w '%{num_connects}\n' | awk '{ n += $1 } END { print n }'; }
page() { # in s
	local began=${EPOCHREALTIME/[.,]/}
	page_load >&2 || return 1
	awk -v us=$((${EPOCHREALTIME/[.,]/} - began)) 'BEGIN { printf "%.6f", us / 1e6 }'
}

# Milliseconds: an echo over a connection that is open, and how long the connection took to open.
round_trips() { on client "$TREE/testbed/bin/round-trips" "$1" "$WEB4" 7 ${PROXY:+"${PROXY[1]}"}; } # echo|connect

# Bytes of IP at the client's cable, both ways, that some work costs, over the bytes of its content.
wire_bytes() { # CONTENT-BYTES CMD...
	local before bytes status=0
	wire_offloads off || return 1
	before=$(wire_count)
	"${@:2}" >&2 || status=1
	bytes=$(($(wire_count) - before))
	wire_offloads on && awk -v bytes=$bytes -v content="$1" 'BEGIN { printf "%.5f", bytes / content }' && return $status
}
# Packets as long as a cable's: with them one of 64 kB would be counted as one header and answered by one acknowledgement.
wire_offloads() { # on|off
	on client ethtool -K eth0 tso "$1" gso "$1" gro "$1" >&2 && on inet ethtool -K client tso "$1" gso "$1" gro "$1" >&2
}
# The driver counts the header of Ethernet too.
wire_count() { on inet sh -c 'cd /sys/class/net/client/statistics; cat rx_bytes tx_bytes rx_packets tx_packets' |
	awk '{ n += NR <= 2 ? $1 : -14 * $1 } END { print n }'; }

delay_links() { # MS each way
	local h
	for h in "${HOSTS[@]}"; do
		tc -n "$h" qdisc add dev eth0 root netem limit 10000 delay "$1ms" &&
			tc -n inet qdisc add dev "$h" root netem limit 10000 delay "$1ms" || return 1
	done
}
undelay_links() {
	local h
	for h in "${HOSTS[@]}"; do tc -n "$h" qdisc del dev eth0 root && tc -n inet qdisc del dev "$h" root || return 1; done
}

# The run ---------------------------------------------------------------------------------------------------------------

# Relays whose link carries a download, in both directions.
link_bytes() { on inet sh -c 'cd /sys/class/net; cat r1/statistics/[rt]x_bytes r2/statistics/[rt]x_bytes r3/statistics/[rt]x_bytes'; }
carriers() {
	local before after n names=()
	mapfile -t before < <(link_bytes)
	bulk_down >/dev/null || return 1
	mapfile -t after < <(link_bytes)
	for n in 0 1 2; do
		[ $((after[2 * n] - before[2 * n])) -lt $BULK ] || [ $((after[2 * n + 1] - before[2 * n + 1])) -lt $BULK ] ||
			names+=("r$((n + 1))")
	done
	echo "${names[*]}"
}
# Whose address the web server sees.
asker() { bench_curl "http://$WEB4/ip"; }

# A value is what CMD says; FIGURE: further keys. Nothing that TCP learnt of an earlier one is used, so that repetitions are
# the same work.
measure() { # WORK DELAY REPETITION CMD...
	local value
	ip -n client tcp_metrics flush && ip -n web tcp_metrics flush
	value=$("${@:4}") || return 1
	[[ $value =~ ^[0-9]+(\.[0-9]+)?$ && ${value//[0.]/} ]] || { echo "no figure: $value"; return 1; }
	printf '{"peer":"%s","work":"%s","delay":%s,"repetition":%s,%s"value":%s}\n' "$BENCH_PEER" "$1" "$2" "$3" "${FIGURE:-}" "$value" \
		>>"$BED_RESULTS/figures"
}

bench_delayed() { # DELAY REPETITION
	[ "$1" = 0 ] || check "$1 ms each way on every link" delay_links "$1"
	measure page "$1" "$2" page && measure echo "$1" "$2" round_trips echo && measure connect "$1" "$2" round_trips connect
	check "repetition $2, with $1 ms: page, round trip" test $? = 0
	[ "$1" = 0 ] || check "no delay any more" undelay_links
}
bench_repetition() { # NUMBER
	local delay
	check "repetition $1: bulk down" measure bulk-down 0 "$1" bulk_down
	[[ " direct wg3 tor ours " != *" $BENCH_PEER "* ]] || check "repetition $1: many connections" bench_flows "$1"
	[ -n "$BENCH_QUICK" ] || check "repetition $1: bulk up" measure bulk-up 0 "$1" bulk_up
	for delay in $BENCH_DELAYS; do bench_delayed "$delay" "$1"; done
	check "repetition $1: bytes of a page" measure wire-page 0 "$1" wire_bytes $PAGE_BYTES page_load
	[ -n "$BENCH_QUICK" ] || check "repetition $1: bytes of a bulk" measure wire-bulk 0 "$1" wire_bytes $BULK bulk_down
}

unharmed() { bench_curl "$URL/bulk" | cmp - "$BED/bulk" && bulk_up && cmp "$(root_of web)/run/bench/upload" "$BED/bulk"; }

bench() { # PEER
	local n seen=${ADDR4[r3]}
	BENCH_PEER=$1 BENCH_DELAYS="0 10 50"
	[ -z "$BENCH_BIG" ] || BULK=100000000
	[ -z "$BENCH_QUICK" ] || BENCH_DELAYS=10
	[ "$1" != direct ] || seen=$CLIENT4
	uname -r >"$BED_RESULTS/kernel"
	local_copies sh bash curl awk cat cmp ethtool python3 ping anonctl
	touch -c "$TREE/build/tools/on" "$TREE/testbed/bin/round-trips" "$TREE/testbed/bin/circuit-times"
	check "files" bench_files || return
	[ "$1" = direct ] || check "without $1 the web server sees the client" gives "$CLIENT4" asker
	check "$1 starts" "peer_$1_start" || return
	check "the web server sees who it should" gives "$seen" asker
	check "what passes is unharmed" unharmed
	check "a page is loaded" page_load
	check "over six connections" gives 6 page_connections
	check "exactly its relays carry it" gives "${PATH_OF[$1]}" carriers
	for ((n = 1; n <= BENCH_REPEAT; n++)); do bench_repetition $n; done
	bench_circuits
	check "$1 stops" "peer_$1_stop"
	check "and carries nothing any more" gives "$CLIENT4" asker
	check "the files go" bench_files_gone
}
