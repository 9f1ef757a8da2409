#!/bin/sh
# Fuzzes every decoder: `fuzz/run.sh RUNS [TARGET...]` makes RUNS executions in all (default 1000000),
# shared equally by the targets. Exits non-zero on a crash, whose input is then in fuzz/artifacts/.
#
# libFuzzer needs coverage instrumentation, which stable rustc can insert as an LLVM pass; naming the
# target keeps the flags away from build scripts. The checked-in corpus is read, not written: new
# inputs go to fuzz/target/corpus/. To keep one, copy it to fuzz/corpus/TARGET/, where an ordinary test
# replays it: named by what it is, or found_<hash> when fuzzing found it to reach more code.
set -eu
cd "$(dirname "$0")"

runs=${1:-1000000}
[ $# -gt 0 ] && shift
targets=${*:-$(ls fuzz_targets | sed 's/\.rs$//')}
triple=$(rustc -vV | sed -n 's/^host: //p')

RUSTFLAGS="-Cpasses=sancov-module \
 -Cllvm-args=-sanitizer-coverage-level=4 \
 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
 -Cllvm-args=-sanitizer-coverage-pc-table \
 -Cllvm-args=-sanitizer-coverage-trace-compares \
 -Ccodegen-units=1 --cfg fuzzing" \
  CARGO_TARGET_DIR=target cargo build --release --locked --target "$triple"

set -- $targets
each=$(((runs + $# - 1) / $#))
total=0
for target in "$@"; do
  mkdir -p "target/corpus/$target" "artifacts/$target"
  log="target/$target.log"
  if ! "target/$triple/release/$target" -runs="$each" -timeout=10 -rss_limit_mb=1024 \
    -max_len=16384 -dict=json.dict -artifact_prefix="artifacts/$target/" \
    "target/corpus/$target" "corpus/$target" >"$log" 2>&1; then
    tail -n 40 "$log"
    echo "$target: FAILED, see fuzz/artifacts/$target" >&2
    exit 1
  fi
  done=$(sed -n 's/^Done \([0-9]*\) runs.*/\1/p' "$log")
  echo "$target: $done executions, $(grep -o 'cov: [0-9]*' "$log" | tail -n 1)"
  total=$((total + done))
done
echo "all: $total executions, no crash"
