//! Fuzzes [`teahouse_proto::fuzz::fields`], which says what must hold.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| teahouse_proto::fuzz::fields(data));
