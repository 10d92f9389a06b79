#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mdes_receiver_fuzz::door("tokenex_notice")(data));
