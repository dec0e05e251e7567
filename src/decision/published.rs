//! What filter state says of a request that goes on.

use std::rc::Rc;

/// What filter state says of a request that goes on, for Envoy's other filters and its router.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// Values for the router to set headers from, each with its key.
    pub identity: Vec<(Rc<str>, String)>,
    /// What the request was judged by.
    pub judged: Option<Judged>,
}

/// The names of what a request was judged by. Neither is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// That of the virtual host.
    pub virtual_host: String,
    /// That of the route.
    pub route: String,
}
