//! Sequences of hooks to begin with: each configuration with each client, whose stream is destroyed at another moment.

/// A configuration is loaded, and a stream of it begins. Its request and its response come, keys and answers come between or
/// late, and the configuration is dropped before the stream, after it, by a worker, or never.
pub fn all() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for kind in 0..6 {
        for client in 0..12 {
            let (thread, during) = (client % 2, client % 5);
            let begin = [2, 0, thread, client, u8::saturating_sub(client, 9), during];
            let part = |which: u8, more: u8| [5, thread, 0, which, more];
            // Only what is fetched is waited for.
            let patience = if (1..4).contains(&kind) { 11 } else { 0 };
            let wakes = [15, patience, 12, 10, 0, 10, 1];
            let turn = [15, patience, 12, 10, 0, 10, 1, 13, 0, 4];
            let answers = [turn; 4].concat();
            let (headers, body, trailers, end) = (part(0, 0), part(2, 2), part(3, 0), part(9, 0));
            let response = [part(4, 0), part(5, 3), part(6, 0)].concat();
            let drop = [1, 0, during];
            let load: &[u8] = &[0, kind, 0];
            let late: Vec<&[u8]> =
                vec![load, &begin, &headers, &wakes, &answers, &body, &trailers, &wakes, &response, &drop, &end];
            let early: Vec<&[u8]> = vec![load, &begin, &body, &headers, &drop, &wakes, &trailers, &end, &wakes];
            let answered_late: Vec<&[u8]> =
                vec![load, &begin, &headers, &wakes, &end, &answers, &begin, &headers, &drop];
            // Its last stream ends on a worker, which drops the configuration while what it has asked for is under way.
            let drop_there = [1, 0, thread];
            let under_way: Vec<&[u8]> = vec![load, &begin, &headers, &wakes, &end, &drop_there, &wakes];
            all.extend([late, early, answered_late, under_way].map(|parts| parts.concat()));
        }
    }
    all
}
