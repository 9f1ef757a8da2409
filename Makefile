# Two commands set everything up: `make run` and `make test`.
# Port of `make run`.
LISTEN ?= 127.0.0.1:8080
# Executions of `make fuzz`, over all targets together.
RUNS ?= 1000000
CARGO ?= cargo

.PHONY: build run test test-rust test-e2e lint bench fuzz docs clean

build:
	$(CARGO) build --release -p teahouse-server

run: build
	./target/release/teahouse serve --dev --data data --listen $(LISTEN)

test: lint test-rust test-e2e

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings

test-rust:
	$(CARGO) test --workspace

# The unmodified client packages against the real server.
test-e2e:
	$(CARGO) build -p teahouse-server
	cd tests/e2e && npm ci --no-audit --no-fund && TEAHOUSE_BIN=$(CURDIR)/target/debug/teahouse npm test

bench: build
	./target/release/teahouse bench W1
	./target/release/teahouse bench W8

fuzz:
	./fuzz/run.sh $(RUNS)

# Rewrites the generated pages in docs/.
docs:
	UPDATE_DOCS=1 $(CARGO) test -p teahouse-server --test tidy

clean:
	$(CARGO) clean
	rm -rf tests/e2e/node_modules fuzz/target
