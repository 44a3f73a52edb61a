# shellcheck shell=bash disable=SC2153,SC2034  # bench.sh and what it needs set what is used here, and use what is set
# Part of lib/bench.sh: many connections at once; and where a peer has circuits, how long one takes to be set up, and
# many at once. Figures have one key more: hops, or count.

SETUP_COUNT=5
FLOWS="1 8 32" CIRCUITS="1 4 16" SETUP_PATHS="r3 r1,r3 r1,r2,r3"
[ -z "$BENCH_QUICK" ] || FLOWS=8 CIRCUITS=4 SETUP_PATHS=r1,r2,r3

# Many connections -------------------------------------------------------------------------------------------------------

# BULK in all, however many share it.
part_bytes() { echo $((BULK / $1)); } # COUNT
part_files() {
	local count
	for count in $FLOWS $CIRCUITS; do
		head -c "$(part_bytes "$count")" "$BED/bulk" >"$(root_of web)/run/bench/part-$count" || return 1
	done
}
# In bytes a second of all together: a connection to each of these, all begun at once by one program, until the last is through.
parallel_down() { # ADDRESS...
	local a
	{
		printf '%s\n' parallel parallel-immediate "parallel-max = $#" http1.1 no-progress-meter
		for a in "$@"; do printf '%s\n' "url = \"http://$a/bench/part-$#\"" 'output = "/dev/null"'; done
	} >"$BED/parts"
	bench_curl -K "$BED/parts" -w '%{num_connects} %{size_download} %{time_total}\n' |
		awk -v count=$# -v size="$(part_bytes $#)" '$1 == 1 && $2 == size { good++ } $3 > last { last = $3 } END {
			if (good != count) { print good + 0, "of", count, "came whole, each over its connection"; exit 1 }
			printf "%.0f", count * size / last }'
}
same_address() { local n; for ((n = 0; n < $1; n++)); do echo "$WEB4"; done; } # COUNT
# shellcheck disable=SC2046  # words
flows_down() { parallel_down $(same_address "$1"); }
bench_flows() { # REPETITION
	local count
	for count in $FLOWS; do
		FIGURE="\"count\":$count," measure flows 0 "$1" flows_down "$count" || return 1
	done
}

# Set-up -----------------------------------------------------------------------------------------------------------------

declare -A SETUP_BY=([ours]=anond [tor]=tor)
setup_times() { on client "$TREE/testbed/bin/circuit-times" "${SETUP_BY[$BENCH_PEER]}" "$@"; } # PATH COUNT [cold]

# Of a number of lines, which must be odd and is all there are.
median() { sort -n | awk -v n="$1" '{ v[NR] = $1 } END { if (NR != n) exit 1; print v[(n + 1) / 2] }'; } # NUMBER

# What a packet takes from the client over the path's relays and back, in ms, without any encryption: the sum over its parts.
path_round_trip() { # PATH
	local from=client h path
	read -r -a path <<<"${1//,/ }"
	for h in "${path[@]}"; do
		on "$from" ping -4 -n -c 9 -i 0.01 "${ADDR4[$h]}" | sed -n 's/.* time=\([0-9.]*\) ms$/\1/p' | median 9
		from=$h
	done | awk -v n=${#path[@]} '{ sum += $1 } END { if (NR != n) exit 1; print sum }'
}
no_guard_links() { gives 0 links client length; }
# The same with the link to the guard to be made first, and by the command, which is started as a program.
setup_cold() { # PATH
	local n
	for ((n = 0; n < 3; n++)); do
		wait_for 60 no_guard_links && setup_times "$1" 1 cold | cut -d' ' -f1 || return 1
	done | median 3
}
setup_command() { # PATH
	local n began
	circuit_up --path "$1" --to 192.0.2.201 >&2 || return 1
	for ((n = 0; n < SETUP_COUNT; n++)); do
		nap 1
		began=${EPOCHREALTIME/[.,]/}
		circuit_up --path "$1" --to 192.0.2.202 >&2 || return 1
		awk -v us=$((${EPOCHREALTIME/[.,]/} - began)) 'BEGIN { printf "%.4f\n", us / 1e3 }'
		circuit_down 2 >&2 || return 1
	done | median $SETUP_COUNT
	circuit_down >&2
}

bench_path() { # PATH DELAY REPETITION
	local hops=${1//[^,]/} took
	hops=$((${#hops} + 1))
	local FIGURE="\"hops\":$hops,"
	measure path "$2" "$3" path_round_trip "$1" || return 1
	took=$(setup_times "$1" $SETUP_COUNT) || return 1
	measure setup "$2" "$3" echo "${took% *}" || return 1
	[ "$BENCH_PEER" = ours ] || return 0
	measure setup-keys "$2" "$3" echo "${took#* }" || return 1
	[ $hops = 3 ] || return 0
	measure setup-cold "$2" "$3" setup_cold "$1" && measure setup-command "$2" "$3" setup_command "$1"
}
# No last word of a closed one is under way: a delay that is taken away takes with it what it still holds.
circuits_settled() { [ "$BENCH_PEER" != ours ] || wait_for 20 no_circuits client r1 r2 r3; }
bench_setup() { # REPETITION
	local delay path
	for delay in $BENCH_DELAYS; do
		[ "$delay" = 0 ] || check "$delay ms each way on every link" delay_links "$delay"
		for path in $SETUP_PATHS; do
			check "repetition $1, with $delay ms: set-up of $path" bench_path "$path" "$delay" "$1"
		done
		check "no circuit is left" circuits_settled
		[ "$delay" = 0 ] || check "no delay any more" undelay_links
	done
}

# Many circuits ----------------------------------------------------------------------------------------------------------

# Each circuit is for another address of the web server; of tor's by its option IsolateDestAddr.
server_addresses() { seq -f '192.0.2.%g' 101 $((100 + $1)); } # COUNT
servers_up() {
	local a
	for a in $(server_addresses "$1"); do on web ip addr add "$a/32" dev lo && on inet ip route add "$a" dev web || return 1; done
}
servers_down() {
	local a
	for a in $(server_addresses "$1"); do on web ip addr del "$a/32" dev lo && on inet ip route del "$a" dev web || return 1; done
}
# shellcheck disable=SC2046  # words
circuits_down() { parallel_down $(server_addresses "$1"); } # COUNT

# A guard takes two a second from a client.
many_ours_up() { # ADDRESS...
	local a
	for a in "$@"; do circuit_up --path r1,r2,r3 --to "$a" && nap 0.5 || return 1; done
}
# It makes them for what asks first.
many_tor_up() { # ADDRESS...
	local a urls=()
	for a in "$@"; do urls+=(-o /dev/null "http://$a/ip"); done
	bench_curl "${urls[@]}"
}

# How many circuits carry what a command fetches.
circuits_used() { "used_$BENCH_PEER" "$@"; } # CMD...
# shellcheck disable=SC2016  # the shell on the client expands
devices_bytes() { on client sh -c 'cd /sys/class/net && for d in anon*; do echo "$d $(cat $d/statistics/rx_bytes)"; done'; }
used_ours() {
	local before
	before=$(devices_bytes) && "$@" >/dev/null || return 1
	{ echo "$before"; devices_bytes; } | awk '$1 in seen { n += ($2 - seen[$1] > 10000) } { seen[$1] = $2 } END { print n + 0 }'
}
# The FIFO has two ends when somebody listens to tor's events, and that ends with it.
used_tor() {
	local fifo=$BED/using status=0
	mkfifo "$fifo" || return 1
	on client "$TREE/testbed/bin/circuit-times" tor-used "$fifo" &
	"$@" 3>"$fifo" >/dev/null || status=1
	wait $! || status=1
	rm -f "$fifo"
	return $status
}

bench_many() { # REPETITION
	local count had=0 addresses
	for count in $CIRCUITS; do
		mapfile -t addresses < <(server_addresses "$count")
		check "repetition $1: $count circuits" "many_${BENCH_PEER}_up" "${addresses[@]:had}"
		[ "$1" != 1 ] || check "each carries something" gives "$count" circuits_used circuits_down "$count"
		FIGURE="\"count\":$count," check "repetition $1: $count at once" measure circuits 0 "$1" circuits_down "$count"
		had=$count
	done
	[ "$1" != 1 ] || check "connections to one address share one" \
		gives 1 circuits_used parallel_down "${addresses[@]/*/${addresses[0]}}"
	[ "$BENCH_PEER" != ours ] || check "the circuits close" peer_ours_stop
}

# Peers that have circuits; ours is asked for others than the one for everything.
bench_circuits() {
	local n most=${CIRCUITS##* }
	[ -n "${SETUP_BY[$BENCH_PEER]:-}" ] || return 0
	[ "$BENCH_PEER" != ours ] || check "the circuit for everything makes room" peer_ours_stop
	check "the server has an address for each circuit" servers_up "$most"
	for ((n = 1; n <= BENCH_REPEAT; n++)); do bench_setup $n; bench_many $n; done
	check "these addresses go" servers_down "$most"
	[ "$BENCH_PEER" != ours ] || check "and the circuit for everything comes back" peer_ours_start
}
