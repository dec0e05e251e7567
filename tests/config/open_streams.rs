//! When streams are closed.

use super::{read, with};

#[test]
fn what_is_wrong_with_open_streams_is_said() {
    for (text, told) in [
        ("default: {close_streams: revocation}", ["default.close_streams: ", "never", "expiry"]),
        ("default: {close_streams: true}", ["default.close_streams: ", "never", "expiry"]),
        ("default: {public: true, close_streams: expiry}", ["default: ", "close_streams beside `public`", ""]),
        ("limits: {open_streams: -1}", ["limits.open_streams: ", "from 0 to 100000", ""]),
    ] {
        let Err(error) = read(&with(text)) else { panic!("{text} is accepted") };
        assert!(told.iter().all(|part| error.contains(part)), "{text}: {error}");
    }
    assert!(read(&with("default: {close_streams: never}\nlimits: {open_streams: 0}")).is_ok());
}
