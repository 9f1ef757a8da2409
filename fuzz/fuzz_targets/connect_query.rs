#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| teahouse_proto::fuzz::connect_query(data));
