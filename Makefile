# Two commands set everything up: `make run` and `make test`.
# Port of `make run`.
LISTEN ?= 127.0.0.1:8080
# Executions of `make fuzz`, over all targets together.
RUNS ?= 1000000
CARGO ?= cargo
# What the tests in JavaScript run against.
TEST_BIN := $(CURDIR)/target/debug/teahouse

.PHONY: build web run test test-rust test-e2e test-web test-page binary chromium lint bench fuzz docs clean

build: web
	$(CARGO) build --release -p teahouse-server

# The page at /, which becomes part of the binary.
web: web/node_modules/.package-lock.json
	cd web && npm run build

web/node_modules/.package-lock.json: web/package-lock.json
	cd web && npm ci --no-audit --no-fund
	touch $@

run: build
	./target/release/teahouse serve --dev --data data --listen $(LISTEN)

# The page first: it is part of the binary, which would have to be built again.
test: web lint test-rust test-web test-e2e test-page

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings

test-rust:
	$(CARGO) test --workspace

# The unmodified client packages against the real server.
test-e2e: binary
	cd tests/e2e && npm ci --no-audit --no-fund && TEAHOUSE_BIN=$(TEST_BIN) npm test

# With the page, which a browser then asks for.
binary: web
	$(CARGO) build -p teahouse-server

test-web: binary
	cd web && npm run lint && TEAHOUSE_BIN=$(TEST_BIN) npm test

# The page in a real browser.
test-page: binary chromium
	cd web && TEAHOUSE_BIN=$(TEST_BIN) npm run test:page

# Debian's browser, unless CHROMIUM names one or it is there.
chromium:
	@test -x "$${CHROMIUM:-/usr/bin/chromium}" || { \
	  test "$$(id -u)" = 0 && command -v apt-get >/dev/null || { \
	    echo "test-page needs a browser: install chromium, or set CHROMIUM to the path of one" >&2; exit 1; }; \
	  apt-get update -q && apt-get install -q -y --no-install-recommends chromium; }

bench: build
	./target/release/teahouse bench W1
	./target/release/teahouse bench W2
	./target/release/teahouse bench W3
	./target/release/teahouse bench W4
	./target/release/teahouse bench W5
	./target/release/teahouse bench W6
	./target/release/teahouse bench W7
	./target/release/teahouse bench W8
	./target/release/teahouse bench W10

fuzz:
	./fuzz/run.sh $(RUNS)

# Rewrites the generated pages in docs/.
docs:
	UPDATE_DOCS=1 $(CARGO) test -p teahouse-server --test tidy

clean:
	$(CARGO) clean
	rm -rf tests/e2e/node_modules web/node_modules web/*/dist fuzz/target
