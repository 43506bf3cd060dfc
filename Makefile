# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# nodens: `make help` lists the targets. Everything that is built lies in build/.

CLANG    ?= clang
CC       ?= gcc
LLVM_STRIP ?= llvm-strip
BPFTOOL  ?= bpftool
PREFIX   ?= /usr/local
V        ?= 0
ifeq ($(V),0)
Q   := @
say  = @printf '  %-8s %s\n' "$(1)" "$(2)"
endif

BUILD    := build
MULTI    := $(shell $(CC) -print-multiarch 2>/dev/null)
# libfstrm and protobuf-c as archives: of each a few functions are used, and as shared objects they took every process
# 250 KB more resident.
LIBS     := -lbpf -lxdp -lmnl -levent_core -levent_extra -levent_openssl -lssl -lcrypto -lpcre2-8 -lldns -ljansson -Wl,-Bstatic -lfstrm -lprotobuf-c -Wl,-Bdynamic -lpthread -lm
CFLAGS   ?= -O2 -g
# Apart from CFLAGS, so that whoever sets those keeps it; tests/hardened looks at what comes out.
HARDENING ?= -fPIE -fstack-protector-strong -fstack-clash-protection -fcf-protection -D_FORTIFY_SOURCE=2
LDFLAGS  += -pie -Wl,-z,relro,-z,now,-z,noexecstack
C_FLAGS  := -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror $(CFLAGS) $(HARDENING)
CPPFLAGS += -Iheaders -Iuserspace -I$(BUILD)/bpf -I$(BUILD)/proto -MMD -MP
# v3 (Linux 5.1) has 32-bit jumps; no CO-RE, so the object runs without a kernel's BTF.
BPFFLAGS := -g -O2 -target bpf -mcpu=v3 -Wall -Wextra -Werror -Wno-unused-function \
	    -I. -Iheaders -I/usr/include/$(MULTI)

SRC      := $(sort $(wildcard userspace/*/*.c))
OBJ      := $(SRC:userspace/%.c=$(BUILD)/userspace/%.o)
SKEL     := $(patsubst bpf/%.bpf.c,$(BUILD)/bpf/%.skel.h,$(wildcard bpf/*.bpf.c))
# What protobuf-c makes of dnstap.proto.
PROTO    := $(BUILD)/proto/dnstap.pb-c
OBJ      += $(PROTO).o
LIB_OBJ  := $(filter-out $(BUILD)/userspace/cmd/main.o,$(OBJ))

UNIT     := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(wildcard tests/unit/test_*.c))
BPF_TEST := $(patsubst tests/bpf/%.c,$(BUILD)/tests/bpf/%,$(wildcard tests/bpf/test_*.c))
TOOLS    := $(patsubst tests/tools/%.c,$(BUILD)/tests/tools/%,$(wildcard tests/tools/*.c)) \
	    $(patsubst bench/%.c,$(BUILD)/bench/%,$(filter-out %.bpf.c,$(wildcard bench/*.c)))
SCENARIO := $(BUILD)/tests/scenario/scenario
NS_TOOLS := $(BUILD)/tests/ns/attach_tool $(BUILD)/tests/ns/watch_tool $(BUILD)/tests/ns/count.bpf.o
FUZZ     := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/*.c))

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: help all debug tests unit-tests check test bench bench-datapath bench-pod bench-miss bench-bystander \
	bench-pods bench-memory \
	fuzz asan coverage compile_commands lint format vmlinux install clean
.DEFAULT_GOAL := all

help:	## this list
	@awk -F ':.*## ' '/^[a-z_-]+:.*## /{printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

all: $(BUILD)/nodens ## build/nodens, the one binary
unit-tests: $(UNIT) $(SCENARIO)
tests: all $(UNIT) $(SCENARIO) $(BPF_TEST) $(TOOLS) $(NS_TOOLS) ## every test program

$(BUILD)/bpf/%.bpf.o: bpf/%.bpf.c $(wildcard bpf/*.h headers/*.h) vmlinux.h
	$(call say,BPF,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPFFLAGS) -c $< -o $@
	$(Q)$(LLVM_STRIP) -g $@ # DWARF goes; BTF, which the kernel takes, stays

$(BUILD)/bpf/%.skel.h: $(BUILD)/bpf/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $*_bpf > $@

$(PROTO).c $(PROTO).h &: userspace/dnstap/dnstap.proto
	$(call say,PROTO,$(PROTO).c)
	@mkdir -p $(@D)
	$(Q)protoc-c -I$(<D) --c_out=$(@D) $<

$(PROTO).o: $(PROTO).c Makefile
	$(call say,CC,$@)
	$(Q)$(CC) $(CPPFLAGS) $(C_FLAGS) -c $< -o $@

$(BUILD)/userspace/%.o: userspace/%.c Makefile | $(SKEL) $(PROTO).h
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(C_FLAGS) -c $< -o $@

# The page that the agent serves is taken in as it is (.incbin).
$(BUILD)/userspace/observe/page.o: userspace/observe/page.html

# What the binary says that it is; packagers say it themselves. Written only when it changes.
VERSION  ?= 0.4.0
REVISION ?= $(shell git describe --always --dirty --abbrev=12 2>/dev/null)
$(BUILD)/version: FORCE
	@mkdir -p $(@D)
	$(Q)echo '$(VERSION) $(or $(REVISION),unknown)' | cmp -s - $@ || \
		echo '$(VERSION) $(or $(REVISION),unknown)' > $@
FORCE:
$(BUILD)/userspace/base/version.o: $(BUILD)/version
$(BUILD)/userspace/base/version.o: CPPFLAGS += -DNODENS_VERSION='"$(VERSION)"' \
	-DNODENS_REVISION='"$(or $(REVISION),unknown)"'

$(BUILD)/nodens: $(OBJ)
	$(call say,LINK,$@)
	$(Q)$(CC) $(C_FLAGS) $(LDFLAGS) $^ $(LIBS) -o $@

# Test programs link with all modules but main: an archive takes what is named. Appended (q), not replaced: files of
# different folders share names.
$(BUILD)/libnodens.a: $(LIB_OBJ)
	@rm -f $@
	$(Q)$(AR) qcs $@ $^

$(BUILD)/tests/unit/%: tests/unit/%.c $(BUILD)/libnodens.a
	$(call say,TEST,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -Itests/unit $(C_FLAGS) $< $(BUILD)/libnodens.a $(LDFLAGS) $(LIBS) \
		-lcmocka -lldns -o $@

# What becomes of metrics where there is no memory.
$(BUILD)/tests/unit/test_metrics_kernel: private LDFLAGS += -Wl,--wrap=calloc

$(SCENARIO): $(wildcard tests/scenario/*.c) $(BUILD)/libnodens.a
	$(call say,TEST,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(filter-out -MMD -MP,$(CPPFLAGS)) -Itests/scenario -Itests/unit $(C_FLAGS) $^ \
		$(LDFLAGS) $(LIBS) -lm -o $@
$(SCENARIO): $(wildcard tests/scenario/*.h) tests/unit/virtual_loop.h

$(BUILD)/tests/bpf/%.bpf.o: tests/bpf/%.bpf.c vmlinux.h
	$(call say,BPF,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPFFLAGS) -c $< -o $@

$(BUILD)/tests/bpf/%.skel.h: $(BUILD)/tests/bpf/%.bpf.o
	$(Q)$(BPFTOOL) gen skeleton $< name $*_bpf > $@

$(BUILD)/tests/bpf/bench_datapath: $(BUILD)/tests/bpf/wrap.skel.h

$(BUILD)/tests/bpf/%: tests/bpf/%.c $(wildcard tests/bpf/*.h) $(BUILD)/libnodens.a
	$(call say,TEST,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -Itests/bpf -Itests/unit -I$(BUILD)/tests/bpf $(C_FLAGS) -Wno-missing-field-initializers $< $(BUILD)/libnodens.a $(LDFLAGS) \
		$(LIBS) -lldns -lm -o $@

$(BUILD)/tests/ns/%_tool: tests/ns/%_tool.c $(BUILD)/libnodens.a
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(C_FLAGS) $< $(BUILD)/libnodens.a $(LDFLAGS) $(LIBS) -o $@

$(BUILD)/tests/ns/%.bpf.o: tests/ns/%.bpf.c
	$(call say,BPF,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPFFLAGS) -c $< -o $@

$(BUILD)/tests/tools/%: tests/tools/%.c
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(C_FLAGS) $< $(LDFLAGS) -lpthread -o $@

$(BUILD)/bench/%: bench/%.c
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -Itests/tools $(C_FLAGS) $< $(LDFLAGS) -lpthread -o $@

$(BUILD)/bench/%.bpf.o: bench/%.bpf.c
	$(call say,BPF,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPFFLAGS) -c $< -o $@

check: tests ## unit tests, scenarios and BPF table tests, in under a minute (root)
	$(Q)tests/run unit scenario tables

test: tests ## all tests (root)
	$(Q)scripts/test

bench: bench-datapath bench-memory bench-pod bench-pods bench-miss bench-bystander ## every benchmark (root)
bench-datapath bench-memory bench-pod bench-pods bench-miss bench-bystander: bench-deps
.PHONY: bench-deps
bench-deps:
	$(Q)scripts/deps build bench

bench-datapath: $(BUILD)/tests/bpf/bench_datapath $(BUILD)/tests/bpf/test_budget ## ns per packet by BPF_PROG_RUN (root)
	$(Q)$<
	$(Q)$(BUILD)/tests/bpf/test_budget
bench-memory: $(BUILD)/tests/bpf/bench_memory ## bytes by kind of answer, memory with a million (root)
	$(Q)$<
bench-pod: all $(TOOLS) $(NS_TOOLS) $(BUILD)/bench/floor.bpf.o ## latency from a pod beside a floor, unbound, dnsmasq and plain DNAT
	$(Q)bench/pod
bench-pods: all $(TOOLS) ## attaching to 500 pods and 100 more; CPU when nothing happens
	$(Q)bench/pods
bench-miss: all $(TOOLS) ## misses per second beside unbound
	$(Q)bench/miss
bench-bystander: all $(TOOLS) ## iperf3 with and without nodens
	$(Q)bench/bystander

$(BUILD)/fuzz/%: tests/fuzz/%.c $(SRC) $(PROTO).c | $(SKEL)
	$(call say,FUZZ,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) -Iheaders -Iuserspace -Itests/unit -I$(BUILD)/bpf -I$(BUILD)/proto -std=gnu11 -D_GNU_SOURCE -O1 -g \
		-MMD -MP -MF $@.d \
		-fsanitize=fuzzer,address,undefined $< $(filter-out userspace/cmd/main.c,$(SRC)) $(PROTO).c $(LIBS) -o $@

fuzz: $(FUZZ) ## fuzz targets, a minute each
	$(Q)for f in $(FUZZ); do n=$${f##*/fuzz_}; mkdir -p $(BUILD)/fuzz/corpus/$$n; \
		$$f -max_total_time=60 -print_final_stats=0 -verbosity=0 \
		$$(ls tests/fuzz/fuzz_$$n.dict 2>/dev/null | sed 's/^/-dict=/') $(BUILD)/fuzz/corpus/$$n \
		$$(ls -d tests/fuzz/seeds/$$n 2>/dev/null) || exit 1; done

debug: ## build/debug/nodens: for a debugger, without optimization and hardening
	$(Q)$(MAKE) BUILD=$(BUILD)/debug CFLAGS="-O0 -g3 -fno-omit-frame-pointer" HARDENING=-fPIE all

# Sanitizers make gcc see lengths that cannot be; the plain build has that warning.
asan: ## build/asan: the binary, unit tests and scenarios with ASan and UBSan
	$(Q)$(MAKE) BUILD=$(BUILD)/asan CFLAGS="-O1 -g -fsanitize=address,undefined -fno-omit-frame-pointer -Wno-format-truncation" \
		HARDENING=-fPIE all unit-tests

coverage: ## lines of userspace/ that unit tests and scenarios reach
	$(Q)scripts/coverage

compile_commands: $(BUILD)/compile_commands.json ## for clangd, which looks for it in build/, and clang-tidy
$(BUILD)/compile_commands.json: Makefile $(SRC)
	@mkdir -p $(@D)
	$(Q)printf '%s\n' $(SRC) | jq -nR --arg dir '$(CURDIR)' \
		--arg cc '$(CC) $(filter-out -M%,$(CPPFLAGS)) $(C_FLAGS) -DNODENS_VERSION=\"0\" -DNODENS_REVISION=\"0\" -c ' \
		'[inputs | { directory: $$dir, file: ., command: ($$cc + .) }]' > $@

lint: all ## layers, format, static analysis, shell, manual pages; no changes
	$(Q)scripts/lint

format: ## clang-format in place
	$(Q)clang-format -i $$(git ls-files 'bpf/*.[ch]' 'headers/*.h' 'userspace/*.[ch]' 'tests/*.[ch]' 'bench/*.c')

vmlinux: ## vmlinux.h anew from the running kernel
	$(Q)scripts/vmlinux > vmlinux.h.tmp && mv vmlinux.h.tmp vmlinux.h

install: all ## build/nodens to $(PREFIX)/bin, its manual to $(PREFIX)/share/man
	install -D -m 0755 $(BUILD)/nodens $(DESTDIR)$(PREFIX)/bin/nodens
	install -D -m 0644 docs/man/nodens.8 $(DESTDIR)$(PREFIX)/share/man/man8/nodens.8
	install -D -m 0644 docs/man/nodens-corefile.5 $(DESTDIR)$(PREFIX)/share/man/man5/nodens-corefile.5

clean: ## remove what was built (what was fetched for tests stays)
	$(Q)find $(BUILD) -mindepth 1 -maxdepth 1 ! -name vm ! -name deploy -exec rm -rf {} +

# Tests and tools are compiled and linked in one step: their headers count as well.
-include $(OBJ:.o=.d) $(addsuffix .d,$(UNIT) $(BPF_TEST) $(TOOLS) $(NS_TOOLS) $(FUZZ))
