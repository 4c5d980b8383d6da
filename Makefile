# sqlite-rerank: builds build/rerank.so (.dylib on macOS). `make help` lists the targets.
#
# Settings:  CC=clang      another compiler          WERROR=1      warnings are errors (CI)
#            BUILD=folder  where objects go          SQLITE3=...   another sqlite3 shell
#            V=1           whole commands
#            PREFIX=/usr/local, DESTDIR=             where `make install` puts the library
#            RERANK_NO_REMOTE=1  without remote models: nothing in it can reach a network
#            CJSON=folder  cJSON.c and cJSON.h, where no source package is to be had

BUILD   ?= $(if $(RERANK_NO_REMOTE),build/no-remote,build)
# Of a library without remote models the same objects are linked, but for those of http/.
OBJ     := $(patsubst %/no-remote,%,$(BUILD))
SOURCES := build/sources# of others, fetched once
PREFIX  ?= /usr/local
SQLITE3 ?= sqlite3
SYSTEM  := $(shell uname -s)

# ---- flags -------------------------------------------------------------------------------------

OPTIMISE ?= -O2 -ftree-vectorize
WARNINGS := -Wall -Wextra -Wshadow -Wvla -Wconversion $(if $(WERROR),-Werror)
# What makes an error that is left harder to use; sanitizers find it, and have their own guards.
HARDEN := -fstack-protector-strong \
    $(if $(filter -O0,$(OPTIMISE)),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
CFLAGS_ALL = -std=c11 $(OPTIMISE) -fPIC -fvisibility=hidden $(WARNINGS) \
              $(if $(SANITIZE),,$(HARDEN)) \
              $(if $(SANITIZE),-g -fno-omit-frame-pointer -fsanitize=$(SANITIZE) \
                  -fno-sanitize-recover=all)
# Assertions are for the sanitized builds: the library never aborts a user's program.
CPPFLAGS_ALL := -Iext -isystem $(SOURCES) -D_POSIX_C_SOURCE=200809L -MMD -MP $(if $(SANITIZE),,-DNDEBUG)
LDFLAGS_ALL  := $(if $(SANITIZE),-fsanitize=$(SANITIZE))

ifeq ($(SYSTEM),Darwin)
    # Apple's SQLite cannot load extensions: Homebrew's can.
    BREW_SQLITE := $(shell brew --prefix sqlite 2>/dev/null)
    ifneq ($(BREW_SQLITE),)
        SQLITE3 := $(BREW_SQLITE)/bin/sqlite3
        CPPFLAGS += -I$(BREW_SQLITE)/include -I$(shell brew --prefix)/include
        LDFLAGS  += -L$(BREW_SQLITE)/lib -L$(shell brew --prefix)/lib
    endif
    CPPFLAGS_ALL += -D_DARWIN_C_SOURCE
    SUFFIX := dylib
    SHARED := -dynamiclib
    LOCALISE := : # ld -r of macOS makes hidden names local by itself
else
    SUFFIX := so
    # Jumps only to where a function begins, where the processor can check that.
    MACHINE := $(shell $(CC) -dumpmachine)
    HARDEN  += $(if $(filter x86_64-%,$(MACHINE)),-fcf-protection) \
        $(if $(filter aarch64-%,$(MACHINE)),-mbranch-protection=standard)
    OBJCOPY ?= objcopy
    LOCALISE := $(OBJCOPY) $(addprefix --keep-global-symbol=sqlite3_rerank_,init auto_init locked_init)
    # nodelete: SQLite unmaps a library whose entry point failed, and keeps what it had registered.
    SHARED := -shared -Wl,-z,nodelete,-z,relro,-z,now,-z,noexecstack $(if $(SANITIZE),,-Wl,-z,defs)
endif

# Commands are printed in short; V=1 prints them whole.
SHORT = $(if $(V),,@echo '  $(1) $@';)
COMPILE = $(CC) $(CFLAGS_ALL) $(CFLAGS) $(CPPFLAGS_ALL) $(CPPFLAGS)
LINK    = $(CC) $(CFLAGS_ALL) $(CFLAGS) $(LDFLAGS_ALL) $(LDFLAGS)

# ---- what is built -----------------------------------------------------------------------------

LIBRARY := $(BUILD)/rerank.$(SUFFIX)
STATIC  := $(BUILD)/librerank.a
VERSION  = $$(sed -n 's/.*RERANK_VERSION "\(.*\)"/\1/p' ext/extension/version.h)

# ext/rooms lists the rooms, lowest first: so what stands below a room is known before the room is.
# BELOW_room: the room, the rooms below it, and the libraries that they need, all transitively.
ROOMS := $(shell sed -n 's|^\([a-z/]*\):.*|\1|p' ext/rooms)
listed = $(filter-out <%,$(shell sed -n 's|^$(1):||p' ext/rooms))
$(foreach room,$(ROOMS),$(eval BELOW_$(room) := $(sort $(room) \
    $(foreach word,$(call listed,$(room)),$(if $(filter -l%,$(word)),$(word),$(BELOW_$(word)))))))
# The rooms that see SQLite, and those that do not.
SQL_ROOMS   := $(foreach room,$(ROOMS),$(if $(filter -lsqlite3,$(BELOW_$(room))),$(room)))
PLAIN_ROOMS := $(filter-out $(SQL_ROOMS),$(ROOMS))

rooms_below = $(filter-out -l%,$(foreach room,$(1),$(BELOW_$(room))))
# Only the room of the network needs it.
NOT_NEEDED  = $(if $(RERANK_NO_REMOTE),-ldl)
libraries   = $(sort $(filter-out $(NOT_NEEDED),$(filter -l%,\
    $(foreach room,$(1),$(BELOW_$(room)))))) -lm -lpthread $$(cat $(SOURCES)/cjson/libs)
sources     = $(filter-out $(LEFT_OUT),$(foreach room,$(sort $(1)),$(wildcard ext/$(room)/*.c)))
LEFT_OUT    = $(if $(RERANK_NO_REMOTE),$(filter-out ext/http/absent.c,$(wildcard ext/http/*.c)),\
    ext/http/absent.c)
objects     = $(patsubst ext/%.c,$(OBJ)/obj/%.o,$(call sources,$(1))) \
    $(if $(filter embedded,$(1)),$(TABLE)) $(if $(filter base,$(1)),$(CJSON_OBJECT))
TABLE       = $(OBJ)/obj/embedded/words.o
# cJSON is inside, under hidden names: it meets none that the program has.
CJSON_OBJECT = $(OBJ)/obj/cjson/cJSON.o
# For a program that links SQLite itself: the rooms that see it call it directly (-DSQLITE_CORE).
core_objects = $(call objects,$(filter $(PLAIN_ROOMS),$(1))) \
    $(patsubst ext/%.c,$(OBJ)/core/%.o,$(call sources,$(filter $(SQL_ROOMS),$(1))))

OBJECTS      := $(call objects,$(ROOMS))
CORE_OBJECTS := $(call core_objects,$(ROOMS))
# SQLite gives a loaded extension its functions: the library does not link it.
LIBS         := $(filter-out -lsqlite3,$(call libraries,$(ROOMS)))

# tests/unit/room/test_*.c links the room and what is below it.
UNIT_SOURCES  := $(filter-out $(if $(RERANK_NO_REMOTE),tests/unit/http/%),\
    $(wildcard $(ROOMS:%=tests/unit/%/test_*.c)))
UNIT_PROGRAMS := $(UNIT_SOURCES:tests/%.c=$(BUILD)/tests/%)
HOST_PROGRAMS := $(BUILD)/tests/static_host $(BUILD)/tests/fault
BENCH_PROGRAMS := $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(wildcard tests/bench/*.c))
FUZZ_PROGRAMS := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))

.DEFAULT_GOAL := all
.PHONY: all static amalgamation test-amalgamation packages test-packages preload demo serve test check asan tsan fault fuzz cross bench quality instructions install
.PHONY: browser test-browser cluster test-cluster dataset model weights format clean help programs kernel-tests fuzz-programs install-runtime install-test

all: $(LIBRARY) ## build the extension (build/rerank.so)

static: $(STATIC) ## build build/librerank.a, for programs that link SQLite themselves

$(LIBRARY): $(OBJECTS)
	@mkdir -p $(@D)
	$(call SHORT,link)$(LINK) $(SHARED) -o $@ $^ $(LIBS)

# One object whose only names are the entry points: no name of ours meets one of the program.
$(STATIC): $(CORE_OBJECTS)
	@mkdir -p $(@D)
	$(call SHORT,ar  )rm -f $@ && $(CC) -nostdlib -r -o $(@:.a=.o) $^ \
	    $$(sed -n 's|^\(/[^ ]*\.a\).*|\1|p' $(SOURCES)/cjson/libs) \
	    && $(LOCALISE) $(@:.a=.o) && $(AR) rcs $@ $(@:.a=.o)

$(SOURCES)/cjson/cJSON.h:
	$(call SHORT,get )CC='$(CC)' CPPFLAGS='$(CPPFLAGS)' LDFLAGS='$(LDFLAGS)' CJSON='$(CJSON)' \
	    sh tests/tools/cjson.sh $(@D)
$(OBJECTS) $(CORE_OBJECTS): | $(SOURCES)/cjson/cJSON.h

# Not ours to mend: its warnings are off.
$(CJSON_OBJECT): $(SOURCES)/cjson/cJSON.h
	@mkdir -p $(@D)
	$(call SHORT,cc  )$(COMPILE) -w -c -o $@ $(<:.h=.c)

$(OBJ)/obj/%.o: ext/%.c
	@mkdir -p $(@D)
	$(call SHORT,cc  )$(COMPILE) -c -o $@ $<

$(OBJ)/core/%.o: ext/%.c
	@mkdir -p $(@D)
	$(call SHORT,cc  )$(COMPILE) -DSQLITE_CORE -c -o $@ $<

# The table of ext/embedded as an array of C: eight bytes a number, the first one lowest, whatever
# the order of bytes is here.
PAIR  := \(..\)
EIGHT := s/$(PAIR)$(PAIR)$(PAIR)$(PAIR)$(PAIR)$(PAIR)$(PAIR)$(PAIR)/0x\8\7\6\5\4\3\2\1,/g
$(TABLE:.o=.c): ext/embedded/table.bin
	@mkdir -p $(@D)
	$(call SHORT,od  ){ echo '#include "embedded/table.h"'; \
	    echo 'const uint64_t table_words[TABLE_WORDS] = {'; \
	    od -An -v -tx1 $< | tr -d ' ' | LC_ALL=C sed '$(EIGHT)'; echo '};'; } >$@.new && mv $@.new $@

$(TABLE): $(TABLE:.o=.c)
	$(call SHORT,cc  )$(COMPILE) -c -o $@ $<

# The whole library in one file, which any compiler takes without flags of ours; rerank.h beside it.
DIST := $(BUILD)/dist
PRELOAD := $(BUILD)/librerank_preload.so
amalgamation: $(DIST)/rerank.c ## write build/dist/rerank.c and rerank.h: the library in one file
$(DIST)/rerank.c: tests/tools/amalgamate.py ext/rooms $(wildcard $(ROOMS:%=ext/%/*.[ch])) \
    $(TABLE:.o=.c) $(SOURCES)/cjson/cJSON.h
	$(call SHORT,one )python3 $< --cjson $(SOURCES)/cjson --table $(TABLE:.o=.c) --out $(@D)

# As a user compiles it; the flags of every other build are no part of it.
test-amalgamation: $(DIST)/rerank.c $(LIBRARY) ## compile it by gcc and clang, compare the results
	gcc -O2 -shared -fPIC $< -o $(DIST)/gcc.so -lm
	gcc -O2 -DRERANK_NO_REMOTE -shared -fPIC $< -o $(DIST)/no-remote.so -lm
	clang -O2 -shared -fPIC $< -o $(DIST)/clang.so -lm
	@$(PYTHON_RUN) tests/run.py --build $(BUILD) drivers/test_library

preload: $(PRELOAD) ## build build/librerank_preload.so, for programs that load no extensions (Linux)

NO_REMOTE := $(if $(RERANK_NO_REMOTE),,$(BUILD)/no-remote/rerank.$(SUFFIX))
$(BUILD)/no-remote/rerank.$(SUFFIX): $(if $(RERANK_NO_REMOTE),,$(LIBRARY) ext/http/absent.c)
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/no-remote RERANK_NO_REMOTE=1 all

$(PRELOAD): ext/bindings/preload.c $(OBJECTS)
	@mkdir -p $(@D)
	$(call SHORT,link)$(LINK) $(CPPFLAGS_ALL) $(CPPFLAGS) $(SHARED) -o $@ $^ $(LIBS) -ldl

# The library for each platform by zig's compiler, which brings their C libraries; then every package.
packages: amalgamation ## build the packages of every language and platform into build/dist
	@sh tests/tools/install.sh zig
	@$(PYTHON_RUN) -B ext/bindings/packages.py $(DIST)

# NAMES='Python Node.test_libsql': some of them. Registries are asked for drivers; minutes.
test-packages: ## install each of the packages in an empty folder and run the flow there
	@sh tests/tools/install.sh zig lief
	@RERANK_DIST=$(DIST) python3 -B tests/packages/packages.py $(NAMES)

# SQLite with the library inside as WebAssembly, by emscripten, and the page of `make serve` over it.
# With -msimd128 a local model takes two thirds of the time, at no size; -Oz would save a fifth of the
# size, and take twice as long. The stack has the size that SQLite's deepest statements want; later
# emscriptens give 64 KB. Another Node than Debian's finds its packages by NODE_PATH.
BROWSER := $(DIST)/browser
WASM    := $(BUILD)/wasm
BROWSER_FILES := ext/bindings/browser
SITE    := $(BROWSER)/rerank.mjs $(BROWSER)/index.html $(BROWSER)/search.js $(BROWSER)/movies.db \
    $(patsubst $(BROWSER_FILES)/%,$(BROWSER)/%,$(wildcard $(BROWSER_FILES)/*.mjs $(BROWSER_FILES)/*.js))
EMCC    := NODE_PATH=/usr/share/nodejs emcc -O2 -msimd128
EMCC_LINK = $(EMCC) -Wall -Wextra -Werror -I$(DIST) -I$(SOURCES)/sqlite -Wl,--wrap=sqlite3_exec \
    -sWASM_BIGINT -sALLOW_MEMORY_GROWTH -sTOTAL_STACK=5MB
browser: install-runtime ## build build/dist/browser: SQLite, the extension and the page, for any web server
	@sh tests/tools/install.sh emscripten
	@command -v emcc >/dev/null || { echo "make browser needs emcc, emscripten's compiler" >&2; exit 1; }
	@$(MAKE) --no-print-directory $(SITE)

$(SOURCES)/sqlite/sqlite3.c:
	$(call SHORT,get )sh tests/tools/sqlite.sh $(@D)

$(WASM)/sqlite3.o: $(SOURCES)/sqlite/sqlite3.c
	@mkdir -p $(@D)
	$(call SHORT,emcc)$(EMCC) -w -DNDEBUG -DSQLITE_THREADSAFE=0 -DSQLITE_ENABLE_FTS5 \
	    -DSQLITE_ENABLE_MATH_FUNCTIONS -DSQLITE_OMIT_LOAD_EXTENSION -DSQLITE_TEMP_STORE=2 \
	    -DSQLITE_DEFAULT_MEMSTATUS=0 -DSQLITE_EXTRA_INIT=host_begin -c -o $@ $<

$(WASM)/rerank.o: $(DIST)/rerank.c $(SOURCES)/sqlite/sqlite3.c
	@mkdir -p $(@D)
	$(call SHORT,emcc)$(EMCC) -Wall -Wextra -Wshorten-64-to-32 -Werror -DNDEBUG -DSQLITE_CORE \
	    -DRERANK_NO_REMOTE -I$(SOURCES)/sqlite -c -o $@ $<

# What sqlite-rerank.mjs calls is what is exported.
$(BROWSER)/rerank.mjs: $(BROWSER_FILES)/host.c $(BROWSER_FILES)/sqlite-rerank.mjs $(WASM)/rerank.o $(WASM)/sqlite3.o
	@mkdir -p $(@D)
	$(call SHORT,link)$(EMCC_LINK) -o $@ $(filter %.c %.o,$^) --no-entry -sMODULARIZE -sEXPORT_ES6 \
	    -sENVIRONMENT=web,worker -sFORCE_FILESYSTEM -sEXPORTED_RUNTIME_METHODS=FS,ENV \
	    -sEXPORTED_FUNCTIONS=$$(grep -oh '_sqlite3_[a-z0-9_]*' $(filter %.mjs,$^) | sort -u | paste -sd, -)

# SQLite's shell with the same inside, for Node: runs tests/sql.
$(WASM)/shell.js: tests/browser/shell_variables.js $(BROWSER_FILES)/host.c $(WASM)/rerank.o $(WASM)/sqlite3.o
	$(call SHORT,link)$(EMCC_LINK) -O1 -w -DSQLITE_OMIT_LOAD_EXTENSION -DSQLITE_NOHAVE_SYSTEM -o $@ \
	    $(SOURCES)/sqlite/shell.c $(filter %.c %.o,$^) --pre-js $< -sNODERAWFS -sEXIT_RUNTIME \
	    -sENVIRONMENT=node -sWASM_ASYNC_COMPILATION=0

# The page, its script, and where what it loads may come from: no script from what is in a file.
POLICY := default-src 'none'; script-src 'self'; worker-src 'self'; \
    style-src 'unsafe-inline'; img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'
$(BROWSER)/index.html: ext/bindings/python/sqlite_rerank/page.html
	@mkdir -p $(@D)
	$(call SHORT,page)awk -v policy="$(POLICY)" \
	    '/^<script>$$/ { print "<script src=\"page.js\"></script>\n<script src=\"search.js\">"; inside = 1 } \
	    /^<\/script>$$/ { inside = 0 } !inside { print } /^<meta charset/ \
	    { print "<meta http-equiv=\"Content-Security-Policy\" content=\"" policy "\">" }' $< >$@

$(BROWSER)/search.js: ext/bindings/python/sqlite_rerank/page.html
	@mkdir -p $(@D)
	$(call SHORT,page)awk '/^<\/script>$$/ { inside = 0 } inside { print } /^<script>$$/ { inside = 1 }' $< >$@

$(BROWSER)/%: $(BROWSER_FILES)/%
	@mkdir -p $(@D) && cp $< $@

$(BROWSER)/movies.db: $(BUILD)/movies.db
	@mkdir -p $(@D) && cp $< $@

test-browser: install-test all ## build it, and try it in Chromium and Node
	@sh tests/tools/install.sh emscripten browser
	@! command -v emcc >/dev/null || ! $(MAKE) --no-print-directory $(SOURCES)/sqlite/sqlite3.c || \
	    $(MAKE) --no-print-directory $(SITE) $(WASM)/shell.js $(NO_REMOTE)
	@$(PYTHON_RUN) tests/run.py --build $(BUILD) browser/

# What cannot be had here is left out, by name. tests/cluster/ skips what is not there.
ENGINES ?= dqlite litestream litefs
cluster: static ## build the ENGINES that replicate SQLite, for their tests, into build/cluster (Debian)
	@sh tests/tools/install.sh cluster
	@sh tests/tools/cluster.sh $(BUILD)/cluster $(STATIC) $(ENGINES)

test-cluster: install-test all ## build them and kill nodes of them in the middle of writes
	@$(MAKE) --no-print-directory cluster
	@$(PYTHON_RUN) tests/run.py --build $(BUILD) cluster/

# ---- for people --------------------------------------------------------------------------------

# EMBED=provider:model and RERANK=provider:model choose other models (keys in the environment), as
# RERANK_EMBED_MODEL and RERANK_RERANK_MODEL of the environment do.
demo: install-runtime ## install what is missing, build, and show retrieve-then-rerank on movies
	@$(MAKE) --no-print-directory -s all
	@RERANK_EMBED_MODEL='$(or $(EMBED),$(RERANK_EMBED_MODEL))' \
	    RERANK_RERANK_MODEL='$(or $(RERANK),$(RERANK_RERANK_MODEL))' \
	    $(SQLITE3) -batch :memory: '.read sql/demo.sql'

# The package as the wheel lays it out, beside this library.
PACKAGE := $(BUILD)/python/sqlite_rerank
FILE ?= $(BUILD)/movies.db
PORT ?= 8765
serve: install-runtime ## search FILE=notes.db on a page, at PORT (8765) of this machine
	@$(MAKE) --no-print-directory -s all $(filter $(BUILD)/movies.db,$(FILE))
	@mkdir -p $(PACKAGE) && cp ext/bindings/python/sqlite_rerank/*.* $(PACKAGE) && \
	    ln -sf ../../rerank.$(SUFFIX) $(PACKAGE)
	@PYTHONPATH=$(BUILD)/python exec $(PYTHON_RUN) -m sqlite_rerank.serve '$(FILE)' --port $(PORT)

$(BUILD)/movies.db: | all
	@$(SQLITE3) -batch $@ '.read sql/index.sql' >/dev/null || { rm -f $@; exit 1; }

# The second half is for programs that link SQLite themselves: cc program.c `pkg-config ... rerank`.
install: all static amalgamation ## copy the extension, librerank.a, rerank.h and rerank.pc to $(PREFIX)
	install -d $(DESTDIR)$(PREFIX)/lib/sqlite3 $(DESTDIR)$(PREFIX)/lib/pkgconfig $(DESTDIR)$(PREFIX)/include
	install -m 644 $(LIBRARY) $(DESTDIR)$(PREFIX)/lib/sqlite3/
	install -m 644 $(STATIC) $(DESTDIR)$(PREFIX)/lib/
	install -m 644 $(BUILD)/dist/rerank.h $(DESTDIR)$(PREFIX)/include/
	sed -e 's|@PREFIX@|$(PREFIX)|' -e "s|@VERSION@|$(VERSION)|" ext/bindings/pkgconfig/rerank.pc \
	    >$(DESTDIR)$(PREFIX)/lib/pkgconfig/rerank.pc

COOKBOOK   := https://raw.githubusercontent.com/togethercomputer/together-cookbook
MOVIES_URL ?= $(COOKBOOK)/refs/heads/main/datasets/movies.json
dataset: ## download the published 1000 movies (462 kB) for the demo
	sh tests/tools/dataset.sh '$(MOVIES_URL)' datasets/movies-1000.json

# MODEL=owner/name; MODELS=folder instead of the Hugging Face cache. HF_ENDPOINT: another hub;
# HF_TOKEN: a login.
model: ## download MODEL=owner/name from the hub, for local models
	sh tests/tools/model.sh '$(MODEL)' '$(MODELS)'

weights: ## install the weights of all-MiniLM-L6-v2, for make bench, into build/weights
	@sh tests/tools/weights.sh $(BUILD)/weights

format: ## let clang-format rewrite the C files
	clang-format -i $$(find ext tests -name "*.[ch]")

clean: ## remove everything that was built
	rm -rf $(BUILD)

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' Makefile | awk -F'|' '{printf "make %-17s %s\n", $$1, $$2}'

# ---- tests -------------------------------------------------------------------------------------

PYTHON_RUN = $$(sh tests/tools/python.sh)

test: install-test ## install what is missing, build, and run every test
	@$(MAKE) --no-print-directory programs
	@SQLITE3='$(SQLITE3)' $(PYTHON_RUN) tests/run.py --build $(BUILD)

check: install-test all ## look for broken house rules: rooms, circles, lengths, functions, format
	@$(PYTHON_RUN) -B tests/check.py --library $(LIBRARY)

ASAN := BUILD=$(BUILD)/asan OPTIMISE=-O1 SANITIZE=address,undefined
asan: install-test ## run the tests under the address and undefined-behaviour sanitizers
	@$(MAKE) --no-print-directory programs $(ASAN)
	@SQLITE3='$(SQLITE3)' $(PYTHON_RUN) tests/run.py --build $(BUILD)/asan --sanitized

# What threads share: only these tests have any.
THREADED := base/test_workers base/test_shared base/test_shared_memory local/test_team \
    local/test_encoder index/test_search index/test_search_failures index/test_snapshot \
    extension/test_threads sqlite/test_table_file store/test_loading \
    store/test_vectors_threads

tsan: install-test ## run the tests that use threads under the thread sanitizer
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/tsan OPTIMISE=-O1 SANITIZE=thread \
	    $(THREADED:%=$(BUILD)/tsan/tests/unit/%)
	@TSAN_OPTIONS=halt_on_error=1 $(PYTHON_RUN) tests/run.py --build $(BUILD)/tsan --only unit \
	    $(THREADED:%=unit/%)

fault: install-test ## run every SQL script with each allocation failing in turn
	@$(MAKE) --no-print-directory all $(BUILD)/tests/fault
	@$(PYTHON_RUN) tests/run.py --build $(BUILD) --only fault

FUZZ_SECONDS ?= 30
fuzz: install-test ## run each fuzzer for FUZZ_SECONDS (30), with clang's libFuzzer
	@sh tests/tools/install.sh clang
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/fuzzing CC=clang OPTIMISE=-O1 \
	    SANITIZE=address,undefined,fuzzer-no-link fuzz-programs
	@$(PYTHON_RUN) tests/run.py --build $(BUILD)/fuzzing --only fuzz --seconds $(FUZZ_SECONDS)

# Headers are this machine's, but for those of the C library; libraries are Debian's for aarch64.
# gcc 12 for aarch64 stops with an internal error where it vectorizes a test.
CROSS := BUILD=$(BUILD)/aarch64 CC=aarch64-linux-gnu-gcc WERROR=1 \
    UNIT_CFLAGS='-fno-tree-vectorize -DTESTS_CHOSEN_FAMILY' \
    CPPFLAGS='-idirafter /usr/include -idirafter /usr/include/'$$($(CC) -print-multiarch) \
    LDFLAGS='-L$(BUILD)/aarch64/root/lib -Wl,--allow-shlib-undefined'
EMULATOR := -L /usr/aarch64-linux-gnu -E LD_LIBRARY_PATH=$(BUILD)/aarch64/root/lib
# With all that NEON has; then the kernels alone as every such processor has it: no products of int8.
# Of the families the one that is chosen there.
RUN_UNDER = $(PYTHON_RUN) tests/run.py --build $(BUILD)/aarch64 --only unit \
    --under 'qemu-aarch64 -cpu $(1) $(EMULATOR)'
cross: install-test ## build for aarch64 and run the tests of vectors and models under qemu
	@sh tests/tools/install.sh cross
	@sh tests/tools/sysroot.sh $(BUILD)/aarch64/root
	@$(MAKE) --no-print-directory $(CROSS) all kernel-tests
	@$(call RUN_UNDER,max) unit/vector/ unit/local/ unit/embedded/
	@$(call RUN_UNDER,cortex-a53) unit/vector/test_kernels unit/local/test_gemm unit/local/test_attention \
	    unit/local/test_layers

# INDEX_BENCH: what tests/bench/index_bench.py is told. --reach compares what this project aims at.
INDEX_BENCH ?= --rows 1000,10000,100000,1000000
bench: install-test ## measure everything: the flow, the index beside its peers, kernels, what has an aim
	@sh tests/tools/install.sh bench
	@$(MAKE) --no-print-directory all $(BENCH_PROGRAMS)
	@$(MAKE) --no-print-directory weights || true
	@$(PYTHON_RUN) tests/bench/bench.py $(LIBRARY)
	@$(PYTHON_RUN) tests/bench/remote_bench.py $(LIBRARY)
	@$(PYTHON_RUN) tests/bench/index_bench.py $(LIBRARY) $(INDEX_BENCH)
	@$(PYTHON_RUN) tests/bench/near_bench.py $(LIBRARY) --install --shapes skewed,text
	@for program in $(BENCH_PROGRAMS); do echo; $$program || exit 1; done
	@$(PYTHON_RUN) tests/bench/aims_bench.py $(LIBRARY)

# MODEL=name: the index's model; OPTIONS="storage = 'int8'": more of its options. COLLECTIONS='a b':
# folders beside those of RERANK_SHARED/eval.
quality: install-test all ## measure how well an index ranks judged COLLECTIONS, beside FTS5
	@$(PYTHON_RUN) -B tests/quality/quality.py $(LIBRARY) --model '$(MODEL)' \
	    --options "$(OPTIONS)" $(COLLECTIONS)

# COMPARE=library: another tree's, which is counted first.
instructions: install-test all ## count the instructions of searches, single rows and embeddings
	@sh tests/tools/install.sh bench
	@$(PYTHON_RUN) tests/bench/instructions.py $(COMPARE) $(LIBRARY)

install-runtime:
	@SQLITE3='$(SQLITE3)' CC='$(CC)' CPPFLAGS='$(CPPFLAGS)' LDFLAGS='$(LDFLAGS)' \
	    sh tests/tools/install.sh runtime

install-test:
	@SQLITE3='$(SQLITE3)' CC='$(CC)' CPPFLAGS='$(CPPFLAGS)' LDFLAGS='$(LDFLAGS)' \
	    sh tests/tools/install.sh runtime test

programs: $(LIBRARY) $(NO_REMOTE) $(if $(filter so,$(SUFFIX)),$(PRELOAD)) $(UNIT_PROGRAMS) $(HOST_PROGRAMS)

kernel-tests: $(filter $(foreach room,vector local embedded,$(BUILD)/tests/unit/$(room)/%),$(UNIT_PROGRAMS))

fuzz-programs: $(FUZZ_PROGRAMS)

# A program whose objects depend on its room: $(@D) is known when the rule is used, hence the second
# expansion.
.SECONDEXPANSION:
unit_room    = $(patsubst $(BUILD)/tests/unit/%/,%,$(dir $@))
unit_objects = $(call core_objects,$(call rooms_below,$(unit_room)))
unit_flags   = -Itests/unit $(if $(filter $(SQL_ROOMS),$(unit_room)),-DSQLITE_CORE)

$(UNIT_PROGRAMS): $(BUILD)/tests/%: tests/%.c $$(unit_objects)
	@mkdir -p $(@D)
	$(call SHORT,link)$(COMPILE) $(unit_flags) $(UNIT_CFLAGS) $(LDFLAGS_ALL) -rdynamic -o $@ $(filter %.c %.o,$^) \
	    $(LDFLAGS) -lcmocka $(call libraries,$(unit_room))

$(BUILD)/tests/static_host: tests/drivers/static.c $(STATIC)
	@mkdir -p $(@D)
	$(call SHORT,link)$(COMPILE) -DSQLITE_CORE $(LDFLAGS_ALL) -o $@ $^ \
	    $(LDFLAGS) $(call libraries,$(ROOMS))

$(BUILD)/tests/fault: tests/fault/fault.c
	@mkdir -p $(@D)
	$(call SHORT,link)$(COMPILE) $(LDFLAGS_ALL) -o $@ $< $(LDFLAGS) -lsqlite3 $(LIBS)

$(BENCH_PROGRAMS): $(BUILD)/bench/%: tests/bench/%.c $(call objects,$(PLAIN_ROOMS))
	@mkdir -p $(@D)
	$(call SHORT,link)$(COMPILE) -o $@ $(filter %.c %.o,$^) $(LDFLAGS) $(LIBS)

$(FUZZ_PROGRAMS): $(BUILD)/fuzz/%: tests/fuzz/%.c $(call objects,$(PLAIN_ROOMS))
	@mkdir -p $(@D)
	$(call SHORT,link)$(COMPILE) -Itests/unit -fsanitize=fuzzer,address,undefined -o $@ \
	    $(filter %.c %.o,$^) $(LDFLAGS) $(LIBS)

-include $(BENCH_PROGRAMS:%=%.d) $(FUZZ_PROGRAMS:%=%.d)
-include $(OBJECTS:.o=.d) $(CORE_OBJECTS:.o=.d) $(UNIT_PROGRAMS:%=%.d) $(HOST_PROGRAMS:%=%.d)
