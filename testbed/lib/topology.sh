# shellcheck shell=bash disable=SC2034  # services.sh and anon.sh read what is set here
# Guest side: read a topology file, build it as namespaces, take it down.
#
# A line is one host:  host NAME ADDRESS... [role=R,R] [serve=web] [nat] [via=HOST]
#                      [delay=20ms] [rate=100mbit] [loss=1%] [mtu=1500] [as=64500] [country=AT] [family=F]
# as, country and family are what a relay says of itself to authorities (anon.sh). via names the router at the other end of its link (default: inet). delay, rate and loss
# hold in each direction.

HOSTS=()
declare -A ADDR4 ADDR6 ROLE SERVE NAT VIA NETEM MTU AS COUNTRY FAMILY

topology_read() { # NAME
	local word host words
	HOSTS=() ADDR4=() ADDR6=() ROLE=() SERVE=() NAT=() VIA=() NETEM=() MTU=() AS=() COUNTRY=() FAMILY=()
	while read -r -a words; do
		[ "${words[0]:-}" = host ] || continue
		host=${words[1]}
		HOSTS+=("$host")
		VIA[$host]=inet
		for word in "${words[@]:2}"; do
			case $word in
			role=*) ROLE[$host]=,${word#*=}, ;;
			serve=*) SERVE[$host]=${word#*=} ;;
			via=*) VIA[$host]=${word#*=} ;;
			delay=* | rate=* | loss=*) NETEM[$host]+=" ${word/=/ }" ;;
			mtu=*) MTU[$host]=${word#*=} ;;
			as=*) AS[$host]=${word#*=} ;;
			country=*) COUNTRY[$host]=${word#*=} ;;
			family=*) FAMILY[$host]=${word#*=} ;;
			nat) NAT[$host]=1 ;;
			*:*) ADDR6[$host]=$word ;;
			[0-9]*.*) ADDR4[$host]=$word ;;
			*) echo "topology $1: cannot read '$word' of $host" >&2; return 1 ;;
			esac
		done
	done < <(sed 's/#.*//' "$TREE/testbed/topologies/$1")
	[ ${#HOSTS[@]} -gt 0 ]
}

has_role() { [[ ${ROLE[$1]:-} == *,$2,* ]]; }

# Hosts that run anond.
anon_hosts() {
	local h
	for h in "${HOSTS[@]}"; do ! has_role "$h" client && ! has_role "$h" gateway && ! has_role "$h" relay || echo "$h"; done
}

forwards() { [ "$1" = inet ] || [ -n "${NAT[$1]:-}" ] || has_role "$1" relay || has_role "$1" gateway; }

# A gateway is .1 of the host's /24, on the router's end of the link, as many hosters do it.
gateway4() { echo "${1%.*}.1"; }

start_hosts() {
	local h
	rm -rf "$BED/pid"
	mkdir -p "$BED/pid"
	for h in inet "${HOSTS[@]}"; do
		unshare --net --mount --uts --propagation private \
			"$TREE/testbed/lib/host-init" "$h" "$BED" "$(forwards "$h" && echo 1 || echo 0)" &
	done
	for h in inet "${HOSTS[@]}"; do
		wait_for 20 test -s "$BED/pid/$h" || return 1
		ip netns attach "$h" "$(cat "$BED/pid/$h")" || return 1
	done
}

# `ip -batch` lines for host $1 itself.
host_end() {
	local a4=${ADDR4[$1]:-} a6=${ADDR6[$1]:-}
	echo "link set lo up"
	echo "link set eth0 mtu ${MTU[$1]:-1500} up"
	[ -z "$a4" ] || printf '%s\n' "addr add $a4/32 dev eth0" \
		"route add $(gateway4 "$a4") dev eth0 scope link" "route add default via $(gateway4 "$a4") dev eth0"
	[ -z "$a6" ] || printf '%s\n' "addr add $a6/128 dev eth0 nodad" \
		"route add default via fe80::1 dev eth0"
}

# `ip -batch` lines for the router's end of the link to host $1.
router_end() {
	local a4=${ADDR4[$1]:-} a6=${ADDR6[$1]:-}
	echo "link set $1 addrgenmode none"
	echo "link set $1 mtu ${MTU[$1]:-1500} up"
	[ -z "$a4" ] || printf '%s\n' "addr add $(gateway4 "$a4")/32 dev $1" "route add $a4 dev $1"
	[ -z "$a6" ] || printf '%s\n' "addr add fe80::1/64 dev $1 nodad" "route add $a6 dev $1"
}

link_hosts() {
	local h r
	for h in "${HOSTS[@]}"; do
		echo "link add eth0 netns $h type veth peer name $h netns ${VIA[$h]}"
	done | ip -batch - || return 1
	for r in inet "${HOSTS[@]}"; do
		{
			# Its own address: routers answer (ICMP) with one, and links have none of global scope.
			[ "$r" != inet ] || printf '%s\n' "link set lo up" "addr add 2001:db8::1/128 dev lo nodad"
			[ "$r" = inet ] || host_end "$r"
			for h in "${HOSTS[@]}"; do [ "${VIA[$h]}" != "$r" ] || router_end "$h"; done
		} | ip -n "$r" -batch - || return 1
	done
}

# A moment after its other end; the link-local address comes then.
links_up() {
	local h
	for h in "${HOSTS[@]}"; do
		ip -n "$h" -br link show dev eth0 | grep ' UP ' && ip -n "$h" -6 -br addr show dev eth0 | grep fe80 || return 1
	done
}

shape_links() {
	local h
	for h in "${!NETEM[@]}"; do
		# shellcheck disable=SC2086  # word splitting is the point
		tc -n "$h" qdisc add dev eth0 root netem limit 10000 ${NETEM[$h]} &&
			tc -n "${VIA[$h]}" qdisc add dev "$h" root netem limit 10000 ${NETEM[$h]} || return 1
	done
	for h in "${!NAT[@]}"; do
		on "$h" nft 'table ip bed_nat { chain post { type nat hook postrouting priority srcnat;
			oifname "eth0" masquerade; }; }' || return 1
	done
}

topology_up() { # NAME
	topology_read "$1" || return 1
	local h jobs=()
	mkdir -p "$BED/resolv"
	for h in "${HOSTS[@]}"; do resolver_conf "$h" >"$BED/resolv/$h"; done
	start_hosts && link_hosts && shape_links && services_up && wait_for 20 links_up || return 1
	for h in inet "${HOSTS[@]}"; do snapshot "$h" >"$BED/baseline.$h" & jobs+=($!); done
	wait "${jobs[@]}"
	TOPOLOGY=$1
}

topology_down() {
	local h pids
	[ -n "${TOPOLOGY:-}" ] || return 0
	TOPOLOGY=""
	for h in inet "${HOSTS[@]}"; do
		pids=$(ip netns pids "$h")
		# shellcheck disable=SC2086
		[ -z "$pids" ] || kill -9 $pids 2>/dev/null
	done
	wait 2>/dev/null
	for h in inet "${HOSTS[@]}"; do ip netns del "$h" 2>/dev/null; done
	rm -rf "${BED:?}/etc" "${BED:?}/pid"
}
