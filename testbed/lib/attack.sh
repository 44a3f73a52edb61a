# shellcheck shell=bash disable=SC2153,SC2034  # circuit.sh and topology.sh set what is used here; scenarios use what is set here
# For the hostile scenarios. A scenario sources this file itself. Attackers are root on their own host: they read their
# own keys (`ip xfrm state`), add policies and send with build/tools/forge. What is taken out of a victim for a negative
# control is put back by `restore`.

FORGE=$TREE/build/tools/forge
IFID_CIRC=0x616e0001
echo 100 >"$BED/spent" # attackers' sequence numbers run so far ahead of the kernel's own

overlay_address() { on "$1" ip -6 -o addr show dev lo | sed -n 's/.* \(fd[0-9a-f:]*\)\/128 .*/\1/p' | head -n 1; } # RELAY
# The device of HOST's link to a relay, or its circuit address there.
link_device() { on "$1" ip -6 route show match "$2" | grep -oE 'dev ovl[0-9]+' | cut -d' ' -f2 | head -n 1; } # HOST OVERLAY-ADDRESS
link_source() { on client ip -6 route show match "$1" | grep -oE 'src [^ ]+' | cut -d' ' -f2 | head -n 1; } # OVERLAY-ADDRESS
if_id() { on "$1" ip -d -o link show "$2" | sed -n 's/.* if_id \(0x[0-9a-f]*\).*/\1/p'; }             # HOST DEVICE
# The client's address for the layer that ends at that relay: the circuit's SAs know it.
layer_address() { # OVERLAY-ADDRESS SLOT
	on client ip xfrm state list nokeys | awk -v o="$1" -v slot="$2" '
		/^src / { a = $4 == o ? $2 : "" }
		$1 == "if_id" && a != "" && $2 ~ sprintf("^0x6170%03x", slot / 2) { print a; exit }'
}

# SAs ------------------------------------------------------------------------------------------------------------

# One SA of HOST as forge reads it, with a sequence number that has not been used.
sa_line() { # HOST SRC DST
	local mode src dst spi oseq alg key icv
	read -r mode src dst spi oseq alg key icv < <(on "$1" ip xfrm state | awk -v s="$2" -v d="$3" '
		/^src / { hit = $2 == s && $4 == d }
		hit && $1 == "proto" { spi = $4; mode = $8 }
		hit && $1 == "aead" { alg = $2; key = $3; icv = $4 }
		hit && $1 == "seq-hi" { oseq = $NF }
		hit && $1 == "if_id" { print mode, s, d, spi, oseq, alg, key, icv; exit }')
	[ -n "$icv" ] || { echo "no SA $2 -> $3 on $1" >&2; return 1; }
	echo $(($(cat "$BED/spent") + 1)) >"$BED/spent" # a file: this runs in subshells
	echo "$mode $src $dst $spi $((oseq + $(cat "$BED/spent"))) $alg $key $icv" >"$BED/sa"
	echo "$BED/sa"
}

# A second SA beside an inbound one of HOST, the same but for its mark: what if the mark bound it to nothing?
twin_sa() { # HOST SRC DST
	local spi mode alg key icv if_id sel setmark
	read -r spi mode alg key icv if_id sel < <(on "$1" ip xfrm state | awk -v s="$2" -v d="$3" '
		/^src / { hit = $2 == s && $4 == d }
		hit && $1 == "proto" { spi = $4; mode = $8 }
		hit && $1 == "aead" { alg = $2; key = $3; icv = $4 }
		hit && $1 == "sel" { sel = $0 }
		hit && $1 == "if_id" { print spi, mode, alg, key, icv, $2, sel; exit }')
	[ -n "$if_id" ] || return 1
	local args=(src "$2" dst "$3" proto esp spi "$spi" mode "$mode" if_id "$if_id" replay-window 1024)
	# shellcheck disable=SC2206  # words are the point
	if [ "$mode" = beet ]; then args+=(flag noecn esn $sel); else args+=(flag noecn af-unspec esn); fi
	on "$1" ip xfrm state add "${args[@]}" aead "$alg" "$key" "$icv" && TWINS+=("$1 $2 $3 $spi")
}
TWINS=()
twins_gone() {
	local t
	for t in "${TWINS[@]}"; do
		read -ra t <<<"$t"
		on "${t[0]}" ip xfrm state delete src "${t[1]}" dst "${t[2]}" proto esp spi "${t[3]}"
	done
	TWINS=()
}

stat_of() { xfrm_stat "$1" | awk -v n="$2" '$2 == n { v = $3 } END { print v + 0 }'; } # HOST NAME

# Ways ------------------------------------------------------------------------------------------------------------

# Let HOST send SRC -> DST into a device of the onion as if its policy said so: a copy of the policy that is there.
WAYS=()
way() { # HOST DEVICE SRC DST
	local id tmpl
	id=$(if_id "$1" "$2")
	tmpl=$(on "$1" ip xfrm policy | awk -v id="$id" '
		/^src / { t = ""; out = 0 }
		$1 == "dir" { out = $2 == "out" }
		$1 == "tmpl" { t = $0 }
		$1 == "proto" { sub(/ spi 0x[0-9a-f]*/, ""); t = t " " $0 }
		$1 == "if_id" && $2 == id && out { print t; exit }')
	[ -n "$tmpl" ] || { echo "no policy of $2 on $1" >&2; return 1; }
	# shellcheck disable=SC2086  # words are the point
	on "$1" ip xfrm policy add src "$3" dst "$4" dir out if_id "$id" priority 1 $tmpl || return 1
	WAYS+=("$1 xfrm policy delete src $3 dst $4 dir out if_id $id")
	road "$1" "$4" dev "$2"
}
# Only a route.
road() { # HOST DST WHERE...
	local host=$1
	shift
	on "$host" ip route add "$@" metric 5000 || return 1
	WAYS+=("$host route del $* metric 5000")
}
ways_gone() {
	local w i
	for ((i = ${#WAYS[@]} - 1; i >= 0; i--)); do
		read -ra w <<<"${WAYS[i]}"
		on "${w[0]}" ip "${w[@]:1}"
	done
	WAYS=()
}

# Rules -----------------------------------------------------------------------------------------------------------

chain_rules() { # HOST FAMILY CHAIN
	on "$1" nft list chain "$2" anon "$3" | sed -e '/^table/d' -e '/^\tchain/d' -e '/type [a-z]* hook/d' -e '/^\t*}$/d' -e 's/^\t*//'
}
# anond would put its rules back (scenario rules-flushed): it sleeps until all of them are there again.
SLEEPING=()
anond_sleeps() { # HOST
	local pid
	pid=$(cat "$BED/anond.$1" 2>/dev/null) || return 0
	kill -STOP "$pid" && SLEEPING+=("$pid")
}
chain_set() { # HOST FAMILY CHAIN <rules
	anond_sleeps "$1"
	{ echo "flush chain $2 anon $3"; sed "s/^./add rule $2 anon $3 &/"; } | on "$1" nft -f -
}

# Take the rules that match out of a chain. The policy of an ingress chain is to drop, so there the rest is accepted.
SAVED=()
without() { # HOST FAMILY CHAIN REGEX
	local file=$BED/rules.$1.$2.$3
	if ! [ -e "$file" ]; then
		chain_rules "$1" "$2" "$3" >"$file" && [ -s "$file" ] || return 1
		SAVED+=("$1 $2 $3")
	fi
	grep -qE -- "$4" "$file" || { echo "$3 of $1 has no rule $4"; return 1; }
	{ grep -vE -- "$4" "$file"; [ "$2" != netdev ] || echo accept; } | chain_set "$1" "$2" "$3"
}
put_back() { # HOST FAMILY CHAIN
	local file=$BED/rules.$1.$2.$3
	! [ -e "$file" ] || { chain_set "$1" "$2" "$3" <"$file" && rm -f "$file"; }
}
conf_set() { # HOST NAME VALUE: a sysctl below net/
	local file
	file=/proc/sys/net/${2}
	CONFS+=("$1 $2 $(on "$1" cat "$file")")
	on "$1" sh -c "echo $3 >$file"
}
CONFS=()
restore() {
	local host a b i
	for ((i = 0; i < ${#SAVED[@]}; i++)); do
		read -r host a b <<<"${SAVED[i]}"
		put_back "$host" "$a" "$b"
	done
	for ((i = ${#CONFS[@]} - 1; i >= 0; i--)); do
		read -r host a b <<<"${CONFS[i]}"
		on "$host" sh -c "echo $b >/proc/sys/net/$a"
	done
	twins_gone
	[ ${#SLEEPING[@]} = 0 ] || kill -CONT "${SLEEPING[@]}"
	SAVED=() CONFS=() SLEEPING=()
}

dropped() { # HOST COUNTER: packets
	on "$1" nft -j list counters | gojq -r --arg n "$2" '[.nftables[].counter? // empty | select(.name == $n) | .packets] | add // "none"'
}

# Victims -----------------------------------------------------------------------------------------------------------

# Whatever is sent to a UDP port of a host, on any address, ends up in $BED/heard.HOST.
LISTENERS=()
listen_udp() { # HOST PORT
	: >"$BED/heard.$1"
	on "$1" socat -u "UDP6-RECV:$2,ipv6only=0" "OPEN:$BED/heard.$1,append" 2>/dev/null &
	LISTENERS+=($!)
	wait_for 10 listening "$1" udp "$2"
}
# A TCP service that greets.
listen_tcp() { # HOST PORT
	on "$1" socat "TCP6-LISTEN:$2,ipv6only=0,reuseaddr,fork" 'SYSTEM:echo welcome' 2>/dev/null &
	LISTENERS+=($!)
	wait_for 10 listening "$1" tcp "$2"
}
listeners_stop() {
	kill "${LISTENERS[@]}" 2>/dev/null
	wait "${LISTENERS[@]}" 2>/dev/null
	LISTENERS=()
}
greets() { gives welcome on "$1" socat -T 3 - "$2,connect-timeout=3"; } # HOST SOCAT-ADDRESS

# Attacks -----------------------------------------------------------------------------------------------------------
# CMD is the attack; it says $WORD, which is new each time, to a listener.

new_word() { WORD=attack-$RANDOM$RANDOM$RANDOM; }
heard() { grep -q -- "$WORD" "$BED/heard.$1"; } # HOST

# It arrives.
reaches() { # HOST CMD...
	local host=$1
	shift
	new_word
	"$@" && wait_for 6 heard "$host"
}

# It is counted as dropped there, and nobody hears of it.
refused() { # HOST(listener) HOST(dropping) COUNTER CMD...
	local listener=$1 host=$2 counter=$3 before
	shift 3
	new_word
	before=$(dropped "$host" "$counter")
	"$@" || return 1
	wait_for 6 counted "$host" "$counter" "$before" || return 1
	! heard "$listener"
}
counted() { [ "$(dropped "$1" "$2")" -gt "$3" ] || { echo "$2 of $1 is still $3"; return 1; }; } # HOST COUNTER THAN

# The same, refused by the kernel's IPsec: XfrmInNoStates and the like.
refused_by_xfrm() { # HOST(listener) HOST(dropping) STATISTIC CMD...
	local listener=$1 host=$2 name=$3 before
	shift 3
	new_word
	before=$(stat_of "$host" "$name")
	"$@" || return 1
	wait_for 6 stat_above "$host" "$name" "$before" || return 1
	! heard "$listener"
}
stat_above() { [ "$(stat_of "$1" "$2")" -gt "$3" ] || { xfrm_stat "$1"; return 1; }; }

forge() { on "$1" "$FORGE" "${@:2}"; } # HOST DEVICE PACKET...
