# shellcheck shell=bash
# Guest side: a network whose relays are listed by authorities: their keys, configurations and processes.

INTERVAL=${INTERVAL:-32} # seconds from one consensus to the next
declare -gA DIRPORT=()   # of authorities that are not at 9030
authority_port() { DIRPORT[$1]=$2; } # HOST PORT

authority_hosts() {
	local h
	for h in "${HOSTS[@]}"; do ! has_role "$h" authority || echo "$h"; done
}

# The line that all have, of authorities and of anond alike.
authorities_conf() {
	local h list=() IFS=$' \t\n'
	for h in $(authority_hosts); do list+=("\"$(cat "$NET/$h.key.pub")@${ADDR4[$h]}:${DIRPORT[$h]:-9030}\""); done
	local IFS=,
	echo "authorities = {${list[*]}}"
}

dirauth_conf() { # HOST [STATE]
	authorities_conf
	cat <<C
key = "/etc/anond/authority"
listen = {"${ADDR4[$1]}:${DIRPORT[$1]:-9030}"}
state = "/var/lib/anond/${2:-dirauth}"
user = "anon-dirauth"
interval = $INTERVAL
link-mtu = 1416
guard-age = 0
guard-bandwidth = 0
C
	! has_role "$1" client || echo 'probe = true'
}

# What a relay says of itself.
self_conf() { # HOST
	local list=() IFS=$' \t\n'
	[ -z "${ADDR4[$1]:-}" ] || list+=("\"${ADDR4[$1]}\"")
	[ -z "${ADDR6[$1]:-}" ] || list+=("\"${ADDR6[$1]}\"")
	local IFS=,
	printf 'name = "%s"\naddresses = {%s}\nguard = %s\n' "$1" "${list[*]}" "$(has_role "$1" guard && echo true || echo false)"
	[ -z "${AS[$1]:-}" ] || echo "as = ${AS[$1]}"
	[ -z "${COUNTRY[$1]:-}" ] || echo "country = \"${COUNTRY[$1]}\""
	[ -z "${FAMILY[$1]:-}" ] || echo "family = {\"$(anonctl family proof --key "$NET/${FAMILY[$1]}.key" "$(identity_of "$1")")\"}"
}
identity_of() { cat "$NET/$1.identity"; } # HOST

relay_keys() { # HOST
	on "$1" anonctl key relay /var/lib/anond/keys &&
		on "$1" anonctl relay descriptor --keys /var/lib/anond/keys --name "$1" --address "${ADDR4[$1]:-${ADDR6[$1]}}" |
		gojq -r .identity >"$NET/$1.identity"
}

authority_make() { # HOST [STATE]
	local etc
	etc=$(etc_of "$1")
	cp "$NET/$1.key" "$etc/authority" &&
		dirauth_conf "$1" "${2:-}" >"$etc/anon-dirauth.conf" &&
		on "$1" install -d -o anon-dirauth -m 700 "/var/lib/anond/${2:-dirauth}"
}

# Keys of all, and what authorities are started with.
directory_make() {
	local h f jobs=()
	getent passwd anon-dirauth >/dev/null ||
		useradd --system --user-group --groups anond --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin anon-dirauth || return 1
	for h in $(authority_hosts); do anonctl key authority "$NET/$h.key" || return 1; done
	for h in $(authority_hosts); do authority_make "$h" || return 1; done
	for f in $(printf '%s\n' "${FAMILY[@]}" | sort -u); do anonctl key family "$NET/$f.key" || return 1; done
	for h in $(anon_hosts); do
		! has_role "$h" relay || { relay_keys "$h" & jobs+=($!); }
	done
	for h in "${jobs[@]}"; do wait "$h" || return 1; done
}

dirauth_start() { # HOST [NAME OF THE PROCESS]
	on "$1" sh -c 'exec anon-dirauth --config /etc/anond/anon-dirauth.conf >>/var/log/dirauth.log 2>&1' &
	echo $! >"$BED/${2:-dirauth}.$1"
}
dirauths_start() { local h; for h in $(authority_hosts); do dirauth_start "$h"; done; }
dirauths_stop() {
	local h bad=0
	for h in $(authority_hosts); do daemon_stop "$h" dirauth || bad=1; done
	return $bad
}

# What an authority hands out.
directory_get() { on "$1" curl -s --max-time 3 "http://${ADDR4[$1]}:9030/anond/1/$2"; } # HOST PATH
consensus_relays() { directory_get "$1" consensus | sed -n 's/^name //p' | sort | xargs; } # HOST
consensus_votes() { directory_get "$1" consensus | sed -n 's/^votes //p' | wc -w; } # HOST: twice as many
consensus_signatures() { directory_get "$1" consensus | grep -c '^signature '; } # HOST
valid_after() { directory_get "$1" consensus | sed -n 's/^valid-after //p'; } # HOST
