# shellcheck shell=bash
# Guest side: bring the anond network of a topology up and down: keys, descriptors, the signed
# network file, one charon and one anond on each host that has a role.

NET=$BED/network # keys and lists
anon_built() { [ -x "$TREE/build/anond" ] && [ -x "$TREE/build/anonctl" ] && [ -x "$TREE/scripts/anon-charon" ]; }

anon_user() {
	getent passwd anond >/dev/null ||
		useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin anond
}

# Make a relay's keys and its descriptor, the latter at $NET/HOST.json.
anon_relay() { # HOST
	local args=()
	[ -z "${ADDR4[$1]:-}" ] || args+=(--address "${ADDR4[$1]}")
	[ -z "${ADDR6[$1]:-}" ] || args+=(--address "${ADDR6[$1]}")
	! has_role "$1" guard || args+=(--guard)
	! has_role "$1" exit || args+=(--exit)
	on "$1" anonctl key relay /var/lib/anond/keys &&
		on "$1" anonctl relay descriptor --keys /var/lib/anond/keys --name "$1" "${args[@]}" >"$NET/$1.json"
}

# The interfaces to the hosts whose router this one is.
behind() { # HOST
	local h lans=()
	for h in "${HOSTS[@]}"; do [ "${VIA[$h]}" != "$1" ] || lans+=("\"$h\""); done
	local IFS=,
	echo "${lans[*]}"
}

anon_conf() { # HOST
	local role=() resolver
	has_role "$1" client && role+=('"client"')
	has_role "$1" gateway && role+=('"gateway"')
	has_role "$1" relay && role+=('"relay"')
	has_role "$1" exit && role+=('"exit"')
	local IFS=,
	cat <<C
role = {${role[*]}}
user = "anond"
group = "anond"
vici = "/run/charon.anond.vici"
C
	if [ -n "$(authority_hosts)" ]; then
		authorities_conf
		! has_role "$1" relay || self_conf "$1"
	else
		printf 'network = "/etc/anond/network.json"\nnetwork-key = "%s"\n' "$(cat "$NET/network.key.pub")"
	fi
	! has_role "$1" gateway || echo "lan = { $(behind "$1") }"
	! has_role "$1" relay || echo 'keys = "/var/lib/anond/keys"'
	resolver=$(web_host)
	! has_role "$1" exit || printf 'exit {\n\tinner4 = "100.96.0.0/16"\n\tresolver = "%s"\n}\n' "${ADDR4[$resolver]}"
}

# A new network each time: nothing of an earlier one stays in the host's files.
anon_forget() { # HOST
	local root
	root=/proc/$(cat "$BED/pid/$1")/root
	rm -rf "$root"/etc/anond/* "$root"/var/lib/anond/* "$root"/var/log/anond.log "$root"/var/log/charon.log
}

# Keys, descriptors and the network file.
network_make() {
	local h jobs=() relays=()
	anonctl key network "$NET/network.key" || return 1
	for h in $(anon_hosts); do
		has_role "$h" relay || continue
		relays+=("$NET/$h.json")
		anon_relay "$h" & jobs+=($!)
	done
	for h in "${jobs[@]}"; do wait "$h" || return 1; done
	anonctl network make --key "$NET/network.key" --days 30 --out "$NET/network.json" "${relays[@]}" || return 1
	for h in $(anon_hosts); do cp "$NET/network.json" "$NET/network.json.sig" "$(etc_of "$h")/" || return 1; done
}

etc_of() { echo "/proc/$(cat "$BED/pid/$1")/root/etc/anond"; } # HOST

# What the network is made of; then each host's configuration.
anon_configure() {
	local h
	rm -rf "$NET"
	mkdir -m 700 "$NET"
	for h in $(anon_hosts) $(authority_hosts); do anon_forget "$h"; done
	if [ -n "$(authority_hosts)" ]; then directory_make; else network_make; fi || return 1
	for h in $(anon_hosts); do anon_conf "$h" >"$(etc_of "$h")/anond.conf" || return 1; done
}

# Start charon and anond on one host; each may also be used alone by a scenario.
charon_start() { # HOST
	# shellcheck disable=SC2016
	on "$1" sh -c 'exec "$0" >>/var/log/charon.log 2>&1' "$TREE/scripts/anon-charon" &
	echo $! >"$BED/charon.$1"
	wait_for 60 vici_listens "$1" # a dozen may start at once
}
# The socket itself: the file of one that was killed stays until the next takes its place.
vici_listens() { grep -q ' 00010000 .* /run/charon.anond.vici$' "/proc/$(cat "$BED/pid/$1")/net/unix"; } # HOST

anond_start() { # HOST
	on "$1" sh -c 'exec anond --config /etc/anond/anond.conf >>/var/log/anond.log 2>&1' &
	echo $! >"$BED/anond.$1"
}

# anon-charon looks for a moment whether charon got its ports.
launchers_done() { # shows those that are not
	local left
	left=$(pgrep -x anon-charon) || return 0
	for left in $left; do tr '\0' ' ' <"/proc/$left/cmdline"; grep -E '^(State|PPid)' "/proc/$left/status"; done
	false
}
# Before it has its connections a charon refuses whoever calls. (`gojq -e` would not do: of nothing it says yes.)
charon_ready() { gives ready eval "on $1 anonctl status --json | gojq -r .charon.state"; } # HOST
anon_start() {
	charon_start "$1" && anond_start "$1" && wait_for 60 charon_ready "$1" && wait_for 60 launchers_done
}

# Stop what runs under $BED/$2.$1 by SIGTERM; one that must be killed is a failure.
# The process may be another shell's child, so watch it in /proc.
daemon_stop() { # HOST anond|charon
	local pid
	pid=$(cat "$BED/$2.$1" 2>/dev/null) || return 0
	rm -f "$BED/$2.$1"
	kill -TERM "$pid" 2>/dev/null || { echo "$1: $2 was not running any more"; return 1; }
	wait_for 15 process_gone "$pid" && return
	echo "$1: $2 did not stop on SIGTERM"
	kill -KILL "$pid"
	return 1
}

anon_stop() {
	local bad=0
	daemon_stop "$1" anond || bad=1
	daemon_stop "$1" charon || bad=1
	return $bad
}

each_anon_host() { # FUNCTION
	local h jobs=() bad=0
	for h in $(anon_hosts); do "$1" "$h" & jobs+=("$h:$!"); done
	for h in "${jobs[@]}"; do
		wait "${h#*:}" || { echo "$1 failed on ${h%:*}"; bad=1; }
	done
	return $bad
}

# Those of the role late are started by the scenario.
anon_begin() { has_role "$1" late || anon_start "$1"; }
anon_up() {
	anon_built || { echo "build/anond, build/anonctl or scripts/anon-charon is missing: run make"; return 1; }
	anon_user && anon_configure && dirauths_start && each_anon_host anon_begin
}

# A relay that is stopped with a circuit leaves it in the kernel, on purpose: the last word of who closed one may be under way.
relays_settled() {
	local h
	for h in $(anon_hosts); do
		! has_role "$h" relay || ! [ -e "$BED/anond.$h" ] || relay_circuits "$h" 0 || return 1
	done
}
anon_down() {
	local bad=0
	wait_for 10 relays_settled
	each_anon_host anon_stop || bad=1
	dirauths_stop || bad=1
	return $bad
}
