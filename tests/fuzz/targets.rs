//! The targets that [`super`] runs.

macro_rules! targets {
    ($($name:ident),*) => {
        $(mod $name;)*
        /// Their names, and what they do with an input.
        pub const ALL: &[(&str, fn(&[u8]))] = &[$((stringify!($name), $name::run)),*];
    };
}

targets!(
    basic,
    claims,
    compact,
    configuration,
    cookies,
    decide,
    discovery,
    events,
    header,
    htpasswd,
    identities,
    introspection,
    key_set,
    mcp_name,
    message,
    metadata,
    path,
    places,
    proof,
    query,
    revocations,
    security_event,
    signature,
    status_list,
    struct_configuration
);
