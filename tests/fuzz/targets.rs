//! The targets that [`super`] runs.

macro_rules! targets {
    ($($name:ident),*) => {
        $(mod $name;)*
        /// Their names, and what they do with an input.
        pub const ALL: &[(&str, fn(&[u8]))] = &[$((stringify!($name), $name::run)),*];
    };
}

targets!(
    claims,
    compact,
    configuration,
    decide,
    discovery,
    header,
    key_set,
    metadata,
    path,
    proof,
    query,
    revocations,
    status_list,
    struct_configuration
);
