//! Fuzzes [`teahouse_proto::fuzz::merged_list`], which says what must hold.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| teahouse_proto::fuzz::merged_list(data));
