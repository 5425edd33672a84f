//! `quorate exec`: one command on many hosts, as a play of one task.

use std::io::{IsTerminal, stdout};
use std::sync::Arc;

use super::arguments::Exec as Arguments;
use super::exit::Exit;
use super::running::{self, OneTask};
use super::signals::Signals;
use crate::inventory::Source;
use crate::report::{Folded, Style};

/// Runs it.
pub(super) fn run(arguments: &Arguments) -> Exit {
    prepared(arguments).unwrap_or_else(|exit| exit)
}

fn prepared(arguments: &Arguments) -> Result<Exit, Exit> {
    let (connection, output) = (&arguments.connection, &arguments.output);
    let OneTask { run, state, id, gate } = OneTask::new(&play(arguments), "exec", (connection, output), |_| {})?;
    let passwords = running::passwords(connection)?;
    let (journal, _) = running::journal(&state, &id)?;
    let folded = |_| Box::new(Folded::new(stdout(), Style::for_terminal(stdout().is_terminal()))) as _;
    let readers = running::reader(output, running::head(&journal), folded);
    let interrupt = Signals::default().caught()?;
    Ok(running::perform(&run, &state, &gate, passwords, interrupt, (Box::new(journal), readers)))
}

/// The play as text. JSON is YAML; `!unsafe` keeps every word as it was typed, braces and all.
fn play(arguments: &Arguments) -> Arc<Source> {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let literal = |text: &String| format!("!unsafe {}", quoted(text));
    let task = if arguments.shell {
        format!("shell: {{ cmd: !unsafe {} }}", quoted(&arguments.command.join(" ")))
    } else {
        let words: Vec<String> = arguments.command.iter().map(literal).collect();
        format!("command: {{ argv: [ {} ] }}", words.join(", "))
    };
    let name = quoted(&arguments.command.join(" "));
    let mut play = format!("- hosts: {}\n  gather_facts: false\n", quoted(&arguments.pattern));
    play.push_str(&format!("  tasks:\n    - name: !unsafe {name}\n      {task}\n"));
    Source::new("<command line>", play)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::arguments::{Cli, Command};
    use crate::playbook::{self, Item};

    fn task_of(line: &[&str]) -> (String, serde_json::Value) {
        let Command::Exec(arguments) = Cli::try_parse_from(line).unwrap().command else { panic!("not exec") };
        let playbook = playbook::from_source(&play(&arguments), &crate::modules::vocabulary()).unwrap();
        let Item::Task(task) = &playbook.plays[0].tasks[0] else { panic!("not a task") };
        (task.module.clone(), task.args.to_json())
    }

    #[test]
    fn every_word_reaches_the_command_as_it_was_typed() {
        let line = ["quorate", "exec", "all", "-i", "h,", "--", "echo", "{{ x }}", "a: b # c", "\"'\\ é\n", "-n"];
        let (module, args) = task_of(&line);
        assert_eq!(module, "command");
        assert_eq!(args["argv"], serde_json::json!(["echo", "{{ x }}", "a: b # c", "\"'\\ é\n", "-n"]));
    }

    #[test]
    fn a_shell_line_is_handed_over_whole() {
        let (module, args) = task_of(&["quorate", "exec", "all", "-i", "h,", "--shell", "--", "df | tail", "-1"]);
        assert_eq!((module.as_str(), &args["cmd"]), ("shell", &serde_json::json!("df | tail -1")));
    }
}
