# shellcheck shell=bash disable=SC2153,SC2034,SC2154  # topology.sh, circuit.sh and attack.sh set what is used here
# Guest side of `make bench`: what a relay pays for the circuits that it has. One real circuit of the client's through r1, r2 and
# r3 carries packets, while r2, a middle relay, and r3, an exit, have more and more others.
#
# Those others are made as anond makes them, except for the handshake: its own plans, carried out by its own kernel code,
# and lines in its table, from which it takes them up when it starts. So the kernel and anond know them like any other; a
# client may not have so many. What a CREATE costs is measured with real ones, beside those.
#
# Figures go where bench.sh puts its own, with one more member: count, the circuits at r2 and at r3. Their peer is "relay";
# the work names what was measured and, after a dash, where: guard, middle or exit; of packets also in which direction.
#   packet-PLACE-up|down      ns of processor a packet, within the relay
#   create-PLACE, destroy-PLACE   ns of anond's processor time for each circuit
#   install-PLACE, remove-PLACE   ns for the kernel's objects of one circuit
#   memory-kernel-PLACE       bytes of the machine's for the kernel's objects of one circuit
#   memory-anond-PLACE        bytes of anond's for one circuit
#   rss-PLACE, start-PLACE    bytes of anond's in all, and ns until it answers, with so many circuits

LOAD=$TREE/build/tools/circuit-load FLOOD=$TREE/build/tools/udp-flood
declare -A RSS PLACE=([r1]=guard [r2]=middle [r3]=exit)
POOL4=100.96.0.0
PACKETS=1000 BUILT=500
[ -z "$BENCH_QUICK" ] || PACKETS=300 BUILT=100

scale_figure() { # WORK COUNT REPETITION VALUE
	[[ $4 =~ ^[0-9]+(\.[0-9]+)?$ && ${4//[0.]/} ]] || { echo "$1: no figure: $4"; return 1; }
	printf '{"peer":"relay","work":"%s","delay":0,"repetition":%s,"value":%s,"count":%s}\n' "$1" "$3" "$4" "$2" >>"$BED_RESULTS/figures"
}
each_of() { awk -v a="$1" -v n="$2" -v unit="${3:-1}" 'BEGIN { printf "%.1f", a * unit / n }'; } # SUM N [UNIT]
available() { awk '$1 == "MemAvailable:" { printf "%.0f", $2 * 1024 }' /proc/meminfo; } # bytes
rss() { awk '$1 == "VmRSS:" { printf "%.0f", $2 * 1024 }' "/proc/$(cat "$BED/anond.$1")/status"; } # HOST; bytes
spent() { local ns _; read -r ns _ <"/proc/$(cat "$BED/anond.$1")/schedstat"; echo "$ns"; } # HOST; ns

# A client may have some hundreds of circuits, as fast as they are built.
scale_limits() {
	local h
	for h in r1 r2 r3; do
		conf_add $h <<-C
			limits {
				half-open-per-link = 8192
				half-open-per-client = 64
				circuits-per-client = 4096
				circuits-per-link = 100000
				creates-per-second = 100000
				creates-per-second-per-client = 100000
			}
		C
	done
	conf_add client <<<"lifetime = 7200"
	for h in r1 r2 r3 client; do anond_restart $h || return 1; done
}

# Where the clock leaps, the control connection's time is over before the circuit's.
scale_circuit() { circuit_up --path r1,r2,r3 || wait_for 60 gives open circuits '.[0].state'; }

# Circuits beside the real one --------------------------------------------------------------------------------------------

link_number() { local dev; dev=$(link_device "$1" "$(overlay_address "$2")") && echo "${dev#ovl}"; } # HOST FAR-HOST
# What circuit-load needs to know of a relay.
circuits_of() { # HOST
	local on_from
	on_from="$(overlay_address "$1") $(link_number "$1" "$([ "$1" = r2 ] && echo r1 || echo r2)") "
	on_from+=$(overlay_address "$([ "$1" = r2 ] && echo r1 || echo r2)")
	if [ "$1" = r2 ]; then echo "$on_from $(link_number r2 r3) $(overlay_address r3)"; else echo "$on_from exit $POOL4 $INNER4"; fi
}
circuit_load() { # install|remove HOST FIRST COUNT
	local words said
	read -ra words <<<"$(circuits_of "$2")"
	said=$(on "$2" "$LOAD" "$1" "$3" "$4" /run/anond/relay-circuits "${words[@]}") || return 1
	echo "${said#done }"
}
links_of() { # HOST: that it needs are up
	local far
	for far in $([ "$1" = r2 ] && echo r1 r3 || echo r2); do gives up links "$1" "map(select(.peer == \"$far\"))[0].state" || return 1; done
}
# More of them, until there are COUNT with the real one. anond takes them up when it starts.
grow() { # HOST COUNT
	local h=$1 more=$(($2 - 1 - HAVE)) before seconds began rss
	daemon_stop "$h" anond || return 1
	if [ $more -gt 0 ]; then
		before=$(available)
		seconds=$(circuit_load install "$h" "$HAVE" $more) || return 1
		scale_figure "install-${PLACE[$h]}" "$2" 1 "$(each_of "$seconds" $more 1e9)" || return 1
		# Fewer may fit into what the circuits of before have left free.
		[ $more -lt 5000 ] || scale_figure "memory-kernel-${PLACE[$h]}" "$2" 1 "$(each_of $((before - $(available))) $more)" || return 1
	fi
	began=${EPOCHREALTIME/[.,]/}
	anond_start "$h" && wait_for 60 relay_circuits "$h" "$2" || return 1
	scale_figure "start-${PLACE[$h]}" "$2" 1 $(((${EPOCHREALTIME/[.,]/} - began) * 1000)) && wait_for 60 links_of "$h" || return 1
	rss=$(rss "$h")
	scale_figure "rss-${PLACE[$h]}" "$2" 1 "$rss" || return 1
	[ $more -lt 5000 ] || scale_figure "memory-anond-${PLACE[$h]}" "$2" 1 "$(each_of $((rss - RSS[$h])) $more)" || return 1
	RSS[$h]=$rss
}
shrink() { # HOST COUNT: of those that are to go
	local seconds
	daemon_stop "$1" anond || return 1
	seconds=$(circuit_load remove "$1" 0 "$2") || return 1
	scale_figure "remove-${PLACE[$1]}" $(($2 + 1)) 1 "$(each_of "$seconds" "$2" 1e9)" && anond_start "$1" &&
		wait_for 60 relay_circuits "$1" 1 && wait_for 60 links_of "$1"
}

# CREATE ------------------------------------------------------------------------------------------------------------------

spent_all() { echo "$(spent r1) $(spent r2) $(spent r3)"; } # the three relays' anond
for_each_circuit() { # WORK COUNT REPETITION BUILT BEFORE AFTER
	local h n=0 before after
	read -ra before <<<"$5"
	read -ra after <<<"$6"
	for h in r1 r2 r3; do
		scale_figure "$1-${PLACE[$h]}" "$2" "$3" "$(each_of $((after[n] - before[n])) "$4")" || return 1
		n=$((n + 1))
	done
}
# Real circuits are built and destroyed.
creates() { # COUNT REPETITION
	local before said status=0 key
	key=$(cat "$NET/network.key.pub")
	before=$(spent_all)
	coproc BUILD { on client "$LOAD" build /etc/anond/network.json "$key" "$CLIENT_ADDRESS" $BUILT r1 r2 r3; }
	local pid=$BUILD_PID from=${BUILD[0]} to=${BUILD[1]}
	if ! read -r -t 600 -u "$from" said; then wait "$pid"; return 1; fi
	echo "$said"
	for_each_circuit create "$1" "$2" $BUILT "$before" "$(spent_all)" || status=1
	before=$(spent_all)
	echo >&"$to"
	read -r -t 600 -u "$from" said && echo "$said" && nap 3 || status=1 # so long the last relays go on
	for_each_circuit destroy "$1" "$2" $BUILT "$before" "$(spent_all)" || status=1
	wait "$pid" && relay_circuits r1 1 && relay_circuits r2 "$1" && relay_circuits r3 "$1" && return $status
}

# Packets -----------------------------------------------------------------------------------------------------------------

# Long packets end at a relay's cable, before it sees them or after it sent them: the difference is what they cost within it.
barrier() { # HOST ingress|egress
	tc -n "$1" qdisc add dev eth0 clsact && tc -n "$1" filter add dev eth0 "$2" basic match 'meta(pkt_len gt 900)' action drop
}
barrier_gone() { tc -n "$1" qdisc del dev eth0 clsact; } # HOST
stopped_there() { tc -n "$1" -s filter show dev eth0 "$2" | sed -n 's/.*(dropped \([0-9]*\),.*/\1/p'; } # HOST ingress|egress
flood_up() { on client "$FLOOD" to "$WEB4" 9 $PACKETS; }
flood_down() {
	local said status=0
	coproc BACK { on web "$FLOOD" back 7777 $PACKETS; }
	local pid=$BACK_PID from=${BACK[0]}
	read -r -t 60 -u "$from" said && on client "$FLOOD" ask "$WEB4" 7777 && read -r -t 600 -u "$from" said || status=1
	[ $status = 0 ] || kill "$pid"
	wait "$pid" && echo "$said" && return $status
}
# ns a packet of all that happens before the barrier, which stops them all and nothing else.
until_barrier() { # HOST ingress|egress up|down
	local value stopped
	barrier "$1" "$2" || return 1
	value=$("flood_$3") || { barrier_gone "$1"; return 1; }
	stopped=$(stopped_there "$1" "$2")
	barrier_gone "$1"
	[ "$stopped" = $((PACKETS + 16)) ] || { echo "$1 $2 $3: of $PACKETS packets $stopped came" >&2; return 1; } # 16: to warm up
	echo "$value"
}
packets() { # COUNT REPETITION
	local h way in out
	for way in up down; do
		for h in r1 r2 r3; do
			in=$(until_barrier $h ingress $way) && out=$(until_barrier $h egress $way) || return 1
			scale_figure "packet-${PLACE[$h]}-$way" "$1" "$2" "$(awk -v a="$in" -v b="$out" 'BEGIN { printf "%.1f", b - a }')" || return 1
		done
	done
}

bench_scale() {
	local n rep
	uname -r >"$BED_RESULTS/kernel"
	local_copies sh bash awk cat tc sed gojq
	touch -c "$TREE/build/tools/on" "$LOAD" "$FLOOD" "$TREE/build/anond"
	HAVE=0
	check "limits" scale_limits || return
	check "a circuit opens" scale_circuit || return
	INNER4=$(circuits '.[0].inner4') CLIENT_ADDRESS=$(link_source "$(overlay_address r1)")
	check "the client's anond leaves it" daemon_stop client anond
	for n in $BENCH_CIRCUITS; do
		check "$n circuits at r3" grow r3 "$n" && check "$n circuits at r2" grow r2 "$n" || return
		HAVE=$((n - 1))
		for ((rep = 1; rep <= BENCH_REPEAT; rep++)); do check "$n circuits, repetition $rep: packets" packets "$n" $rep; done
		check "$n circuits: CREATE and DESTROY" creates "$n" 1
		check "$n circuits: the real one works" bench_curl -o /dev/null "http://$WEB4/1k"
		BUILT=$((BUILT > 200 ? 200 : BUILT))
	done
	if [ $HAVE -gt 0 ]; then
		check "they are removed from r2" shrink r2 $HAVE
		check "they are removed from r3" shrink r3 $HAVE
	fi
	check "the client's anond comes back" anond_start client
	check "it has its circuit" wait_for 60 gives open circuits '.[0].state'
	check "the circuit closes" circuit_down
	check "everywhere" wait_for 20 no_circuits client r1 r2 r3
}
