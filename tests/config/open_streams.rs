//! When streams are closed.

use super::{read, with};

#[test]
fn what_is_wrong_with_open_streams_is_said() {
    for (text, told) in [
        ("default: {close_streams: always}", ["default.close_streams: ", "never", "expiry or revocation"]),
        ("default: {close_streams: true}", ["default.close_streams: ", "never", "expiry"]),
        ("limits: {open_streams_when_full: allow}", ["limits.open_streams_when_full: ", "refuse", "unwatched"]),
        ("default: {public: true, close_streams: expiry}", ["default: ", "close_streams beside `public`", ""]),
        ("limits: {open_streams: -1}", ["limits.open_streams: ", "from 0 to 100000", ""]),
    ] {
        let Err(error) = read(&with(text)) else { panic!("{text} is accepted") };
        assert!(told.iter().all(|part| error.contains(part)), "{text}: {error}");
    }
    assert!(read(&with("default: {close_streams: never}\nlimits: {open_streams: 0}")).is_ok());
    for when in ["refuse", "unwatched"] {
        let text = format!("default: {{close_streams: revocation}}\nlimits: {{open_streams_when_full: {when}}}");
        assert_eq!(read(&with(&text)).unwrap().settings.limits.open_streams_when_full.name(), when);
    }
}
