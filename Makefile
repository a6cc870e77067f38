# make demo and make test set up what they need, as root or not.
# One word of the shell is asked for: bash.
SHELL       := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := build

GO      ?= go
VERSION ?=
FUZZTIME ?= 20s
SOAK    ?= 10m
BENCH_SCALE ?= 1
LDFLAGS := -s -w $(if $(VERSION),-X main.version=$(VERSION))
PROFILE := cmd/passiflow/whole.pgo
CAPTURE ?=
LINT    := $(GO) tool -modfile=tools/go.mod golangci-lint
STRICT  := $(if $(CI),-strict -allow .ci/allowed-skips)

.PHONY: build profile demo demo-resurface test race cross libpcap fuzz bench soak lint docs release setup clean

build: ## bin/passiflow, static
	CGO_ENABLED=0 $(GO) build -trimpath -pgo=$(PROFILE) -ldflags '$(LDFLAGS)' -o bin/passiflow ./cmd/passiflow

profile: ## where the time goes in CAPTURE, for the compiler: after changes of the walk, the masks or the record
	mkdir -p bin
	PASSIFLOW_CAPTURE='$(abspath $(CAPTURE))' $(GO) test -trimpath -run '^$$' -bench Whole -benchtime 5x -o bin/whole.test -cpuprofile $(abspath $(PROFILE)) ./cmd/passiflow

demo: build ## capture real traffic on loopback and print the exchanges
	$(GO) run ./test/demo -program bin/passiflow

demo-resurface: build ## take the place of the Resurface network sniffer in a namespace, with a server and a database
	$(GO) run ./test/demo -program bin/passiflow -resurface

setup: ## what the tests use, through apt-get where we are root
	@bash scripts/setup

test: setup ## all tests; what could not run is listed with its reason
	{ failed=0; $(GO) test -json -count=1 -timeout 15m ./... || failed=1; $(GO) -C test/oracle test -json -count=1 ./... || failed=1; exit $$failed; } | \
		$(GO) run ./test/verdict $(STRICT)

race: ## the tests under the race detector; needs a C compiler
	CGO_ENABLED=1 $(GO) test -race -short -timeout 20m ./...

cross: ## compile and vet for the other platforms
	@for p in linux/arm64 darwin/amd64 darwin/arm64 windows/amd64; do \
		echo "vet $$p"; \
		GOOS=$${p%/*} GOARCH=$${p#*/} CGO_ENABLED=0 $(GO) vet ./...; \
		GOOS=$${p%/*} GOARCH=$${p#*/} CGO_ENABLED=0 $(GO) build -o /dev/null ./cmd/passiflow; \
	done

libpcap: setup ## vet and test the build with libpcap, where its headers are
	@if echo '#include <pcap/pcap.h>' | $${CC:-cc} -E - >/dev/null 2>&1; then \
		CGO_ENABLED=1 $(GO) vet -tags libpcap ./... && CGO_ENABLED=1 $(GO) test -tags libpcap ./source/libpcap; \
	else echo "the headers of libpcap are missing (libpcap-dev): not built"; fi

fuzz: ## each fuzz target for FUZZTIME
	bash scripts/fuzz $(FUZZTIME)

bench: build ## the walk's benchmarks, and whole runs beside the floor where PASSIFLOW_SHARED is set
	$(GO) test -run '^$$' -bench . -benchmem -timeout 60m $$($(GO) list ./... | grep -v test/e2e)
	$(GO) test -run '^$$' -bench Live -benchtime 1x -timeout 60m ./test/e2e
	$(GO) run ./test/bench -program bin/passiflow -scale $(BENCH_SCALE)

soak: build ## SOAK of live load on loopback; memory and ledger are watched; then a minute without the receiver
	$(GO) run ./test/soak -program bin/passiflow -for $(SOAK)
	PASSIFLOW_SOAK=1 $(GO) test -count=1 -v -timeout 10m ./test/delivery

lint:
	$(LINT) run ./...

docs: ## docs/reference, from the code
	$(GO) test ./internal/config -run Reference -update
	$(GO) test ./cmd/passiflow -run TestManual -update

release: ## dist/: archives for every platform, the same bytes from the same commit
	VERSION='$(VERSION)' bash scripts/release

clean:
	rm -rf bin dist
