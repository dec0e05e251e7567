//! The `scopegate` command.

fn main() -> std::process::ExitCode {
    scopegate::cli::main()
}
