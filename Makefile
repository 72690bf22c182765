# Nothing is needed but Go and git. "make demo" and "make test" install
# PostgreSQL's server programs through the system's package manager when they
# are missing; -race wants a C compiler.

GO        ?= go
# -short: simulators and fault injection take fewer seeds. TESTFLAGS= for all.
TESTFLAGS ?= -short
# Without tables for debuggers, a third less of linking. Stacks are told as ever.
LEAN      := -ldflags=-w
DEMOFLAGS ?=
SIM       ?= 100000
SEED      ?= 1
CHAOS     ?= 3m
TRIALS    ?= Hurt|Failover|Clocks|Network
ROUNDS    ?= 10
FUZZ      ?= 10000000
KILLS     ?= 1000
CALLS     ?= 1
DEATHS    ?= 300
CHANGES   ?= 20
SLOTS     ?= 10000000
YEARS     ?= 20
HISTORY   ?= 10000000
SHARES    ?= all
LIES      ?= 2000
FREEZE    ?= 10m
TOOLS     := .tools

.DEFAULT_GOAL := build
.PHONY: build demo soak test unit race check lint fmt vet fix tidy staticcheck golangci cover bench compare figures sim seats years history chaos mutants upheaval fuzz witness generate postgres pgbouncer tomcat test-tomcat test-shares faults bundles trust kills calls clean help

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## bin/coterie, one static file
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/coterie ./cmd/coterie

demo: postgres build ## a whole cluster on this machine (DEMOFLAGS="--for 20s")
	bin/coterie demo $(DEMOFLAGS)

soak: postgres build ## ten minutes of a demo that is broken again and again, and judged
	bin/coterie demo --for 10m --nodes 5

test: postgres ## all tests; TESTFLAGS= takes the long way
	$(GO) test -timeout 30m $(LEAN) $(TESTFLAGS) ./...

unit: postgres ## the tests of parts and protocols, a minute on two processors; no processes of ours
	$(GO) test -timeout 30m $(LEAN) -short -p 4 -skip '$(KILLERS)' $(LONGEST) $$($(GO) list ./... | grep -v -e /test/ -e /upheaval$$ -e /demo$$ -e /cmd/ -e /supervisor$$ -e /pgserver$$ $(LONGEST:./%=-e /%$$))

# What takes longest begins first.
LONGEST = ./sql/schema ./jobs ./license

# What in other packages starts nodes and clients as processes, and kills them.
KILLERS = NoSeatIsGrantedTwice|JudgeCatches|JudgeAccuses|ACrashOfTheServer

# What runs real processes, whole databases or a simulator measures time, or has
# one goroutine: the detector finds nothing there and makes figures untrue.
race: postgres ## the tests of what shares memory, under the race detector
	CGO_ENABLED=1 $(GO) test -race -timeout 30m $(LEAN) $(TESTFLAGS) $$($(GO) list ./... | grep -v -e /test/ -e /upheaval$$ -e /leasesim -e /pgserver$$ -e /schema$$ -e /supervisor$$ -e /demo$$ -e /cmd/)

# Golden files (schema, problems, errors, scenarios) are compared by the tests,
# so a generated page that is not current fails here.
check: lint race ## what must pass before a change is delivered

lint: fmt vet fix tidy staticcheck golangci

fmt:
	@bad=$$(gofmt -l $$(git ls-files --cached --others --exclude-standard '*.go')); \
	if [ -n "$$bad" ]; then echo "gofmt -w $$bad"; exit 1; fi

vet:
	$(GO) vet ./...

fix:
	$(GO) fix -diff ./...

tidy:
	$(GO) mod tidy -diff

staticcheck: $(TOOLS)/staticcheck
	$(TOOLS)/staticcheck ./...

golangci: $(TOOLS)/golangci-lint
	$(TOOLS)/golangci-lint run ./...

# Built once and kept: compiling golangci-lint takes about a minute and a half
# on two cores.
$(TOOLS)/staticcheck: tools/go.mod tools/go.sum
	$(GO) build -modfile=tools/go.mod -o $@ honnef.co/go/tools/cmd/staticcheck

$(TOOLS)/golangci-lint: tools/go.mod tools/go.sum
	$(GO) build -modfile=tools/go.mod -o $@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

cover: postgres ## which lines the tests reach
	$(GO) test $(TESTFLAGS) -coverpkg=./... -coverprofile=cover.out ./...
	$(GO) tool cover -func=cover.out | tail -n 1

bench: postgres ## the benchmarks
	$(GO) test -run '^$$' -bench . -benchmem ./...

compare: postgres ## the same beside etcd, River and pgbench (etcd's server must be there), ten minutes
	cd bench && $(GO) run .

figures: postgres ## docs/performance.md measured anew, half an hour on a machine at rest
	$(GO) test -count=1 -timeout 90m -v -run . ./test/figures -long

seats: postgres ## licence seats, 40 minutes: 1,000 SIGKILLs, a million checkouts, 10,000 first logins (KILLS=50 for a round)
	$(GO) test -count=1 -timeout 120m -v -run 'NoSeatIs|Judge|Fifty|Nobody|Crash|Loses' ./license -kills $(KILLS) -checkouts $$(($(KILLS) * 1000)) -asked $$(($(KILLS) * 1000)) -logins $$(($(KILLS) * 10)) -sim 10000

chaos: postgres ## real agents under faults for three minutes, judged (CHAOS=10m for longer)
	$(GO) test -count=1 -timeout 120m -v -run '$(TRIALS)' ./test/chaos -duration $(CHAOS)

sim: ## 100,000 simulated hours of clusters under faults, two hours on two processors (SIM=3000 for less, SEED=9001 to go on)
	$(GO) test -count=1 -timeout 12h -v -run Storms ./leases/leasesim -sim.hours $(SIM) -sim.seed $(SEED)

years: ## 20 simulated years of cluster life of six jobs: each slot has one outcome, two minutes (YEARS=1 for one)
	$(GO) test -count=1 -timeout 60m -v -run 'AYearOfCluster|EveryOverlap|TheYearNotices' ./jobs -years $(YEARS)

history: postgres ## what ten million runs cost whoever looks, ten minutes and 3 GB (HISTORY=1000000 for less)
	$(GO) test -count=1 -timeout 120m -v -run MuchHistory ./jobs -history $(HISTORY)

mutants: postgres ## programs with a mistake each, that simulation, a test or real processes under faults must catch
	$(GO) test -count=1 -timeout 60m -v ./leases/leasesim/mutants -mutants
	$(GO) test -count=1 -timeout 60m -v ./test/mutants -mutants
	$(GO) test -count=1 -timeout 60m -v -run Mutant ./test/chaos -mutants

upheaval: postgres pgbouncer ## promotions, restores, crashes and poolers of the database, ROUNDS times each
	$(GO) test -count=1 -timeout 120m -v ./leases/upheaval -rounds $(ROUNDS)
	$(GO) test -count=1 ./test/identity ./test/pooler

fuzz: ## ten million keystores that were tampered with for each decoder, none costing 64 MiB, hours on one processor (FUZZ=100000 for less)
	for t in FuzzPKCS12 FuzzJKS FuzzFile FuzzProperties; do \
		$(GO) test ./keystore -run '^$$' -fuzz "^$$t$$" -parallel 1 -timeout 0 -fuzzminimizetime 10x -fuzztime $(FUZZ)x || exit 1; done

# Each round judges itself; the last judges the whole directory.
witness: postgres ## ten million slots under faults, judged by a file of starts, half an hour (SLOTS=1000000 for less)
	@dir=$$(mktemp -d) && chmod 755 $$dir && $(GO) test -c -o $$dir/slots.test ./test/slots && n=0 && \
	while [ $$n -lt $(SLOTS) ]; do \
		$$dir/slots.test -test.v -test.run StartsTwice -dir $$dir -driven -jobs 400 -slots 500000 -every 3s || exit 1; n=$$((n + 500000)); \
	done && $$dir/slots.test -test.v -test.run StartsTwice -dir $$dir -whole && rm -r $$dir

generate: postgres ## write the golden files anew; read the diff
	$(GO) test ./internal/config ./internal/problem ./sql/schema -update

postgres:
	@deploy/install-postgres.sh

test-tomcat: tomcat postgres ## keystores: opened by Java, keytool and OpenSSL, served by Tomcat, 100 rollouts under load, DEATHS=300 kills, an hour
	COTERIE_CI=1 $(GO) test -count=1 -timeout 30m -v ./test/keytool -keytool
	COTERIE_CI=1 $(GO) test -count=1 -timeout 30m -v ./test/keystores -long
	COTERIE_CI=1 $(GO) test -count=1 -timeout 120m -v ./test/tomcat -rollouts 100 -handshakes 50000 -kills $(DEATHS)

bundles: ## hostile bundles, and 300 imports that are killed, five minutes
	$(GO) test -count=1 -timeout 30m -v ./test/bundle -long

trust: tomcat postgres ## servers that trust one another, 20 certificates and 20 keystores replaced under load, five minutes (CHANGES=1 for one)
	COTERIE_CI=1 $(GO) test -count=1 -timeout 60m -v ./test/trust -changes $(CHANGES)

kills: ## migrations killed after each effect, on each layout, four minutes
	$(GO) test -count=1 -timeout 30m -v ./test/migrate -every 1

calls: postgres ## migrations of which each call of the file system fails, fills up, is the last of the share or of the process, hours (CALLS=41: each 41st, ten minutes; FAULTS=kill: kills alone)
	COTERIE_CI=1 $(GO) test -count=1 -timeout 12h -v -run 'ACallThatGoesWrong|AShareThatHangs' ./test/migrate -calls $(CALLS) -faults '$(FAULTS)'

test-shares: postgres ## real NFS, SMB, sshfs and GlusterFS under agents, ten minutes; SHARES=short: NFS and SMB alone, SHARES=quick: sshfs alone, a minute
	@deploy/install-shares.sh $(SHARES)
	COTERIE_SHARES=$(SHARES) $(GO) test -count=1 -timeout 45m -v ./test/shares/rig

faults: postgres ## a share that lies in 2,000 scans, of which none may delete, and one that answers nobody for ten minutes; a quarter of an hour (LIES=200 FREEZE=1m for less)
	COTERIE_CI=1 $(GO) test -count=1 -timeout 60m -v -run 'NoLieOf|AFrozenShare' ./test/shares -trials $(LIES) -freeze $(FREEZE)

tomcat: ## for the tests with a real Tomcat
	@deploy/install-tomcat.sh

pgbouncer: ## for the tests that put it between agents and the database
	@deploy/install-pgbouncer.sh

clean:
	rm -rf bin $(TOOLS) cover.out
