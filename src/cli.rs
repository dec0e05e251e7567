//! The native command: the same engine and the same reader as in the module.

pub mod jwks;
pub mod mint;
pub mod signing;

use clap::{Parser, Subcommand};
use std::io::Write as _;
use std::process::ExitCode;

/// Exit status for a file that cannot be read, or wrong usage; clap uses the same.
const CANNOT: u8 = 2;

/// A token gate for Envoy: makes tokens and keys to try it with.
#[derive(Debug, Parser)]
#[command(name = "scopegate", version, about, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Tokens.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Keys and key sets.
    #[command(subcommand)]
    Jwks(JwksCommand),
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    /// Signs a token with a private key: for demos and tests, not for production.
    Mint(mint::MintArguments),
}

#[derive(Debug, Subcommand)]
enum JwksCommand {
    /// Makes a private key and prints it as a JSON Web Key. Keep it out of repositories.
    Generate(jwks::GenerateArguments),
    /// Prints the key set with the public parts of private keys.
    Public(jwks::PublicArguments),
}

/// Runs the command with the arguments of the process.
#[must_use]
pub fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Token(TokenCommand::Mint(arguments)) => mint::run(&arguments),
        Command::Jwks(JwksCommand::Generate(arguments)) => jwks::generate(&arguments),
        Command::Jwks(JwksCommand::Public(arguments)) => jwks::public(&arguments),
    };
    match result {
        Ok(text) => {
            if writeln!(std::io::stdout().lock(), "{text}").is_ok() {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(CANNOT)
            }
        }
        Err(error) => {
            // Where even this cannot be written, the exit status still tells.
            let _ = writeln!(std::io::stderr().lock(), "scopegate: {error}");
            ExitCode::from(CANNOT)
        }
    }
}
