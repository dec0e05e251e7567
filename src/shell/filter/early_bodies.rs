//! Bodies of signed requests that begin to come while their request waits: the host shows them where its plugin lets it, and
//! does not show them again.

use super::super::scripted::HostStream;
use super::Action;
use super::proxy::Proxy;
use super::signed_bodies::{BODY, ENDS, End, answer_list, begin, other_at, proxy, with_list};

/// A request of whose body some parts come before a list that it waits for.
struct Case {
    context: u32,
    length: Option<usize>,
    end: End,
    /// How many parts come before the list. The end by itself is one.
    early: usize,
    is_right: bool,
}

impl Case {
    /// All of these: of some the body has come, of some a part of it, of some nothing.
    fn all(proxy: &mut Proxy, has_digest: bool) -> Vec<Self> {
        let lengths: &[Option<usize>] = if has_digest { &[None, Some(BODY.len())] } else { &[None] };
        let cases = lengths.iter().flat_map(|&length| ENDS.map(|end| (length, end)));
        let cases = cases.flat_map(|case| (0..=4).flat_map(move |early| [(case, early, true), (case, early, false)]));
        let begun = cases.map(|((length, end), early, is_right)| {
            let context = begin(proxy, has_digest, length);
            Self { context, length, end, early, is_right }
        });
        begun.collect()
    }

    fn parts(&self) -> usize {
        3 + usize::from(self.end != End::WithLast)
    }

    /// Hands over a part.
    fn hand_over(&self, proxy: &Proxy, at: usize) -> Action {
        let body = if self.is_right { BODY.to_vec() } else { other_at(8) };
        match (body.chunks(3).nth(at), self.end) {
            (Some(part), end) => proxy.part(self.context, part, end == End::WithLast && at == 2),
            (None, End::Trailers) => proxy.trailers(self.context),
            (None, _) => proxy.part(self.context, b"", true),
        }
    }
}

/// What became of requests after a list that they waited for: of each its stream, and what was done with its last part.
fn after_list(has_digest: bool, judged: impl Fn(bool, End, &HostStream, &str)) {
    let mut proxy = proxy(&with_list());
    let all = Case::all(&mut proxy, has_digest);
    for case in &all {
        assert_eq!(proxy.headers(case.context, false), Action::Pause);
        (0..case.early.min(case.parts())).for_each(|at| assert_eq!(case.hand_over(&proxy, at), Action::Pause));
    }
    proxy.tick(5);
    answer_list(&proxy);
    for case in &all {
        let Case { context, length, end, early, is_right } = *case;
        // Whether the headers went on when the list came.
        let has_gone = proxy.stream(context).upstream.is_some();
        let mut last = None;
        for at in early..case.parts() {
            last = Some(case.hand_over(&proxy, at));
        }
        let stream = proxy.stream(context);
        let told = format!("{length:?} {end:?} {early} early, right: {is_right}: {stream:?}");
        let passes = is_right && end != End::Trailers;
        assert!(last.is_none_or(|last| (last == Action::Continue) == passes), "{told}");
        assert_eq!(stream.answers.is_empty(), passes, "{told}");
        // Trailers may come when the upstream has all of the right body.
        let has_all = passes || is_right && has_gone && has_digest;
        assert_eq!(stream.gone == BODY && stream.upstream.is_some(), has_all, "{told}");
        let has_come = early >= case.parts();
        let is_refused_at_once = !passes && (has_come || early >= 3 && length.is_some() && !is_right);
        let goes_at_once = if has_digest { !is_refused_at_once } else { passes && has_come };
        assert_eq!(has_gone, goes_at_once, "{told}");
        judged(is_right, end, &stream, &told);
    }
}

/// What has come is compared before the headers go on.
#[test]
fn what_came_of_a_body_with_a_signed_digest_while_a_list_was_awaited_counts() {
    after_list(true, |is_right, end, stream, told| {
        let digest = "scopegate_digest_mismatch".to_owned();
        let reasons = stream.answers.iter().map(|(_, reason)| reason);
        assert!(is_right || end == End::Trailers || reasons.eq([&digest]), "{told}");
    });
}

#[test]
fn what_came_of_a_body_that_is_read_first_while_a_list_was_awaited_is_judged_with_the_rest() {
    after_list(false, |is_right, end, stream, told| {
        let passes = is_right && end != End::Trailers;
        assert!(passes || stream.upstream.is_none() && stream.gone.is_empty(), "{told}");
    });
}
