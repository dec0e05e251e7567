//! The native command: the same engine and the same reader as in the module.

mod certificate;
pub mod check;
pub mod credentials;
mod destination;
pub mod explain;
pub mod fetch;
pub mod gates;
mod http;
mod identities;
pub mod inspect;
mod introspected;
pub mod jwks;
mod log;
pub mod log_report;
mod man;
mod markup;
pub mod matrix;
pub mod migrate;
pub mod mint;
mod moment;
mod named;
pub mod normalise;
mod not_known;
mod placed;
pub mod policy_test;
mod reach;
pub mod report;
pub mod revocations;
pub mod revoke;
pub mod routing;
pub mod sign;
pub mod signing;
pub mod source;
pub mod tail;
mod terminal;
mod usage;

use clap::{Args, CommandFactory as _, Parser, Subcommand};
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

/// Exit status for a refusal or a failure.
const FAILED: u8 = 1;
/// Exit status for a file that cannot be read, or wrong usage; clap uses the same.
const CANNOT: u8 = 2;

/// A token gate for Envoy: checks configurations, and makes tokens and keys to try them with.
#[derive(Debug, Parser)]
#[command(name = "scopegate", version, about, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// What a command prints, and whether its answer is no, which gives exit status 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// What is printed, without the last line feed.
    pub text: String,
    /// Whether the answer is no.
    pub failed: bool,
}

impl From<String> for Output {
    fn from(text: String) -> Self {
        Self { text, failed: false }
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Checks configurations before they run: every problem, with its place and its remedy.
    Check(check::CheckArguments),
    /// Runs policy cases offline: whether a configuration gives each request the expected answer.
    Test(policy_test::TestArguments),
    /// Shows what each route and rule needs, as a table, as Markdown, or as an HTML page.
    Matrix(matrix::MatrixArguments),
    /// Explains the decision on one request: the rule, each check, the answer, the headers that go upstream.
    Explain(explain::ExplainArguments),
    /// Writes a configuration from what Envoy's `jwt_authn` and `rbac` have, and lists what means something else now.
    Migrate(migrate::MigrateArguments),
    /// Signs a request, as clients do that have an access key or a signing key.
    Sign(sign::SignArguments),
    /// Shows the decisions in an access log or in Envoy's log, a line each, and follows the log.
    Tail(tail::TailArguments),
    /// Makes a report of the decisions in logs: an HTML page, JSON, or what one token did.
    Report(log_report::ReportArguments),
    /// Prints the completions of this command for a shell.
    Completions(CompletionsArguments),
    /// Prints the man page of this command.
    #[command(after_help = "Examples:
  scopegate man > scopegate.1
  scopegate man | man -l -")]
    Man,
    /// Inspects, mints and revokes tokens.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Generates keys, and publishes, fetches and inspects key sets.
    #[command(subcommand)]
    Jwks(JwksCommand),
    /// Builds lists of revoked tokens for gates to fetch, and shows them.
    #[command(subcommand)]
    Revocations(RevocationsCommand),
    /// Makes API keys, and the digests that a configuration has of them.
    #[command(subcommand)]
    Credentials(CredentialsCommand),
}

#[derive(Debug, Subcommand)]
enum CredentialsCommand {
    /// Makes an API key, and prints it with its digest.
    New(credentials::NewArguments),
    /// Prints the digest of a key, as a configuration has it.
    Hash(credentials::HashArguments),
    /// Prints the keys of another program as a set of digests.
    Import(credentials::ImportArguments),
    /// Signs a document with the identities of a set.
    Sign(credentials::SignArguments),
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    /// Signs a token with a private key: for demos and tests, not for production.
    Mint(mint::MintArguments),
    /// Shows what a token says, without trusting it, and why a configuration would refuse it.
    Inspect(inspect::InspectTokenArguments),
    /// Prints the entry of a revocation list that revokes a token.
    Revoke(revoke::RevokeArguments),
}

#[derive(Debug, Subcommand)]
enum RevocationsCommand {
    /// Builds a list of entries for gates to fetch, without those whose `until` has passed.
    Build(revocations::BuildArguments),
    /// Shows which revision of a list a file has, and how many entries of each kind.
    Show(revocations::ShowArguments),
}

#[derive(Debug, Subcommand)]
enum JwksCommand {
    /// Generates a private key and prints it as a JSON Web Key. Keep it out of repositories.
    Generate(jwks::GenerateArguments),
    /// Prints the key set with the public parts of private keys.
    Public(jwks::PublicArguments),
    /// Fetches key sets, from an address or for the issuers of a configuration, and shows which keys can be used.
    Fetch(fetch::FetchArguments),
    /// Shows which keys of a set can be used, for which algorithms, and why the others cannot.
    Inspect(inspect::InspectKeysArguments),
}

/// The shell for the completions.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:
  scopegate completions bash > scopegate.bash
  scopegate completions zsh > _scopegate")]
struct CompletionsArguments {
    /// The shell
    shell: clap_complete::Shell,
}

/// The completions of the command for a shell.
fn completions(arguments: &CompletionsArguments) -> Output {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "scopegate", &mut script);
    Output::from(String::from_utf8_lossy(&script).into_owned())
}

/// Prints a text and a line feed. What reads it may have ended before, such as `head`: that is no failure.
fn print(text: &str) -> std::io::Result<()> {
    match writeln!(std::io::stdout().lock(), "{text}") {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Runs the command with the arguments of the process.
#[must_use]
pub fn main() -> ExitCode {
    // https://no-color.org
    let is_plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let coloured = std::io::stdout().is_terminal() && !is_plain;
    let result: Result<Output, Box<dyn std::error::Error>> = match Arguments::parse().command {
        Command::Report(arguments) => log_report::run(&arguments),
        Command::Tail(arguments) => tail::run(&arguments, coloured, &mut std::io::stdout().lock()),
        Command::Completions(arguments) => Ok(completions(&arguments)),
        Command::Man => man::page(Arguments::command()),
        Command::Check(arguments) => check::run(&arguments, coloured),
        Command::Test(arguments) => policy_test::run(&arguments),
        Command::Matrix(arguments) => matrix::run(&arguments).map(Output::from),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Migrate(arguments) => return migrate::main(&arguments),
        Command::Sign(arguments) => sign::run(&arguments).map(Output::from),
        Command::Token(TokenCommand::Inspect(arguments)) => inspect::token(&arguments),
        Command::Jwks(JwksCommand::Inspect(arguments)) => inspect::keys(&arguments),
        Command::Jwks(JwksCommand::Fetch(arguments)) => fetch::run(&arguments),
        Command::Token(TokenCommand::Revoke(arguments)) => revoke::run(&arguments),
        Command::Revocations(RevocationsCommand::Build(arguments)) => revocations::build(&arguments),
        Command::Revocations(RevocationsCommand::Show(arguments)) => revocations::show(&arguments),
        Command::Credentials(CredentialsCommand::New(arguments)) => credentials::new(&arguments).map(Output::from),
        Command::Credentials(CredentialsCommand::Hash(arguments)) => credentials::hash(&arguments).map(Output::from),
        Command::Credentials(CredentialsCommand::Import(arguments)) => credentials::import(&arguments),
        Command::Credentials(CredentialsCommand::Sign(arguments)) => credentials::sign(&arguments).map(Output::from),
        Command::Token(TokenCommand::Mint(arguments)) => mint::run(&arguments).map(Output::from),
        Command::Jwks(JwksCommand::Generate(arguments)) => jwks::generate(&arguments).map(Output::from),
        Command::Jwks(JwksCommand::Public(arguments)) => jwks::public(&arguments).map(Output::from),
    };
    match result {
        // It has been printed as it came.
        Ok(output) if output.text.is_empty() => ExitCode::SUCCESS,
        Ok(output) => match print(&output.text) {
            Ok(()) if output.failed => ExitCode::from(FAILED),
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::from(CANNOT),
        },
        Err(error) => {
            // If even this cannot be written, the exit status still tells.
            let _ = writeln!(std::io::stderr().lock(), "scopegate: {}", terminal::clean(&error.to_string()));
            ExitCode::from(CANNOT)
        }
    }
}
