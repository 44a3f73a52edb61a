# SPDX-License-Identifier: GPL-2.0-or-later
#   make               build/anond, build/anonctl, build/anon-fetch, build/anon-dirauth
#   make demo          a three-hop circuit on this machine, shown to a person
#   make check         everything CI runs
#   make install       DESTDIR= PREFIX=/usr/local
#   make kmod          build/kmod/SERIES/anon_tfc.ko for both of Debian's kernels; DEBUG=y: it tests itself when loaded
#   make kmod-install  DESTDIR=; the module's sources for DKMS
#   make check-debug-kernel    the kernel module under a kernel that watches it: kmod/README.md
#   make soak          the long scenarios; FROM=N: the hunt from that number on
#   make bench         Tor, WireGuard, one ESP tunnel, ours, side by side: build/bench; QUICK=1: a part, once
#   make fuzz          SECONDS_EACH=60, one after the other
#   make vectors       FILE=noise-vectors.json
#   make format clean
PREFIX ?= /usr/local
DESTDIR ?=
B := build
LAYERS := lib model crypto wire directory path circuit plan kernel ike request
PKGS := libnl-3.0 libnl-route-3.0 libmnl libnftnl libnftables libsodium jansson libconfuse libcap
FETCH_PKGS := libcurl libzstd libseccomp
DIRAUTH_PKGS := libmicrohttpd libzstd libmaxminddb

CC := gcc
CSTD := -std=gnu11 -D_GNU_SOURCE -Iuserspace -I.
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings \
	-Wvla -Wformat=2 -Wundef -Werror=implicit-function-declaration
HARDEN := -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
OPT := -O2 -g
LIBS = $(shell pkg-config --libs $(PKGS)) -lev
DIRAUTH_LIBS = $(shell pkg-config --libs $(DIRAUTH_PKGS) libsodium libconfuse) -lev
FETCH_LIBS = $(shell pkg-config --libs $(FETCH_PKGS) libcap)
PKGC = $(shell pkg-config --cflags $(PKGS) $(FETCH_PKGS) $(DIRAUTH_PKGS))
SAN := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer

src = $(sort $(wildcard $(addprefix userspace/,$(addsuffix /*.c,$(1)))))
LIB_SRC := $(call src,$(LAYERS))
TEST_SRC := $(sort $(wildcard userspace/tests/test_*.c))
FUZZ_SRC := $(sort $(wildcard userspace/fuzz/fuzz_*.c))
obj = $(patsubst userspace/%.c,$(B)/$(1)/%.o,$(2))

PROGRAMS := $(B)/anond $(B)/anonctl $(B)/anon-fetch $(B)/anon-dirauth
TOOLS := $(patsubst testbed/tools/%.c,$(B)/tools/%,$(sort $(wildcard testbed/tools/*.c)))
TESTS := $(patsubst userspace/tests/%.c,$(B)/tests/%,$(TEST_SRC))
FUZZERS := $(patsubst userspace/fuzz/%.c,$(B)/fuzz/%,$(FUZZ_SRC))


KMOD_VERSION = $(shell sed -n 's/.*VERSION "\(.*\)".*/\1/p' userspace/lib/version.h)
KMOD_DIR = $(DESTDIR)/usr/src/anon-tfc-$(KMOD_VERSION)

.PHONY: kmod kmod-install all demo check unit fuzz fuzz-build fuzz-brief vectors soak bench install format clean tests
.DELETE_ON_ERROR:
.SECONDARY:
all: $(PROGRAMS) $(TOOLS) $(B)/preload/clock.so

$(B)/opt/%.o: userspace/%.c
	@mkdir -p $(@D)
	@echo "  CC $<"
	@$(CC) $(CSTD) $(OPT) $(WARN) $(HARDEN) $(PKGC) $(CFLAGS) -MMD -MP -c -o $@ $<

$(B)/san/%.o: userspace/%.c
	@mkdir -p $(@D)
	$(CC) $(CSTD) -O1 -g $(WARN) -Werror $(PKGC) $(SAN) -MMD -MP -c -o $@ $<

$(B)/fuzzobj/%.o: userspace/%.c
	@mkdir -p $(@D)
	clang $(CSTD) -O1 -g $(PKGC) -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=undefined \
		-MMD -MP -c -o $@ $<

$(B)/libanon.a: $(call obj,opt,$(LIB_SRC))
$(B)/libanon-san.a: $(call obj,san,$(LIB_SRC) $(filter-out %/main.c,$(call src,anond anonctl fetch dirauth)))
$(B)/libanon-fuzz.a: $(call obj,fuzzobj,$(LIB_SRC) $(filter-out %/main.c,$(call src,anond anonctl fetch dirauth)))
$(B)/%.a:
	@mkdir -p $(@D)
	@rm -f $@
	$(AR) rcs $@ $^

$(B)/anond: $(call obj,opt,$(call src,anond)) $(B)/libanon.a
$(B)/anonctl: $(call obj,opt,$(call src,anonctl)) $(B)/libanon.a
$(B)/anon-fetch: $(call obj,opt,$(call src,fetch)) $(B)/libanon.a
$(B)/anon-dirauth: $(call obj,opt,$(call src,dirauth)) $(B)/libanon.a
# Nothing else has these, nor do they have what the others need.
$(B)/anon-fetch: LIBS = $(FETCH_LIBS)
$(B)/anon-dirauth: LIBS = $(DIRAUTH_LIBS)
$(B)/tests/test_fetch $(B)/fuzz/fuzz_fetch: LIBS += $(FETCH_LIBS)
$(B)/tests/test_dirauth $(B)/fuzz/fuzz_authority: LIBS += $(DIRAUTH_LIBS)
$(PROGRAMS):
	$(CC) -pie -Wl,-z,relro,-z,now $(LDFLAGS) -o $@ $(filter %.o,$^) $(B)/libanon.a $(LIBS)

# What scenarios attack with; never installed.
$(B)/tools/%: testbed/tools/%.c $(B)/libanon.a
	@mkdir -p $(@D)
	$(CC) $(CSTD) $(OPT) $(WARN) $(PKGC) -o $@ $< $(B)/libanon.a $(LIBS)

# It writes what anond reads.
$(B)/tools/circuit-load: testbed/tools/circuit-load.c $(B)/opt/anond/record.o $(B)/libanon.a
	@mkdir -p $(@D)
	$(CC) $(CSTD) $(OPT) $(WARN) $(PKGC) -o $@ $< $(filter %.o %.a,$^) $(LIBS)

# Called thousands of times under emulation, where a dynamic start is dear.
$(B)/tools/on: testbed/tools/on.c
	@mkdir -p $(@D)
	$(CC) $(CSTD) $(OPT) $(WARN) -static -o $@ $<

# Under the debug kernel each library costs time and is one more thing that may fail.
$(B)/tools/tfc-abuse $(B)/tools/tfc-traffic: $(B)/tools/%: testbed/tools/%.c kmod/anon_tfc.h
	@mkdir -p $(@D)
	$(CC) $(CSTD) $(OPT) $(WARN) -o $@ $< -Wl,--as-needed -lmnl

# What tests lie to programs with.
$(B)/preload/%.so: testbed/preload/%.c
	@mkdir -p $(@D)
	$(CC) $(CSTD) -D_GNU_SOURCE $(OPT) $(WARN) -fPIC -shared -o $@ $<

$(B)/tests/%: $(B)/san/tests/%.o $(B)/libanon-san.a
	@mkdir -p $(@D)
	$(CC) $(SAN) -o $@ $< $(B)/libanon-san.a $(LIBS) -lcmocka

$(B)/fuzz/%: $(B)/fuzzobj/fuzz/%.o $(B)/libanon-fuzz.a
	@mkdir -p $(@D)
	clang -fsanitize=address,undefined,fuzzer -o $@ $< $(B)/libanon-fuzz.a $(LIBS)

tests: $(TESTS) $(B)/tests/root_kernel
unit: $(TESTS)
	scripts/unit $(TESTS)

fuzz: SECONDS_EACH ?= 60
fuzz: $(FUZZERS)
	scripts/fuzz $(SECONDS_EACH) $(FUZZERS)
fuzz-build: $(FUZZERS)
fuzz-brief: $(FUZZERS)
	scripts/fuzz 5 $(FUZZERS)

vectors: $(B)/tests/test_noise
	$(B)/tests/test_noise $(FILE)

demo:
	@scripts/deps
	@$(MAKE) --no-print-directory -s all
	@testbed/demo

check:
	@scripts/check

check-debug-kernel: $(B)/tools/tfc-abuse $(B)/tools/tfc-traffic
	@scripts/deps debug
	@testbed/debug $(ROUNDS)

soak: all
	testbed/run --soak $(if $(FROM),--from $(FROM))

bench: all kmod
	@scripts/deps
	@scripts/deps bench
	testbed/bench $(if $(QUICK),--quick)

install: all
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/anond \
		$(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/man/man5 $(DESTDIR)$(PREFIX)/share/man/man8 $(DESTDIR)$(PREFIX)/share/man/man7 \
		$(DESTDIR)$(PREFIX)/lib/systemd/system $(DESTDIR)$(PREFIX)/lib/sysusers.d $(DESTDIR)$(PREFIX)/lib/sysctl.d \
		$(DESTDIR)$(PREFIX)/lib/tmpfiles.d \
		$(DESTDIR)$(PREFIX)/share/doc/anond
	install -m 755 $(B)/anond $(DESTDIR)$(PREFIX)/sbin/anond
	install -m 755 $(B)/anonctl $(DESTDIR)$(PREFIX)/bin/anonctl
	install -m 755 $(B)/anon-fetch $(DESTDIR)$(PREFIX)/lib/anond/
	install -m 755 scripts/anon-charon scripts/anon-own scripts/user-is-carried $(DESTDIR)$(PREFIX)/lib/anond/
	install -m 755 scripts/anon-road-warrior $(DESTDIR)$(PREFIX)/sbin/
	install -m 644 scripts/socks-resolv.conf scripts/socks-only.nft scripts/own-only.nft $(DESTDIR)$(PREFIX)/lib/anond/
	install -m 755 $(B)/anon-dirauth $(DESTDIR)$(PREFIX)/sbin/anon-dirauth
	install -m 644 userspace/man/anon-dirauth.8 $(DESTDIR)$(PREFIX)/share/man/man8/
	install -m 644 userspace/man/anonctl.1 $(DESTDIR)$(PREFIX)/share/man/man1/
	install -m 644 userspace/man/anond.conf.5 $(DESTDIR)$(PREFIX)/share/man/man5/
	install -m 644 userspace/man/anond.8 userspace/man/anon-fetch.8 $(DESTDIR)$(PREFIX)/share/man/man8/
	install -m 644 userspace/man/anon-host.7 userspace/man/anon-gateway.7 userspace/man/anon-exit.7 $(DESTDIR)$(PREFIX)/share/man/man7/
	for u in scripts/systemd/*.service scripts/systemd/*.socket; do sed 's|@PREFIX@|$(PREFIX)|g' $$u \
		>$(DESTDIR)$(PREFIX)/lib/systemd/system/$${u##*/}; done
	install -m 644 scripts/systemd/anond.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/anond.conf
	install -m 644 scripts/systemd/anond.tmpfiles $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/anond.conf
	install -m 644 scripts/systemd/anond-relay.sysctl $(DESTDIR)$(PREFIX)/share/doc/anond/99-anond-relay.conf
	install -m 644 scripts/unbound-exit.conf scripts/nginx-exit-notice.conf scripts/nginx-mirror.conf scripts/exit-notice.html scripts/road-warrior.conf \
		$(DESTDIR)$(PREFIX)/share/doc/anond/
	install -m 644 README.md THREAT-MODEL.md $(DESTDIR)$(PREFIX)/share/doc/anond/

# The kernel's own build knows what is to be made again.
kmod:
	scripts/kmod 6.1 $(if $(DEBUG),DEBUG=$(DEBUG))
	scripts/kmod 6.12 $(if $(DEBUG),DEBUG=$(DEBUG))

kmod-install:
	install -d $(KMOD_DIR)/kmod
	install -m 644 Kbuild $(KMOD_DIR)/
	install -m 644 $(wildcard kmod/*.[ch]) $(KMOD_DIR)/kmod/
	sed 's/@VERSION@/$(KMOD_VERSION)/' kmod/dkms.conf >$(KMOD_DIR)/dkms.conf

format:
	clang-format -i $(wildcard userspace/*/*.[ch] testbed/*/*.c kmod/*.c) kmod/turns.h

clean:
	rm -rf $(B)

-include $(shell find $(B) -path $(B)/debug-kernel -prune -o -name '*.d' -print 2>/dev/null)
