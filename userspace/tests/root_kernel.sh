#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The data plane on a real kernel, before any daemon: testbed/run --no-anond --exec userspace/tests/root_kernel.sh
# (once more with --offload and with --kernel 6.12). Hosts and web server come from topology three-relays; the
# overlay links are plain static SAs here, the rest is plans applied by root_kernel as an unprivileged user that
# has CAP_NET_ADMIN and nothing else. TAP on stdout.
set -u
tree=$(cd "$(dirname "$0")/../.." && pwd -P)
program=$tree/build/tests/root_kernel
eval "$("$program" addresses)"
count=0 failures=0
declare -A pub=([client]=198.51.100.10 [r1]=198.51.100.11 [r2]=198.51.100.12 [r3]=198.51.100.13)
web4=192.0.2.80 web6=2001:db8:2::80

ok() { # DESCRIPTION CMD...
	local what=$1 out
	shift
	count=$((count + 1))
	if out=$("$@" 2>&1); then echo "ok $count - $what"; else
		failures=$((failures + 1))
		echo "not ok $count - $what"
		printf '%s\n' "$out" | tail -n 12 | sed 's/^/# /'
	fi
}
not() { ! "$@"; }
rk() { # VERB HOST PART, as nobody
	on "$2" setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=+net_admin --ambient-caps=+net_admin \
		"$program" "$@"
}

# One direction of an overlay link: SA from $1 to $2, SPI $3, if_ids $4 (at $1) and $5 (at $2), keys by SPI.
sa() {
	local key flags=(reqid 1 mode tunnel replay-window 64 flag noecn af-unspec extra-flag dont-encap-dscp)
	key=$(printf '0x%040x' "$3")
	local mark=()
	[ "$1" != client ] || mark=(output-mark 0x616e0042)
	ip -n "$1" xfrm state add src "${pub[$1]}" dst "${pub[$2]}" proto esp spi "$3" if_id "$4" "${flags[@]}" \
		"${mark[@]}" aead 'rfc4106(gcm(aes))' "$key" 128
	ip -n "$2" xfrm state add src "${pub[$1]}" dst "${pub[$2]}" proto esp spi "$3" if_id "$5" "${flags[@]}" \
		aead 'rfc4106(gcm(aes))' "$key" 128
}
# Policies at host $1 towards $2 with if_id $3: inner addresses $4 (ours) and $5 (theirs).
sp() {
	local d
	ip -n "$1" xfrm policy add dir out if_id "$3" src "$4" dst "$5" \
		tmpl src "${pub[$1]}" dst "${pub[$2]}" proto esp reqid 1 mode tunnel
	for d in in fwd; do
		ip -n "$1" xfrm policy add dir $d if_id "$3" src "$5" dst "$4" \
			tmpl src "${pub[$2]}" dst "${pub[$1]}" proto esp reqid 1 mode tunnel
	done
}
link() { # A B IFID_A IFID_B SPI INNER_A INNER_B
	sa "$1" "$2" "$5" "$3" "$4"
	sa "$2" "$1" $(($5 + 1)) "$4" "$3"
	sp "$1" "$2" "$3" "$6" "$7"
	sp "$2" "$1" "$4" "$7" "$6"
}
links_up() {
	link r1 r2 0x616f0002 0x616f0002 0xc0000010 ::/0 ::/0
	link r1 r3 0x616f0003 0x616f0002 0xc0000020 ::/0 ::/0
	link r2 r3 0x616f0003 0x616f0003 0xc0000030 ::/0 ::/0
	link client r1 0x616f0002 0x616f0001 0xc0000040 "$FIRST1/128" "$OR1/128"
	link client r2 0x616f0003 0x616f0001 0xc0000050 "$FIRST2/128" "$OR2/128"
}
links_down() {
	local h
	for h in client r1 r2 r3; do
		ip -n $h xfrm state deleteall reqid 1
		ip -n $h xfrm policy flush
	done
}

ping_ok() { on client ping -q -c 3 -i 0.2 -W 5 "$@"; }
asker() { on client curl -sS -m 20 "$@"; }
is() { [ "$1" = "$2" ] || { echo "got '$1', not '$2'"; return 1; }; }
counter() { rk counters "$1" base | awk -v n="$2" '$1 == n { print $2 }'; }

capture() { # HOST DEV FILE FILTER...
	local h=$1 dev=$2 file=$3
	shift 3
	on "$h" tcpdump -n -vv -U -i "$dev" --immediate-mode "$@" >"$file" 2>/dev/null &
	captures+=($!)
}
captures=()
captures_end() {
	sleep 1.5
	kill "${captures[@]}" 2>/dev/null
	wait "${captures[@]}" 2>/dev/null
	captures=()
}

# Hop limits of the ESP inside every link, both directions: all must be 63, class and flow label 0.
headers() {
	local w=/tmp/headers h d n
	mkdir -p $w
	for n in client/ovl2 r1/ovl1 r1/ovl2 r2/ovl2 r2/ovl3 r3/ovl3; do
		capture "${n%/*}" "${n#*/}" $w/"${n//\//-}" ip6
	done
	sleep 2
	on client ping -q -c 4 -i 0.2 -Q 0xb9 -t 44 $web4
	on client ping -q -c 4 -i 0.2 -Q 0xb9 -F 0x12345 -t 77 $web6
	asker "http://[$web6]/ip" >/dev/null
	captures_end
	for d in "$w"/*; do
		[ "$(grep -c 'next-header ESP' "$d")" -ge 16 ] || { echo "$d: too few packets"; wc -l $w/*; return 1; }
		grep 'next-header ESP' "$d" | grep -v 'IP6 (hlim 63, next-header ESP' | head -n 2 | grep . && return 1
	done
	return 0
}

mtu_exact() {
	is "$(on client cat /sys/class/net/anon0/mtu)" 1286 &&
		on client ping -q -c 2 -i 0.2 -M "do" -s $((1286 - 28)) $web4 &&
		on client ping -q -c 2 -i 0.2 -M "do" -s $((1286 - 48)) $web6 &&
		not on client ping -q -c 1 -M "do" -s $((1286 - 27)) -W 2 $web4
}
file_both_ways() {
	local n
	local h
	for h in "$web4" "[$web6]"; do
		n=$(asker -o /dev/null -w '%{size_download}' "http://$h/$1")
		[ "$n" -ge 1000000 ] || { echo "$h: $n bytes"; return 1; }
	done
}
nothing_in_clear() { # on the client's public side: only ESP to guards and neighbour discovery
	capture client eth0 /tmp/clear 'not (esp or arp or icmp6 or ip6 proto 50)'
	sleep 1.5
	on client ping -q -c 2 -i 0.3 -W 1 $web4
	on client ping -q -c 2 -i 0.3 -W 1 $web6
	asker -m 2 "http://$web4/ip"
	asker -m 2 "http://[$web6]/ip"
	captures_end
	not grep . /tmp/clear
}

# A client that sends with the inner address of another circuit.
steal_address() {
	local before
	before=$(counter r3 drop_circ)
	on client ip xfrm policy add dir out if_id 0x61700002 src 100.96.0.11/32 dst 0.0.0.0/0 \
		tmpl src "$A0_3" dst "$OR3" proto esp reqid 0x50000002 mode tunnel
	on client ip addr add 100.96.0.11/32 dev anon0
	on client nft delete chain inet anon out_anon1
	on client nft delete chain inet anon post_anon1
	on client ping -q -c 2 -i 0.3 -W 1 -I anon0 -I 100.96.0.11 $web4 && return 1
	on client ip addr del 100.96.0.11/32 dev anon0
	on client ip xfrm policy del dir out if_id 0x61700002 src 100.96.0.11/32 dst 0.0.0.0/0
	[ "$(counter r3 drop_circ)" -gt "$before" ] || { echo "drop_circ: $before"; return 1; }
}
closed() { # what an exit must not lead to: DESTINATION COUNTER
	local before
	before=$(counter r3 "$2")
	on client ping -q -c 2 -i 0.3 -W 1 -I anon0 "$1" && return 1
	[ "$(counter r3 "$2")" -gt "$before" ] || { rk counters r3 base; return 1; }
}
# Another host sends to an inner address of the client from outside. The client answers no ARP for it (arp_ignore).
from_outside() {
	local before
	before=$(counter client drop_public)
	on r1 ip route add 100.96.0.10/32 via 198.51.100.1
	on inet ip route add 100.96.0.10/32 via 198.51.100.10 dev client onlink
	on r1 ping -q -c 2 -i 0.3 -W 1 -I eth0 100.96.0.10
	on r1 ip route del 100.96.0.10/32 via 198.51.100.1
	on inet ip route del 100.96.0.10/32 via 198.51.100.10 dev client onlink
	[ "$(counter client drop_public)" -gt "$before" ] || { rk counters client base; return 1; }
}
# A guard that puts a packet of its own into the client's link.
guard_injects() {
	local before
	before=$(counter client drop_link)
	on r1 nft add rule inet bed out accept 2>/dev/null
	on r1 ip -6 addr add fd99::1/128 dev lo
	on r1 ping -q -c 2 -i 0.3 -W 1 -I "$OR1" "$FIRST1"
	on r1 ip -6 addr del fd99::1/128 dev lo
	[ "$(counter client drop_link)" -gt "$before" ] || { rk counters client base; return 1; }
}
unasked() { # the exit's gateway pings the client: answers only
	local before
	before=$(counter client drop_unasked)
	on r3 ping -q -c 2 -i 0.3 -W 1 -I 100.96.0.1 100.96.0.10 && return 1
	[ "$(counter client drop_unasked)" -gt "$before" ] || { rk counters client base; return 1; }
}

expired() { # a packet dies at the exit, which says so
	on client ping -c 1 -W 3 -t 1 $web4 | grep -i 'time to live exceeded' &&
		on client ping -c 1 -W 3 -t 1 $web6 | grep -i 'hop limit'
}
# Somebody else has the name of a device: nothing of the circuit may stay, and the device is left alone.
name_taken() {
	rk down client 1 || return 1
	on client ip link add hop1-2 type dummy
	rk up client 1 && return 1
	on client ip link show hop1-2 || return 1
	on client ip link del hop1-2
	on client ip xfrm state | grep '0x61700008\|0x61700009\|0x6170000a' && return 1
	on client ip link | grep 'hop1-\|anon1' && return 1
	on client nft list ruleset | grep 'anon1' && return 1
	rk up client 1
}

full_tunnel() { # all but two networks through circuit 1; the guard is reached all the same
	rk up client full || return 1
	capture client eth0 /tmp/full 'not (esp or arp or icmp6 or ip6 proto 50)'
	sleep 1.5
	local failed=0
	ping_ok $web4 && ping_ok $web6 && ping_ok 2001:db8::1 || failed=1
	is "$(asker http://$web4/ip)" 198.51.100.13 || failed=1
	is "$(asker "http://[$web6]/ip")" 2001:db8:51::13 || failed=1
	captures_end
	rk down client full || failed=1
	grep . /tmp/full && failed=1
	[ $failed = 0 ]
}

everything_up() {
	local h
	for h in r1 r2 r3 client; do rk up $h all || return 1; done
}
everything_down() {
	local h
	for h in client r1 r2 r3; do rk down $h all || return 1; done
}
same() { rk same client all && rk same r1 all && rk same r2 all && rk same r3 all; }
empty() { rk empty client all && rk empty r1 all && rk empty r2 all && rk empty r3 all; }
no_trace() {
	local h
	for h in client r1 r2 r3; do
		on $h ip xfrm state | grep . && return 1
		on $h ip xfrm policy | grep . && return 1
		on $h nft list ruleset | grep . && return 1
		on $h ip -6 route show table all | grep -E '(^| )fd[0-9a-f]{2}:|proto 142' && return 1
		on $h ip route show table all | grep -E '100\.96|proto 142' && return 1
		on $h ip rule | grep -E '704[0-9]' && return 1
		on $h ip -6 rule | grep -E '704[0-9]' && return 1
		on $h ip link | grep -E 'ovl|hop|anon|circ' && return 1
		on $h ip addr show dev lo | grep -E ' fd[0-9a-f]{2}:' && return 1
	done
	return 0
}

echo "# $(uname -r)$(lsmod | awk '/^esp[46]_offload/ { printf " %s", $1 }')"
links_up
# One for all network namespaces, set outside of them.
modprobe nf_conntrack && echo 1048576 >/proc/sys/net/netfilter/nf_conntrack_max
ok "what the kernel needs is there" rk probe r3 base
ok "and the probe leaves nothing" rk empty r3 base
ok "plans of relays and client apply without root" everything_up
ok "the kernel holds what the plans say" same
ok "ping v4 through circuit 0" ping_ok $web4
ok "ping v6 through circuit 0" ping_ok $web6
ok "the web server sees the exit, v4" is "$(asker http://$web4/ip)" 198.51.100.13
ok "the web server sees the exit, v6" is "$(asker "http://[$web6]/ip")" 2001:db8:51::13
ok "circuit 1 over the same relays" ping_ok -I anon1 100.96.0.1
ok "circuit 1, v6 by its source address" ping_ok -I "$INNER6_1" 2001:db8::1
ok "circuit 2 over another guard" ping_ok -I anon2 100.96.0.1
ok "circuit 2, v6 by its source address" ping_ok -I "$INNER6_2" "$GW6"
ok "inner MTU is exact" mtu_exact
ok "a megabyte, v4 and v6" file_both_ways "${BIG:-1m}"
ok "headers inside links are alike everywhere" headers
ok "nothing of it in clear" nothing_in_clear
ok "everything through a circuit" full_tunnel
ok "apply again changes nothing" everything_up
ok "still the same" same
ok "circuits are adopted without their keys" eval 'rk adopt client all && rk adopt r1 all && rk adopt r3 all'
ok "not one that is not there" eval 'rk down client 1; not rk adopt client 1; rk up client 1'
ok "and still the same" same
ok "the kernel ends SAs itself" eval 'on r3 ip -s xfrm state list nokeys | grep -E "expire add: .*hard 3[0-9]{3}"'
ok "and still works" ping_ok $web4
ok "errors come back" expired
ok "a name that is taken" name_taken
ok "all as before" same
ok "an exit drops what is not the circuit's address" steal_address
ok "an exit does not lead to its own public address" closed 198.51.100.13 drop_private
ok "an exit does not lead to private networks" closed 10.1.2.3 drop_private
ok "an exit does not lead to other clients" closed 100.96.0.11 drop_private
ok "inner addresses are closed to the outside" from_outside
ok "the client takes only ESP from its guard" guard_injects
ok "the client takes only answers from an exit" unasked
ok "circuit 1 and 2 go" eval 'rk down client 1 && rk down client 2'
ok "circuit 0 stays" ping_ok $web4
ok "circuit 0 goes" rk down client 0
ok "events of a circuit" rk events client 0
ok "without a circuit the selection has no way out" nothing_in_clear
ok "negative control: without the selection it has" eval \
	'on client nft delete chain inet anon kill0; on client nft delete chain inet anon kill0_post; on client ip route flush table 7042; on client ip -6 route flush table 7042; not nothing_in_clear'
ok "everything goes" everything_down
ok "plans find nothing left" empty
ok "and again" everything_down
links_down
ok "no trace" no_trace
for h in client r1 r2 r3; do
	# shellcheck disable=SC2016  # awk's fields
	on $h awk -v h=$h '$2 > 0 { print "#", h, $1, $2 }' /proc/net/xfrm_stat
done
dmesg | grep -E 'WARN|BUG|refcount|Oops|Call Trace' | sed 's/^/# /'
echo "1..$count"
[ $failures = 0 ]
