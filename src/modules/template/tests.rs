use super::super::tests::Bench;
use super::ROW;
use serde_json::json;

fn bench(text: &str) -> Bench {
    let mut bench = Bench::new();
    bench.file("templates/t.j2", text);
    bench.vars.insert("port".to_owned(), json!(2379));
    bench.vars.insert("hosts".to_owned(), json!(["a", "b"]));
    bench
}

#[tokio::test]
async fn a_template_is_filled_in_and_stays() {
    let mut bench = bench("# {{ ansible_managed }}\n{% for h in hosts %}\n{{ h }}:{{ port }}\n{% endfor %}\nend\n");
    let done = bench.converges(&ROW, "{src: t.j2, dest: $D/out, mode: '0600'}").await;
    assert_eq!(bench.read("out"), "# Ansible managed\na:2379\nb:2379\nend\n");
    assert_eq!(bench.mode("out"), 0o600);
    assert_eq!(done.diff[0].after, bench.read("out"));
}

#[tokio::test]
async fn white_space_round_blocks_and_line_ends_are_as_asked() {
    let text = "{% if port %}\nx\n{% endif %}\n";
    let trimmed = bench(text);
    trimmed.ok(&ROW, "{src: t.j2, dest: $D/out}").await;
    assert_eq!(trimmed.read("out"), "x\n");
    let kept = bench(text);
    kept.ok(&ROW, r#"{src: t.j2, dest: $D/out, trim_blocks: no, newline_sequence: "\r\n"}"#).await;
    assert_eq!(kept.read("out"), "\r\nx\r\n\r\n");
}

#[tokio::test]
async fn an_undefined_name_is_a_fault_with_its_place() {
    let bench = bench("a\n{{ prot }}\n");
    let failure = bench.fails(&ROW, "{src: t.j2, dest: $D/out}").await;
    assert!(failure.msg.contains("t.j2:2:4") && failure.msg.contains("prot"), "{}", failure.msg);
    assert!(!bench.path("out").exists());
}

#[test]
fn a_fault_in_the_syntax_is_found_on_paper() {
    let good = bench("{{ anything }}\n");
    assert_eq!(good.preflight(&ROW, "{src: t.j2, dest: /x}").len(), 0);
    let bad = bench("a\n{% if x %}\n");
    let problems = bad.preflight(&ROW, "{src: t.j2, dest: /x}");
    assert_eq!(problems.len(), 1);
    assert!(problems[0].to_string().contains("t.j2:"), "{problems:?}");
    assert_eq!(bad.preflight(&ROW, "{src: none.j2, dest: /x}").len(), 1);
}
