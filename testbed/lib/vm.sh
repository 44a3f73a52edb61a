# shellcheck shell=bash
# Host side of the virtual machine: kernel, initramfs, accelerator, QEMU's command line.
# shellcheck disable=SC2154
# Uses: tree, cache, kernel, smp, icount, mode (set by testbed/run).

# The newest installed kernel of a series (6.1, 6.12), or the exact version given.
vm_kernel_version() {
	local v
	for v in /boot/vmlinuz-"$1" /boot/vmlinuz-"$1".*-amd64; do
		[ -e "$v" ] && [ -d "/lib/modules/${v#/boot/vmlinuz-}" ] && echo "${v#/boot/vmlinuz-}"
	done | sort -V | tail -n 1
}

# What the initramfs must load before it can reach the host's files; in order, each once.
vm_boot_modules() {
	local m
	for m in virtio_pci 9pnet_virtio 9p overlay; do
		modprobe -S "$1" --show-depends "$m"
	done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }'
}

# Print the path of the initramfs for kernel $1, building it when it or its init changed.
vm_initramfs() {
	local init=$tree/testbed/lib/guest-init out dir m f
	out=$cache/initramfs-$1-$(sha256sum "$init" | cut -c1-12).cpio
	if [ ! -s "$out" ]; then
		dir=$(mktemp -d "$cache/initramfs.XXXXXX")
		mkdir -p "$dir/bin" "$dir/modules"
		cp /bin/busybox "$dir/bin/busybox"
		install -m 755 "$init" "$dir/init"
		while read -r m; do
			f=$(basename "${m%.xz}")
			# busybox's insmod does not decompress
			case $m in *.xz) xz -dc "$m" >"$dir/modules/$f" ;; *) cp "$m" "$dir/modules/$f" ;; esac
			echo "$f" >>"$dir/modules/order"
		done < <(vm_boot_modules "$1")
		(cd "$dir" && find . | cpio --quiet -o -H newc) >"$out.new" && mv "$out.new" "$out"
		rm -rf "$dir"
	fi
	echo "$out"
}

# Does KVM really run a guest? /dev/kvm may exist and hang (nested hosts): boot one, shortly.
# The answer is remembered until the host boots again.
vm_kvm_works() {
	local memo
	[ -w /dev/kvm ] || return 1
	memo=$cache/kvm-$(cat /proc/sys/kernel/random/boot_id)
	if [ ! -e "$memo" ]; then
		rm -f "$cache"/kvm-*
		# In a subshell, which keeps bash's word about an aborted QEMU out of the output.
		(timeout -k 1 8 qemu-system-x86_64 -accel kvm -m 256 -cpu max -nodefaults -display none \
			-no-reboot -serial stdio -kernel "$1" -initrd "$2" \
			-append "console=ttyS0 quiet panic=-1 bed.probe" >"$memo.new"; true) </dev/null >/dev/null 2>&1
		mv "$memo.new" "$memo"
	fi
	grep -q bed-alive "$memo"
}

# Set the array `qemu` for results directory $1.
vm_command() {
	local version image initrd accel append
	version=$(vm_kernel_version "$kernel")
	[ -n "$version" ] || { echo "testbed: no kernel $kernel in /boot (scripts/deps installs it)" >&2; return 1; }
	image=/boot/vmlinuz-$version
	initrd=$(vm_initramfs "$version") && [ -s "$initrd" ] || return 1
	# Anything the kernel complains about must end the guest, so that it cannot pass.
	append="console=ttyS0 loglevel=4 panic=-1 oops=panic softlockup_panic=1 hung_task_panic=1"
	append+=" sysctl.kernel.hung_task_timeout_secs=90 sysctl.kernel.watchdog_thresh=30"
	append+=" log_buf_len=8M random.trust_cpu=on no_timer_check nokaslr tsc=reliable"
	append+=" net.ifnames=0 rcupdate.rcu_expedited=1 unknown_nmi_panic"
	# QEMU keeps what it has translated by virtual address: were that another one in each process, every program would
	# be translated again at each start.
	append+=" norandmaps"
	if [ -n "$icount" ]; then
		# The guest's clock counts instructions. rep movsb/stosb would count every byte.
		accel="-accel tcg,thread=single -icount shift=0,sleep=off -smp 1 -cpu max,-erms,-fsrm"
	elif vm_kvm_works "$image" "$initrd"; then
		accel="-accel kvm -smp $smp -cpu max"
	else
		accel="-accel tcg,thread=multi,tb-size=1536 -smp $smp -cpu max"
		# Emulated, retpolines and a fifth level of page tables cost a tenth of the time.
		append+=" mitigations=off no5lvl"
	fi
	# shellcheck disable=SC2206,SC2054  # word splitting of $accel is the point
	qemu=(qemu-system-x86_64 -M q35 $accel -m "$memory" -nodefaults -display none -no-reboot
		-kernel "$image" -initrd "$initrd" -append "$append"
		-serial "file:$1/console.log"
		-fsdev "local,id=root,path=/,security_model=none,readonly=on,multidevs=remap"
		-device virtio-9p-pci,fsdev=root,mount_tag=root
		-fsdev "local,id=results,path=$1,security_model=none"
		-device virtio-9p-pci,fsdev=results,mount_tag=results)
	if [ "$mode" = shell ]; then qemu+=(-serial mon:stdio); else qemu+=(-monitor "unix:monitor,server=on,wait=off"); fi
}

# A guest that is silent: where are its processors? On an NMI its kernel panics and says what it was doing. No answer of
# the monitor's either leaves an empty log.
vm_interrogate() { # RESULTS PID
	local i
	[ -S "$1/monitor" ] && [ -n "$(type -P socat)" ] || return 0
	(cd "$1" && { echo "info registers -a"; sleep 2; echo nmi; sleep 1; } | timeout 20 socat - unix-connect:monitor) \
		>"$1/monitor.log" 2>&1
	grep -aoE 'CPU#[0-9]+|[RE]IP=[0-9a-f]+|HLT=[01]' "$1/monitor.log" | tr '\n' ' ' | sed 's/^/# processors: /; s/$/\n/'
	grep -q 'CPU#' "$1/monitor.log" || return 0
	for ((i = 0; i < 300; i++)); do kill -0 "$2" 2>/dev/null || break; sleep 0.1; done
}

# One VM at a time on this machine: two would only make both miss their time limits.
# Opened for reading, because /tmp is sticky and the file may be another user's.
vm_lock() {
	local file=/tmp/anon-testbed.lock
	[ -e "$file" ] || (umask 0; : >>"$file") 2>/dev/null
	exec 8<"$file" || return 1
	flock -n 8 && return
	echo "testbed: another virtual machine runs; waiting for it (at most $lock_limit s)" >&2
	flock -w "$lock_limit" 8 || { echo "testbed: gave up waiting for $file" >&2; return 1; }
}
