# Thin: installs what is missing, sets up the build, runs meson. `./demo` and `./test`, the two
# commands of the README, do without make.
BUILD ?= build
TIME ?= 60
SEEDS ?= 400000
KILLS ?= 2000
RESTARTS ?= 500
REBOOTS ?= 200

.PHONY: all deps build demo test watch bench campaign crash faults faults-others soak fuzz coverage sim cross-test check-format install dist clean

all: build

deps:
	@sh tools/deps.sh

build:
	@sh tools/deps.sh build
	@sh tools/build.sh $(BUILD)

demo:
	@BUILD=$(BUILD) HOLD=$(HOLD) ./demo

test:
	@BUILD=$(BUILD) ./test

# All tests of the daemon with a look at each call of its loop: none but its poll may take 50 ms.
watch: deps build
	@meson test -C $(BUILD) --benchmark --no-rebuild --verbose daemon-loop-all

bench: deps build
	@$(BUILD)/tests/bench $(BUILD)/service/proctord
	@$(BUILD)/sim/proctor-sim bench

campaign: build
	@$(BUILD)/sim/proctor-sim campaign --time $(TIME)s

# All that the simulator can prove: scenarios, small spaces, a campaign, the seeded bugs.
sim: build
	@sh tools/sim.sh $(BUILD) $(SEEDS)

# A real proctord, killed again and again: at random times, and at one system call after the other.
crash: deps build
	@cd $(BUILD) && PROCTORD=$$PWD/service/proctord TEST_CHILD=$$PWD/tests/test-child \
		KILL_AT=$$PWD/tests/kill-at OTHER_BOOT=$$PWD/tests/other-boot \
		tests/crash-test --kills $(KILLS) --restarts $(RESTARTS) --reboots $(REBOOTS) --sweep

# Each place where a real proctord makes a system call: it fails once, with each error that it can
# have; an hour. With EVERY=1 each call by its number, all night. `make faults-others`: the same of
# its threads, of the spawner and its children on their way, and of processes outside, which are
# also killed (4), stopped (5) and held (6) there; with each call of the spawner; two hours.
faults-others: deps build
	@cd $(BUILD) && for cgroups in '' 1; do for whom in threads spawner outside births; do \
		for round in 0 1 2 3 4 5 6; do \
		if [ $$whom = threads ] && [ $$round -gt 3 ]; then continue; fi; \
		NO_CGROUPS=$$cgroups PROCTORD=$$PWD/service/proctord TEST_CHILD=$$PWD/tests/test-child \
		FAIL_AT=$$PWD/tests/fail-at tests/crash-test --faults $$round --sites --whom $$whom || exit 1; \
		done; done; done
	@cd $(BUILD) && EACH_CALL=1 PROCTORD=$$PWD/service/proctord PROCTORCTL=$$PWD/service/ctl/proctorctl \
		TEST_CHILD=$$PWD/tests/test-child tests/test-daemon-spawner-calls

faults: deps build
	@cd $(BUILD) && for cgroups in '' 1; do for round in 0 1 2 3; do NO_CGROUPS=$$cgroups \
		PROCTORD=$$PWD/service/proctord TEST_CHILD=$$PWD/tests/test-child \
		FAIL_AT=$$PWD/tests/fail-at tests/crash-test --faults $$round \
		$(if $(EVERY),--every $(EVERY),--sites) || exit 1; done; done

# Half an hour: children that crash, clients, and a bus that is killed every minute.
MINUTES ?= 30
soak: deps build
	@$(BUILD)/tests/soak $(BUILD)/service/proctord $(BUILD)/tests/test-child --minutes $(MINUTES)

# Whatever comes from outside, made up by libFuzzer (clang): TIME seconds for each target.
fuzz: deps
	@sh tools/fuzz.sh build-fuzz $(TIME)

# Which lines the tests run.
coverage: deps
	@sh tools/coverage.sh build-coverage

# The core and the simulator for other machines, by cross compilers and qemu: the same hashes of 1,000 seeds.
cross-test:
	@sh tests/sim/cross.sh . 1000

check-format: deps
	@git ls-files '*.c' '*.h' | xargs clang-format --dry-run -Werror

install: build
	@meson install -C $(BUILD)

# The tarball of what is committed, for the packages of contrib/: build/meson-dist.
dist: build
	@meson dist -C $(BUILD) --no-tests

clean:
	rm -rf $(BUILD)
