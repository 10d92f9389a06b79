#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mdes_receiver_fuzz::door("tokenex_reply")(data));
