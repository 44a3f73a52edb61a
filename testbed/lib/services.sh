# shellcheck shell=bash disable=SC2153  # topology.sh sets ADDR4, ADDR6
# Guest side: what the web server offers. HTTP with files of known size and a log of who asked
# (/var/log/nginx/access.log), /ip (the asker's address), iperf3, echo on TCP and UDP port 7,
# and DNS for NAME.example with its own log (/var/log/dns.log).

web_host() {
	local h
	for h in "${HOSTS[@]}"; do [ "${SERVE[$h]:-}" != web ] || { echo "$h"; return; }; done
}

resolver_conf() { # HOST
	local h
	h=$(web_host)
	[ -n "$h" ] || return 0
	if [ -n "${ADDR4[$1]:-}" ]; then echo "nameserver ${ADDR4[$h]}"; else echo "nameserver ${ADDR6[$h]}"; fi
}

resolver_back() { cp "$BED/resolv/$1" "$(root_of "$1")/etc/resolv.conf"; } # HOST, after a scenario's own

nginx_conf() {
	cat <<C
user root;
worker_processes 1;
pid /run/nginx.pid;
error_log /var/log/nginx/error.log;
events { }
http {
	access_log /var/log/nginx/access.log;
	sendfile on;
	server {
		listen 80;
		listen [::]:80;
		root $TREE/build/testbed/www;
		location /bench/ { root /run; dav_methods PUT; client_max_body_size 0; }
		location = /ip { default_type text/plain; return 200 "\$remote_addr\n"; }
	}
	client_body_temp_path /run/nginx-body;
	proxy_temp_path /run/nginx-proxy;
	fastcgi_temp_path /run/nginx-fcgi;
	uwsgi_temp_path /run/nginx-uwsgi;
	scgi_temp_path /run/nginx-scgi;
}
C
}

dns_up() { # HOST
	local h args=()
	for h in "${HOSTS[@]}"; do
		args+=("--host-record=$h.example${ADDR4[$h]:+,${ADDR4[$h]}}${ADDR6[$h]:+,${ADDR6[$h]}}")
	done
	on "$1" dnsmasq --conf-file=/dev/null --no-resolv --no-hosts --user=root --pid-file= \
		--log-queries=extra --log-facility=/var/log/dns.log "${args[@]}"
}

services_up() {
	local h
	h=$(web_host)
	[ -n "$h" ] || return 0
	on "$h" mkdir -p /var/log/nginx
	nginx_conf >"$BED/nginx.conf"
	on "$h" nginx -c "$BED/nginx.conf" -e /var/log/nginx/error.log || return 1
	dns_up "$h" || return 1
	on "$h" iperf3 -s -D >/dev/null || return 1
	on "$h" "$TREE/testbed/bin/echo-server" 7 &
	wait_for 10 listening "$h" tcp 80 && wait_for 10 listening "$h" tcp 7 &&
		wait_for 10 listening "$h" udp 7 && wait_for 10 listening "$h" tcp 5201
}

# Is a socket bound to that port of the host? From /proc: no process to start, works under nsenter.
listening() { # HOST tcp|udp PORT
	local pid hex
	pid=$(cat "$BED/pid/$1")
	hex=$(printf ':%04X' "$3")
	cat "/proc/$pid/net/${2}" "/proc/$pid/net/${2}6" | grep -q "$hex [0-9A-F]*:0000"
}
