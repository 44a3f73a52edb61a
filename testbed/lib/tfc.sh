# shellcheck shell=bash disable=SC2034,SC2153  # topology.sh and circuit.sh set what is used here; scenarios use what is set here
# Guest side: traffic-flow confidentiality: the module, links at a constant rate, what an observer makes of them, and a
# link made by hand.

# The module --------------------------------------------------------------------------------------------------------
# It is in the kernel, which all hosts and scenarios share: who loads it leaves $BED/tfc, and `bed` unloads it when the
# network is down, which fails if anything still uses it.

tfc_module() {
	[[ $(uname -r) =~ ^[0-9]+\.[0-9]+ ]] && echo "$TREE/build/kmod/${BASH_REMATCH[0]}/anon_tfc.ko"
}
tfc_built() { [ -e "$(tfc_module)" ] || { echo "$(tfc_module) is missing: run make kmod"; return 1; }; }
tfc_loaded() { grep -q '^anon_tfc ' /proc/modules; }
tfc_load() { tfc_built && insmod "$(tfc_module)" && touch "$BED/tfc"; }
# A namespace that ended lets go of its devices a moment later.
tfc_unload() { wait_for 20 tfc_unused && rmmod anon_tfc && rm -f "$BED/tfc"; }
tfc_unused() { grep '^anon_tfc [0-9]* 0 ' /proc/modules || { grep '^anon_tfc ' /proc/modules; return 1; }; }

# anond's links -----------------------------------------------------------------------------------------------------

# What all hosts' section `link` has, instead of what was said earlier; nothing: no section.
links_say() { # [LINE...]
	local h conf
	for h in $(anon_hosts); do
		conf=$(root_of "$h")/etc/anond/anond.conf
		sed -i '/# tfc$/d' "$conf" || return 1
		[ $# = 0 ] || printf '%s # tfc\n' "link {" "$@" "}" >>"$conf" || return 1
	done
}
# Stop the network and start it with other links: those that stand may not change under way.
links_become() { # [LINE...]
	# shellcheck disable=SC2046  # words are the point
	each_anon_host anon_stop && links_say "$@" && few anon_start $(anon_hosts)
}
# Five at a time: under emulation two dozen at once keep each other from being in time.
few() { # FUNCTION HOST...
	local f=$1 h jobs bad=0
	shift
	while [ $# -gt 0 ]; do
		jobs=()
		for h in "${@:1:5}"; do "$f" "$h" & jobs+=("$h:$!"); done
		for h in "${jobs[@]}"; do wait "${h#*:}" || { echo "$f failed on ${h%:*}"; bad=1; }; done
		shift $(($# < 5 ? $# : 5))
	done
	return $bad
}

tfc_json() { on "$1" anonctl tfc --json; } # HOST
# A sum over all far ends of a host, e.g. `tfc_sum r1 cover`.
tfc_sum() { tfc_json "$1" | gojq "[.[].peers[].$2] | add // 0"; } # HOST COUNTER
tfc_most() { tfc_json "$1" | gojq "[.[].peers[].$2] | max // 0"; } # HOST COUNTER
turns() { tfc_json "$1" | gojq '[.[].peers[] | .real + .cover + .missed] | add // 0'; } # HOST
far_ends() { tfc_json "$1" | gojq '[.[].peers[]] | length'; } # HOST
# Hundredths of the turns of a host that were missed.
missed_share() { tfc_json "$1" | gojq '[.[].peers[]] | (map(.missed) | add) * 100 / (map(.real + .cover + .missed) | add) | ceil'; } # HOST
tfc_drops() { tfc_json "$1" | gojq '[.[].peers[] | .drop_size + .drop_full + .drop_aqm + .drop_memory] | add // 0'; } # HOST

# An observer at the client's cable -----------------------------------------------------------------------------------
# Nothing of ours runs beside the traffic while it is captured: under emulation each program started makes packets late.

# ESP of the client's link with its guard only, while CMD runs.
observe() { # FILE GUARD CMD...
	local status=0
	capture inet client "($ESP4 or $ESP6) and (host ${ADDR4[$2]} or host ${ADDR6[$2]})" "$1" || return 1
	"${@:3}" || status=1
	capture_stop "$1" 2 # it is never still
	return $status
}
spacing() { "$TREE/testbed/bin/spacing" "$@"; }
# What the client sends, and what it is sent.
up_spacing() { spacing --src "$CLIENT4" --src "$CLIENT6" "$@"; }
down_spacing() { spacing --dst "$CLIENT4" --dst "$CLIENT6" "$@"; }
# Status 1 exactly: what could not be compared is not told apart.
told_apart() { local status=0; "$@" || status=$?; [ $status = 1 ]; } # SPACING...
# All packets of a capture are that long, whenever they come.
one_length() { uncaptured "$1" "len != $2" && at_least "${3:-100}" captured "$1"; } # FILE BYTES [PACKETS]
length_of() { tcpdump -n -e -c 1 -r "$1" 2>/dev/null | sed -n 's/.*, length \([0-9]*\): .*/\1/p' | head -n 1; } # FILE

# What a person does, for so many seconds.
idle() { nap "$1"; }
voice() { on client "$TREE/testbed/bin/voice" "$WEB4" 7 "$1"; }
bulk() { on client curl -sS -o /dev/null --max-time "$1" --limit-rate 1G "http://$WEB4/20m" || [ $? = 28 ]; } # 28: time is over
# Some objects at once, then a look at the page.
pages() {
	local end=$((SECONDS + $1)) urls=() n
	for n in 1 2 3 4 5 6 7 8; do urls+=(-o /dev/null "http://$WEB4/1k?$n"); done
	while [ $SECONDS -lt $end ]; do
		on client curl -sS --parallel --max-time 30 "${urls[@]}" || return 1
		nap "$((1 + RANDOM % 3)).$((RANDOM % 10))"
	done
}

# A link made by hand -------------------------------------------------------------------------------------------------
# r1 and web, an xfrm interface tfc0 at each, and keys that everybody knows; no IKE, no anond. r1 has the inner address
# fd7f:c::1, web ::2 to ::5: at r1, web is four far ends of one shared device.

HAND_ID=0x7fc HAND_KEY=0x$(printf '%040d' 7)
HAND1=fd7f:c::1
HAND2=(fd7f:c::2 fd7f:c::3 fd7f:c::4 fd7f:c::5)

hand_far() { if [ "$1" = r1 ]; then echo web; else echo r1; fi; }                    # HOST
hand_addresses() { if [ "$1" = r1 ]; then echo "$HAND1"; else echo "${HAND2[@]}"; fi; } # HOST

# The device, with its routes; it can be deleted and made again while the rest stands.
hand_device() { # HOST
	local a far
	far=$(hand_far "$1")
	{
		echo "link add tfc0 type xfrm if_id $HAND_ID"
		echo "link set tfc0 addrgenmode none"
		echo "link set tfc0 mtu 1400 up"
		for a in $(hand_addresses "$far"); do echo "route add $a dev tfc0 src $(hand_addresses "$1" | cut -d' ' -f1)"; done
	} | ip -n "$1" -batch -
}
hand_state() { # HOST SRC DST SPI
	on "$1" ip xfrm state add src "$2" dst "$3" proto esp spi "$4" mode tunnel if_id $HAND_ID flag af-unspec \
		replay-window 128 aead 'rfc4106(gcm(aes))' "$HAND_KEY" 128
}
hand_policy() { # HOST DIR SRC DST
	on "$1" ip xfrm policy add src ::/0 dst ::/0 dir "$2" if_id $HAND_ID tmpl src "$3" dst "$4" proto esp mode tunnel
}
hand_end() { # HOST
	local a here=${ADDR6[$1]} there
	there=${ADDR6[$(hand_far "$1")]}
	for a in $(hand_addresses "$1"); do on "$1" ip addr add "$a/128" dev lo nodad || return 1; done
	hand_state "$1" "${ADDR6[r1]}" "${ADDR6[web]}" 0x7fc1 && hand_state "$1" "${ADDR6[web]}" "${ADDR6[r1]}" 0x7fc2 &&
		hand_policy "$1" out "$here" "$there" && hand_policy "$1" in "$there" "$here" && hand_device "$1"
}
hand_link() { hand_end r1 && hand_end web; }
hand_gone() {
	local h a
	for h in r1 web; do
		on "$h" ip link del tfc0
		on "$h" ip xfrm policy flush
		on "$h" ip xfrm state flush
		for a in $(hand_addresses "$h"); do on "$h" ip addr del "$a/128" dev lo || return 1; done
	done
}

# Traffic all the time: packets to each far end, files the other way.
hand_traffic() {
	local a
	rm -f "$BED/hand.stop"
	HAND_JOBS=()
	for a in "${HAND2[@]}"; do
		on r1 sh -c "$PING_ON" "$a" >/dev/null 2>&1 & HAND_JOBS+=($!)
	done
	while ! [ -e "$BED/hand.stop" ]; do on r1 curl -s -o /dev/null --max-time 3 "http://[${HAND2[0]}]/1m"; nap 0.1; done &
	HAND_TALK=$!
}
hand_silence() {
	touch "$BED/hand.stop"
	kill -TERM "${HAND_JOBS[@]}"
	wait "${HAND_JOBS[@]}" "$HAND_TALK"
	true
}

# What the kernel knows of a packet besides its bytes, on ESP from r1 to web: traffic on tfc0 gets all of it, cover has none.
hand_marking() {
	on r1 nft -f - <<-E
		table inet hand {
			counter marked { }
			chain inner {
				type filter hook output priority mangle
				oifname "tfc0" meta priority set 0:6 meta mark set 7
			}
			chain outer {
				type filter hook postrouting priority 0
				ip6 nexthdr esp ip6 daddr ${ADDR6[web]} jump count
			}
			chain count {
				meta priority != none counter name marked
				meta mark != 0 counter name marked
				meta skuid 0 counter name marked
				ip6 flowlabel != 0 counter name marked
			}
		}
	E
}
hand_marked() { on r1 nft -j list counters table inet hand | gojq '[.nftables[].counter? // empty | .packets] | add'; }
hand_no_marks() { # after the control: without the module they are seen
	hand_marking && hand_carries && at_least 1 hand_marked && tfc_put &&
		on r1 nft reset counters table inet hand >/dev/null && hand_carries && at_most 0 hand_marked &&
		tfc_end 0 && on r1 nft delete table inet hand
}

# Churn -----------------------------------------------------------------------------------------------------------------

tfc() { on "$1" anonctl tfc "${@:2}"; } # HOST WORD...
# By lot, and without a process for it: what may be changed under way, and what a qdisc may be made with.
CHANGES=("rate 20" "rate 100" "rate 300" "steps 1" "steps 3" "steps 16" "window 0" "window 5" "window 200" "limit 1" "limit 50"
	"limit 1000" "idle 0" "idle 1" "step-time 1" "step-time 10")
MAKES=("rate 50 size 1280" "rate 100 window 10" "rate 200 steps 4" "rate 100 size 1280 steps 4 window 10")
tfc_put() { # on both ends; r1's is shared
	local n=0 a
	# shellcheck disable=SC2086  # words are the point
	tfc r1 add tfc0 ${MAKES[RANDOM % ${#MAKES[@]}]} shared && tfc web add tfc0 rate 100 limit $((10 + RANDOM % 500)) || return 1
	for a in "${HAND2[@]}"; do tfc r1 peer tfc0 $((n += 1)) "$HAND1" "$a" || return 1; done
	tfc web peer tfc0 1 "${HAND2[0]}" "$HAND1"
}
# shellcheck disable=SC2086  # words are the point
tfc_alter() {
	local n
	for n in r1 web r1 web; do tfc $n change tfc0 ${CHANGES[RANDOM % ${#CHANGES[@]}]} || return 1; done
	n=$((1 + RANDOM % 4))
	tfc r1 no-peer tfc0 $n && tfc r1 peer tfc0 $n "$HAND1" "${HAND2[n - 1]}"
}
# One of the ways in which a qdisc ends.
tfc_end() { # NUMBER
	local h n
	case $(($1 % 4)) in
	0) tfc r1 del tfc0 && tfc web del tfc0 ;;
	1) for h in r1 web; do on "$h" ip link del tfc0 && hand_device "$h" || return 1; done ;;
	2) for n in 1 2 3 4; do tfc r1 no-peer tfc0 $n || return 1; done; tfc r1 del tfc0 && on web ip link set tfc0 down &&
		tfc web del tfc0 && on web ip link del tfc0 && hand_device web ;;
	3) tfc r1 del tfc0 && tfc web del tfc0 && tfc_unload && ! tfc_loaded && tfc_load ;;
	esac
}
hand_carries() { wait_for 10 ping6 r1 "${HAND2[RANDOM % 4]}"; }
tfc_round() { # NUMBER
	tfc_put && hand_carries && tfc_alter && tfc_end "$1" && hand_carries
}

# kB of the kernel's own that nothing gives back when memory is short.
kernel_memory() { awk '/^(SUnreclaim|Percpu|VmallocUsed):/ { kb += $2 } END { print kb }' /proc/meminfo; }

# So many rounds, the same ones each time.
tfc_churn() { # ROUNDS
	local i h before
	check "the module loads" tfc_load || return
	check "a link by hand" hand_link
	check "it carries" hand_carries
	check "what leaves has nothing that cover has not" hand_no_marks
	hand_traffic
	RANDOM=2026
	for ((i = 1; i <= 4; i++)); do check "round $i" tfc_round $i || return; done
	before=$(kernel_memory)
	for ((; i <= $1; i++)); do
		tfc_round $i || break
		[ $((i % 50)) != 0 ] || tap "# $i rounds, $SECONDS s"
	done
	check "all $1 rounds" test $i -gt "$1"
	check "the kernel has kept less than 8 MB of them" at_most $((before + 8192)) kernel_memory
	tfc_hostile
	hand_silence
	check "the link goes" hand_gone
	check "the module unloads" tfc_unload
	refute "it is gone" tfc_loaded
}

tfc_elsewhere() { # OPTION of unshare: whose network namespace
	on web unshare "$1" sh -c \
		'ip link add tfc1 type xfrm if_id 5 && ip link set tfc1 mtu 1400 && exec anonctl tfc add tfc1 rate 100'
}

# Settings that must be refused, by anonctl's words and by messages that it would not send.
tfc_hostile() {
	local words
	check "a qdisc" tfc_put
	for words in "rate 0" "rate 100001" "steps 0" "steps 17" "window 1001" "limit 0" "limit 16385" "idle 86401" "nonsense 1"; do
		# shellcheck disable=SC2086  # words are the point
		refute "refused: $words" tfc web change tfc0 $words
	done
	refute "a second far end of a device that has one" tfc web peer tfc0 2 fd7f:c::3 $HAND1
	refute "a far end twice" tfc r1 peer tfc0 9 $HAND1 "${HAND2[0]}"
	refute "a second qdisc" tfc web add tfc0 rate 100
	refute "a device of another kind" tfc r1 add eth0 rate 100
	check "root's other network namespace may have one" tfc_elsewhere -n
	refute "that of a user namespace's root" tfc_elsewhere -rn
	check "what is refused changed nothing" hand_carries
	check "messages that are wrong are refused" on web "$TREE/testbed/bin/tfc-hostile" tfc0
	check "the link still carries" hand_carries
	check "the qdiscs go" tfc_end 0
}
