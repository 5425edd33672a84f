use std::os::unix::ffi::OsStrExt as _;
use std::process::Command;

use proptest::prelude::*;

use crate::remote::shell::quote;

/// What a shell makes of the word.
fn echoed(shell: &str, word: &str) -> Vec<u8> {
    Command::new(shell).arg("-c").arg(format!("printf %s {word}")).output().unwrap().stdout
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_quoted_word_comes_back_as_it_was(text in "[^\0]{0,80}") {
        prop_assert_eq!(echoed("/bin/sh", &quote(&text)), text.as_bytes());
    }

    #[test]
    fn a_quoted_word_of_shell_characters_comes_back_as_it_was(text in r#"[ '"\\$`!*?\[\]{}~#&|;<>()\n\t\r=%^a-]{0,40}"#) {
        prop_assert_eq!(echoed("/bin/sh", &quote(&text)), text.as_bytes());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn arguments_and_input_reach_a_program_as_they_were(
        args in proptest::collection::vec("[^\0]{0,30}", 0..5),
        input in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let text = "for word; do printf '%s\\0' \"$word\"; done; cat";
        let argv: Vec<&str> = ["sh", "-c", text, "x"].into_iter().chain(args.iter().map(String::as_str)).collect();
        let options = crate::remote::RunOptions { stdin: Some(input.clone()), ..Default::default() };
        let ran = runtime.block_on(super::Bench::new().probe().run_with(&argv, options)).unwrap();
        let mut expected: Vec<u8> = args.iter().flat_map(|word| [word.as_bytes(), b"\0"].concat()).collect();
        expected.extend(&input);
        prop_assert_eq!(ran.stdout, expected);
    }
}

#[test]
fn every_single_character_below_256_but_nul_comes_back() {
    for code in 1..=255_u32 {
        let text = char::from_u32(code).unwrap().to_string();
        assert_eq!(echoed("/bin/sh", &quote(&text)), std::ffi::OsStr::new(&text).as_bytes(), "{code}");
    }
}

#[test]
fn the_loader_is_read_alike_by_sh_csh_and_fish() {
    let program = crate::remote::shell::Program {
        argv: vec!["true"],
        environment: &[],
        chdir: None,
        deadline: std::time::Duration::from_secs(1),
        fence: None,
    };
    let command = program.framed(None, "0").command;
    assert_eq!(command.matches('\'').count(), 2, "one quoted word");
    assert!(!command.contains(['!', '\n']) && !command.contains(r"\\"), "{command}");
}
