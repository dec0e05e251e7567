//! YAML, for the command.
