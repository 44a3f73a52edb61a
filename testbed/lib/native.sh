# shellcheck shell=bash
# Host side without a virtual machine: where this kernel has ESP and we are root, the same
# scenarios run in namespaces of their own. Everything hangs below one pid namespace, so
# that nothing survives it, and /etc is an overlay, so that the host's own stays untouched.

native_works() {
	[ "$(id -u)" = 0 ] || return 1
	unshare --net sh -c '
		ip link add bedx type dummy &&
		ip xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x1234 if_id 1 \
			aead "rfc4106(gcm(aes))" 0x0102030405060708090a0b0c0d0e0f1011121314 128' 2>/dev/null
}

# Set the array `native` for results directory $1.
native_command() {
	# shellcheck disable=SC2034  # read by testbed/run
	native=(unshare --mount --net --uts --pid --fork --kill-child --mount-proc --propagation private
		"$tree/testbed/lib/native-main" "$1")
}
