//! The `quorate` command: everything it does is in the library.

fn main() -> std::process::ExitCode {
    quorate::cli::main()
}
